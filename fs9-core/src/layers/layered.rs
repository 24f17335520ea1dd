//! One forwarding of every operation, for all layers.
//!
//! Invariant: each operation of [`Provider`] is forwarded exactly once, with its arguments unchanged, unless the layer
//! refuses it.

use fs9_sdk::{
    Attr, Call, Capabilities, ChangeSink, CopyRange, DirSink, Entry, FallocateMode, FileHandle, FileLock,
    IoctlReply, IoctlRequest, LockOwner, Name, NewNode, NodeId, OpenFlags, OpenNode, Opened, Operation,
    Place, PollEvents, PollWaker, Provider, RenameFlags, Result, SetAttr, SetLock, StatFs, Whence,
    WriteOptions, XattrFlags,
};
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Commands of `ioctl(2)` that pass data in (`_IOC_WRITE`): those that can change something.
const IOCTL_WRITE: u32 = 1 << 30;

/// What a call is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The operation.
    pub operation: Operation,
    /// Whether it changes something or prepares to: a mutation, an open for writing or with truncation, an ioctl that
    /// passes data in.
    pub changes: bool,
}

/// The policy of a layer.
pub trait Interceptor: Send + Sync + 'static {
    /// Sees one call into the provider. It calls `forward` once, or refuses with an error of its own. `call` is absent
    /// for those that cannot fail (`forget`, `release`, `releasedir`): these are always forwarded.
    ///
    /// # Errors
    /// Those of `forward`, and the layer's own.
    fn call<T>(&self, intent: Intent, call: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T>;

    /// Returns what is left of the provider's capabilities.
    fn capabilities(&self, inner: Capabilities) -> Capabilities {
        inner
    }

    /// Returns the name of this layer if it must see data, so that no backing descriptor may be lent.
    fn withdraws_backing(&self) -> Option<&'static str> {
        None
    }
}

/// A provider with one layer around it.
pub struct Layered<I> {
    inner: Arc<dyn Provider>,
    interceptor: I,
}

impl<I: Interceptor> Layered<I> {
    /// Puts a layer around a provider.
    pub fn new(inner: Arc<dyn Provider>, interceptor: I) -> Layered<I> {
        Layered { inner, interceptor }
    }

    fn pass<T>(&self, operation: Operation, call: &Call, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        let intent = Intent { operation, changes: operation.mutates() };
        self.interceptor.call(intent, Some(call), forward)
    }

    fn pass_without_call(&self, operation: Operation, forward: impl FnOnce()) {
        let intent = Intent { operation, changes: false };
        let done = self.interceptor.call(intent, None, || {
            forward();
            Ok(())
        });
        // Such a call has no result that anybody could be given.
        if let Err(error) = done {
            tracing::debug!(%operation, %error, "a call without a result failed");
        }
    }
}

impl<I> fmt::Debug for Layered<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").field("layer", &std::any::type_name::<I>()).finish_non_exhaustive()
    }
}

