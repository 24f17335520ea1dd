//! Promise 10: owner, group and permissions of what is made, and privileges that go on request.

use super::failure::{Outcome, ensure, ensure_eq};
use super::session::{ROOT, Session};
use crate::Features;
use fs9_sdk::{Entry, FileType, Name, NewNode, NodeId, OpenFlags, SetAttr, Timestamp, WriteOptions};

/// How far the clocks of the provider and of the suite may lie apart.
const CLOCK_TOLERANCE_SECONDS: i64 = 120;

pub(super) fn the_umask_is_taken_from_what_is_made(s: &Session<'_>) -> Outcome {
    for (umask, file_bits, dir_bits) in [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700), (0, 0o666, 0o777)] {
        let s = s.by(|caller| caller.umask = umask);
        let name = |kind: &str| format!("{kind}-{umask:o}");
        let (created, file) = s.create(ROOT, name("create"), 0o666, OpenFlags::READ_WRITE)?;
        s.release(file);
        ensure_eq!(created.attr.permissions, file_bits, "permissions of create, umask {umask:o}");
        let node = s.mknod(ROOT, name("mknod"), FileType::Regular, 0o666)?;
        ensure_eq!(node.attr.permissions, file_bits, "permissions of mknod, umask {umask:o}");
        let dir = s.provider.mkdir(&s.call, ROOT, Name::new(name("mkdir").as_bytes())?, 0o777)?;
        ensure_eq!(dir.attr.permissions, dir_bits, "permissions of mkdir, umask {umask:o}");
        ensure_eq!(s.getattr(created.node)?.permissions, file_bits, "permissions of create by getattr");
    }
    Ok(())
}

pub(super) fn special_bits_survive_mkdir_and_mknod(s: &Session<'_>) -> Outcome {
    let dir = s.provider.mkdir(&s.call, ROOT, Name::new(b"sticky")?, 0o1777)?;
    ensure_eq!(dir.attr.permissions, 0o1755, "permissions of a sticky directory");
    let file = s.mknod(ROOT, "suid", FileType::Regular, 0o4755)?;
    ensure_eq!(file.attr.permissions, 0o4755, "permissions of a set-user-ID file");
    Ok(())
}

pub(super) fn the_caller_owns_what_it_makes(s: &Session<'_>) -> Outcome {
    s.chmod(ROOT, 0o777)?;
    let s = s.by(|caller| (caller.uid, caller.gid, caller.pid) = (1_234, 5_678, 0));
    let owners = |entry: &Entry| (entry.attr.uid, entry.attr.gid);
    ensure_eq!(owners(&s.file(ROOT, "f", "data")?), (1_234, 5_678), "owners of create");
    ensure_eq!(owners(&s.dir(ROOT, "d")?), (1_234, 5_678), "owners of mkdir");
    ensure_eq!(owners(&s.mknod(ROOT, "n", FileType::Regular, 0o644)?), (1_234, 5_678), "owners of mknod");
    if s.profile.has(Features::SYMLINKS) {
        ensure_eq!(owners(&s.symlink(ROOT, "l", "target")?), (1_234, 5_678), "owners of symlink");
    }
    let listed = s.lookup(ROOT, "f")?;
    ensure_eq!(owners(&listed), (1_234, 5_678), "owners by lookup");
    Ok(())
}

pub(super) fn a_setgid_directory_gives_its_group(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    s.setattr(dir.node, SetAttr { gid: Some(4_321), ..SetAttr::default() })?;
    s.chmod(dir.node, 0o2777)?;
    let s = s.by(|caller| (caller.uid, caller.gid, caller.pid) = (1_234, 5_678, 0));
    let file = s.file(dir.node, "f", "data")?;
    ensure_eq!((file.attr.uid, file.attr.gid), (1_234, 4_321), "owners of a file");
    let sub = s.dir(dir.node, "sub")?;
    ensure_eq!((sub.attr.uid, sub.attr.gid), (1_234, 4_321), "owners of a directory");
    ensure_eq!(sub.attr.permissions & 0o2000, 0o2000, "set-group-ID bit of a directory");
    ensure_eq!(file.attr.permissions & 0o2000, 0, "set-group-ID bit of a file");
    Ok(())
}

pub(super) fn named_pipes_and_sockets_can_be_made(s: &Session<'_>) -> Outcome {
    for (name, kind) in [("pipe", FileType::Fifo), ("socket", FileType::Socket)] {
        let made = s.mknod(ROOT, name, kind, 0o644)?;
        ensure_eq!((made.attr.kind, made.attr.rdev), (kind, 0), "type and device");
        ensure_eq!(made.attr.permissions, 0o644, "permissions");
        ensure_eq!(s.lookup(ROOT, name)?.attr.kind, kind, "type by lookup");
        s.unlink(ROOT, name)?;
    }
    Ok(())
}

pub(super) fn devices_keep_their_number(s: &Session<'_>) -> Outcome {
    // Major 0x123, minor 0x45678, in the kernel's encoding: both wider than the old eight bits.
    let rdev = 0x4561_2378;
    for (name, kind) in [("char", FileType::CharDevice), ("block", FileType::BlockDevice)] {
        let new = NewNode { mode: kind.mode_bits() | 0o600, rdev };
        let made = s.provider.mknod(&s.call, ROOT, Name::new(name.as_bytes())?, new)?;
        ensure_eq!((made.attr.kind, made.attr.rdev), (kind, rdev), "type and device");
        let found = s.lookup(ROOT, name)?;
        ensure_eq!((found.attr.kind, found.attr.rdev), (kind, rdev), "type and device by lookup");
    }
    Ok(())
}

