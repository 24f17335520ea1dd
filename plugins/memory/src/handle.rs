//! What a handle may do, carried by its own number: opening a file stores nothing.
//!
//! Invariant: the low four bits are rights, the rest is a serial number, so that handles differ.

use fs9_sdk::{Error, ErrorKind, FileHandle, OpenFlags, Result};
use std::sync::atomic::{AtomicU64, Ordering};

const READABLE: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const APPENDS: u64 = 1 << 2;
const KEEPS_ATIME: u64 = 1 << 3;
const SERIAL_SHIFT: u32 = 4;

/// Gives out handles.
#[derive(Default)]
pub(crate) struct Handles(AtomicU64);

impl Handles {
    /// Returns a new handle with the rights that the flags give.
    pub(crate) fn issue(&self, flags: OpenFlags) -> FileHandle {
        let serial = self.0.fetch_add(1, Ordering::Relaxed) << SERIAL_SHIFT;
        let right = |granted: bool, bit: u64| if granted { bit } else { 0 };
        FileHandle(
            serial
                | right(flags.readable(), READABLE)
                | right(flags.writable(), WRITABLE)
                | right(flags.contains(OpenFlags::APPEND), APPENDS)
                | right(flags.contains(OpenFlags::NOATIME), KEEPS_ATIME),
        )
    }
}

/// Returns `EBADF` for a handle that may not read.
pub(crate) fn check_readable(handle: FileHandle) -> Result<()> {
    check(handle, READABLE)
}

/// Returns `EBADF` for a handle that may not write.
pub(crate) fn check_writable(handle: FileHandle) -> Result<()> {
    check(handle, WRITABLE)
}

/// Returns whether writes go to the end of the file.
pub(crate) fn appends(handle: FileHandle) -> bool {
    handle.0 & APPENDS != 0
}

/// Returns whether reads leave the access time as it is.
pub(crate) fn keeps_atime(handle: FileHandle) -> bool {
    handle.0 & KEEPS_ATIME != 0
}

fn check(handle: FileHandle, right: u64) -> Result<()> {
    if handle.0 & right != 0 { Ok(()) } else { Err(Error::new(ErrorKind::BadDescriptor)) }
}
