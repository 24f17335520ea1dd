//! Holds paths still while operations use them.
//!
//! An operation shares every step of the paths it uses; a rename or removal has its last steps to itself. Whoever
//! waits holds nothing yet: all steps of an operation are taken at once, or it waits.
//!
//! Invariants: a step that is marked exclusive lets no new operation in, and its holder begins once those that were
//! in are out. An operation that is in never waits for a step, so that it always gets out.
//! Lock order: the tree's mutex is held only for marking; never across a call of the provider.

use super::tree::{Step, Tree};
use crate::{ErrorKind, Name, NodeId, RelPath, RelPathBuf, Result};
use parking_lot::{Condvar, Mutex};

/// The tree, and who waits for a part of it.
pub(super) struct SharedTree {
    tree: Mutex<Tree>,
    freed: Condvar,
}

/// A place that an operation is about: a directory, and a name in it unless it is about the directory itself.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) node: NodeId,
    pub(super) name: Option<Name<'a>>,
}

impl<'a> Spot<'a> {
    pub(super) const fn at(node: NodeId) -> Spot<'static> {
        Spot { node, name: None }
    }

    pub(super) const fn of(node: NodeId, name: Name<'a>) -> Spot<'a> {
        Spot { node, name: Some(name) }
    }
}

/// Paths that stay what they are until this is dropped.
pub(super) struct Held<'a> {
    shared_tree: &'a SharedTree,
    shared: Vec<Step>,
    exclusive: Vec<Step>,
    paths: Vec<RelPathBuf>,
}

impl Held<'_> {
    /// Returns the path of the first spot that was asked for.
    pub(super) fn path(&self) -> RelPath<'_> {
        self.paths.first().map_or(RelPath::ROOT, RelPathBuf::as_rel_path)
    }

    /// Returns the path of the last spot that was asked for.
    pub(super) fn second_path(&self) -> RelPath<'_> {
        self.paths.last().map_or(RelPath::ROOT, RelPathBuf::as_rel_path)
    }
}

/// The steps of one operation before they are taken.
#[derive(Default)]
struct Wanted {
    shared: Vec<Step>,
    exclusive: Vec<Step>,
    paths: Vec<RelPathBuf>,
}

impl SharedTree {
    pub(super) fn new() -> SharedTree {
        SharedTree { tree: Mutex::new(Tree::new()), freed: Condvar::new() }
    }

    /// Does something with the tree. What it discards is dropped after the lock is gone.
    pub(super) fn with<T>(&self, body: impl FnOnce(&mut Tree) -> T) -> T {
        let mut tree = self.tree.lock();
        let result = body(&mut tree);
        let discarded = tree.take_discarded();
        drop(tree);
        drop(discarded);
        result
    }

    /// Holds the path of a spot for use.
    ///
    /// # Errors
    /// `ENOENT` if a directory of it has lost its name, `ENOTDIR` if one is none, `ESTALE` for an unknown node.
    pub(super) fn share(&self, spot: Spot<'_>) -> Result<Held<'_>> {
        self.take(|tree| {
            let mut wanted = Wanted::default();
            wanted.add(tree, spot, false)?;
            Ok(wanted)
        })
    }

    /// Holds two paths for use.
    ///
    /// # Errors
    /// As [`SharedTree::share`].
    pub(super) fn share_both(&self, one: Spot<'_>, two: Spot<'_>) -> Result<Held<'_>> {
        self.take(|tree| {
            let mut wanted = Wanted::default();
            wanted.add(tree, one, false)?;
            wanted.add(tree, two, false)?;
            Ok(wanted)
        })
    }

