//! The provider: each operation of the seam, handed to the part of the tree that does it.

use crate::birth::New;
use crate::node::Node;
use crate::options::MemoryOptions;
use crate::tree::Tree;
use crate::xattr;
use fs9_sdk::{
    Attr, Call, Capabilities, CopyRange, DirSink, Entry, ErrorKind, Execution, FallocateMode, FileHandle,
    FileLock, FileType, IoctlReply, IoctlRequest, LockOwner, LockTable, Name, NewNode, NodeId, OpenFlags,
    OpenNode, Opened, Place, Provider, RenameFlags, Result, SetAttr, SetLock, StatFs, Whence, WriteOptions,
    XattrFlags,
};

/// The longest target of a symbolic link is one byte less (`PATH_MAX`).
const TARGET_BYTES_END: usize = 4096;

/// The bits of a mode that hold the type (`S_IFMT`).
const MODE_TYPE_MASK: u32 = 0o170_000;

/// A tree of files in memory.
pub struct MemoryProvider {
    tree: Tree,
    locks: LockTable,
}

impl MemoryProvider {
    /// Returns a tree that has only a root.
    ///
    /// # Errors
    /// `EINVAL` for options with which no tree can be made, with the reason as cause.
    pub fn new(options: MemoryOptions) -> Result<MemoryProvider> {
        Ok(MemoryProvider { tree: Tree::new(&options)?, locks: LockTable::new() })
    }
}

impl std::fmt::Debug for MemoryProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryProvider").field("statfs", &self.tree.space.statfs()).finish_non_exhaustive()
    }
}

fn entry(node: &Node) -> Entry {
    Entry { node: node.id(), attr: node.attr() }
}

