//! Changing attributes, and what every change of data does to them.

use crate::file::{File, check_size};
use crate::node::{Body, Node};
use crate::tree::Tree;
use crate::xattr::{self, remove_capability};
use fs9_sdk::privilege::{keeps_setgid_for_members, without_privileges};
use fs9_sdk::{Attr, Caller, ErrorKind, NodeId, Result, SetAttr, SetTime, Timestamp, XattrFlags};

impl Tree {
    /// Changes attributes and returns them as they are afterwards; `by_handle` tells ftruncate from truncate.
    pub(crate) fn setattr(
        &self,
        caller: &Caller,
        id: NodeId,
        changes: &SetAttr,
        by_handle: bool,
    ) -> Result<Attr> {
        let node = self.node(id)?;
        if changes.is_empty() {
            return Ok(node.attr());
        }
        if let Some(size) = changes.size {
            // Refused before anything else has changed.
            node.file()?;
            check_size(size)?;
        }
        let now = Timestamp::now();
        self.set_rights(&node, changes, caller);
        let resized = match changes.size {
            Some(size) => self.resize(node.file()?, size)?,
            None => false,
        };
        let mut meta = node.meta.lock();
        // Linux renews the times at each ftruncate, at truncate only if the size changes (`do_truncate`).
        if resized || (by_handle && changes.size.is_some()) {
            meta.modified(now);
        }
        let moment = |time| match time {
            SetTime::Now => now,
            SetTime::At(moment) => moment,
        };
        meta.atime = changes.atime.map_or(meta.atime, moment);
        meta.mtime = changes.mtime.map_or(meta.mtime, moment);
        // As natively, a size that truncate leaves as it is moves no time.
        if *changes != (SetAttr { size: changes.size, ..SetAttr::default() }) {
            meta.ctime = now;
        }
        drop(meta);
        Ok(node.attr())
    }

    /// Sets the size of a file; returns whether it changed.
    pub(crate) fn resize(&self, file: &File, size: u64) -> Result<bool> {
        let before = file.counted_pages();
        let resized = file.set_size(&self.space, size)?;
        self.note_freed(file, before);
        Ok(resized)
    }

    /// Counts what a file has freed since it counted `before` pages.
    pub(crate) fn note_freed(&self, file: &File, before: u64) {
        self.freed.note(before.saturating_sub(file.counted_pages()));
        self.freed.report_if_much();
    }

    /// Changes owner, group and permissions, after taking privileges away.
    fn set_rights(&self, node: &Node, changes: &SetAttr, caller: &Caller) {
        let by_outsider = changes.kill_privileges && takes_setgid(node, caller);
        let mut meta = node.meta.lock();
        let owns_anew = changes.uid.is_some() || changes.gid.is_some();
        if !node.is_directory() {
            if changes.kill_privileges {
                meta.permissions = without_privileges(meta.permissions, by_outsider);
            }
            if changes.kill_privileges || owns_anew || changes.size.is_some() {
                remove_capability(&mut meta, &self.space);
            }
        }
        meta.uid = changes.uid.unwrap_or(meta.uid);
        meta.gid = changes.gid.unwrap_or(meta.gid);
        if let Some(permissions) = changes.permissions {
            meta.set_permissions(permissions);
        }
    }

    /// Takes privileges away before the data of a file changes, so that nobody ever runs changed data with them;
    /// as an ordinary user's write does where there is a `writer`.
    pub(crate) fn before_write(&self, node: &Node, writer: Option<&Caller>) {
        let by_outsider = writer.is_some_and(|writer| takes_setgid(node, writer));
        let mut meta = node.meta.lock();
        // Natively any write, also root's, takes file capabilities away.
        let mut changed = remove_capability(&mut meta, &self.space);
        if writer.is_some() {
            let kept = without_privileges(meta.permissions, by_outsider);
            changed |= meta.permissions != kept;
            meta.permissions = kept;
        }
        if changed {
            meta.ctime = Timestamp::now();
        }
    }

    /// Notes that the data of a file has changed.
    pub(crate) fn after_write(&self, node: &Node) {
        node.meta.lock().modified(Timestamp::now());
    }

    /// Notes a look at the data of an object.
    pub(crate) fn note_read(&self, node: &Node) {
        if !self.noatime {
            node.meta.lock().accessed(Timestamp::now());
        }
    }

    /// Returns the target of a symbolic link.
    pub(crate) fn readlink(&self, id: NodeId) -> Result<Vec<u8>> {
        let node = self.node(id)?;
        let Body::Symlink(target) = &node.body else {
            return Err(ErrorKind::InvalidArgument.into());
        };
        self.note_read(&node);
        Ok(target.to_vec())
    }

    /// Sets an extended attribute.
    pub(crate) fn setxattr(&self, id: NodeId, name: &[u8], value: &[u8], flags: XattrFlags) -> Result<()> {
        let node = self.node(id)?;
        let drops_setgid = flags.contains(XattrFlags::KILL_SETGID);
        let flags = flags - XattrFlags::KILL_SETGID;
        xattr::set(&node, &self.space, &xattr::Change { name, value, flags, drops_setgid })
    }
}

/// Returns whether a change of the file by this caller takes set-group-ID although the group may not execute it, because
/// the caller is outside of the group. That is looked up only where it matters, and without a lock.
fn takes_setgid(node: &Node, caller: &Caller) -> bool {
    let (permissions, gid) = {
        let meta = node.meta.lock();
        (meta.permissions, meta.gid)
    };
    keeps_setgid_for_members(permissions) && !caller.is_in_group(gid)
}
