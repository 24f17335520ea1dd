//! The adapter as a provider: each operation is handed to where it is done.

use super::PathAdapter;
use super::steps::{Held, Spot};
use crate::{
    Attr, Call, Capabilities, CopyRange, DirSink, Entry, ErrorKind, FallocateMode, FileHandle, FileType,
    Name, NewNode, NodeId, OpenFlags, OpenNode, OpenTraits, Opened, Place, Provider, RenameFlags, Result,
    SetAttr, StatFs, Whence, WriteOptions, XattrFlags,
};

impl PathAdapter {
    /// Holds the path of a node for an operation that has no other way to it.
    ///
    /// # Errors
    /// `ESTALE` if its last name is gone.
    fn hold(&self, node: NodeId) -> Result<Held<'_>> {
        super::unless_gone(self.tree.share(Spot::at(node)))?.ok_or_else(|| ErrorKind::Stale.into())
    }
}

impl Provider for PathAdapter {
    fn capabilities(&self) -> Capabilities {
        self.provider.capabilities()
    }

    fn lookup(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        self.find(call, parent, name, 1)
    }

    fn forget(&self, node: NodeId, count: u64) {
        self.tree.with(|tree| tree.forget(node, count));
    }

    fn getattr(&self, call: &Call, node: NodeId, handle: Option<FileHandle>) -> Result<Attr> {
        self.attributes(call, node, handle)
    }

    fn setattr(
        &self,
        call: &Call,
        node: NodeId,
        handle: Option<FileHandle>,
        changes: SetAttr,
    ) -> Result<Attr> {
        self.change(call, node, handle, changes)
    }

    fn readlink(&self, call: &Call, node: NodeId) -> Result<Vec<u8>> {
        match self.tree.with(|tree| tree.node(node).map(|known| known.kind)) {
            Some(FileType::Symlink) => {}
            Some(_) => return Err(ErrorKind::InvalidArgument.into()),
            None => return Err(ErrorKind::Stale.into()),
        }
        match super::unless_gone(self.tree.share(Spot::at(node)))? {
            Some(held) => self.provider.readlink(call, held.path()),
            None => self.remains(node)?.target.ok_or_else(|| ErrorKind::Stale.into()),
        }
    }

    fn mknod(&self, call: &Call, parent: NodeId, name: Name<'_>, new: NewNode) -> Result<Entry> {
        self.make(call, parent, name, |path| self.provider.mknod(call, path, new))
    }

    fn mkdir(&self, call: &Call, parent: NodeId, name: Name<'_>, permissions: u16) -> Result<Entry> {
        self.make(call, parent, name, |path| self.provider.mkdir(call, path, permissions))
    }

    fn symlink(&self, call: &Call, parent: NodeId, name: Name<'_>, target: &[u8]) -> Result<Entry> {
        self.make_symlink(call, parent, name, target)
    }

    fn link(&self, call: &Call, node: NodeId, new_parent: NodeId, new_name: Name<'_>) -> Result<Entry> {
        self.make_link(call, node, Place { parent: new_parent, name: new_name })
    }

    fn unlink(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.remove(call, parent, name, |path| self.provider.unlink(call, path))
    }

    fn rmdir(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.remove(call, parent, name, |path| self.provider.rmdir(call, path))
    }

    fn rename(&self, call: &Call, from: Place<'_>, to: Place<'_>, flags: RenameFlags) -> Result<()> {
        self.rename_held(call, from, to, flags)
    }

    fn open(&self, call: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        self.open_node(call, node, flags)
    }

    fn create(
        &self,
        call: &Call,
        place: Place<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        self.make_open(call, place, permissions, flags)
    }

    fn read(&self, call: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let open = self.files.get(file.handle)?;
        self.provider.read(call, open.for_reading()?, offset, buffer)
    }

    fn write(
        &self,
        call: &Call,
        file: OpenNode,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize> {
        self.write_open(call, file, (offset, data), options)
    }

    fn flush(&self, call: &Call, file: OpenNode) -> Result<()> {
        self.provider.flush(call, self.files.get(file.handle)?.backing.handle)
    }

    fn release(&self, file: OpenNode) {
        self.files.remove(file.handle);
    }

    fn fsync(&self, call: &Call, file: OpenNode, data_only: bool) -> Result<()> {
        self.provider.fsync(call, self.files.get(file.handle)?.backing.handle, data_only)
    }

    fn opendir(&self, _call: &Call, node: NodeId) -> Result<Opened> {
        let handle = self.open_directory(node)?;
        Ok(Opened { handle, attr: None, traits: OpenTraits::empty() })
    }

    fn readdir(
        &self,
        call: &Call,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        self.list(call, dir, cookie, attributes, sink)
    }

    fn releasedir(&self, dir: OpenNode) {
        self.files.remove_directory(dir.handle);
    }

    fn fsyncdir(&self, call: &Call, dir: OpenNode, data_only: bool) -> Result<()> {
        self.provider.fsyncdir(call, self.hold(dir.node)?.path(), data_only)
    }

    fn statfs(&self, call: &Call, node: NodeId) -> Result<StatFs> {
        // A file without a name is still in the file system of the root.
        let held = self.hold(node).or_else(|_| self.hold(NodeId::ROOT))?;
        self.provider.statfs(call, held.path())
    }

    fn getxattr(&self, call: &Call, node: NodeId, name: &[u8]) -> Result<Vec<u8>> {
        self.provider.getxattr(call, self.hold(node)?.path(), name)
    }

    fn setxattr(
        &self,
        call: &Call,
        node: NodeId,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        self.provider.setxattr(call, self.hold(node)?.path(), name, value, flags)
    }

    fn listxattr(&self, call: &Call, node: NodeId) -> Result<Vec<u8>> {
        self.provider.listxattr(call, self.hold(node)?.path())
    }

    fn removexattr(&self, call: &Call, node: NodeId, name: &[u8]) -> Result<()> {
        self.provider.removexattr(call, self.hold(node)?.path(), name)
    }

    fn fallocate(
        &self,
        call: &Call,
        file: OpenNode,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        let open = self.files.get(file.handle)?;
        self.provider.fallocate(call, open.for_writing()?, mode, offset, length)
    }

    fn lseek(&self, call: &Call, file: OpenNode, offset: u64, whence: Whence) -> Result<u64> {
        self.provider.lseek(call, self.files.get(file.handle)?.backing.handle, offset, whence)
    }

    fn copy_file_range(&self, call: &Call, range: CopyRange) -> Result<u64> {
        self.copy(call, range)
    }
}
