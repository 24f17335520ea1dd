//! The first transport: the `fuser` crate reads `/dev/fuse` and writes the answers.
//!
//! What it does not tell is inferred by the frontend: whether a change of attributes or an open strips privileges, and
//! the size of the buffer that a listing fills. Interrupts are answered by `fuser` itself with `ENOSYS`.

use super::awake::Awake;
use super::fuser_reply::FuserReply;
use super::negotiation::negotiate;
use super::readers::Readers;
use crate::isolation::contained;
use crate::{AttributeChanges, Creation, Frontend, Ino, KernelCache, Operation, RequestHeader, RequestId};
use fs9_core::HandleId;
use fs9_sdk::{
    Caller, FallocateMode, IoctlFlags, LockOwner, OpenFlags, PollEvents, PollWaker, RenameFlags, SetTime,
    Timestamp, WriteOptions, XattrFlags,
};
use fuser::{INodeNo, Request, TimeOrNow};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The most bytes that one copy reports: the answer of `COPY_FILE_RANGE` has 32 bits, and whole pages suit the next call.
const COPY_MAX: u64 = u32::MAX as u64 & !4095;

/// Hands the requests that `fuser` reads to a frontend.
pub struct FuserTransport {
    frontend: Arc<Frontend>,
    readers: Arc<Readers>,
}

impl FuserTransport {
    /// Returns a transport for a frontend, to be called by at most `threads` threads.
    pub(crate) fn new(frontend: Arc<Frontend>, threads: usize, awake: Awake) -> FuserTransport {
        FuserTransport { frontend, readers: Readers::new(threads, awake) }
    }

    /// Names the device from which the requests come.
    pub(crate) fn read_from(&self, device: OwnedFd) {
        self.readers.read_from(device);
    }

    fn dispatch(
        &self,
        request: &Request,
        ino: INodeNo,
        operation: Operation<'_>,
        reply: impl Into<FuserReply>,
    ) {
        self.dispatch_masked(request, (ino, 0), operation, reply);
    }

    /// Dispatches a request that brings the caller's umask.
    fn dispatch_masked(
        &self,
        request: &Request,
        (ino, umask): (INodeNo, u32),
        operation: Operation<'_>,
        reply: impl Into<FuserReply>,
    ) {
        let caller =
            Caller { uid: request.uid(), gid: request.gid(), pid: request.pid(), umask, parent_group: None };
        let _turn = self.readers.take_turn(waits_for_the_disk(&operation));
        let header = RequestHeader { id: RequestId(request.unique().0), ino: Ino(ino.0), caller };
        contained(|| self.frontend.dispatch(header, operation, reply.into()));
    }
}

/// Returns whether an operation takes as long as the disk needs, whatever is cached.
fn waits_for_the_disk(operation: &Operation<'_>) -> bool {
    use Operation as O;
    matches!(operation, O::Fsync { .. } | O::Fsyncdir { .. } | O::Fallocate { .. } | O::CopyFileRange { .. })
}

fn bytes(name: &OsStr) -> Cow<'_, [u8]> {
    Cow::Borrowed(name.as_bytes())
}

fn handle(fh: fuser::FileHandle) -> HandleId {
    HandleId(fh.0)
}

fn set_time(time: TimeOrNow) -> SetTime {
    match time {
        TimeOrNow::Now => SetTime::Now,
        TimeOrNow::SpecificTime(time) => SetTime::At(timestamp(time)),
    }
}

/// Returns the time that the kernel sent. For times before the epoch, `fuser` takes the nanoseconds off where the kernel
/// adds them, so -1.25 s arrives as -2.75 s; this takes that back.
fn timestamp(time: SystemTime) -> Timestamp {
    let before = |before: Duration| Timestamp {
        seconds: 0i64.saturating_sub_unsigned(before.as_secs()),
        nanoseconds: before.subsec_nanos(),
    };
    UNIX_EPOCH.duration_since(time).ok().filter(|d| !d.is_zero()).map_or_else(|| time.into(), before)
}

