//! The devices whose objects the provider serves.
//!
//! Invariants: index 0 is the device of the root; a device keeps its index and public number. The lock is not held
//! across system calls.

use crate::stat::{Stat, mix};
use fs9_sys::{FileHandleBytes, open_by_handle, take_handle};
use parking_lot::RwLock;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, fstatfs, openat};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Index of the device of the root.
pub(crate) const ROOT_DEVICE: u32 = 0;

/// Devices that keep a descriptor for finding nodes by file handle. Those beyond (snapshots and subvolumes count as
/// devices) find theirs by name.
const HANDLE_DEVICES_MAX: usize = 64;

/// Magic numbers of file systems whose writes may fail at close: NFS, SMB, SMB2, CIFS, Ceph, AFS, FUSE
/// (`statfs(2)`).
const REMOTE: [u32; 7] = [0x6969, 0x517b, 0xfe53_4d42, 0xff53_4d42, 0x00c3_6400, 0x5346_414f, 0x6573_5546];

/// Magic numbers of file systems whose files come about as they are read, so that neither sizes nor times tell what is
/// in them: proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, configfs, SELinux, Smack, resctrl, binfmt_misc,
/// fusectl (`statfs(2)`, `fs/configfs/mount.c` and `fs/fuse/control.c` of Linux).
const GENERATED: [u32; 13] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0x6265_6570,
    0xf97c_ff8c,
    0x4341_5d53,
    0x0765_5821,
    0x4249_4e4d,
    0x6573_5543,
];

/// One device.
#[derive(Debug)]
pub(crate) struct Device {
    /// Major and minor number.
    number: u64,
    /// Its number in [`fs9_sdk::ObjectId`]: 0 for that of the root.
    pub(crate) public: u64,
    /// A descriptor on its mount, if its nodes can be found by file handle.
    mount: Option<OwnedFd>,
    /// Writes may fail as late as at close.
    pub(crate) flushes: bool,
    /// What is in its files comes about as they are read.
    generated: bool,
    /// `RENAME_NOREPLACE` was refused where a rename without it was done.
    lacks_noreplace: AtomicBool,
}

impl Device {
    /// Opens the inode of a file handle.
    pub(crate) fn open_by_handle(&self, handle: &FileHandleBytes) -> io::Result<OwnedFd> {
        match &self.mount {
            Some(mount) => open_by_handle(mount, handle),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// The devices seen so far.
pub(crate) struct Devices {
    root: Arc<Device>,
    others: RwLock<Vec<Arc<Device>>>,
    file_handles: bool,
}

impl Devices {
    /// Returns the table with the device of the root, which `root` opens. `file_handles` says whether to use them.
    pub(crate) fn new(root: impl AsFd, stat: &Stat, file_handles: bool) -> Devices {
        let root = Arc::new(inspect(root, stat, 0, file_handles));
        Devices { root, others: RwLock::default(), file_handles }
    }

    /// Returns a device by index.
    pub(crate) fn get(&self, index: u32) -> Arc<Device> {
        let other = (index as usize).checked_sub(1).and_then(|at| self.others.read().get(at).cloned());
        other.unwrap_or_else(|| Arc::clone(&self.root))
    }

    /// Returns whether the nodes of a device are found again by file handle, not by name.
    pub(crate) fn has_handles(&self, index: u32) -> bool {
        if index == ROOT_DEVICE { self.root.mount.is_some() } else { self.get(index).mount.is_some() }
    }

    /// Returns the public number of a device.
    pub(crate) fn public(&self, index: u32) -> u64 {
        if index == ROOT_DEVICE { 0 } else { self.get(index).public }
    }

    /// Returns whether the files of a device come about as they are read, whatever their sizes and times say.
    pub(crate) fn is_generated(&self, index: u32) -> bool {
        if index == ROOT_DEVICE { self.root.generated } else { self.get(index).generated }
    }

    /// Returns whether a device is elsewhere, or another process's, so that any call can take long.
    pub(crate) fn is_remote(&self, index: u32) -> bool {
        if index == ROOT_DEVICE { self.root.flushes } else { self.get(index).flushes }
    }

    /// Makes the device of the root a remote one.
    #[cfg(test)]
    pub(crate) fn take_root_for_remote(&mut self) {
        Arc::get_mut(&mut self.root).unwrap().flushes = true;
    }

    /// Returns whether a device may know `RENAME_NOREPLACE`.
    pub(crate) fn knows_noreplace(&self, index: u32) -> bool {
        !self.get(index).lacks_noreplace.load(Ordering::Relaxed)
    }

    /// Notes that a device does not know `RENAME_NOREPLACE`.
    pub(crate) fn note_no_noreplace(&self, index: u32) {
        self.get(index).lacks_noreplace.store(true, Ordering::Relaxed);
    }

    /// Returns whether an object is on a device.
    pub(crate) fn holds(&self, index: u32, stat: &Stat) -> bool {
        if index == ROOT_DEVICE {
            self.root.number == stat.device
        } else {
            self.get(index).number == stat.device
        }
    }

    /// Returns the index of an object's device; `file` opens the object.
    pub(crate) fn index_of(&self, file: impl AsFd, stat: &Stat) -> u32 {
        if stat.device == self.root.number {
            return ROOT_DEVICE;
        }
        let find = |devices: &[Arc<Device>]| devices.iter().position(|device| device.number == stat.device);
        let known = find(&self.others.read());
        if let Some(at) = known {
            return at as u32 + 1;
        }
        let wants_handles = self.file_handles && self.others.read().len() < HANDLE_DEVICES_MAX;
        // Never 0, which is the root's.
        let device = inspect(file, stat, mix(stat.device) | 1, wants_handles);
        let mut others = self.others.write();
        // Another thread may have been faster.
        let at = find(&others).unwrap_or_else(|| {
            others.push(Arc::new(device));
            others.len() - 1
        });
        at as u32 + 1
    }
}

/// Finds out what a device can do.
fn inspect(file: impl AsFd, stat: &Stat, public: u64, wants_handles: bool) -> Device {
    let kind = fstatfs(&file).map(|statfs| statfs.f_type as u32);
    let is_among = |kinds: &[u32]| kind.is_ok_and(|kind| kinds.contains(&kind));
    let (flushes, generated) = (is_among(&REMOTE), is_among(&GENERATED));
    let mount = if wants_handles { mount_descriptor(&file) } else { None };
    let lacks_noreplace = AtomicBool::new(false);
    Device { number: stat.device, public, mount, flushes, generated, lacks_noreplace }
}

/// Returns a descriptor for `open_by_handle_at(2)`, after a handle has made the way there and back.
fn mount_descriptor(dir: impl AsFd) -> Option<OwnedFd> {
    let handle = take_handle(&dir).ok()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mount = openat(&dir, c".", flags, Mode::empty()).ok()?;
    open_by_handle(&mount, &handle).ok()?;
    Some(mount)
}
