//! Walking through a provider on nobody's behalf: to the directory that a bind shows, and to what a mount would hide.
//!
//! Invariant: each node that a lookup counted is given back, except the one that is returned in its hold.

use crate::mount::NodeHold;
use crate::{Components, Mount};
use fs9_sdk::{Call, Caller, Error, ErrorKind, FileType, NodeId, Operation, Provider, Result};
use std::sync::Arc;

/// Why a walk ended before its end.
#[derive(Debug)]
pub(crate) struct Stop {
    /// The number of names that were walked, with the one that stopped the walk.
    pub(crate) names: usize,
    /// What has that name, if something has that is no directory.
    pub(crate) obstacle: Option<FileType>,
    /// The error to be told.
    pub(crate) error: Error,
}

/// Walks from a mount's root along `rest` to a directory. `None` means the root of the provider, which needs no hold.
pub(crate) fn to_directory(
    origin: &Arc<Mount>,
    rest: Components<'_>,
) -> std::result::Result<Option<Arc<NodeHold>>, Stop> {
    if rest.as_bytes().is_empty() {
        return Ok(origin.root_hold().cloned());
    }
    let provider = Arc::clone(origin.provider());
    let deadline = origin.deadlines().of(Operation::Lookup);
    let call = Call { deadline, ..Call::by(Caller::ROOT) };
    let pool = origin.pool().cloned();
    let node = match &pool {
        None => walk(&*provider, &call, origin.root(), rest)?,
        Some(pool) => {
            let (mount, relative) = (Arc::clone(origin), rest.as_bytes().to_vec());
            let work = {
                let (provider, call) = (Arc::clone(&provider), call.clone());
                move || walk(&*provider, &call, mount.root(), Components::of(&relative))
            };
            let forgetful = Arc::clone(&provider);
            let walked = pool.call(&call, work, move |late: std::result::Result<NodeId, Stop>| {
                if let Ok(node) = late {
                    forgetful.forget(node, 1);
                }
            });
            walked.map_err(|error| Stop { names: 0, obstacle: None, error })??
        }
    };
    Ok(Some(Arc::new(NodeHold { provider, pool, node })))
}

/// Looks up name after name; the node that is returned counts as looked up once, those on the way do not.
fn walk(
    provider: &dyn Provider,
    call: &Call,
    root: NodeId,
    names: Components<'_>,
) -> std::result::Result<NodeId, Stop> {
    let mut held: Option<NodeId> = None;
    for (index, name) in names.enumerate() {
        let stop = |obstacle, error| Stop { names: index + 1, obstacle, error };
        let found: Result<_> = provider.lookup(call, held.unwrap_or(root), name);
        if let Some(node) = held.take() {
            provider.forget(node, 1);
        }
        let entry = found.map_err(|error| stop(None, error))?;
        held = Some(entry.node);
        if entry.attr.kind != FileType::Directory {
            provider.forget(entry.node, 1);
            return Err(stop(Some(entry.attr.kind), ErrorKind::NotADirectory.into()));
        }
    }
    held.ok_or_else(|| Stop { names: 0, obstacle: None, error: ErrorKind::NotFound.into() })
}
