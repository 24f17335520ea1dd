//! Extended attributes.
//!
//! The system's calls take no `O_PATH` descriptor, so they go by its magic link. That ends at the object itself: for a
//! symbolic link they do what the `l` variants do.

use crate::LocalProvider;
use crate::backing::magic_path;
use crate::identity::{acting, keeping_privileges};
use crate::stat::{Stat, refused};
use fs9_sdk::privilege::SETGID;
use fs9_sdk::{Call, ErrorKind, NodeId, Result, XattrFlags};
use rustix::fd::AsFd;
use rustix::fs::{getxattr, listxattr, removexattr, setxattr};
use rustix::io::Errno;

/// Setting this may take set-group-ID from the file.
const ACCESS_ACL: &[u8] = b"system.posix_acl_access";

/// Enough for nearly all values and lists at the first try.
const FIRST_TRY: usize = 512;

/// The longest value and list (`XATTR_SIZE_MAX`, `XATTR_LIST_MAX`).
const VALUE_MAX: usize = 65_536;

impl LocalProvider {
    pub(crate) fn do_getxattr(&self, id: NodeId, name: &[u8]) -> Result<Vec<u8>> {
        let node = self.node(id)?;
        let path = magic_path(&node.descriptor);
        read_value(|buffer| getxattr(path.as_str(), name, buffer))
    }

    pub(crate) fn do_listxattr(&self, id: NodeId) -> Result<Vec<u8>> {
        let node = self.node(id)?;
        let path = magic_path(&node.descriptor);
        read_value(|buffer| listxattr(path.as_str(), buffer))
    }

    pub(crate) fn do_setxattr(
        &self,
        call: &Call,
        id: NodeId,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        self.writable()?;
        let node = self.node(id)?;
        let path = magic_path(&node.descriptor);
        let kills_setgid = flags.contains(XattrFlags::KILL_SETGID);
        let flags = rustix::fs::XattrFlags::from_bits_retain((flags - XattrFlags::KILL_SETGID).bits());
        let set = || setxattr(path.as_str(), name, value, flags).map_err(refused);
        // posix_acl_update_mode (Linux): set-group-ID survives only for a member of the group, or root.
        let has_setgid =
            self.switching && name == ACCESS_ACL && Stat::of(&node.descriptor)?.permissions() & SETGID != 0;
        match (has_setgid, kills_setgid) {
            (false, _) => set(),
            (true, false) => keeping_privileges(set),
            (true, true) => acting(&call.caller, None, None, set),
        }
    }

    pub(crate) fn do_removexattr(&self, id: NodeId, name: &[u8]) -> Result<()> {
        self.writable()?;
        let node = self.node(id)?;
        removexattr(magic_path(&node.descriptor).as_str(), name).map_err(refused)
    }
}

/// Returns whether a file system keeps POSIX ACLs.
pub(crate) fn keeps_acls(file: impl AsFd) -> bool {
    let answer = getxattr(magic_path(file).as_str(), ACCESS_ACL, &mut [0; FIRST_TRY]);
    matches!(answer, Ok(_) | Err(Errno::NODATA | Errno::RANGE))
}

fn read_value(read: impl Fn(&mut [u8]) -> std::result::Result<usize, Errno>) -> Result<Vec<u8>> {
    let mut small = [0; FIRST_TRY];
    match read(&mut small) {
        Ok(length) => return Ok(small[..length].to_vec()),
        Err(Errno::RANGE) => {}
        Err(errno) => return Err(refused(errno)),
    }
    let mut value = vec![0; VALUE_MAX];
    match read(&mut value) {
        Ok(length) => {
            value.truncate(length);
            value.shrink_to_fit();
            Ok(value)
        }
        // It is longer than the system call interface allows.
        Err(Errno::RANGE) => Err(ErrorKind::ArgumentListTooLong.into()),
        Err(errno) => Err(refused(errno)),
    }
}
