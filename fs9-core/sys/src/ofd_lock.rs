//! Locks on ranges that belong to an open file (`F_OFD_SETLK` of `fcntl(2)`).
//!
//! They conflict with those of other open files of the same process, and with the locks of other processes, whichever
//! of the two kinds these are.

use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// What a lock allows others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeLockKind {
    /// Others may hold read locks.
    Read,
    /// Nobody else may hold a lock.
    Write,
    /// None is held.
    Unlock,
}

/// A lock on a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeLock {
    /// What it allows others.
    pub kind: RangeLockKind,
    /// The first byte.
    pub start: u64,
    /// The last byte, inclusive; `i64::MAX` for the end of the file, however far it moves.
    pub end: u64,
}

impl RangeLock {
    /// Returns the kernel's form of it.
    fn raw(&self) -> io::Result<libc::flock> {
        let invalid = |_| io::Error::from_raw_os_error(libc::EINVAL);
        let (start, end) =
            (i64::try_from(self.start).map_err(invalid)?, i64::try_from(self.end).map_err(invalid)?);
        if end < start {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let kind = match self.kind {
            RangeLockKind::Read => libc::F_RDLCK,
            RangeLockKind::Write => libc::F_WRLCK,
            RangeLockKind::Unlock => libc::F_UNLCK,
        };
        // A length of 0 reaches to the end of the file.
        let length = if end == i64::MAX { 0 } else { end - start + 1 };
        Ok(libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: start,
            l_len: length,
            // As `fcntl(2)` asks for.
            l_pid: 0,
        })
    }

    fn of(raw: &libc::flock) -> io::Result<RangeLock> {
        let kind = match libc::c_int::from(raw.l_type) {
            libc::F_RDLCK => RangeLockKind::Read,
            libc::F_WRLCK => RangeLockKind::Write,
            _ => RangeLockKind::Unlock,
        };
        let unexpected = |_| io::Error::from(io::ErrorKind::InvalidData);
        let start = u64::try_from(raw.l_start).map_err(unexpected)?;
        let length = u64::try_from(raw.l_len).map_err(unexpected)?;
        let end = if length == 0 { i64::MAX as u64 } else { start.saturating_add(length - 1) };
        Ok(RangeLock { kind, start, end })
    }
}

/// Takes, changes or gives back a lock of an open file, without waiting.
///
/// # Errors
/// `EAGAIN` if a lock of somebody else is in the way; `EBADF` if the file is not open for what the kind needs (reading for
/// a read lock, writing for a write lock); `EINVAL` for a range that ends before it begins or beyond the largest offset;
/// `ENOLCK`.
pub fn set_ofd_lock(file: impl AsFd, lock: &RangeLock) -> io::Result<()> {
    let raw = lock.raw()?;
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed for the call, and the kernel only reads `raw`, which outlives it.
    let result = unsafe { libc::fcntl(file, libc::F_OFD_SETLK, &raw const raw) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns the first lock of somebody else that is in the way of a lock, and the process that holds it: `None` for locks
/// that belong to an open file.
///
/// # Errors
/// `EINVAL` as [`set_ofd_lock`].
pub fn get_ofd_lock(file: impl AsFd, lock: &RangeLock) -> io::Result<Option<(RangeLock, Option<u32>)>> {
    let mut raw = lock.raw()?;
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed for the call, and `raw`, which the kernel fills, outlives it.
    let result = unsafe { libc::fcntl(file, libc::F_OFD_GETLK, &raw mut raw) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    let found = RangeLock::of(&raw)?;
    let holder = u32::try_from(raw.l_pid).ok().filter(|&pid| pid != 0);
    Ok((found.kind != RangeLockKind::Unlock).then_some((found, holder)))
}

#[cfg(test)]
mod tests {
    use super::{RangeLock, RangeLockKind, get_ofd_lock, set_ofd_lock};
    use std::fs::File;

    const END: u64 = i64::MAX as u64;

    fn lock(kind: RangeLockKind, start: u64, end: u64) -> RangeLock {
        RangeLock { kind, start, end }
    }

    #[test]
    fn locks_belong_to_open_files_and_keep_their_ranges() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let open = || File::options().read(true).write(true).open(place.path()).unwrap();
        let (one, two) = (open(), open());
        set_ofd_lock(&one, &lock(RangeLockKind::Write, 10, 19)).unwrap();
        set_ofd_lock(&one, &lock(RangeLockKind::Read, 30, END)).unwrap();
        let wanted = lock(RangeLockKind::Write, 0, END);
        assert_eq!(set_ofd_lock(&two, &wanted).unwrap_err().raw_os_error(), Some(libc::EAGAIN));
        let found = get_ofd_lock(&two, &wanted).unwrap().unwrap();
        assert_eq!(found, (lock(RangeLockKind::Write, 10, 19), None));
        let found = get_ofd_lock(&two, &lock(RangeLockKind::Write, 20, END)).unwrap().unwrap();
        assert_eq!(found, (lock(RangeLockKind::Read, 30, END), None));
        assert_eq!(get_ofd_lock(&two, &lock(RangeLockKind::Read, 40, 50)).unwrap(), None);
        set_ofd_lock(&one, &lock(RangeLockKind::Unlock, 0, END)).unwrap();
        set_ofd_lock(&two, &wanted).unwrap();
    }

    #[test]
    fn impossible_ranges_and_wrong_modes_are_refused() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let reader = File::open(place.path()).unwrap();
        let errno = |lock: RangeLock| set_ofd_lock(&reader, &lock).unwrap_err().raw_os_error();
        assert_eq!(errno(lock(RangeLockKind::Read, 2, 1)), Some(libc::EINVAL));
        assert_eq!(errno(lock(RangeLockKind::Read, 0, END + 1)), Some(libc::EINVAL));
        assert_eq!(errno(lock(RangeLockKind::Write, 0, 1)), Some(libc::EBADF));
    }
}