impl<I: Interceptor> Provider for Layered<I> {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.interceptor.capabilities(self.inner.capabilities());
        capabilities.backing_descriptors &= self.interceptor.withdraws_backing().is_none();
        capabilities
    }

    fn lookup(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        self.pass(Operation::Lookup, call, || self.inner.lookup(call, parent, name))
    }

    fn forget(&self, node: NodeId, count: u64) {
        self.pass_without_call(Operation::Forget, || self.inner.forget(node, count));
    }

    fn getattr(&self, call: &Call, node: NodeId, handle: Option<FileHandle>) -> Result<Attr> {
        self.pass(Operation::Getattr, call, || self.inner.getattr(call, node, handle))
    }

    fn setattr(
        &self,
        call: &Call,
        node: NodeId,
        handle: Option<FileHandle>,
        changes: SetAttr,
    ) -> Result<Attr> {
        self.pass(Operation::Setattr, call, || self.inner.setattr(call, node, handle, changes))
    }

    fn readlink(&self, call: &Call, node: NodeId) -> Result<Vec<u8>> {
        self.pass(Operation::Readlink, call, || self.inner.readlink(call, node))
    }

    fn mknod(&self, call: &Call, parent: NodeId, name: Name<'_>, new: NewNode) -> Result<Entry> {
        self.pass(Operation::Mknod, call, || self.inner.mknod(call, parent, name, new))
    }

    fn mkdir(&self, call: &Call, parent: NodeId, name: Name<'_>, permissions: u16) -> Result<Entry> {
        self.pass(Operation::Mkdir, call, || self.inner.mkdir(call, parent, name, permissions))
    }

    fn symlink(&self, call: &Call, parent: NodeId, name: Name<'_>, target: &[u8]) -> Result<Entry> {
        self.pass(Operation::Symlink, call, || self.inner.symlink(call, parent, name, target))
    }

    fn link(&self, call: &Call, node: NodeId, new_parent: NodeId, new_name: Name<'_>) -> Result<Entry> {
        self.pass(Operation::Link, call, || self.inner.link(call, node, new_parent, new_name))
    }

    fn unlink(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.pass(Operation::Unlink, call, || self.inner.unlink(call, parent, name))
    }

    fn rmdir(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.pass(Operation::Rmdir, call, || self.inner.rmdir(call, parent, name))
    }

    fn rename(&self, call: &Call, from: Place<'_>, to: Place<'_>, flags: RenameFlags) -> Result<()> {
        self.pass(Operation::Rename, call, || self.inner.rename(call, from, to, flags))
    }

    fn open(&self, call: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        let changes = flags.writable() || flags.contains(OpenFlags::TRUNCATE);
        let intent = Intent { operation: Operation::Open, changes };
        self.interceptor.call(intent, Some(call), || self.inner.open(call, node, flags))
    }

    fn create(
        &self,
        call: &Call,
        place: Place<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        self.pass(Operation::Create, call, || self.inner.create(call, place, permissions, flags))
    }

    fn tmpfile(
        &self,
        call: &Call,
        parent: NodeId,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        self.pass(Operation::Tmpfile, call, || self.inner.tmpfile(call, parent, permissions, flags))
    }

    fn read(&self, call: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.pass(Operation::Read, call, || self.inner.read(call, file, offset, buffer))
    }

    fn write(
        &self,
        call: &Call,
        file: OpenNode,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize> {
        self.pass(Operation::Write, call, || self.inner.write(call, file, offset, data, options))
    }

    fn flush(&self, call: &Call, file: OpenNode) -> Result<()> {
        self.pass(Operation::Flush, call, || self.inner.flush(call, file))
    }

    fn release(&self, file: OpenNode) {
        self.pass_without_call(Operation::Release, || self.inner.release(file));
    }

    fn fsync(&self, call: &Call, file: OpenNode, data_only: bool) -> Result<()> {
        self.pass(Operation::Fsync, call, || self.inner.fsync(call, file, data_only))
    }

    fn opendir(&self, call: &Call, node: NodeId) -> Result<Opened> {
        self.pass(Operation::Opendir, call, || self.inner.opendir(call, node))
    }

    fn readdir(
        &self,
        call: &Call,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        self.pass(Operation::Readdir, call, || self.inner.readdir(call, dir, cookie, attributes, sink))
    }

    fn releasedir(&self, dir: OpenNode) {
        self.pass_without_call(Operation::Releasedir, || self.inner.releasedir(dir));
    }

    fn fsyncdir(&self, call: &Call, dir: OpenNode, data_only: bool) -> Result<()> {
        self.pass(Operation::Fsyncdir, call, || self.inner.fsyncdir(call, dir, data_only))
    }

    fn statfs(&self, call: &Call, node: NodeId) -> Result<StatFs> {
        self.pass(Operation::Statfs, call, || self.inner.statfs(call, node))
    }

    fn getxattr(&self, call: &Call, node: NodeId, name: &[u8]) -> Result<Vec<u8>> {
        self.pass(Operation::Getxattr, call, || self.inner.getxattr(call, node, name))
    }

    fn setxattr(
        &self,
        call: &Call,
        node: NodeId,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        self.pass(Operation::Setxattr, call, || self.inner.setxattr(call, node, name, value, flags))
    }

    fn listxattr(&self, call: &Call, node: NodeId) -> Result<Vec<u8>> {
        self.pass(Operation::Listxattr, call, || self.inner.listxattr(call, node))
    }

    fn removexattr(&self, call: &Call, node: NodeId, name: &[u8]) -> Result<()> {
        self.pass(Operation::Removexattr, call, || self.inner.removexattr(call, node, name))
    }

    fn fallocate(
        &self,
        call: &Call,
        file: OpenNode,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        self.pass(Operation::Fallocate, call, || self.inner.fallocate(call, file, mode, offset, length))
    }

    fn lseek(&self, call: &Call, file: OpenNode, offset: u64, whence: Whence) -> Result<u64> {
        self.pass(Operation::Lseek, call, || self.inner.lseek(call, file, offset, whence))
    }

    fn copy_file_range(&self, call: &Call, range: CopyRange) -> Result<u64> {
        self.pass(Operation::CopyFileRange, call, || self.inner.copy_file_range(call, range))
    }

    fn getlk(&self, call: &Call, file: OpenNode, owner: LockOwner, lock: FileLock) -> Result<FileLock> {
        self.pass(Operation::Getlk, call, || self.inner.getlk(call, file, owner, lock))
    }

    fn setlk(&self, call: &Call, file: OpenNode, change: SetLock) -> Result<()> {
        self.pass(Operation::Setlk, call, || self.inner.setlk(call, file, change))
    }

    fn ioctl(&self, call: &Call, file: OpenNode, request: IoctlRequest<'_>) -> Result<IoctlReply> {
        let intent = Intent { operation: Operation::Ioctl, changes: request.command & IOCTL_WRITE != 0 };
        self.interceptor.call(intent, Some(call), || self.inner.ioctl(call, file, request))
    }

    fn poll(
        &self,
        call: &Call,
        file: OpenNode,
        events: PollEvents,
        waker: Option<PollWaker>,
    ) -> Result<PollEvents> {
        self.pass(Operation::Poll, call, || self.inner.poll(call, file, events, waker))
    }

    fn lend_backing(&self, file: OpenNode, borrow: &mut dyn FnMut(BorrowedFd<'_>)) -> bool {
        self.interceptor.withdraws_backing().is_none() && self.inner.lend_backing(file, borrow)
    }

    fn report_changes_to(&self, sink: Arc<dyn ChangeSink>) {
        self.inner.report_changes_to(sink);
    }
}
