//! What a new object begins with: owner, group, permissions and lists, by creator and directory.

use crate::acl::Acl;
use crate::node::{Meta, Node};
use crate::xattr::Extended;
use fs9_sdk::privilege::{SETGID, is_setgid_program};
use fs9_sdk::{Caller, FileType, Timestamp};

/// What the creator asks for.
#[derive(Clone, Copy)]
pub(crate) struct New<'a> {
    /// The type.
    pub(crate) kind: FileType,
    /// Permissions before umask and default list.
    pub(crate) permissions: u16,
    /// For devices: the number.
    pub(crate) rdev: u32,
    /// For symbolic links: the target.
    pub(crate) target: &'a [u8],
}

impl New<'_> {
    /// Returns what a regular file or directory needs.
    pub(crate) fn plain(kind: FileType, permissions: u16) -> New<'static> {
        New { kind, permissions, rdev: 0, target: b"" }
    }

    fn is_setgid_program(&self) -> bool {
        self.kind != FileType::Directory && is_setgid_program(self.permissions)
    }
}

/// Who makes an object, with what must be known of them before anything is locked.
#[derive(Clone, Copy)]
pub(crate) struct Maker<'a> {
    caller: &'a Caller,
    /// A group for which they may make set-group-ID programs.
    vouched_group: Option<u32>,
}

impl<'a> Maker<'a> {
    /// Returns a maker of objects without privileges.
    pub(crate) fn unprivileged(caller: &'a Caller) -> Maker<'a> {
        Maker { caller, vouched_group: None }
    }

    /// Asks for the maker's groups where the object needs it; that reads `/proc`, so no lock is held.
    pub(crate) fn of(caller: &'a Caller, parent: &Node, new: &New<'_>) -> Maker<'a> {
        let inherited = || {
            let meta = parent.meta.lock();
            (meta.permissions & SETGID != 0).then_some(meta.gid)
        };
        let group = if new.is_setgid_program() { inherited() } else { None };
        Maker { caller, vouched_group: group.filter(|&gid| caller.is_in_group(gid)) }
    }
}

/// Returns what a new object in `parent` begins with (`inode_init_owner` and `posix_acl_create` of Linux).
pub(crate) fn meta_of_new(maker: Maker<'_>, parent: &Node, new: &New<'_>, now: Timestamp) -> Meta {
    let caller = maker.caller;
    let (parent_permissions, parent_gid, default_acl) = {
        let meta = parent.meta.lock();
        (meta.permissions, meta.gid, meta.default_acl().cloned())
    };
    let is_directory = new.kind == FileType::Directory;
    let inherits = parent_permissions & SETGID != 0;
    let gid = if inherits { parent_gid } else { caller.gid };
    let mut permissions = new.permissions & 0o7777;
    if inherits && is_directory {
        permissions |= SETGID;
    } else if inherits && new.is_setgid_program() && maker.vouched_group != Some(gid) {
        // Otherwise anybody could make a program that runs with the directory's group.
        permissions &= !SETGID;
    }
    let (permissions, extended) = match default_acl {
        _ if new.kind == FileType::Symlink => (0o777, None),
        None => (permissions & !(caller.umask & 0o777) as u16, None),
        Some(default) => inherit(&default, permissions, is_directory),
    };
    let nlink = if is_directory { 2 } else { 1 };
    let (uid, may_get_name) = (caller.uid, false);
    let (atime, mtime, ctime, btime) = (now, now, now, now);
    Meta { permissions, nlink, may_get_name, uid, gid, atime, mtime, ctime, btime, extended }
}

fn inherit(default: &Acl, permissions: u16, is_directory: bool) -> (u16, Option<Box<Extended>>) {
    let (permissions, access) = default.for_new_object(permissions);
    let access = (!access.is_minimal()).then_some(access);
    (permissions, Extended::with_acls(access, is_directory.then(|| default.clone())))
}