impl Provider for MemoryProvider {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            execution: Execution::Inline,
            read_only: false,
            stable_ids: false,
            complete_changes: true,
            posix_acl: true,
            backing_descriptors: false,
            locks: true,
            cache_lifetime: None,
        }
    }

    fn lookup(&self, _call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        Ok(entry(&*self.tree.lookup(parent, name)?))
    }

    fn forget(&self, node: NodeId, count: u64) {
        self.tree.forget(node, count);
    }

    fn getattr(&self, _call: &Call, node: NodeId, _handle: Option<FileHandle>) -> Result<Attr> {
        Ok(self.tree.node(node)?.attr())
    }

    fn setattr(
        &self,
        call: &Call,
        node: NodeId,
        handle: Option<FileHandle>,
        changes: SetAttr,
    ) -> Result<Attr> {
        self.tree.setattr(&call.caller, node, &changes, handle.is_some())
    }

    fn readlink(&self, _call: &Call, node: NodeId) -> Result<Vec<u8>> {
        self.tree.readlink(node)
    }

    fn mknod(&self, call: &Call, parent: NodeId, name: Name<'_>, new: NewNode) -> Result<Entry> {
        let kind = match FileType::from_mode(new.mode) {
            None if new.mode & MODE_TYPE_MASK == 0 => FileType::Regular,
            Some(FileType::Directory) => return Err(ErrorKind::NotPermitted.into()),
            None | Some(FileType::Symlink) => return Err(ErrorKind::InvalidArgument.into()),
            Some(kind) => kind,
        };
        let is_device = matches!(kind, FileType::CharDevice | FileType::BlockDevice);
        let rdev = if is_device { new.rdev } else { 0 };
        let permissions = (new.mode & 0o7777) as u16;
        let new = New { rdev, ..New::plain(kind, permissions) };
        Ok(entry(&*self.tree.make(call, parent, name, &new)?))
    }

    fn mkdir(&self, call: &Call, parent: NodeId, name: Name<'_>, permissions: u16) -> Result<Entry> {
        // mkdir(2) takes the nine permission bits and sticky only.
        let new = New::plain(FileType::Directory, permissions & 0o1777);
        Ok(entry(&*self.tree.make(call, parent, name, &new)?))
    }

    fn symlink(&self, call: &Call, parent: NodeId, name: Name<'_>, target: &[u8]) -> Result<Entry> {
        if target.len() >= TARGET_BYTES_END {
            return Err(ErrorKind::NameTooLong.into());
        }
        let new = New { target, ..New::plain(FileType::Symlink, 0o777) };
        Ok(entry(&*self.tree.make(call, parent, name, &new)?))
    }

    fn link(&self, _call: &Call, node: NodeId, new_parent: NodeId, new_name: Name<'_>) -> Result<Entry> {
        Ok(entry(&*self.tree.link(node, new_parent, new_name)?))
    }

    fn unlink(&self, _call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.tree.unlink(parent, name)
    }

    fn rmdir(&self, _call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.tree.rmdir(parent, name)
    }

    fn rename(&self, call: &Call, from: Place<'_>, to: Place<'_>, flags: RenameFlags) -> Result<()> {
        self.tree.rename(call, from, to, flags)
    }

    fn open(&self, call: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        self.tree.open(call, node, flags)
    }

    fn create(
        &self,
        call: &Call,
        place: Place<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let (node, opened) = self.tree.create(call, place, permissions, flags)?;
        Ok((entry(&node), opened))
    }

    fn tmpfile(
        &self,
        call: &Call,
        parent: NodeId,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let (node, opened) = self.tree.create_unnamed(call, parent, permissions, flags)?;
        Ok((entry(&node), opened))
    }

    fn read(&self, _call: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.tree.read(file, offset, buffer)
    }

    fn write(
        &self,
        call: &Call,
        file: OpenNode,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize> {
        self.tree.write(call, file, offset, data, options)
    }

    fn flush(&self, _call: &Call, file: OpenNode) -> Result<()> {
        self.tree.node(file.node).map(drop)
    }

    fn release(&self, file: OpenNode) {
        self.tree.release(file);
    }

    fn fsync(&self, _call: &Call, file: OpenNode, _data_only: bool) -> Result<()> {
        self.tree.node(file.node).map(drop)
    }

    fn opendir(&self, _call: &Call, node: NodeId) -> Result<Opened> {
        self.tree.opendir(node)
    }

    fn readdir(
        &self,
        _call: &Call,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        self.tree.list(dir, cookie, attributes, sink)
    }

    fn releasedir(&self, dir: OpenNode) {
        self.tree.release(dir);
    }

    fn fsyncdir(&self, _call: &Call, dir: OpenNode, _data_only: bool) -> Result<()> {
        self.tree.node(dir.node)?.directory().map(drop)
    }

    fn statfs(&self, _call: &Call, _node: NodeId) -> Result<StatFs> {
        Ok(self.tree.space.statfs())
    }

    fn getxattr(&self, _call: &Call, node: NodeId, name: &[u8]) -> Result<Vec<u8>> {
        xattr::get(&*self.tree.node(node)?, name)
    }

    fn setxattr(
        &self,
        _call: &Call,
        node: NodeId,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        self.tree.setxattr(node, name, value, flags)
    }

    fn listxattr(&self, call: &Call, node: NodeId) -> Result<Vec<u8>> {
        Ok(xattr::list(&*self.tree.node(node)?, call.caller.uid == 0))
    }

    fn removexattr(&self, _call: &Call, node: NodeId, name: &[u8]) -> Result<()> {
        xattr::remove(&*self.tree.node(node)?, &self.tree.space, name)
    }

    fn fallocate(
        &self,
        call: &Call,
        file: OpenNode,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        self.tree.fallocate(call, file, mode, offset, length)
    }

    fn lseek(&self, _call: &Call, file: OpenNode, offset: u64, whence: Whence) -> Result<u64> {
        self.tree.seek(file, offset, whence)
    }

    fn copy_file_range(&self, call: &Call, range: CopyRange) -> Result<u64> {
        self.tree.copy(call, range)
    }

    fn getlk(&self, _call: &Call, file: OpenNode, owner: LockOwner, lock: FileLock) -> Result<FileLock> {
        Ok(self.locks.test(file.node, owner, lock))
    }

    fn setlk(&self, call: &Call, file: OpenNode, change: SetLock) -> Result<()> {
        self.locks.set(call, file.node, change)
    }

    fn ioctl(&self, _call: &Call, _file: OpenNode, _request: IoctlRequest<'_>) -> Result<IoctlReply> {
        Err(ErrorKind::InappropriateIoctl.into())
    }
}
