//! On whose behalf a change is made.
//!
//! Invariants: what is made belongs to the caller, under their umask or the directory's default ACL; privileges of
//! files survive a change only where they would survive the caller's own. Permissions were checked by the kernel, so
//! the daemon's capabilities are kept.

use crate::LocalProvider;
use crate::node::Node;
use crate::stat::Stat;
use fs9_sdk::privilege::{SETGID, is_setgid_program};
use fs9_sdk::{Call, Caller, Error, ErrorKind, NodeId, Result};
use fs9_sys::credentials::{Identity, act_as, with_fsetid};

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
        let groups_matter = self.switching
            && is_setgid_program((mode & 0o7777) as u16)
            && Stat::of(&dir.descriptor)?.permissions() & SETGID != 0;
        if !groups_matter {
            return acting(caller, None, Some(caller.umask), f);
        }
        if caller.uid == 0 {
            return acting(caller, None, Some(caller.umask), || keeping_privileges(f));
        }
        // Whoever is gone already has no groups.
        let groups = caller.supplementary_groups().unwrap_or_default();
        acting(caller, Some(&groups), Some(caller.umask), f)
    }

    /// Runs `f`, which changes a file's data or owner. Its privileges are stripped by the kernel as for an ordinary
    /// user, unless `keep` says that the caller is entitled to keep them.
    pub(crate) fn changing<T>(&self, call: &Call, keep: bool, f: impl FnOnce() -> Result<T>) -> Result<T> {
        self.writable()?;
        // Someone whom this user namespace does not know may still have the file open. Nothing is made for them, so
        // the daemon does it for itself.
        let unknown = call.caller.uid == NOBODY || call.caller.gid == NOBODY;
        let caller = if unknown { Caller::ROOT } else { call.caller };
        if keep && self.switching {
            acting(&caller, None, None, || keeping_privileges(f))
        } else {
            acting(&caller, None, None, f)
        }
    }

    /// Returns whether a change to a node has to take care to keep privileges that it has.
    pub(crate) fn keeps(&self, kill_privileges: bool, node: NodeId) -> bool {
        !kill_privileges && self.switching && self.nodes.is_privileged(node)
    }
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
