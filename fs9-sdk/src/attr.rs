//! What `stat(2)` tells of an object.

use crate::privilege::{SETGID, SETUID, keeps_setgid_for_members, without_privileges};
use crate::{Caller, FileType, ObjectId, Timestamp};

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

impl Attr {
    /// Returns the attributes of an empty object of root's with one name. All its times are `time`, except that of its
    /// creation, which is not known.
    pub const fn new(id: ObjectId, kind: FileType, permissions: u16, time: Timestamp) -> Attr {
        Attr {
            id,
            kind,
            permissions,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            blocks: 0,
            block_size: 4096,
            atime: time,
            mtime: time,
            ctime: time,
            btime: None,
        }
    }

    /// Returns the mode as in `st_mode`: type and permission bits.
    pub const fn mode(&self) -> u32 {
        self.kind.mode_bits() | (self.permissions as u32 & 0o7777)
    }

    /// Returns whether running this file gives its owner's or group's rights.
    pub const fn grants_privilege(&self) -> bool {
        self.permissions & SETUID != 0 || self.permissions & SETGID != 0
    }

    /// Returns the permissions of this file after a change of its data by an ordinary user
    /// ([`without_privileges`]). It may read `/proc`, as [`Caller::is_in_group`] does, but only where the group matters.
    pub fn permissions_without_privilege(&self, writer: &Caller) -> u16 {
        let by_outsider = keeps_setgid_for_members(self.permissions) && !writer.is_in_group(self.gid);
        without_privileges(self.permissions, by_outsider)
    }
}

#[cfg(test)]
mod tests {
    use super::Attr;
    use crate::{Caller, FileType, ObjectId, Timestamp};

    fn file(permissions: u16, gid: u32) -> Attr {
        let id = ObjectId { device: 0, number: 1, generation: 0 };
        Attr { gid, ..Attr::new(id, FileType::Regular, permissions, Timestamp::default()) }
    }

    #[test]
    fn an_outsider_takes_set_group_id_that_is_no_privilege_and_a_member_does_not() {
        let writer = Caller { uid: 1000, gid: 100, ..Caller::ROOT };
        assert_eq!(file(0o2666, 100).permissions_without_privilege(&writer), 0o2666);
        assert_eq!(file(0o2666, 7).permissions_without_privilege(&writer), 0o666);
        assert_eq!(file(0o2676, 100).permissions_without_privilege(&writer), 0o676);
        assert_eq!(file(0o2666, 7).permissions_without_privilege(&Caller::ROOT), 0o2666);
    }
}
