//! The only two ways to a file: one name below an open directory, and reopening what is open.
//!
//! Invariants: no path string with more than one component below the root ever reaches the system; no symbolic link
//! is followed; the descriptors in `/proc/self/fd` are the only magic links.

use crate::stat::{Stat, refused};
use fs9_sdk::{Error, ErrorKind, Name, Result};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat, openat2};
use rustix::path::DecInt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Stands for no device: major and minor numbers are far smaller.
const NO_DEVICE: u64 = u64::MAX;

/// How names are resolved.
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_SYMLINKS);

/// How often an entry is looked for that seems to lie outside of its directory. The kernel says so as well when the entry
/// is renamed into another directory at that moment (`complete_walk`), which hardly happens twice in a row.
const MOVED_TRIES: usize = 8;

/// Opens things.
pub(crate) struct Backing {
    descriptors: OwnedFd,
    cross_devices: bool,
    own_device: AtomicU64,
}

impl Backing {
    /// Opens `/proc/self/fd`, which must be that of the process that will serve.
    pub(crate) fn new(cross_devices: bool) -> Result<Backing> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptors = open("/proc/self/fd", flags, Mode::empty())
            .map_err(|errno| refused(errno).during("open").at("/proc/self/fd"))?;
        Ok(Backing { descriptors, cross_devices, own_device: AtomicU64::new(NO_DEVICE) })
    }

    /// Never enters this device again.
    pub(crate) fn exclude(&self, device: u64) {
        self.own_device.store(device, Ordering::Release);
    }

    /// Opens an entry without following or touching it.
    pub(crate) fn open_entry(&self, dir: impl AsFd, name: Name<'_>) -> Result<OwnedFd> {
        self.open_child(dir, name, OFlags::PATH, Mode::empty())
    }

    /// Opens an entry, or makes it.
    pub(crate) fn open_child(
        &self,
        dir: impl AsFd,
        name: Name<'_>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 1..MOVED_TRIES {
            match self.open_child_once(&dir, name, flags, mode) {
                // Also the answer to an entry that moved out of the directory while the kernel looked.
                Err(error) if error.kind() == ErrorKind::CrossDevice => {}
                opened => return opened,
            }
        }
        self.open_child_once(&dir, name, flags, mode)
    }

    fn open_child_once(&self, dir: impl AsFd, name: Name<'_>, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        // Crossing into another mount is a case of its own, so that the common one needs no check.
        let opened = openat2(&dir, name.as_bytes(), flags, mode, BENEATH | ResolveFlags::NO_XDEV);
        match opened {
            Err(rustix::io::Errno::XDEV) => self.cross(dir, name, flags, mode),
            opened => opened.map_err(refused),
        }
    }

    /// Makes and opens a file without a name in the file system of a directory.
    pub(crate) fn open_unnamed(&self, dir: impl AsFd, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let flags = flags | OFlags::TMPFILE | OFlags::CLOEXEC;
        openat2(&dir, c".", flags, mode, BENEATH | ResolveFlags::NO_XDEV).map_err(refused)
    }

    /// Enters another mount, unless it is our own: that would ask ourselves and never end.
    fn cross(&self, dir: impl AsFd, name: Name<'_>, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        if !self.cross_devices {
            return Err(ErrorKind::CrossDevice.into());
        }
        let path_only = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let entry = openat2(&dir, name.as_bytes(), path_only, Mode::empty(), BENEATH).map_err(refused)?;
        if Stat::cached(&entry)?.device == self.own_device.load(Ordering::Acquire) {
            return Err(ErrorKind::TooManySymlinks.into());
        }
        if flags.contains(OFlags::PATH) {
            return Ok(entry);
        }
        openat2(dir, name.as_bytes(), flags, mode, BENEATH).map_err(refused)
    }

    /// Opens anew what is open, in another way.
    pub(crate) fn reopen(&self, file: impl AsFd, flags: OFlags) -> Result<OwnedFd> {
        let number = DecInt::from_fd(file);
        openat(&self.descriptors, number, flags | OFlags::CLOEXEC, Mode::empty()).map_err(refused)
    }

    /// Returns the directory and the name by which system calls that take no `O_PATH` descriptor reach a file.
    pub(crate) fn magic_name(&self, file: impl AsFd) -> (rustix::fd::BorrowedFd<'_>, DecInt) {
        (self.descriptors.as_fd(), DecInt::from_fd(file))
    }
}

/// Returns the path by which system calls that take only paths reach an open file. It has no part that others choose.
pub(crate) fn magic_path(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Returns whether an error says that this process has no descriptor left.
pub(crate) fn is_out_of_descriptors(error: &Error) -> bool {
    error.kind() == ErrorKind::TooManyOpenFiles
}
