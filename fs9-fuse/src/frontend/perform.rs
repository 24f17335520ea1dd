//! Which part of the frontend does what.

use super::create::NewFile;
use super::{Frontend, Request};
use crate::operation::Operation;
use crate::reply::{Answer, Exchange};
use fs9_sdk::{NewNode, Result, SetLock};

impl Frontend {
    /// Does an operation on this thread.
    pub(super) fn perform(
        &self,
        request: &Request,
        operation: Operation<'_>,
        exchange: &mut dyn Exchange,
    ) -> Result<Answer> {
        use Operation as O;
        match operation {
            O::Lookup { name } => self.lookup(request, &name),
            O::Mknod { name, mode, rdev, creation } => {
                self.mknod(request, &name, NewNode { mode, rdev }, &creation)
            }
            O::Mkdir { name, mode, creation } => self.mkdir(request, &name, mode, &creation),
            O::Symlink { name, target, creation } => self.symlink(request, &name, &target, &creation),
            O::Link { ino, name } => self.link(request, ino, &name),
            O::Unlink { name } => self.unlink(request, &name),
            O::Rmdir { name } => self.rmdir(request, &name),
            O::Rename { name, new_parent, new_name, flags } => {
                self.rename(request, &name, (new_parent, &new_name), flags)
            }
            O::Getattr { handle } => self.getattr(request, handle),
            O::Setattr { handle, changes } => self.setattr(request, handle, changes),
            O::Readlink => self.readlink(request),
            // The kernel checks permissions by itself; it asks only mounts without `default_permissions`.
            O::Access => Ok(Answer::Done),
            O::Statfs => self.statfs(request),
            O::Open { flags, kill_privileges } => self.open(request, (flags, kill_privileges), exchange),
            O::Create { name, mode, flags, kill_privileges, creation } => {
                let flags = self.cutting_flags(request, flags, kill_privileges);
                self.create(request, &name, &NewFile { mode, flags, creation }, exchange)
            }
            O::Tmpfile { mode, flags, creation } => {
                self.tmpfile(request, &NewFile { mode, flags, creation }, exchange)
            }
            O::Flush { handle, owner } => self.flush(request, handle, owner),
            // Who holds a lock on the whole file is known by itself.
            O::Release { handle, .. } | O::Releasedir { handle } => {
                self.close(handle);
                Ok(Answer::Done)
            }
            O::Fsync { handle, data_only } => self.fsync(request, handle, data_only),
            O::Fsyncdir { handle, data_only } => self.fsyncdir(request, handle, data_only),
            O::Read { handle, offset, length } => self.read(request, handle, offset, length),
            O::Write { handle, offset, data, options } => {
                self.write(request, (handle, offset), &data, options)
            }
            O::Fallocate { handle, mode, offset, length } => {
                self.fallocate(request, handle, mode, (offset, length))
            }
            O::Lseek { handle, offset, whence } => self.lseek(request, handle, offset, whence),
            O::CopyFileRange { source, target, length } => {
                self.copy_file_range(request, source, target, length)
            }
            O::Ioctl { handle, flags, command, input, output_max } => {
                self.ioctl(request, handle, (command, flags), (&input, output_max))
            }
            O::Poll { handle, events, waker } => self.poll(request, handle, events, waker),
            O::Getlk { handle, owner, lock } => self.getlk(request, handle, owner, lock),
            O::Setlk { handle, owner, lock, family, wait } => {
                self.setlk(request, handle, SetLock { owner, lock, family, wait })
            }
            O::Opendir => self.opendir(request),
            O::Readdir { handle, cookie, attributes } => {
                self.readdir(request, handle, (cookie, attributes), exchange)
            }
            O::Getxattr { name, size } => self.getxattr(request, &name, size),
            O::Setxattr { name, value, flags, kill_setgid } => {
                self.setxattr(request, (&name, &value), flags, kill_setgid)
            }
            O::Listxattr { size } => self.listxattr(request, size),
            O::Removexattr { name } => self.removexattr(request, &name),
        }
    }
}