impl fuser::Filesystem for FuserTransport {
    fn init(&mut self, _request: &Request, config: &mut fuser::KernelConfig) -> io::Result<()> {
        negotiate(&self.frontend, config);
        Ok(())
    }

    fn destroy(&mut self) {
        self.frontend.tear_down();
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: fuser::ReplyEntry) {
        self.dispatch(request, parent, Operation::Lookup { name: bytes(name) }, reply);
    }

    fn forget(&self, _request: &Request, ino: INodeNo, nlookup: u64) {
        let _turn = self.readers.take_turn(false);
        contained(|| self.frontend.forget(Ino(ino.0), nlookup));
    }

    fn getattr(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: Option<fuser::FileHandle>,
        reply: fuser::ReplyAttr,
    ) {
        self.dispatch(request, ino, Operation::Getattr { handle: fh.map(handle) }, reply);
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        fh: Option<fuser::FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<fuser::BsdFileFlags>,
        reply: fuser::ReplyAttr,
    ) {
        let (atime, mtime) = (atime.map(set_time), mtime.map(set_time));
        let changes = AttributeChanges { mode, uid, gid, size, atime, mtime, kill_privileges: false };
        self.dispatch(request, ino, Operation::Setattr { handle: fh.map(handle), changes }, reply);
    }

    fn readlink(&self, request: &Request, ino: INodeNo, reply: fuser::ReplyData) {
        self.dispatch(request, ino, Operation::Readlink, reply);
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        rdev: u32,
        reply: fuser::ReplyEntry,
    ) {
        let operation = Operation::Mknod { name: bytes(name), mode, rdev, creation: Creation::default() };
        self.dispatch_masked(request, (parent, umask), operation, reply);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: fuser::ReplyEntry,
    ) {
        let operation = Operation::Mkdir { name: bytes(name), mode, creation: Creation::default() };
        self.dispatch_masked(request, (parent, umask), operation, reply);
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: fuser::ReplyEmpty) {
        self.dispatch(request, parent, Operation::Unlink { name: bytes(name) }, reply);
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: fuser::ReplyEmpty) {
        self.dispatch(request, parent, Operation::Rmdir { name: bytes(name) }, reply);
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: fuser::ReplyEntry,
    ) {
        let operation = Operation::Symlink {
            name: bytes(name),
            target: bytes(target.as_os_str()),
            creation: Creation::default(),
        };
        self.dispatch(request, parent, operation, reply);
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: fuser::RenameFlags,
        reply: fuser::ReplyEmpty,
    ) {
        let operation = Operation::Rename {
            name: bytes(name),
            new_parent: Ino(newparent.0),
            new_name: bytes(newname),
            flags: RenameFlags::from_bits_retain(flags.bits()),
        };
        self.dispatch(request, parent, operation, reply);
    }

    fn link(
        &self,
        request: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: fuser::ReplyEntry,
    ) {
        self.dispatch(request, newparent, Operation::Link { ino: Ino(ino.0), name: bytes(newname) }, reply);
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: fuser::OpenFlags, reply: fuser::ReplyOpen) {
        let flags = OpenFlags::from_bits_retain(flags.0 as u32);
        self.dispatch(request, ino, Operation::Open { flags, kill_privileges: false }, reply);
    }

    fn read(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        offset: u64,
        size: u32,
        _flags: fuser::OpenFlags,
        _lock_owner: Option<fuser::LockOwner>,
        reply: fuser::ReplyData,
    ) {
        self.dispatch(request, ino, Operation::Read { handle: handle(fh), offset, length: size }, reply);
    }

    fn write(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: fuser::WriteFlags,
        _flags: fuser::OpenFlags,
        _lock_owner: Option<fuser::LockOwner>,
        reply: fuser::ReplyWrite,
    ) {
        let options = WriteOptions {
            kill_privileges: write_flags.contains(fuser::WriteFlags::FUSE_WRITE_KILL_SUIDGID),
            from_cache: write_flags.contains(fuser::WriteFlags::FUSE_WRITE_CACHE),
        };
        let operation = Operation::Write { handle: handle(fh), offset, data: Cow::Borrowed(data), options };
        self.dispatch(request, ino, operation, reply);
    }

