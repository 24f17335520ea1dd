//! Makes a [`Provider`] of a [`PathProvider`].
//!
//! The adapter keeps the map between nodes and paths: renaming a directory moves its subtree, a file that is removed
//! stays readable through a handle that was opened before, and cookies and lookup counts are its work.
//!
//! Invariant: no lock is held across a call of the path provider; paths are kept still by marks instead (`steps`).

mod changes;
mod directories;
mod files;
mod listing;
mod open_files;
mod provider;
mod remains;
mod steps;
mod tree;

use crate::{Attr, Call, Entry, ErrorKind, Name, NodeId, PathProvider, Result, Target};
use open_files::OpenFiles;
use remains::Remains;
use std::sync::Arc;
use steps::{SharedTree, Spot};

/// Makes a [`Provider`](crate::Provider) of a [`PathProvider`].
///
/// Lookup counts, cookies, hard links (as far as ids tell them) and files without names are kept track of here. An
/// object whose id the provider leaves to the adapter costs memory until it is removed; one with an id of its own
/// only while it is known. A file that is known when its last name goes is opened once more just before.
pub struct PathAdapter {
    provider: Arc<dyn PathProvider>,
    tree: SharedTree,
    files: OpenFiles,
}

impl PathAdapter {
    /// Returns a provider that answers from this one.
    pub fn new(provider: impl PathProvider) -> PathAdapter {
        PathAdapter { provider: Arc::new(provider), tree: SharedTree::new(), files: OpenFiles::default() }
    }

    /// Returns the attributes with the identity that the adapter shows for the node.
    fn shown(&self, node: NodeId, attr: Attr) -> Attr {
        Attr { id: self.tree.with(|tree| tree.shown_id(node, attr.id)), ..attr }
    }

    /// Looks at a path that is held, and notes what stands there.
    fn note(
        &self,
        call: &Call,
        held: &steps::Held<'_>,
        at: (NodeId, Name<'_>),
        lookups: u64,
    ) -> Result<Entry> {
        let attr = self.provider.getattr(call, Target::Path(held.path()))?;
        let node = self.tree.with(|tree| tree.found(at.0, at.1, &attr, lookups));
        let entry = Entry { node, attr: self.shown(node, attr) };
        if lookups == 0 {
            self.tree.with(|tree| tree.tidy(node));
        }
        Ok(entry)
    }

    /// Looks a name up and counts `lookups` of what is found.
    fn find(&self, call: &Call, parent: NodeId, name: Name<'_>, lookups: u64) -> Result<Entry> {
        let held = self.tree.share(Spot::of(parent, name))?;
        self.note(call, &held, (parent, name), lookups)
    }

    /// Returns what is left of a node without a name.
    ///
    /// # Errors
    /// `ESTALE` where nothing is.
    fn remains(&self, node: NodeId) -> Result<Remains> {
        let remains = self.tree.with(|tree| tree.node(node)?.remains.clone());
        remains.ok_or_else(|| ErrorKind::Stale.into())
    }
}

/// Returns the value, or `None` where a path was asked for that does not exist any more.
fn unless_gone<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
