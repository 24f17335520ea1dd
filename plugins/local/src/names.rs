//! Operations on names: look up, make, link, remove, rename.
//!
//! Invariant: each is a directory's descriptor and one name. A node whose last name goes keeps a descriptor.

use crate::LocalProvider;
use crate::evictions::Careless;
use crate::node::{Key, Node, Shield, Whereabouts};
use crate::stat::{Stat, decode_device, refused};
use fs9_sdk::{Call, Entry, ErrorKind, Name, NewNode, NodeId, Place, RenameFlags, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Mode, linkat, makedev, mkdirat, mknodat, readlinkat, renameat_with, symlinkat,
    unlinkat,
};
use std::sync::Arc;

/// What `mkdir(2)` takes of a mode.
const DIRECTORY_BITS: u16 = 0o1777;

impl LocalProvider {
    /// Finds an entry below an open directory.
    pub(crate) fn look_up(&self, parent: NodeId, dir: impl AsFd, name: Name<'_>) -> Result<Entry> {
        let dir = dir.as_fd();
        let fd = self.with_room(|| self.backing.open_entry(dir, name))?;
        let stat = Stat::of(&fd)?;
        Ok(self.admit(Some(Place { parent, name }), fd, &stat))
    }

    pub(crate) fn do_mknod(
        &self,
        call: &Call,
        parent: NodeId,
        name: Name<'_>,
        new: NewNode,
    ) -> Result<Entry> {
        let dir = self.node(parent)?;
        // As in mknod(2), no type means a regular file.
        let kind = match FileType::from_raw_mode(new.mode) {
            FileType::Unknown => FileType::RegularFile,
            kind => kind,
        };
        let (major, minor) = decode_device(new.rdev);
        let mode = Mode::from_raw_mode(new.mode & 0o7777);
        self.making(call, &dir, new.mode, || {
            mknodat(&dir.descriptor, name.as_bytes(), kind, mode, makedev(major, minor)).map_err(refused)
        })?;
        self.look_up(parent, &dir.descriptor, name)
    }

    pub(crate) fn do_mkdir(
        &self,
        call: &Call,
        parent: NodeId,
        name: Name<'_>,
        permissions: u16,
    ) -> Result<Entry> {
        let dir = self.node(parent)?;
        let mode = u32::from(permissions & DIRECTORY_BITS);
        self.making(call, &dir, mode, || {
            mkdirat(&dir.descriptor, name.as_bytes(), Mode::from_raw_mode(mode)).map_err(refused)
        })?;
        self.look_up(parent, &dir.descriptor, name)
    }

    pub(crate) fn do_symlink(
        &self,
        call: &Call,
        parent: NodeId,
        name: Name<'_>,
        target: &[u8],
    ) -> Result<Entry> {
        let dir = self.node(parent)?;
        self.making(call, &dir, 0, || symlinkat(target, &dir.descriptor, name.as_bytes()).map_err(refused))?;
        self.look_up(parent, &dir.descriptor, name)
    }

    pub(crate) fn do_readlink(&self, id: NodeId) -> Result<Vec<u8>> {
        let node = self.node(id)?;
        if node.kind != fs9_sdk::FileType::Symlink {
            return Err(ErrorKind::InvalidArgument.into());
        }
        let target = readlinkat(&node.descriptor, c"", Vec::new()).map_err(refused)?;
        Ok(target.into_bytes())
    }

    pub(crate) fn do_link(&self, id: NodeId, new_parent: NodeId, new_name: Name<'_>) -> Result<Entry> {
        self.writable()?;
        let node = self.node(id)?;
        let dir = self.node(new_parent)?;
        let name = new_name.as_bytes();
        let linked = if self.switching {
            linkat(&node.descriptor, c"", &dir.descriptor, name, AtFlags::EMPTY_PATH)
        } else {
            // Without CAP_DAC_READ_SEARCH an empty path is refused, but the magic link is not.
            let (descriptors, number) = self.backing.magic_name(&node.descriptor);
            linkat(descriptors, number, &dir.descriptor, name, AtFlags::SYMLINK_FOLLOW)
        };
        linked.map_err(refused)?;
        let stat = Stat::of(&node.descriptor)?;
        self.nodes.look_again(id);
        if stat.nlink() == 1 {
            // It may have had none, so that nothing but its descriptor led to it.
            let place = Whereabouts::from(Place { parent: new_parent, name: new_name });
            let by_name = !self.devices.has_handles(node.device);
            self.nodes.named(id, by_name.then_some(&place));
        }
        Ok(Entry { node: id, attr: stat.attr(self.devices.public(node.device)) })
    }

