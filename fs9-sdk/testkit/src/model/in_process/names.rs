//! Making, opening, linking, moving and removing names.

use super::super::answer::{Answer, Outcome, refusal_to_open};
use super::super::operation::{OpenMode, Operation, Path};
use super::{InProcess, done, kind, open_flags};
use fs9_sdk::{Entry, ErrorKind, FileType, Name, NewNode, NodeId, OpenFlags, OpenNode, Place, RenameFlags};

impl InProcess {
    pub(super) fn open_node(&mut self, entry: Entry, open: OpenMode, slot: usize) -> Outcome {
        if let Some(refusal) = refusal_to_open(entry.attr.kind) {
            return Err(refusal);
        }
        let flags = open_flags(open);
        let kills = flags.contains(OpenFlags::TRUNCATE) && self.kills_privileges();
        let asked = if kills { flags | OpenFlags::KILL_PRIVILEGES } else { flags };
        let opened = self.provider().open(&self.call, entry.node, asked).map_err(kind)?;
        self.put(slot, OpenNode { node: entry.node, handle: opened.handle }, flags)
    }

    fn create(&mut self, path: &Path, mode: u16, exclusive: bool, open: OpenMode, slot: usize) -> Outcome {
        let (parent, name) = self.parent(path)?;
        match self.lookup(parent, &name) {
            Ok(_) if exclusive => return Err(ErrorKind::AlreadyExists),
            Ok(entry) => return self.open_node(entry, open, slot),
            Err(ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
        let exclusive = if exclusive { OpenFlags::EXCLUSIVE } else { OpenFlags::empty() };
        let flags = open_flags(open) | OpenFlags::CREATE | exclusive;
        let place = Place { parent, name: Name::new(&name).map_err(kind)? };
        let (entry, opened) = self.provider().create(&self.call, place, mode, flags).map_err(kind)?;
        self.note(entry);
        self.put(slot, OpenNode { node: entry.node, handle: opened.handle }, flags)
    }

    fn rename(&mut self, from: &Path, to: &Path, flags: u32) -> Outcome {
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        let flags = RenameFlags::from_bits_retain(flags);
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let contradicts = exchange && flags.intersects(RenameFlags::NOREPLACE | RenameFlags::WHITEOUT);
        if flags.bits() & !7 != 0 || contradicts {
            return Err(ErrorKind::InvalidArgument);
        }
        self.lookup(from_dir, &from_name)?;
        let stands = self.stands(to_dir, &to_name)?;
        if stands && flags.contains(RenameFlags::NOREPLACE) {
            return Err(ErrorKind::AlreadyExists);
        }
        if !stands && exchange {
            return Err(ErrorKind::NotFound);
        }
        if from.0.len() > to.0.len() && from.0.starts_with(&to.0) {
            return Err(if exchange { ErrorKind::InvalidArgument } else { ErrorKind::DirectoryNotEmpty });
        }
        let from = Place { parent: from_dir, name: Name::new(&from_name).map_err(kind)? };
        let to = Place { parent: to_dir, name: Name::new(&to_name).map_err(kind)? };
        done(self.provider().rename(&self.call, from, to, flags))
    }

    fn link(&mut self, from: &Path, to: &Path) -> Outcome {
        // The other side walks to both directories before it makes the one system call.
        let ((from_dir, from_name), (parent, name)) = (self.parent(from)?, self.parent(to)?);
        let from = self.lookup(from_dir, &from_name)?;
        if self.stands(parent, &name)? {
            return Err(ErrorKind::AlreadyExists);
        }
        let name = Name::new(&name).map_err(kind)?;
        let made = self.provider().link(&self.call, from.node, parent, name).map_err(kind)?;
        self.note(made);
        Ok(Answer::Done)
    }

    fn make(
        &mut self,
        path: &Path,
        make: impl FnOnce(&Self, NodeId, Name<'_>) -> fs9_sdk::Result<Entry>,
    ) -> Outcome {
        let (parent, name) = self.parent(path)?;
        let made = make(self, parent, Name::new(&name).map_err(kind)?).map_err(kind)?;
        self.note(made);
        Ok(Answer::Done)
    }

    pub(super) fn names(&mut self, operation: &Operation) -> Outcome {
        match operation {
            // mkdir(2) ignores set-user-ID and set-group-ID.
            Operation::Mkdir { path, mode } => self.make(path, |this, parent, name| {
                this.provider().mkdir(&this.call, parent, name, mode & 0o1777)
            }),
            Operation::Symlink { path, target } => self
                .make(path, |this, parent, name| this.provider().symlink(&this.call, parent, name, target)),
            Operation::Mkfifo { path, mode } => {
                let new = NewNode { mode: FileType::Fifo.mode_bits() | u32::from(*mode), rdev: 0 };
                self.make(path, |this, parent, name| this.provider().mknod(&this.call, parent, name, new))
            }
            Operation::Link { from, to } => self.link(from, to),
            Operation::Unlink { path } => {
                let (parent, name) = self.parent(path)?;
                done(self.provider().unlink(&self.call, parent, Name::new(&name).map_err(kind)?))
            }
            Operation::Rmdir { path } => {
                let (parent, name) = self.parent(path)?;
                done(self.provider().rmdir(&self.call, parent, Name::new(&name).map_err(kind)?))
            }
            Operation::Rename { from, to, flags } => self.rename(from, to, *flags),
            Operation::Create { path, mode, exclusive, open, slot } => {
                self.create(path, *mode, *exclusive, *open, *slot)
            }
            Operation::Open { path, open, slot } => {
                let entry = self.find(path)?;
                self.open_node(entry, *open, *slot)
            }
            Operation::Close { slot } => self.close(*slot),
            Operation::ForgetAll => {
                self.forget_all();
                Ok(Answer::Done)
            }
            _ => self.data(operation),
        }
    }
}
