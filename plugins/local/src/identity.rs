//! On whose behalf a change is made.
//!
//! Invariants: what is made belongs to the caller, under their umask or the directory's default ACL; privileges of
//! files survive a change only where they would survive the caller's own. Permissions were checked by the kernel, so
//! the daemon's capabilities are kept.

use crate::LocalProvider;
use crate::node::Node;
use crate::stat::Stat;
use fs9_sdk::privilege::{SETGID, is_setgid_program, keeps_setgid_for_members};
use fs9_sdk::{Call, Caller, Error, ErrorKind, NodeId, Result};
use fs9_sys::credentials::{Identity, act_as, with_fsetid};
use rustix::fd::AsFd;

/// The id of users and groups that have none in this user namespace.
const NOBODY: u32 = u32::MAX;

impl LocalProvider {
    /// Refuses changes where none are wanted.
    pub(crate) fn writable(&self) -> Result<()> {
        if self.options.read_only { Err(ErrorKind::ReadOnly.into()) } else { Ok(()) }
    }

    /// Runs `f` so that what it makes in a directory, with this mode, comes out as if the caller had made it.
    pub(crate) fn making<T>(
        &self,
        call: &Call,
        dir: &Node,
        mode: u32,
        f: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.writable()?;
        let caller = &call.caller;
        // A directory with set-group-ID gives its group to the new file, which may keep set-group-ID only if the
        // caller belongs to that group or is root (mode_strip_sgid, Linux). In all other cases groups do not matter.
        let may_matter = self.switching && is_setgid_program((mode & 0o7777) as u16);
        let parent = if may_matter { Some(Stat::of(&dir.descriptor)?) } else { None };
        let Some(parent) = parent.filter(|stat| stat.permissions() & SETGID != 0) else {
            return acting(caller, None, Some(caller.umask), f);
        };
        if caller.uid == 0 {
            return acting(caller, None, Some(caller.umask), || keeping_privileges(f));
        }
        if caller.parent_group == Some(parent.gid()) {
            return acting(caller, Some(&[parent.gid()]), Some(caller.umask), f);
        }
        // Whoever is gone already has no groups.
        let groups = caller.supplementary_groups().unwrap_or_default();
        acting(caller, Some(&groups), Some(caller.umask), f)
    }

    /// Runs `f`, which changes a file's data or owner; `file` opens it. Its privileges are stripped by the kernel as for
    /// an ordinary user if `kill_privileges` asks for it.
    pub(crate) fn changing<T>(
        &self,
        call: &Call,
        kill_privileges: bool,
        (node, file): (NodeId, impl AsFd),
        f: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.writable()?;
        // Someone whom this user namespace does not know may still have the file open. Nothing is made for them, so
        // the daemon does it for itself.
        let unknown = call.caller.uid == NOBODY || call.caller.gid == NOBODY;
        let caller = if unknown { Caller::ROOT } else { call.caller };
        if !self.switching || !self.nodes.is_privileged(node) {
            return acting(&caller, None, None, f);
        }
        if !kill_privileges {
            return acting(&caller, None, None, || keeping_privileges(f));
        }
        let groups = groups_that_keep_setgid(&call.caller, file)?;
        acting(&caller, groups.as_deref(), None, f)
    }
}

/// Returns the supplementary groups of whoever changes a file, if they decide what becomes of set-group-ID: without
/// group execute it is no privilege, and stays for members of the group (`setattr_should_drop_sgid`, Linux).
fn groups_that_keep_setgid(caller: &Caller, file: impl AsFd) -> Result<Option<Vec<u32>>> {
    if !keeps_setgid_for_members(Stat::of(file)?.permissions()) {
        return Ok(None);
    }
    // Whoever is gone already has no groups.
    Ok(Some(caller.supplementary_groups().unwrap_or_default()))
}

/// Runs `f` as somebody else.
pub(crate) fn acting<T>(
    caller: &Caller,
    groups: Option<&[u32]>,
    umask: Option<u32>,
    f: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let identity = Identity { uid: caller.uid, gid: caller.gid, groups, umask };
    act_as(&identity, f).map_err(|cause| Error::from(cause).during("switch identity"))?
}

/// Runs `f` with the right to set and keep set-group-ID.
pub(crate) fn keeping_privileges<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    with_fsetid(f).map_err(|cause| Error::from(cause).during("raise a capability"))?
}