    fn flush(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        lock_owner: fuser::LockOwner,
        reply: fuser::ReplyEmpty,
    ) {
        self.dispatch(
            request,
            ino,
            Operation::Flush { handle: handle(fh), owner: LockOwner(lock_owner.0) },
            reply,
        );
    }

    fn release(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        _flags: fuser::OpenFlags,
        _lock_owner: Option<fuser::LockOwner>,
        _flush: bool,
        reply: fuser::ReplyEmpty,
    ) {
        self.dispatch(request, ino, Operation::Release { handle: handle(fh), flock_owner: None }, reply);
    }

    fn fsync(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        datasync: bool,
        reply: fuser::ReplyEmpty,
    ) {
        self.dispatch(request, ino, Operation::Fsync { handle: handle(fh), data_only: datasync }, reply);
    }

    fn opendir(&self, request: &Request, ino: INodeNo, _flags: fuser::OpenFlags, reply: fuser::ReplyOpen) {
        self.dispatch(request, ino, Operation::Opendir, reply);
    }

    fn readdir(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        offset: u64,
        reply: fuser::ReplyDirectory,
    ) {
        let operation = Operation::Readdir { handle: handle(fh), cookie: offset, attributes: false };
        self.dispatch(request, ino, operation, reply);
    }

    fn readdirplus(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        offset: u64,
        reply: fuser::ReplyDirectoryPlus,
    ) {
        let operation = Operation::Readdir { handle: handle(fh), cookie: offset, attributes: true };
        self.dispatch(request, ino, operation, reply);
    }

    fn releasedir(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        _flags: fuser::OpenFlags,
        reply: fuser::ReplyEmpty,
    ) {
        self.dispatch(request, ino, Operation::Releasedir { handle: handle(fh) }, reply);
    }

    fn fsyncdir(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        datasync: bool,
        reply: fuser::ReplyEmpty,
    ) {
        self.dispatch(request, ino, Operation::Fsyncdir { handle: handle(fh), data_only: datasync }, reply);
    }

    fn statfs(&self, request: &Request, ino: INodeNo, reply: fuser::ReplyStatfs) {
        self.dispatch(request, ino, Operation::Statfs, reply);
    }

    fn setxattr(
        &self,
        request: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: fuser::ReplyEmpty,
    ) {
        let flags = XattrFlags::from_bits_retain(flags as u32);
        let operation =
            Operation::Setxattr { name: bytes(name), value: Cow::Borrowed(value), flags, kill_setgid: false };
        self.dispatch(request, ino, operation, reply);
    }

    fn getxattr(&self, request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: fuser::ReplyXattr) {
        self.dispatch(request, ino, Operation::Getxattr { name: bytes(name), size }, reply);
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: fuser::ReplyXattr) {
        self.dispatch(request, ino, Operation::Listxattr { size }, reply);
    }

    fn removexattr(&self, request: &Request, ino: INodeNo, name: &OsStr, reply: fuser::ReplyEmpty) {
        self.dispatch(request, ino, Operation::Removexattr { name: bytes(name) }, reply);
    }

    fn access(&self, request: &Request, ino: INodeNo, _mask: fuser::AccessFlags, reply: fuser::ReplyEmpty) {
        self.dispatch(request, ino, Operation::Access, reply);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: fuser::ReplyCreate,
    ) {
        let flags = OpenFlags::from_bits_retain(flags as u32);
        self.dispatch_masked(
            request,
            (parent, umask),
            Operation::Create {
                name: bytes(name),
                mode,
                flags,
                kill_privileges: false,
                creation: Creation::default(),
            },
            reply,
        );
    }

