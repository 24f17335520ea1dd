//! The provider seam, each operation in a line: what it does is in the file of its family.

use crate::LocalProvider;
use fs9_sdk::{
    Attr, Call, Capabilities, CopyRange, DirSink, Entry, FallocateMode, FileHandle, FileLock, IoctlReply,
    IoctlRequest, LockOwner, Name, NewNode, NodeId, OpenFlags, OpenNode, Opened, Place, Provider,
    RenameFlags, Result, SetAttr, SetLock, StatFs, Whence, WriteOptions, XattrFlags,
};
use rustix::fd::BorrowedFd;
use rustix::fs::AtFlags;

impl Provider for LocalProvider {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn lookup(&self, _call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        let dir = self.node(parent)?;
        self.look_up(parent, &dir.descriptor, name)
    }

    fn forget(&self, node: NodeId, count: u64) {
        self.nodes.release(node, count, 0);
    }

    fn getattr(&self, _call: &Call, node: NodeId, handle: Option<FileHandle>) -> Result<Attr> {
        self.do_getattr(node, handle)
    }

    fn setattr(
        &self,
        call: &Call,
        node: NodeId,
        handle: Option<FileHandle>,
        changes: SetAttr,
    ) -> Result<Attr> {
        self.do_setattr(call, node, handle, changes)
    }

    fn readlink(&self, _call: &Call, node: NodeId) -> Result<Vec<u8>> {
        self.do_readlink(node)
    }

    fn mknod(&self, call: &Call, parent: NodeId, name: Name<'_>, new: NewNode) -> Result<Entry> {
        self.do_mknod(call, parent, name, new)
    }

    fn mkdir(&self, call: &Call, parent: NodeId, name: Name<'_>, permissions: u16) -> Result<Entry> {
        self.do_mkdir(call, parent, name, permissions)
    }

    fn symlink(&self, call: &Call, parent: NodeId, name: Name<'_>, target: &[u8]) -> Result<Entry> {
        self.do_symlink(call, parent, name, target)
    }

    fn link(&self, _call: &Call, node: NodeId, new_parent: NodeId, new_name: Name<'_>) -> Result<Entry> {
        self.do_link(node, new_parent, new_name)
    }

    fn unlink(&self, _call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.remove(parent, name, AtFlags::empty())
    }

    fn rmdir(&self, _call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.remove(parent, name, AtFlags::REMOVEDIR)
    }

    fn rename(&self, call: &Call, from: Place<'_>, to: Place<'_>, flags: RenameFlags) -> Result<()> {
        self.do_rename(call, from, to, flags)
    }

    fn open(&self, call: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        self.do_open(call, node, flags)
    }

    fn create(
        &self,
        call: &Call,
        place: Place<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        self.do_create(call, place, permissions, flags)
    }

    fn tmpfile(
        &self,
        call: &Call,
        parent: NodeId,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        self.do_tmpfile(call, parent, permissions, flags)
    }

    fn read(&self, _call: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.do_read(file, offset, buffer)
    }

    fn write(
        &self,
        call: &Call,
        file: OpenNode,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize> {
        self.do_write(call, file, offset, data, options)
    }

    fn flush(&self, _call: &Call, file: OpenNode) -> Result<()> {
        self.do_flush(file)
    }

    fn release(&self, file: OpenNode) {
        self.files.close(file.handle);
    }

    fn fsync(&self, _call: &Call, file: OpenNode, data_only: bool) -> Result<()> {
        self.do_fsync(file, data_only)
    }

    fn opendir(&self, _call: &Call, node: NodeId) -> Result<Opened> {
        self.do_opendir(node)
    }

    fn readdir(
        &self,
        _call: &Call,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        self.do_readdir(dir, cookie, attributes, sink)
    }

    fn releasedir(&self, dir: OpenNode) {
        self.files.close(dir.handle);
    }

    fn fsyncdir(&self, _call: &Call, dir: OpenNode, data_only: bool) -> Result<()> {
        self.do_fsyncdir(dir, data_only)
    }

    fn statfs(&self, _call: &Call, node: NodeId) -> Result<StatFs> {
        self.do_statfs(node)
    }

    fn getxattr(&self, _call: &Call, node: NodeId, name: &[u8]) -> Result<Vec<u8>> {
        self.do_getxattr(node, name)
    }

    fn setxattr(
        &self,
        call: &Call,
        node: NodeId,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        self.do_setxattr(call, node, name, value, flags)
    }

    fn listxattr(&self, _call: &Call, node: NodeId) -> Result<Vec<u8>> {
        self.do_listxattr(node)
    }

    fn removexattr(&self, _call: &Call, node: NodeId, name: &[u8]) -> Result<()> {
        self.do_removexattr(node, name)
    }

    fn fallocate(
        &self,
        call: &Call,
        file: OpenNode,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        self.do_fallocate(call, file, mode, offset, length)
    }

    fn lseek(&self, _call: &Call, file: OpenNode, offset: u64, whence: Whence) -> Result<u64> {
        self.do_lseek(file, offset, whence)
    }

    fn copy_file_range(&self, call: &Call, range: CopyRange) -> Result<u64> {
        self.do_copy(call, range)
    }

    fn getlk(&self, _call: &Call, file: OpenNode, owner: LockOwner, lock: FileLock) -> Result<FileLock> {
        self.do_getlk(file, owner, lock)
    }

    fn setlk(&self, call: &Call, file: OpenNode, change: SetLock) -> Result<()> {
        self.do_setlk(call, file, change)
    }

    fn ioctl(&self, call: &Call, file: OpenNode, request: IoctlRequest<'_>) -> Result<IoctlReply> {
        self.do_ioctl(call, file, request)
    }

    fn lend_backing(&self, file: OpenNode, borrow: &mut dyn FnMut(BorrowedFd<'_>)) -> bool {
        self.lend(file, borrow)
    }
}