    /// Removes a name: a directory's with `REMOVEDIR`, else a file's.
    pub(crate) fn remove(&self, parent: NodeId, name: Name<'_>, flags: AtFlags) -> Result<()> {
        self.writable()?;
        let dir = self.node(parent)?;
        let unlink = || unlinkat(&dir.descriptor, name.as_bytes(), flags).map_err(refused);
        if let Some(_careless) = self.careless(dir.device) {
            return unlink();
        }
        let _busy = self.busy.occupy(parent, parent);
        self.caring(&dir, name, unlink)
    }

    pub(crate) fn do_rename(
        &self,
        call: &Call,
        from: Place<'_>,
        to: Place<'_>,
        flags: RenameFlags,
    ) -> Result<()> {
        self.writable()?;
        let old = self.node(from.parent)?;
        let new = self.node(to.parent)?;
        let rename = |flags: RenameFlags| {
            let (old, new) = (&old.descriptor, &new.descriptor);
            let flags = rustix::fs::RenameFlags::from_bits_retain(flags.bits());
            renameat_with(old, from.name.as_bytes(), new, to.name.as_bytes(), flags).map_err(refused)
        };
        // A whiteout is a new object, and the caller's.
        let rename = |flags: RenameFlags| match flags.contains(RenameFlags::WHITEOUT) {
            true => self.making(call, &old, 0, || rename(flags)),
            false => rename(flags),
        };
        if may_replace(flags)
            && let Some(_careless) = self.careless(new.device)
        {
            return rename(flags);
        }
        let _busy = self.busy.occupy(from.parent, to.parent);
        let by_name = !self.devices.has_handles(new.device);
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        // Until their new places are noted, nothing but their descriptors leads to what moves.
        let moving = [
            by_name.then(|| self.hold_entry(&old, from.name)).flatten(),
            (by_name && exchange).then(|| self.hold_entry(&new, to.name)).flatten(),
        ];
        let renamed = self.replacing(&new, to.name, flags, rename);
        if renamed.is_err() {
            moving.into_iter().flatten().for_each(|node| self.nodes.let_go(node));
        } else if by_name {
            self.note_place(&new, to);
            if exchange {
                self.note_place(&old, from);
            }
        }
        renamed
    }

