//! Finding the directory that a bind shows.
//!
//! Invariant: each node that a lookup counted is given back, except the one that is returned in its hold.

use crate::mount::NodeHold;
use crate::{Components, Mount};
use fs9_sdk::{Call, Caller, ErrorKind, FileType, NodeId, Operation, Provider, Result};
use std::sync::Arc;

/// Walks from a mount's root along `rest`. `None` means the root of the provider, which needs no hold.
pub(crate) fn find(origin: &Arc<Mount>, rest: Components<'_>) -> Result<Option<Arc<NodeHold>>> {
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
            pool.call(&call, work, move |late: Result<NodeId>| {
                if let Ok(node) = late {
                    forgetful.forget(node, 1);
                }
            })??
        }
    };
    Ok(Some(Arc::new(NodeHold { provider, pool, node })))
}

/// Looks up name after name; the node that is returned counts as looked up once, those on the way do not.
fn walk(provider: &dyn Provider, call: &Call, root: NodeId, names: Components<'_>) -> Result<NodeId> {
    let mut held: Option<NodeId> = None;
    for name in names {
        let found = provider.lookup(call, held.unwrap_or(root), name);
        if let Some(node) = held.take() {
            provider.forget(node, 1);
        }
        let entry = found?;
        held = Some(entry.node);
        if entry.attr.kind != FileType::Directory {
            provider.forget(entry.node, 1);
            return Err(ErrorKind::NotADirectory.into());
        }
    }
    held.ok_or_else(|| ErrorKind::NotFound.into())
}
