//! Reading and changing attributes.
//!
//! Invariant: changes are applied in the order owner, permissions, size, times, so that a new owner strips what the
//! new permissions then may set, and no later step moves the times.

use crate::LocalProvider;
use crate::identity::keeping_privileges;
use crate::node::Node;
use crate::stat::{Stat, refused};
use fs9_sdk::privilege::SETGID;
use fs9_sdk::{
    Attr, Call, ErrorKind, FileHandle, FileType, NodeId, Result, SetAttr, SetTime, StatFs, Timestamp,
};
use rustix::fd::AsFd;
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid, chmodat, chownat, fstatvfs,
    ftruncate, utimensat,
};

impl LocalProvider {
    pub(crate) fn do_getattr(&self, id: NodeId, handle: Option<FileHandle>) -> Result<Attr> {
        if let Some(open) = handle.and_then(|handle| self.files.get(handle)) {
            return Ok(Stat::of(&open.descriptor)?.attr(self.devices.public(open.device)));
        }
        let node = self.node(id)?;
        self.look_at(id, &node)
    }

    /// Returns the attributes of a node, and notes whether it is privileged.
    fn look_at(&self, id: NodeId, node: &Node) -> Result<Attr> {
        let attr = Stat::of(&node.descriptor)?.attr(self.devices.public(node.device));
        if attr.grants_privilege() != node.privileged {
            self.nodes.set_privileged(id, attr.grants_privilege());
        }
        Ok(attr)
    }

    pub(crate) fn do_setattr(
        &self,
        call: &Call,
        id: NodeId,
        handle: Option<FileHandle>,
        changes: SetAttr,
    ) -> Result<Attr> {
        self.writable()?;
        let node = self.node(id)?;
        if changes.uid.is_some() || changes.gid.is_some() {
            self.change_owner(call, id, &node, &changes)?;
        }
        if let Some(permissions) = changes.permissions {
            self.change_permissions(&node, permissions)?;
        }
        if let Some(size) = changes.size {
            let file = (id, &node.descriptor);
            self.changing(call, changes.kill_privileges, file, || self.change_size(&node, handle, size))?;
        }
        if changes.atime.is_some() || changes.mtime.is_some() {
            let times = Timestamps {
                last_access: time_to_set(changes.atime),
                last_modification: time_to_set(changes.mtime),
            };
            utimensat(&node.descriptor, c"", &times, AtFlags::EMPTY_PATH).map_err(refused)?;
        }
        self.look_at(id, &node)
    }

    /// The kernel strips privileges of files at a change of owner, also for root; with `CAP_FSETID` it keeps a
    /// set-group-ID bit without group execute, which is no privilege (`chown_common`, `setattr_should_drop_sgid`).
    fn change_owner(&self, call: &Call, id: NodeId, node: &Node, changes: &SetAttr) -> Result<()> {
        let kill = call.caller.uid != 0 && changes.kill_privileges;
        let (uid, gid) = (changes.uid.map(Uid::from_raw), changes.gid.map(Gid::from_raw));
        self.changing(call, kill, (id, &node.descriptor), || {
            chownat(&node.descriptor, c"", uid, gid, AtFlags::EMPTY_PATH).map_err(refused)
        })
    }

    fn change_permissions(&self, node: &Node, permissions: u16) -> Result<()> {
        let (descriptors, number) = self.backing.magic_name(&node.descriptor);
        let mode = Mode::from_raw_mode(u32::from(permissions & 0o7777));
        let change = || chmodat(descriptors, number, mode, AtFlags::empty()).map_err(refused);
        // The frontend's kernel has taken set-group-ID out where the caller may not set it.
        if permissions & SETGID != 0 { keeping_privileges(change) } else { change() }
    }

    fn change_size(&self, node: &Node, handle: Option<FileHandle>, size: u64) -> Result<()> {
        if size > i64::MAX as u64 {
            return Err(ErrorKind::FileTooLarge.into());
        }
        match handle.and_then(|handle| self.files.get(handle)).filter(|open| open.writable) {
            Some(open) => ftruncate(&open.descriptor, size).map_err(refused),
            None if node.kind == FileType::Directory => Err(ErrorKind::IsADirectory.into()),
            None if node.kind != FileType::Regular => Err(ErrorKind::InvalidArgument.into()),
            None => {
                let file = self.with_room(|| self.backing.reopen(&node.descriptor, OFlags::WRONLY))?;
                ftruncate(file, size).map_err(refused)
            }
        }
    }

    pub(crate) fn do_statfs(&self, id: NodeId) -> Result<StatFs> {
        statfs(&self.node(id)?.descriptor)
    }
}

fn statfs(file: impl AsFd) -> Result<StatFs> {
    let stat = fstatvfs(file).map_err(refused)?;
    // The seam's units are 32 bits wide, as the kernel's are for FUSE.
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(StatFs {
        blocks: stat.f_blocks,
        blocks_free: stat.f_bfree,
        blocks_available: stat.f_bavail,
        files: stat.f_files,
        files_free: stat.f_ffree,
        block_size: narrow(stat.f_bsize),
        name_max: narrow(stat.f_namemax),
        fragment_size: narrow(stat.f_frsize),
    })
}

fn time_to_set(time: Option<SetTime>) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(SetTime::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(SetTime::At(Timestamp { seconds, nanoseconds })) => {
            Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() }
        }
    }
}