    /// Begins what takes a name away without care for the node behind it, if that may be. Where the backing can make it
    /// wait for others, it would keep descriptors from being given up for all of them; there, one look more is cheap.
    fn careless(&self, device: u32) -> Option<Careless<'_>> {
        if !self.devices.has_handles(device) || self.devices.is_remote(device) {
            return None;
        }
        self.evictions.careless()
    }

    /// Renames to a name, which takes that from an object unless the flags forbid it. What takes none away need not care,
    /// and must not: a rename that the backing lets wait would keep descriptors from being given up for all others. So a
    /// name that is free is given with `RENAME_NOREPLACE`.
    fn replacing(
        &self,
        dir: &Node,
        name: Name<'_>,
        flags: RenameFlags,
        rename: impl Fn(RenameFlags) -> Result<()>,
    ) -> Result<()> {
        if !may_replace(flags) {
            return rename(flags);
        }
        let (shield, suspension) = self.look_behind(dir, name);
        if shield != Shield::Free || !self.devices.knows_noreplace(dir.device) {
            return self.shielded(shield, dir, name, || rename(flags));
        }
        drop(suspension);
        match rename(flags | RenameFlags::NOREPLACE) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.caring(dir, name, || rename(flags))
            }
            // The flag, or a directory that would get into itself.
            Err(error) if error.kind() == ErrorKind::InvalidArgument => {
                self.caring(dir, name, || rename(flags))?;
                self.devices.note_no_noreplace(dir.device);
                Ok(())
            }
            result => result,
        }
    }

    /// Does what takes a name from an object, so that its node is not lost. The directory is busy.
    fn caring(&self, dir: &Node, name: Name<'_>, change: impl FnOnce() -> Result<()>) -> Result<()> {
        let (shield, _suspension) = self.look_behind(dir, name);
        self.shielded(shield, dir, name, change)
    }

    /// Looks what is behind a name that is to go, and shields it.
    fn look_behind(&self, dir: &Node, name: Name<'_>) -> (Shield, Option<Careless<'_>>) {
        let suspension = self.evictions.suspend();
        // What does not care does not wait until the directory is free either, and may lead the name elsewhere.
        let is_alone = !self.evictions.has_careless();
        let shield = self.shield(dir, name);
        // A lookup may make the node known before the change: nothing is evicted until that is done.
        let may_evict = is_alone && !matches!(shield, Shield::Needless | Shield::Free);
        (shield, (!may_evict).then_some(suspension))
    }

    fn shielded(
        &self,
        shield: Shield,
        dir: &Node,
        name: Name<'_>,
        change: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        match shield {
            Shield::Needless | Shield::Free => change(),
            Shield::Up(node) => {
                let result = change();
                self.nodes.let_go(node);
                result
            }
            Shield::ByName => {
                let held = self.hold_entry(dir, name);
                let result = change();
                if let (Err(_), Some(node)) = (&result, held) {
                    self.nodes.let_go(node);
                }
                result
            }
            Shield::Closed => {
                // What cannot be opened is for the system call to judge.
                let behind = self.with_room(|| self.backing.open_entry(&dir.descriptor, name)).ok();
                change()?;
                if let Some(behind) = behind {
                    self.keep_if_nameless(Arc::new(behind));
                }
                Ok(())
            }
        }
    }

    fn shield(&self, dir: &Node, name: Name<'_>) -> Shield {
        if !self.devices.has_handles(dir.device) {
            return Shield::ByName;
        }
        match Stat::entry(&dir.descriptor, name) {
            Ok(stat) if self.devices.holds(dir.device, &stat) => {
                self.nodes.shield(Key { device: dir.device, number: stat.number })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Shield::Free,
            // A mount point keeps its name.
            Ok(_) | Err(_) => Shield::Needless,
        }
    }

    /// Keeps the descriptor of a node that nothing else leads to any more.
    fn keep_if_nameless(&self, behind: Arc<OwnedFd>) {
        // An object that cannot even be looked at is nobody's node.
        let Ok(stat) = Stat::of(&behind) else { return };
        if stat.nlink() == 0 {
            self.nodes.hold(&self.found(&behind, &stat), &behind);
        }
    }

    /// Keeps the descriptor of the node behind a name, if that is known, and returns it.
    fn hold_entry(&self, dir: &Node, name: Name<'_>) -> Option<NodeId> {
        let behind = self.with_room(|| self.backing.open_entry(&dir.descriptor, name)).ok()?;
        let stat = Stat::of(&behind).ok()?;
        self.nodes.hold(&self.found(&behind, &stat), &Arc::new(behind))
    }

    /// Notes where an object is now. If it is gone again, whoever moved it has noted that.
    fn note_place(&self, dir: &Node, place: Place<'_>) {
        let Ok(fd) = self.backing.open_entry(&dir.descriptor, place.name) else { return };
        let Ok(stat) = Stat::of(&fd) else { return };
        self.nodes.moved(self.found(&fd, &stat).key, &Whereabouts::from(place));
    }
}

/// Returns whether a rename takes a name away from what has it.
fn may_replace(flags: RenameFlags) -> bool {
    !flags.intersects(RenameFlags::NOREPLACE | RenameFlags::EXCHANGE)
}

#[cfg(test)]
mod tests;