    /// Holds a path so that nobody else uses its last step.
    ///
    /// # Errors
    /// As [`SharedTree::share`].
    pub(super) fn own(&self, spot: Spot<'_>) -> Result<Held<'_>> {
        self.take(|tree| {
            let mut wanted = Wanted::default();
            wanted.add(tree, spot, true)?;
            Ok(wanted)
        })
    }

    /// Holds two different paths so that nobody else uses their last steps. Neither may lead through the other.
    ///
    /// # Errors
    /// As [`SharedTree::share`]; `EINVAL` where the second path leads through the last step of the first,
    /// `ENOTEMPTY` where the first leads through that of the second.
    pub(super) fn own_both(&self, one: Spot<'_>, two: Spot<'_>) -> Result<Held<'_>> {
        self.take(|tree| {
            let mut wanted = Wanted::default();
            wanted.add(tree, one, true)?;
            let through_one = wanted.shared.len();
            wanted.add(tree, two, true)?;
            let passes = |steps: &[Step], last: usize| {
                wanted.exclusive.get(last).is_some_and(|step| steps.contains(step))
            };
            if passes(&wanted.shared[through_one..], 0) {
                return Err(ErrorKind::InvalidArgument.into());
            }
            if passes(&wanted.shared[..through_one], 1) {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            Ok(wanted)
        })
    }

    fn take(&self, want: impl Fn(&Tree) -> Result<Wanted>) -> Result<Held<'_>> {
        let mut tree = self.tree.lock();
        let wanted = loop {
            // Asked again after each wait: what was waited for may have moved the paths.
            let wanted = want(&tree)?;
            if wanted.is_free(&tree) {
                break wanted;
            }
            self.freed.wait(&mut tree);
        };
        wanted.mark(&mut tree);
        while !wanted.is_alone(&mut tree) {
            self.freed.wait(&mut tree);
        }
        let Wanted { shared, exclusive, paths } = wanted;
        Ok(Held { shared_tree: self, shared, exclusive, paths })
    }
}

impl Wanted {
    fn add(&mut self, tree: &Tree, spot: Spot<'_>, exclusive: bool) -> Result<()> {
        let node = tree.node(spot.node).ok_or(ErrorKind::Stale)?;
        if spot.name.is_some() && node.kind != crate::FileType::Directory {
            return Err(ErrorKind::NotADirectory.into());
        }
        let mut steps = tree.steps_to(spot.node).ok_or(ErrorKind::NotFound)?;
        if let Some(name) = spot.name {
            steps.push((spot.node, name.as_bytes().into()));
        }
        let mut path = RelPathBuf::default();
        for (_, name) in &steps {
            path.push(Name::new(name)?);
        }
        self.paths.push(path);
        if exclusive {
            self.exclusive.extend(steps.pop());
        }
        self.shared.extend(steps);
        Ok(())
    }

    fn is_free(&self, tree: &Tree) -> bool {
        let mut steps = self.shared.iter().chain(&self.exclusive);
        steps.all(|(parent, name)| !tree.is_exclusive(*parent, name))
    }

    fn mark(&self, tree: &mut Tree) {
        for (parent, name) in &self.shared {
            if let Some(entry) = tree.entry_mut(*parent, name) {
                entry.shared += 1;
            }
        }
        for (parent, name) in &self.exclusive {
            if let Some(entry) = tree.entry_mut(*parent, name) {
                entry.exclusive = true;
            }
        }
    }

    fn is_alone(&self, tree: &mut Tree) -> bool {
        let mut steps = self.exclusive.iter();
        steps.all(|(parent, name)| tree.entry_mut(*parent, name).is_none_or(|entry| entry.shared == 0))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared_tree.with(|tree| {
            for (parent, name) in &self.shared {
                if let Some(entry) = tree.entry_mut(*parent, name) {
                    entry.shared -= 1;
                }
                tree.drop_idle(*parent, name);
            }
            for (parent, name) in &self.exclusive {
                if let Some(entry) = tree.entry_mut(*parent, name) {
                    entry.exclusive = false;
                }
                tree.drop_idle(*parent, name);
            }
            // Directories that only this operation kept may go now, the deepest first.
            for (parent, _) in self.exclusive.iter().chain(self.shared.iter().rev()) {
                tree.tidy(*parent);
            }
        });
        self.shared_tree.freed.notify_all();
    }
}