    fn ioctl(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        flags: fuser::IoctlFlags,
        cmd: u32,
        in_data: &[u8],
        out_size: u32,
        reply: fuser::ReplyIoctl,
    ) {
        let operation = Operation::Ioctl {
            handle: handle(fh),
            flags: IoctlFlags::from_bits_retain(flags.bits()),
            command: cmd,
            input: Cow::Borrowed(in_data),
            output_max: out_size,
        };
        self.dispatch(request, ino, operation, reply);
    }

    fn poll(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        notifier: fuser::PollNotifier,
        events: fuser::PollEvents,
        flags: fuser::PollFlags,
        reply: fuser::ReplyPoll,
    ) {
        let waker = flags.contains(fuser::PollFlags::FUSE_POLL_SCHEDULE_NOTIFY).then(|| -> PollWaker {
            Box::new(move || {
                if let Err(error) = notifier.notify() {
                    tracing::debug!(%error, "a poll was not woken");
                }
            })
        });
        let events = PollEvents::from_bits_retain(events.bits());
        self.dispatch(request, ino, Operation::Poll { handle: handle(fh), events, waker }, reply);
    }

    fn fallocate(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: fuser::ReplyEmpty,
    ) {
        let mode = FallocateMode::from_bits_retain(mode as u32);
        let operation = Operation::Fallocate { handle: handle(fh), mode, offset, length };
        self.dispatch(request, ino, operation, reply);
    }

    fn lseek(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: fuser::FileHandle,
        offset: i64,
        whence: i32,
        reply: fuser::ReplyLseek,
    ) {
        // Before the beginning there is neither data nor a hole, as natively (`lseek(2)`).
        let Ok(offset) = u64::try_from(offset) else { return reply.error(fuser::Errno::ENXIO) };
        let whence = whence as u32;
        self.dispatch(request, ino, Operation::Lseek { handle: handle(fh), offset, whence }, reply);
    }

    fn copy_file_range(
        &self,
        request: &Request,
        ino_in: INodeNo,
        fh_in: fuser::FileHandle,
        offset_in: u64,
        _ino_out: INodeNo,
        fh_out: fuser::FileHandle,
        offset_out: u64,
        len: u64,
        _flags: fuser::CopyFileRangeFlags,
        reply: fuser::ReplyWrite,
    ) {
        let operation = Operation::CopyFileRange {
            source: (handle(fh_in), offset_in),
            target: (handle(fh_out), offset_out),
            length: len.min(COPY_MAX),
        };
        self.dispatch(request, ino_in, operation, reply);
    }
}

/// Tells the kernel to forget, through `fuser`.
pub(crate) struct FuserCache(pub(crate) fuser::Notifier);

impl KernelCache for FuserCache {
    fn invalidate_entry(&self, parent: Ino, name: &[u8]) {
        log_refusal(self.0.inval_entry(INodeNo(parent.0), OsStr::from_bytes(name)));
    }

    fn invalidate_inode(&self, ino: Ino, data: bool) {
        // A negative offset leaves the data alone, and length 0 means to its end (`fuse_reverse_inval_inode`).
        let offset = if data { 0 } else { -1 };
        log_refusal(self.0.inval_inode(INodeNo(ino.0), offset, 0));
    }
}

fn log_refusal(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "the kernel was not told of a change");
    }
}

#[cfg(test)]
mod tests {
    use super::timestamp;
    use fs9_sdk::Timestamp;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn times_before_the_epoch_arrive_as_the_kernel_sent_them() {
        // What fuser makes of {seconds: -2, nanoseconds: 250_000_000}.
        let arrived = UNIX_EPOCH - Duration::new(2, 250_000_000);
        assert_eq!(timestamp(arrived), Timestamp { seconds: -2, nanoseconds: 250_000_000 });
        assert_eq!(timestamp(UNIX_EPOCH), Timestamp::default());
        let later = UNIX_EPOCH + Duration::new(3, 5);
        assert_eq!(timestamp(later), Timestamp { seconds: 3, nanoseconds: 5 });
    }
}
