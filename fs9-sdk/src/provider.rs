//! The provider seam, node by node, like the kernel's own and libfuse's low-level API.

use crate::{
    Attr, Call, Capabilities, ChangeSink, DirSink, Entry, ErrorKind, FallocateMode, FileHandle, FileLock,
    IoctlFlags, LockOwner, Name, NodeId, OpenFlags, OpenTraits, Opened, PollEvents, RenameFlags, Result,
    SetAttr, SetLock, StatFs, Whence, XattrFlags,
};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// A place for an entry: a directory and a name in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The directory.
    pub parent: NodeId,
    /// The name in it.
    pub name: Name<'a>,
}

/// An open file or directory: its node and its handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenNode {
    /// The node.
    pub node: NodeId,
    /// The handle that opening it gave.
    pub handle: FileHandle,
}

/// A node to be made by [`Provider::mknod`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewNode {
    /// Type and permission bits as in `mknod(2)`, before the caller's umask or a default ACL is applied.
    pub mode: u32,
    /// For devices: the device number, encoded as in [`Attr::rdev`].
    pub rdev: u32,
}

/// How data is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Strip set-user-ID, set-group-ID and file capabilities first, as a write by an ordinary user does.
    pub kill_privileges: bool,
    /// The data comes from the page cache, not from a call of the writer.
    pub from_cache: bool,
}

/// A copy between two open files of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyRange {
    /// The file to read, and the offset to begin at, in bytes.
    pub source: (OpenNode, u64),
    /// The file to write, and the offset to begin at, in bytes.
    pub target: (OpenNode, u64),
    /// The most bytes to copy.
    pub length: u64,
}

/// An ioctl as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct IoctlRequest<'a> {
    /// The command.
    pub command: u32,
    /// How it was issued.
    pub flags: IoctlFlags,
    /// The bytes that the command passes in.
    pub input: &'a [u8],
    /// The most bytes that it takes back.
    pub output_max: usize,
}

/// The answer to an ioctl.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IoctlReply {
    /// What the system call returns.
    pub result: i32,
    /// The bytes that the command takes back.
    pub output: Vec<u8>,
}

/// Called once when a polled file may have become ready.
pub type PollWaker = Box<dyn FnOnce() + Send>;

macro_rules! unsupported {
    ($($argument:expr),*) => {{
        // Named so that the signatures above read as documentation.
        $(let _ = &$argument;)*
        Err(ErrorKind::NotImplemented.into())
    }};
}