pub(super) fn what_is_made_is_fresh(s: &Session<'_>) -> Outcome {
    let file = s.mknod(ROOT, "f", FileType::Regular, 0o644)?;
    let dir = s.dir(ROOT, "d")?;
    ensure_eq!((file.attr.size, file.attr.nlink), (0, 1), "size and links of a new file");
    ensure!(dir.attr.nlink >= 1, "a new directory has no links");
    let now = Timestamp::now().seconds;
    for attr in [file.attr, dir.attr] {
        for time in [attr.atime, attr.mtime, attr.ctime] {
            let distance = (time.seconds - now).abs();
            ensure!(distance <= CLOCK_TOLERANCE_SECONDS, "a time of a new object is {distance} s off");
            ensure!(time.nanoseconds < 1_000_000_000, "nanoseconds beyond a second");
        }
    }
    Ok(())
}

/// Makes a file with these permissions and content.
fn privileged(s: &Session<'_>, name: &str, permissions: u16) -> fs9_sdk::Result<NodeId> {
    let node = s.file(ROOT, name, "data")?.node;
    s.chmod(node, permissions)?;
    Ok(node)
}

/// Permissions before a change by one without privileges, and after.
const STRIPPED: [(u16, u16); 4] = [(0o6755, 0o0755), (0o4755, 0o0755), (0o2755, 0o0755), (0o0755, 0o0755)];

pub(super) fn a_write_strips_privileges_on_request(s: &Session<'_>) -> Outcome {
    let s = s.by(|caller| (caller.uid, caller.gid, caller.pid) = (1_234, 5_678, 0));
    for (before, after) in STRIPPED {
        let node = privileged(&s, &format!("kill-{before:o}"), before)?;
        let file = s.open(node, OpenFlags::WRITE_ONLY)?;
        let options = WriteOptions { kill_privileges: true, from_cache: false };
        s.provider.write(&s.call, file, 0, b"DATA", options)?;
        s.release(file);
        ensure_eq!(s.getattr(node)?.permissions, after, "permissions {before:o} after a write");
    }
    Ok(())
}

pub(super) fn a_write_keeps_privileges_unless_asked(s: &Session<'_>) -> Outcome {
    for (before, _) in STRIPPED {
        let node = privileged(s, &format!("keep-{before:o}"), before)?;
        let file = s.open(node, OpenFlags::WRITE_ONLY)?;
        s.provider.write(&s.call, file, 0, b"DATA", WriteOptions::default())?;
        s.release(file);
        ensure_eq!(s.getattr(node)?.permissions, before, "permissions after a write of the superuser");
    }
    Ok(())
}

pub(super) fn truncate_strips_privileges_on_request(s: &Session<'_>) -> Outcome {
    let s = s.by(|caller| (caller.uid, caller.gid, caller.pid) = (1_234, 5_678, 0));
    for (before, after) in STRIPPED {
        let node = privileged(&s, &format!("cut-{before:o}"), before)?;
        let changes = SetAttr { size: Some(2), kill_privileges: true, ..SetAttr::default() };
        ensure_eq!(s.setattr(node, changes)?.permissions, after, "permissions {before:o} after truncate");
        ensure_eq!(s.getattr(node)?.permissions, after, "permissions {before:o} by getattr");
    }
    Ok(())
}

pub(super) fn an_open_strips_privileges_on_request_only(s: &Session<'_>) -> Outcome {
    let cut = OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE;
    let other = s.by(|caller| (caller.uid, caller.gid, caller.pid) = (1_234, 5_678, 0));
    for (before, after) in STRIPPED {
        let kept = privileged(s, &format!("cut-by-root-{before:o}"), before)?;
        s.release(s.open(kept, cut)?);
        ensure_eq!(s.getattr(kept)?.permissions, before, "permissions unless asked");
        let node = privileged(&other, &format!("cut-by-other-{before:o}"), before)?;
        other.release(other.open(node, cut | OpenFlags::KILL_PRIVILEGES)?);
        ensure_eq!(s.getattr(node)?.permissions, after, "permissions {before:o} after an open");
        s.chmod(node, before)?;
        s.unlink(ROOT, format!("cut-by-other-{before:o}"))?;
        other.release(other.open(node, cut | OpenFlags::KILL_PRIVILEGES)?);
        ensure_eq!(s.getattr(node)?.permissions, after, "permissions {before:o} of an unlinked file");
    }
    Ok(())
}

pub(super) fn chown_strips_privileges_on_request(s: &Session<'_>) -> Outcome {
    for (before, after) in STRIPPED {
        let node = privileged(s, &format!("own-{before:o}"), before)?;
        let changes = SetAttr { uid: Some(77), kill_privileges: true, ..SetAttr::default() };
        let attr = s.setattr(node, changes)?;
        ensure_eq!((attr.uid, attr.permissions), (77, after), "owner and permissions after chown");
    }
    let dir = s.dir(ROOT, "d")?;
    s.chmod(dir.node, 0o2755)?;
    let changes = SetAttr { uid: Some(77), ..SetAttr::default() };
    ensure_eq!(s.setattr(dir.node, changes)?.permissions, 0o2755, "permissions of a directory after chown");
    Ok(())
}
