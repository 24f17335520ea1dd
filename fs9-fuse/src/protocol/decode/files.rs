//! Requests on open files and directories.

use super::{Decoder, PollHandle};
use crate::Operation;
use crate::protocol::flags::{
    FSYNC_FDATASYNC, LK_FLOCK, OPEN_KILL_SUIDGID, POLL_SCHEDULE_NOTIFY, RELEASE_FLOCK_UNLOCK, WriteFlags,
};
use crate::protocol::locks;
use crate::protocol::malformed::Fault;
use crate::protocol::wire::{
    CopyFileRangeIn, FallocateIn, FlushIn, FsyncIn, IoctlIn, LkIn, LseekIn, OpenIn, PollIn, ReadIn,
    ReleaseIn, WriteIn,
};
use fs9_core::HandleId;
use fs9_sdk::{
    ErrorKind, FallocateMode, IoctlFlags, LockFamily, LockOwner, OpenFlags, PollEvents, WriteOptions,
};
use std::borrow::Cow;

/// The most bytes that `COPY_FILE_RANGE` may copy, whose answer has 32 bits: whole pages, as newer kernels cut it.
const COPY_MAX: u64 = 0xffff_f000;

impl<'a> Decoder<'a> {
    pub(super) fn open(&mut self) -> Result<Operation<'a>, Fault> {
        let OpenIn { flags, open_flags } = self.arguments.record()?;
        let kill_privileges = open_flags & OPEN_KILL_SUIDGID != 0;
        Ok(Operation::Open { flags: OpenFlags::from_bits_retain(flags), kill_privileges })
    }

    pub(super) fn opendir(&mut self) -> Result<Operation<'a>, Fault> {
        self.arguments.record::<OpenIn>()?;
        Ok(Operation::Opendir)
    }

    pub(super) fn read(&mut self) -> Result<Operation<'a>, Fault> {
        let ReadIn { fh, offset, size, .. } = self.arguments.record()?;
        Ok(Operation::Read { handle: HandleId(fh), offset, length: size })
    }

    pub(super) fn write(&mut self) -> Result<Operation<'a>, Fault> {
        let WriteIn { fh, offset, size, write_flags, .. } = self.arguments.record()?;
        let flags = WriteFlags::from_bits_retain(write_flags);
        let options = WriteOptions {
            kill_privileges: flags.contains(WriteFlags::KILL_SUIDGID),
            from_cache: flags.contains(WriteFlags::CACHE),
        };
        let data = Cow::Borrowed(self.arguments.bytes(size)?);
        Ok(Operation::Write { handle: HandleId(fh), offset, data, options })
    }

    pub(super) fn flush(&mut self) -> Result<Operation<'a>, Fault> {
        let FlushIn { fh, lock_owner, .. } = self.arguments.record()?;
        Ok(Operation::Flush { handle: HandleId(fh), owner: LockOwner(lock_owner) })
    }

    pub(super) fn release(&mut self) -> Result<Operation<'a>, Fault> {
        let ReleaseIn { fh, release_flags, lock_owner, .. } = self.arguments.record()?;
        let unlocks = release_flags & RELEASE_FLOCK_UNLOCK != 0;
        Ok(Operation::Release { handle: HandleId(fh), flock_owner: unlocks.then_some(LockOwner(lock_owner)) })
    }

    pub(super) fn releasedir(&mut self) -> Result<Operation<'a>, Fault> {
        let ReleaseIn { fh, .. } = self.arguments.record()?;
        Ok(Operation::Releasedir { handle: HandleId(fh) })
    }

    pub(super) fn fsync(&mut self) -> Result<Operation<'a>, Fault> {
        let (handle, data_only) = self.syncing()?;
        Ok(Operation::Fsync { handle, data_only })
    }

    pub(super) fn fsyncdir(&mut self) -> Result<Operation<'a>, Fault> {
        let (handle, data_only) = self.syncing()?;
        Ok(Operation::Fsyncdir { handle, data_only })
    }

    fn syncing(&mut self) -> Result<(HandleId, bool), Fault> {
        let FsyncIn { fh, fsync_flags, .. } = self.arguments.record()?;
        Ok((HandleId(fh), fsync_flags & FSYNC_FDATASYNC != 0))
    }

    pub(super) fn readdir(&mut self, attributes: bool) -> Result<Operation<'a>, Fault> {
        let ReadIn { fh, offset, size, .. } = self.arguments.record()?;
        self.listing_size = size;
        Ok(Operation::Readdir { handle: HandleId(fh), cookie: offset, attributes })
    }

    pub(super) fn getlk(&mut self) -> Result<Operation<'a>, Fault> {
        let LkIn { fh, owner, lk, .. } = self.arguments.record()?;
        Ok(Operation::Getlk { handle: HandleId(fh), owner: LockOwner(owner), lock: locks::from_wire(lk)? })
    }

    pub(super) fn setlk(&mut self, wait: bool) -> Result<Operation<'a>, Fault> {
        let LkIn { fh, owner, lk, lk_flags, .. } = self.arguments.record()?;
        let family = if lk_flags & LK_FLOCK == 0 { LockFamily::Range } else { LockFamily::Flock };
        let (handle, owner, lock) = (HandleId(fh), LockOwner(owner), locks::from_wire(lk)?);
        Ok(Operation::Setlk { handle, owner, lock, family, wait })
    }

    pub(super) fn ioctl(&mut self) -> Result<Operation<'a>, Fault> {
        let IoctlIn { fh, flags, cmd, in_size, out_size, .. } = self.arguments.record()?;
        Ok(Operation::Ioctl {
            handle: HandleId(fh),
            flags: IoctlFlags::from_bits_retain(flags),
            command: cmd,
            input: Cow::Borrowed(self.arguments.bytes(in_size)?),
            output_max: out_size,
        })
    }

    pub(super) fn poll(&mut self) -> Result<Operation<'a>, Fault> {
        let PollIn { fh, kh, flags, events } = self.arguments.record()?;
        self.poll = Some(PollHandle { kernel: kh, notify: flags & POLL_SCHEDULE_NOTIFY != 0 });
        let events = PollEvents::from_bits_retain(events);
        Ok(Operation::Poll { handle: HandleId(fh), events, waker: None })
    }

    pub(super) fn fallocate(&mut self) -> Result<Operation<'a>, Fault> {
        let FallocateIn { fh, offset, length, mode, .. } = self.arguments.record()?;
        let mode = FallocateMode::from_bits_retain(mode);
        Ok(Operation::Fallocate { handle: HandleId(fh), mode, offset, length })
    }

    pub(super) fn lseek(&mut self) -> Result<Operation<'a>, Fault> {
        let LseekIn { fh, offset, whence, .. } = self.arguments.record()?;
        if i64::try_from(offset).is_err() {
            // Before the beginning there is neither data nor a hole, as natively (`lseek(2)`).
            let what = "the offset lies before the beginning";
            return Err(Fault { errno: ErrorKind::NoSuchDeviceOrAddress, what });
        }
        Ok(Operation::Lseek { handle: HandleId(fh), offset, whence })
    }

    /// `short`: the answer has 32 bits.
    pub(super) fn copy_file_range(&mut self, short: bool) -> Result<Operation<'a>, Fault> {
        let CopyFileRangeIn { fh_in, off_in, fh_out, off_out, len, .. } = self.arguments.record()?;
        Ok(Operation::CopyFileRange {
            source: (HandleId(fh_in), off_in),
            target: (HandleId(fh_out), off_out),
            length: if short { len.min(COPY_MAX) } else { len },
        })
    }
}