/// A tree of files.
///
/// # What every implementation promises
///
/// 1. **Nodes.** [`NodeId::ROOT`] is a directory and always valid. Each [`Entry`] that is returned counts as one
///    lookup of its node; a node stays valid until [`Provider::forget`] has taken back as many, also when its last
///    name is gone. Two names of one file (hard links) give one node while either is known.
/// 2. **Names.** They are bytes. `.` and `..` are never asked for and never listed.
/// 3. **Identity.** [`Attr::id`] is the same for every look at one object and differs between two that exist at the
///    same time.
/// 4. **Unlinked files** stay readable and writable through every handle and known node until release and forget;
///    nothing of them is visible in a listing meanwhile.
/// 5. **Rename** is atomic: at every moment a lookup of the new name finds the old or the new object. Unknown flags
///    and flags that are not supported give `EINVAL`. Renaming a directory keeps its subtree and every node in it.
/// 6. **Sizes.** A read beyond the end gives 0 bytes; a read is short only at the end of the file. A write beyond
///    the end leaves a hole that reads as zeros.
/// 7. **Durability.** When `fsync` returns success, the data is on stable storage, if the provider has any.
/// 8. **Listings.** An entry that exists during the whole listing is returned exactly once. A cookie keeps its place:
///    resuming at one that was returned gives exactly the entries that come after it. Where cookies are positions in
///    a backing directory, one whose entry is gone can come to precede a newer entry; cookies that belong to entries
///    are never reused for another name within one open directory. Cookie 0 begins a listing afresh.
/// 9. **Errors** are those of the system call's man page. What is not implemented gives `ENOSYS`.
/// 10. **Permissions** are checked by the frontend before the call. The caller's identity matters where an object
///     is made (owner, group of a set-group-ID directory, umask or default ACL) and where privileges are to be
///     stripped.
///
/// # What an implementation may assume
///
/// Any operation may be called from any thread, several at a time. Names are valid [`Name`]s. Node ids and handles
/// are its own and alive, and a handle is used only with the node that it was opened on. Offsets and lengths do not
/// overflow `i64` together. `release` comes exactly once for each successful `open`, `create` and `tmpfile`, and after it
/// the handle is not used again.
///
/// # What it must not do
///
/// Panic on anything that comes from outside; wait on a lock of its own across something that may block for long;
/// call a [`ChangeSink`] with a lock held that its own operations take.
pub trait Provider: Send + Sync + 'static {
    /// Returns what the provider can do and how it must be run.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Finds an entry in a directory. Required.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    fn lookup(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry>;

    /// Takes back `count` lookups of a node. It cannot fail; the root is never forgotten.
    fn forget(&self, node: NodeId, count: u64) {
        let _ = (node, count);
    }

    /// Returns the attributes of a node; `handle` is given where the asker has it open. Required.
    ///
    /// # Errors
    /// `ESTALE` for a node whose object is gone.
    fn getattr(&self, call: &Call, node: NodeId, handle: Option<FileHandle>) -> Result<Attr>;

    /// Changes attributes and returns them as they are afterwards. Changes are applied in the order owner and group,
    /// permissions, size, times. Changing owner, group or size strips privileges if `kill_privileges` asks for it.
    ///
    /// With a handle, setting the size always renews the times, also if the size stays the same (`ftruncate(2)`).
    ///
    /// # Errors
    /// `EFBIG` beyond the largest size, `EISDIR` for the size of a directory, `EROFS`.
    fn setattr(
        &self,
        call: &Call,
        node: NodeId,
        handle: Option<FileHandle>,
        changes: SetAttr,
    ) -> Result<Attr> {
        unsupported!(call, node, handle, changes)
    }

    /// Returns the target of a symbolic link, byte for byte.
    ///
    /// # Errors
    /// `EINVAL` for what is not a symbolic link.
    fn readlink(&self, call: &Call, node: NodeId) -> Result<Vec<u8>> {
        unsupported!(call, node)
    }

    /// Makes a regular file, device, named pipe or socket.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`, `EMLINK`, `EDQUOT`, `EROFS`; `ENOENT` if the directory is removed.
    fn mknod(&self, call: &Call, parent: NodeId, name: Name<'_>, new: NewNode) -> Result<Entry> {
        unsupported!(call, parent, name, new)
    }

    /// Makes a directory. `permissions` are before the caller's umask or a default ACL.
    ///
    /// # Errors
    /// As [`Provider::mknod`].
    fn mkdir(&self, call: &Call, parent: NodeId, name: Name<'_>, permissions: u16) -> Result<Entry> {
        unsupported!(call, parent, name, permissions)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As [`Provider::mknod`]; `ENAMETOOLONG` for a target of 4,096 bytes or more.
    fn symlink(&self, call: &Call, parent: NodeId, name: Name<'_>, target: &[u8]) -> Result<Entry> {
        unsupported!(call, parent, name, target)
    }

    /// Gives a file another name, or its first one where it was made without ([`Provider::tmpfile`]).
    ///
    /// # Errors
    /// `EEXIST`, `EPERM` for a directory, `EMLINK`, `ENOENT` if the node has lost its last name or must not get one.
    fn link(&self, call: &Call, node: NodeId, new_parent: NodeId, new_name: Name<'_>) -> Result<Entry> {
        unsupported!(call, node, new_parent, new_name)
    }

    /// Takes a name from a file.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR` for a directory.
    fn unlink(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        unsupported!(call, parent, name)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENOTEMPTY`.
    fn rmdir(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        unsupported!(call, parent, name)
    }

    /// Moves an entry, atomically replacing what has the new name.
    ///
    /// # Errors
    /// `ENOENT`; `EEXIST` with `NOREPLACE`; `EINVAL` for a directory into its own subtree, for `EXCHANGE` together
    /// with `NOREPLACE` or `WHITEOUT`, and for flags that are not supported; `ENOTEMPTY`, `EISDIR`, `ENOTDIR`.
    fn rename(&self, call: &Call, from: Place<'_>, to: Place<'_>, flags: RenameFlags) -> Result<()> {
        unsupported!(call, from, to, flags)
    }

    /// Opens a file. `TRUNCATE` cuts it in the same step, and `KILL_PRIVILEGES` beside it strips its privileges; `CREATE`
    /// and `EXCLUSIVE` do not appear. Required.
    /// A running program is kept by the frontend from being cut: what is opened with `EXEC` needs no count here.
    ///
    /// # Errors
    /// `EISDIR`, `ENXIO`, `EMFILE`, `ETXTBSY`, `EROFS`.
    fn open(&self, call: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened>;

    /// Makes a regular file and opens it; with `EXCLUSIVE` it must not exist. Without it, what exists is opened as
    /// it is (and cut with `TRUNCATE`). `KILL_PRIVILEGES` does not appear.
    ///
    /// # Errors
    /// As [`Provider::mknod`] and [`Provider::open`].
    fn create(
        &self,
        call: &Call,
        place: Place<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        unsupported!(call, place, permissions, flags)
    }

    /// Makes a regular file without a name in the file system of a directory and opens it (`O_TMPFILE` of `open(2)`).
    /// Owner, group and permissions are as of a file that is made in that directory; it has no links, is seen in no
    /// listing, and is gone once it is released and forgotten. Until then [`Provider::link`] can give it its first name,
    /// unless it is made with `EXCLUSIVE`. The flags open it for writing; `CREATE`, `DIRECTORY` and `TRUNCATE` do not
    /// appear.
    ///
    /// # Errors
    /// `ENOTDIR`, and as [`Provider::mknod`] and [`Provider::open`]; `EOPNOTSUPP` where there are no such files.
    fn tmpfile(
        &self,
        call: &Call,
        parent: NodeId,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        unsupported!(call, parent, permissions, flags)
    }

    /// Reads into `buffer` from `offset` and returns the number of bytes read. Required.
    ///
    /// # Errors
    /// `EIO`, `EBADF` if the handle may not read.
    fn read(&self, call: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Writes `data` at `offset`, or at the end for a handle opened with `APPEND`, and returns the number of bytes
    /// written.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`, `EDQUOT`, `EFBIG`, `EBADF` if the handle may not write.
    fn write(
        &self,
        call: &Call,
        file: OpenNode,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize> {
        unsupported!(call, file, offset, data, options)
    }

    /// Is called at each close of a descriptor, to report what went wrong with earlier writes.
    ///
    /// # Errors
    /// Those of writes that were still under way.
    fn flush(&self, call: &Call, file: OpenNode) -> Result<()> {
        unsupported!(call, file)
    }

    /// Ends a handle. Nobody waits for the result.
    fn release(&self, file: OpenNode) {
        let _ = file;
    }

    /// Makes data durable, and unless `data_only` the attributes as well.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`, `EDQUOT`.
    fn fsync(&self, call: &Call, file: OpenNode, data_only: bool) -> Result<()> {
        unsupported!(call, file, data_only)
    }

    /// Opens a directory for listing. A provider that keeps nothing for an open directory leaves this as it is.
    ///
    /// # Errors
    /// `ENOTDIR`, `EMFILE`.
    fn opendir(&self, call: &Call, node: NodeId) -> Result<Opened> {
        let (_, _) = (call, node);
        Ok(Opened { handle: FileHandle(0), attr: None, traits: OpenTraits::empty() })
    }

    /// Lists a directory from `cookie` until the sink is full or the directory ends; with `attributes`, each entry
    /// brings its node, which then counts as looked up. Required.
    ///
    /// # Errors
    /// `ENOTDIR`, `EIO`.
    fn readdir(
        &self,
        call: &Call,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()>;

    /// Ends a handle of [`Provider::opendir`].
    fn releasedir(&self, dir: OpenNode) {
        let _ = dir;
    }

    /// Makes the entries of a directory durable.
    ///
    /// # Errors
    /// As [`Provider::fsync`].
    fn fsyncdir(&self, call: &Call, dir: OpenNode, data_only: bool) -> Result<()> {
        unsupported!(call, dir, data_only)
    }

    /// Returns sizes and counts of the file system that holds the node.
    ///
    /// # Errors
    /// `EIO`.
    fn statfs(&self, call: &Call, node: NodeId) -> Result<StatFs> {
        unsupported!(call, node)
    }

    /// Returns the value of an extended attribute.
    ///
    /// # Errors
    /// `ENODATA` if there is none of that name, `EOPNOTSUPP` for a namespace that is not kept.
    fn getxattr(&self, call: &Call, node: NodeId, name: &[u8]) -> Result<Vec<u8>> {
        unsupported!(call, node, name)
    }

    /// Sets an extended attribute. With `KILL_SETGID`, which comes with an ACL of a file, set-group-ID goes.
    ///
    /// # Errors
    /// `EEXIST` and `ENODATA` by flags, `ENOSPC`, `E2BIG`, `ERANGE`, `EOPNOTSUPP`.
    fn setxattr(
        &self,
        call: &Call,
        node: NodeId,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        unsupported!(call, node, name, value, flags)
    }

    /// Returns the names of all extended attributes, each followed by a NUL.
    ///
    /// # Errors
    /// `EOPNOTSUPP`.
    fn listxattr(&self, call: &Call, node: NodeId) -> Result<Vec<u8>> {
        unsupported!(call, node)
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP`.
    fn removexattr(&self, call: &Call, node: NodeId, name: &[u8]) -> Result<()> {
        unsupported!(call, node, name)
    }

    /// Allocates, frees or zeroes a range.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for modes that are not supported, `ENOSPC`, `EFBIG`.
    fn fallocate(
        &self,
        call: &Call,
        file: OpenNode,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        unsupported!(call, file, mode, offset, length)
    }

    /// Finds data or a hole.
    ///
    /// # Errors
    /// `ENXIO` at or beyond the end of the file, and for data where only a hole follows.
    fn lseek(&self, call: &Call, file: OpenNode, offset: u64, whence: Whence) -> Result<u64> {
        unsupported!(call, file, offset, whence)
    }

    /// Copies between two open files and returns the number of bytes copied.
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` for overlapping ranges of one file, `ENOSPC`, `EFBIG`.
    fn copy_file_range(&self, call: &Call, range: CopyRange) -> Result<u64> {
        unsupported!(call, range)
    }

    /// Returns a lock on a range of bytes that keeps `owner` from taking `lock`, the one that begins first, or `lock`
    /// with [`LockKind::Unlock`](crate::LockKind::Unlock) if it could be taken. It is asked only where
    /// [`Capabilities::locks`] says so.
    ///
    /// # Errors
    /// `ENOLCK` if that cannot be found out.
    fn getlk(&self, call: &Call, file: OpenNode, owner: LockOwner, lock: FileLock) -> Result<FileLock> {
        unsupported!(call, file, owner, lock)
    }

    /// Takes a lock, changes its kind, or gives it back.
    ///
    /// A lock belongs to its owner and the node, whichever handle it comes through. Locks of an owner never conflict
    /// with each other: on a range, the new one replaces what the owner had there, which splits and merges ranges
    /// (`fcntl(2)`). A lock on a whole file is changed by giving the old one up first (`flock(2)`). The two families do
    /// not see each other. Giving back what is not held succeeds.
    ///
    /// With `wait`, the call waits until it can have the lock, or until it is cancelled: then it has taken none. Such
    /// a call is made on a thread that may wait, also for a provider that is run
    /// [`Inline`](crate::Execution::Inline); without `wait` it never waits.
    ///
    /// An owner's locks end when everything is given back ([`SetLock::unlock_all`]): those on ranges when the owner
    /// closes any descriptor of the file, those on the whole file when its handle is released.
    ///
    /// # Errors
    /// `EAGAIN` if another owner's lock is in the way and `wait` is not asked for; `EINTR` if the wait was cancelled;
    /// `ENOLCK` if there is no room for one more; `EDEADLK`, where a provider detects that owners wait for each other.
    fn setlk(&self, call: &Call, file: OpenNode, change: SetLock) -> Result<()> {
        unsupported!(call, file, change)
    }

    /// Does what a device or file system offers beyond the other operations.
    ///
    /// # Errors
    /// `ENOTTY` for unknown commands.
    fn ioctl(&self, call: &Call, file: OpenNode, request: IoctlRequest<'_>) -> Result<IoctlReply> {
        unsupported!(call, file, request)
    }

    /// Returns which events are ready. If none of those asked for is, it keeps the waker and calls it once when that
    /// may have changed.
    ///
    /// # Errors
    /// `ENOSYS` makes the kernel treat the file as always ready, as it does with regular files.
    fn poll(
        &self,
        call: &Call,
        file: OpenNode,
        events: PollEvents,
        waker: Option<PollWaker>,
    ) -> Result<PollEvents> {
        let _ = (call, file, events, waker.is_some());
        Err(ErrorKind::NotImplemented.into())
    }

    /// Lends the backing descriptor of an open regular file to `borrow` and returns true, or returns false where
    /// there is none. Reads, writes and maps may then bypass the provider until the handle is released.
    fn lend_backing(&self, file: OpenNode, borrow: &mut dyn FnMut(BorrowedFd<'_>)) -> bool {
        let (_, _) = (file, borrow);
        false
    }

    /// Tells the provider where to report changes that are not made through it. It is called once, before the first
    /// operation.
    fn report_changes_to(&self, sink: Arc<dyn ChangeSink>) {
        let _ = sink;
    }
}
