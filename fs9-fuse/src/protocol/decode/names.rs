//! Requests on names, and those that make inodes.

use super::Decoder;
use crate::protocol::flags::OPEN_KILL_SUIDGID;
use crate::protocol::malformed::Fault;
use crate::protocol::wire::{CreateIn, LinkIn, MkdirIn, MknodIn, Rename2In, RenameIn};
use crate::{Ino, Operation};
use fs9_sdk::{OpenFlags, RenameFlags};
use std::borrow::Cow;

impl<'a> Decoder<'a> {
    pub(super) fn symlink(&mut self) -> Result<Operation<'a>, Fault> {
        let name = self.arguments.name()?;
        let target = Cow::Borrowed(self.arguments.string()?);
        Ok(Operation::Symlink { name, target, creation: self.creation()? })
    }

    pub(super) fn mknod(&mut self) -> Result<Operation<'a>, Fault> {
        let MknodIn { mode, rdev, umask, .. } = self.arguments.record()?;
        self.umask = umask;
        let name = self.arguments.name()?;
        Ok(Operation::Mknod { name, mode, rdev, creation: self.creation()? })
    }

    pub(super) fn mkdir(&mut self) -> Result<Operation<'a>, Fault> {
        let MkdirIn { mode, umask } = self.arguments.record()?;
        self.umask = umask;
        let name = self.arguments.name()?;
        Ok(Operation::Mkdir { name, mode, creation: self.creation()? })
    }

    pub(super) fn create(&mut self) -> Result<Operation<'a>, Fault> {
        let CreateIn { flags, mode, umask, open_flags } = self.arguments.record()?;
        self.umask = umask;
        Ok(Operation::Create {
            name: self.arguments.name()?,
            mode,
            flags: OpenFlags::from_bits_retain(flags),
            kill_privileges: open_flags & OPEN_KILL_SUIDGID != 0,
            creation: self.creation()?,
        })
    }

    pub(super) fn tmpfile(&mut self) -> Result<Operation<'a>, Fault> {
        let CreateIn { flags, mode, umask, .. } = self.arguments.record()?;
        self.umask = umask;
        // The name that the kernel uses for a file without a name (`fuse_tmpfile`).
        self.arguments.string()?;
        let flags = OpenFlags::from_bits_retain(flags);
        Ok(Operation::Tmpfile { mode, flags, creation: self.creation()? })
    }

    pub(super) fn link(&mut self) -> Result<Operation<'a>, Fault> {
        let LinkIn { oldnodeid } = self.arguments.record()?;
        Ok(Operation::Link { ino: Ino(oldnodeid), name: self.arguments.name()? })
    }

    pub(super) fn rename(&mut self) -> Result<Operation<'a>, Fault> {
        let RenameIn { newdir } = self.arguments.record()?;
        self.renaming(newdir, RenameFlags::empty())
    }

    pub(super) fn rename2(&mut self) -> Result<Operation<'a>, Fault> {
        let Rename2In { newdir, flags, .. } = self.arguments.record()?;
        self.renaming(newdir, RenameFlags::from_bits_retain(flags))
    }

    fn renaming(&mut self, new_parent: u64, flags: RenameFlags) -> Result<Operation<'a>, Fault> {
        let (name, new_name) = (self.arguments.name()?, self.arguments.name()?);
        Ok(Operation::Rename { name, new_parent: Ino(new_parent), new_name, flags })
    }
}
