//! What `stat(2)` tells of an object.

use crate::{FileType, ObjectId, Timestamp};

/// The attributes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    /// The identity that users see as `st_ino`.
    pub id: ObjectId,
    /// The type of the object.
    pub kind: FileType,
    /// Permission bits with set-user-ID, set-group-ID and sticky (`07777`).
    pub permissions: u16,
    /// Number of hard links; for a directory as its file system counts.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// For devices: the device number in the kernel's 32-bit encoding (`new_encode_dev`), else 0.
    pub rdev: u32,
    /// Size in bytes; of a symbolic link: the length of its target.
    pub size: u64,
    /// Allocated space in units of 512 bytes.
    pub blocks: u64,
    /// Preferred size of an I/O, in bytes.
    pub block_size: u32,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of the data.
    pub mtime: Timestamp,
    /// Last change of data or attributes.
    pub ctime: Timestamp,
    /// Creation, where the provider knows it.
    pub btime: Option<Timestamp>,
}

/// Set-user-ID bit of the permissions.
const SETUID: u16 = 0o4000;
/// Set-group-ID bit of the permissions.
const SETGID: u16 = 0o2000;
/// Execute bit of the group: without it, set-group-ID means mandatory locking and is not a privilege.
const GROUP_EXECUTE: u16 = 0o010;

impl Attr {
    /// Returns the mode as in `st_mode`: type and permission bits.
    pub const fn mode(&self) -> u32 {
        self.kind.mode_bits() | (self.permissions as u32 & 0o7777)
    }

    /// Returns whether running this file gives its owner's or group's rights.
    pub const fn grants_privilege(&self) -> bool {
        self.permissions & SETUID != 0 || self.permissions & SETGID != 0
    }

    /// Returns the permissions after the kernel's stripping of privileges on a write by one without
    /// `CAP_FSETID`: set-user-ID goes, set-group-ID goes where the group may execute
    /// (`setattr_should_drop_suidgid`, Linux).
    pub const fn permissions_without_privilege(&self) -> u16 {
        let kept = self.permissions & !SETUID;
        if kept & GROUP_EXECUTE != 0 { kept & !SETGID } else { kept }
    }
}
