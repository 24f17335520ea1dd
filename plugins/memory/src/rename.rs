//! Renaming: one entry moves, replaces another or changes places with it, in one step.
//!
//! Lock order: the rename lock if a directory changes its parent or is replaced from elsewhere; both parents' entries,
//! smaller number first. A lookup locks only the parent of the new name, which is locked throughout: it sees the old
//! object or the new one.

use crate::birth::{Maker, New};
use crate::directory::{Directory, Entries};
use crate::node::Node;
use crate::tree::{Tree, check_link_max};
use fs9_sdk::{Call, ErrorKind, FileType, Name, NodeId, Place, RenameFlags, Result, Timestamp};
use parking_lot::RwLockWriteGuard;
use std::sync::Arc;

/// The locked entries of the one or two directories concerned.
struct Locked<'a> {
    first: RwLockWriteGuard<'a, Entries>,
    second: Option<RwLockWriteGuard<'a, Entries>>,
    /// Whether the directory to move into is `first`.
    to_is_first: bool,
}

impl<'a> Locked<'a> {
    fn new(from: (&Node, &'a Directory), to: (&Node, &'a Directory)) -> Locked<'a> {
        let to_is_first = to.0.number() <= from.0.number();
        let (first, second) = if to_is_first { (to, from) } else { (from, to) };
        let same = from.0.number() == to.0.number();
        let locked_first = first.1.entries.write();
        let second = (!same).then(|| second.1.entries.write());
        Locked { first: locked_first, second, to_is_first }
    }

    fn from(&mut self) -> &mut Entries {
        match &mut self.second {
            Some(second) if self.to_is_first => second,
            _ => &mut self.first,
        }
    }

    fn to(&mut self) -> &mut Entries {
        match &mut self.second {
            Some(second) if !self.to_is_first => second,
            _ => &mut self.first,
        }
    }
}

/// A rename whose parents are known.
struct Rename<'a> {
    from_parent: &'a Arc<Node>,
    to_parent: &'a Arc<Node>,
    from_name: Name<'a>,
    to_name: Name<'a>,
    flags: RenameFlags,
}

/// What came of an attempt.
enum Attempt {
    /// It is done; this object lost a name.
    Done(Option<Arc<Node>>),
    /// Ancestors matter: it must be tried again with the rename lock held.
    NeedsRenameLock,
}

impl Tree {
    /// Moves an entry (`renameat2(2)`).
    pub(crate) fn rename(
        &self,
        call: &Call,
        from: Place<'_>,
        to: Place<'_>,
        flags: RenameFlags,
    ) -> Result<()> {
        let known = RenameFlags::NOREPLACE | RenameFlags::EXCHANGE | RenameFlags::WHITEOUT;
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        if !known.contains(flags) || exchange && flags != RenameFlags::EXCHANGE {
            return Err(ErrorKind::InvalidArgument.into());
        }
        let (from_parent, to_parent) = (self.node(from.parent)?, self.node(to.parent)?);
        let rename = Rename {
            from_parent: &from_parent,
            to_parent: &to_parent,
            from_name: from.name,
            to_name: to.name,
            flags,
        };
        let mut attempt = rename.attempt(self, call, false)?;
        if matches!(attempt, Attempt::NeedsRenameLock) {
            let _moving = self.rename_lock.lock();
            attempt = rename.attempt(self, call, true)?;
        }
        match attempt {
            Attempt::Done(Some(unnamed)) => self.reap_if_unused(&unnamed),
            Attempt::Done(None) => {}
            Attempt::NeedsRenameLock => unreachable!("a rename with the rename lock held asked for it"),
        }
        Ok(())
    }

    /// Returns whether `ancestor` is `node` or a directory above it. The rename lock is held, so parents stay.
    fn is_ancestor(&self, ancestor: &Node, node: &Node) -> Result<bool> {
        let mut number = node.number();
        loop {
            if number == ancestor.number() {
                return Ok(true);
            }
            // A removed directory may outlive its parent; nothing is above it any more.
            let Ok(node) = self.node(NodeId(number)) else { return Ok(false) };
            let parent = node.directory()?.parent();
            if parent == number {
                return Ok(false);
            }
            number = parent;
        }
    }
}

impl Rename<'_> {
    fn attempt(&self, tree: &Tree, call: &Call, has_rename_lock: bool) -> Result<Attempt> {
        let (from_directory, to_directory) = (self.from_parent.directory()?, self.to_parent.directory()?);
        let mut locked = Locked::new((self.from_parent, from_directory), (self.to_parent, to_directory));
        let source = Arc::clone(locked.from().get(self.from_name).ok_or(ErrorKind::NotFound)?);
        let target = locked.to().get(self.to_name).cloned();
        let exchange = self.flags.contains(RenameFlags::EXCHANGE);
        match &target {
            Some(_) if self.flags.contains(RenameFlags::NOREPLACE) => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            None if exchange => return Err(ErrorKind::NotFound.into()),
            _ => {}
        }
        let moves_directory =
            source.is_directory() || target.as_ref().is_some_and(|node| node.is_directory());
        if self.is_crossing() && moves_directory {
            if !has_rename_lock {
                return Ok(Attempt::NeedsRenameLock);
            }
            self.check_ancestors(tree, &source, target.as_deref())?;
        }
        match target {
            Some(target) if target.number() == source.number() => Ok(Attempt::Done(None)),
            Some(target) if exchange => {
                self.exchange(&mut locked, &source, &target)?;
                Ok(Attempt::Done(None))
            }
            target => self.replace(tree, call, &mut locked, &source, target).map(Attempt::Done),
        }
    }

    fn is_crossing(&self) -> bool {
        self.from_parent.number() != self.to_parent.number()
    }

    fn check_ancestors(&self, tree: &Tree, source: &Node, target: Option<&Node>) -> Result<()> {
        if source.is_directory() && tree.is_ancestor(source, self.to_parent)? {
            return Err(ErrorKind::InvalidArgument.into());
        }
        match target {
            Some(target) if target.is_directory() && tree.is_ancestor(target, self.from_parent)? => {
                let exchange = self.flags.contains(RenameFlags::EXCHANGE);
                let kind = if exchange { ErrorKind::InvalidArgument } else { ErrorKind::DirectoryNotEmpty };
                Err(kind.into())
            }
            _ => Ok(()),
        }
    }

    fn exchange(&self, locked: &mut Locked<'_>, source: &Arc<Node>, target: &Arc<Node>) -> Result<()> {
        let (source_moves, target_moves) = (source.is_directory(), target.is_directory());
        if self.is_crossing() {
            check_link_max(self.to_parent, source_moves && !target_moves)?;
            check_link_max(self.from_parent, target_moves && !source_moves)?;
        }
        locked.to().replace(self.to_name, Arc::clone(source));
        locked.from().replace(self.from_name, Arc::clone(target));
        let now = Timestamp::now();
        self.note_move(source, self.to_parent, now);
        self.note_move(target, self.from_parent, now);
        let gained = i64::from(source_moves) - i64::from(target_moves);
        self.note_parents(-gained, gained, now);
        Ok(())
    }

    fn replace(
        &self,
        tree: &Tree,
        call: &Call,
        locked: &mut Locked<'_>,
        source: &Arc<Node>,
        target: Option<Arc<Node>>,
    ) -> Result<Option<Arc<Node>>> {
        let moves_directory = source.is_directory();
        match &target {
            Some(target) if moves_directory && !target.is_directory() => {
                return Err(ErrorKind::NotADirectory.into());
            }
            Some(target) if !moves_directory && target.is_directory() => {
                return Err(ErrorKind::IsADirectory.into());
            }
            _ => {}
        }
        let whiteout = self.prepare(tree, call, locked, source, target.as_deref())?;
        match &target {
            Some(_) => drop(locked.to().replace(self.to_name, Arc::clone(source))),
            None => locked.to().insert(self.to_name, Arc::clone(source)),
        }
        let vacates = whiteout.is_none();
        match whiteout {
            Some(whiteout) => drop(locked.from().replace(self.from_name, whiteout)),
            None => drop(locked.from().remove(self.from_name)),
        }
        let now = Timestamp::now();
        self.note_move(source, self.to_parent, now);
        let replaced_directory = target.as_ref().is_some_and(|target| target.is_directory());
        self.note_parents(
            -i64::from(moves_directory),
            i64::from(moves_directory) - i64::from(replaced_directory),
            now,
        );
        if vacates {
            // After its links are counted: from here on the old parent passes for empty and may be removed itself.
            self.from_parent.directory()?.dismiss();
        }
        if let Some(target) = &target {
            tree.drop_link(target, now);
        }
        Ok(target)
    }

    /// Does all that can fail: after it, the rename happens. Returns the whiteout to leave behind.
    fn prepare(
        &self,
        tree: &Tree,
        call: &Call,
        locked: &mut Locked<'_>,
        source: &Node,
        target: Option<&Node>,
    ) -> Result<Option<Arc<Node>>> {
        locked.to().check_room()?;
        let adds_directory = source.is_directory() && self.is_crossing();
        check_link_max(self.to_parent, adds_directory && target.is_none())?;
        let to_directory = self.to_parent.directory()?;
        if target.is_none() {
            to_directory.admit()?;
        }
        let whiteout = self.flags.contains(RenameFlags::WHITEOUT).then(|| {
            let new = New::plain(FileType::CharDevice, 0);
            tree.new_node(Maker::unprivileged(&call.caller), self.from_parent, &new)
        });
        let sealed = match (&whiteout, target) {
            (Some(Err(_)), _) | (_, None) => Ok(()),
            (_, Some(target)) => target.directory().map_or(Ok(()), Directory::seal),
        };
        match (whiteout.transpose(), sealed) {
            (Ok(whiteout), Ok(())) => Ok(whiteout),
            (Err(error), _) => {
                if target.is_none() {
                    to_directory.dismiss();
                }
                Err(error)
            }
            (Ok(unused), Err(error)) => {
                if let Some(unused) = unused {
                    unused.meta.lock().nlink = 0;
                    tree.reap_if_unused(&unused);
                }
                Err(error)
            }
        }
    }

    fn note_move(&self, node: &Node, parent: &Node, now: Timestamp) {
        node.meta.lock().ctime = now;
        if let (true, Ok(directory)) = (self.is_crossing(), node.directory()) {
            directory.set_parent(parent.number());
        }
    }

    /// Notes the change of both parents' entries and of the number of their subdirectories.
    fn note_parents(&self, from_gained: i64, to_gained: i64, now: Timestamp) {
        for (parent, gained) in [(self.from_parent, from_gained), (self.to_parent, to_gained)] {
            let mut meta = parent.meta.lock();
            meta.modified(now);
            let nlink = meta.nlink.checked_add_signed(gained as i32);
            #[expect(clippy::expect_used, reason = "a broken count of our own must not go on")]
            {
                meta.nlink = nlink.expect("a directory has as many links as subdirectories and two more");
            }
        }
    }
}
