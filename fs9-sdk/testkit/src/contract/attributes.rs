//! What `setattr` promises: what changes, what stays, in which order, and which times follow.

use super::failure::{Failure, Outcome, ensure, ensure_eq};
use super::session::{ROOT, Session};
use crate::Features;
use fs9_sdk::{Attr, NodeId, OpenFlags, SetAttr, SetTime, Timestamp};
use std::time::{Duration, Instant};

/// Long before anything that the suite does.
const OLD: Timestamp = Timestamp { seconds: 1_000_000_000, nanoseconds: 123_456_789 };

/// Time in which the clock of a provider must advance: it may tick as seldom as every 10 ms.
const TICK_MAX: Duration = Duration::from_secs(2);

fn times(atime: Option<Timestamp>, mtime: Option<Timestamp>) -> SetAttr {
    SetAttr { atime: atime.map(SetTime::At), mtime: mtime.map(SetTime::At), ..SetAttr::default() }
}

/// Sets both times of a node back.
fn age(s: &Session<'_>, node: NodeId) -> fs9_sdk::Result<Attr> {
    s.setattr(node, times(Some(OLD), Some(OLD)))
}

/// Lets the provider's clock advance beyond a moment, by changing a file of its own until it shows.
fn let_time_pass(s: &Session<'_>, beyond: Timestamp) -> Outcome {
    let scratch = match s.lookup(ROOT, "scratch") {
        Ok(entry) => entry.node,
        Err(_) => s.file(ROOT, "scratch", "")?.node,
    };
    let begun = Instant::now();
    while begun.elapsed() < TICK_MAX {
        let now = SetAttr { mtime: Some(SetTime::Now), ..SetAttr::default() };
        if s.setattr(scratch, now)?.ctime > beyond {
            return Ok(());
        }
        std::thread::yield_now();
    }
    Err(Failure::new("the clock of the provider stands still"))
}

/// Checks that an action renews the change time of a node, and its modification time where that is expected.
fn renews(
    s: &Session<'_>,
    node: NodeId,
    mtime_too: bool,
    what: &str,
    action: impl FnOnce() -> fs9_sdk::Result<()>,
) -> Outcome {
    let before = age(s, node)?;
    let_time_pass(s, before.ctime)?;
    action()?;
    let after = s.getattr(node)?;
    ensure!(after.ctime > before.ctime, "{what} leaves the change time as it was");
    if mtime_too {
        ensure!(after.mtime > OLD, "{what} leaves the modification time as it was");
    } else {
        ensure_eq!(after.mtime, OLD, "modification time after {what}");
    }
    Ok(())
}

pub(super) fn setattr_changes_only_what_is_asked(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "data")?.node;
    let before = age(s, node)?;
    let after = s.chmod(node, 0o4751)?;
    ensure_eq!(after.permissions, 0o4751, "permissions");
    ensure_eq!(Attr { permissions: before.permissions, ctime: before.ctime, ..after }, before, "the rest");
    ensure_eq!(s.getattr(node)?, after, "attributes by getattr");
    let unchanged = s.setattr(node, SetAttr::default())?;
    ensure_eq!(Attr { ctime: after.ctime, ..unchanged }, after, "attributes after an empty change");
    Ok(())
}

pub(super) fn permissions_of_all_kinds_can_be_set(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "")?.node;
    let dir = s.dir(ROOT, "d")?.node;
    for bits in [0, 0o777, 0o400, 0o1777, 0o4755, 0o644] {
        ensure_eq!(s.chmod(file, bits)?.permissions, bits, "permissions of a file");
        ensure_eq!(s.chmod(dir, bits)?.permissions, bits, "permissions of a directory");
    }
    ensure_eq!(s.chmod(ROOT, 0o711)?.permissions, 0o711, "permissions of the root");
    Ok(())
}

pub(super) fn owner_and_group_change_separately(s: &Session<'_>) -> Outcome {
    let before = s.file(ROOT, "f", "data")?;
    let uid = s.setattr(before.node, SetAttr { uid: Some(111), ..SetAttr::default() })?;
    ensure_eq!((uid.uid, uid.gid), (111, before.attr.gid), "owners after a change of the owner");
    let gid = s.setattr(before.node, SetAttr { gid: Some(222), ..SetAttr::default() })?;
    ensure_eq!((gid.uid, gid.gid), (111, 222), "owners after a change of the group");
    // The greatest id that is not the "leave it" of chown(2).
    let both = SetAttr { uid: Some(u32::MAX - 1), gid: Some(0), ..SetAttr::default() };
    let both = s.setattr(before.node, both)?;
    ensure_eq!((both.uid, both.gid), (u32::MAX - 1, 0), "owners after a change of both");
    Ok(())
}

pub(super) fn times_are_kept_to_the_nanosecond(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?.node;
    let dir = s.dir(ROOT, "d")?.node;
    for node in [file, dir] {
        for (seconds, nanoseconds) in [
            (0, 0),
            (0, 1),
            (1_700_000_000, 999_999_999),
            (-1, 999_999_999),
            (-1_000_000_000, 5),
            (i64::from(i32::MAX) + 1, 7),
            (1 << 33, 0),
        ] {
            let (atime, mtime) =
                (Timestamp { seconds, nanoseconds }, Timestamp { seconds: 77 - seconds, nanoseconds });
            // 77 - seconds must not leave what every file system keeps (ext4: 1901 to 2446).
            let mtime = if mtime.seconds < -2_000_000_000 { atime } else { mtime };
            let set = s.setattr(node, times(Some(atime), Some(mtime)))?;
            ensure_eq!((set.atime, set.mtime), (atime, mtime), "times after they were set");
            let told = s.getattr(node)?;
            ensure_eq!((told.atime, told.mtime), (atime, mtime), "times by getattr");
        }
    }
    Ok(())
}

pub(super) fn one_time_can_be_set_alone(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "data")?.node;
    age(s, node)?;
    let new = Timestamp { seconds: 5, nanoseconds: 6 };
    let set = s.setattr(node, times(None, Some(new)))?;
    ensure_eq!((set.atime, set.mtime), (OLD, new), "times after mtime was set");
    let newer = Timestamp { seconds: 7, nanoseconds: 8 };
    let set = s.setattr(node, times(Some(newer), None))?;
    ensure_eq!((set.atime, set.mtime), (newer, new), "times after atime was set");
    let now = s.setattr(node, SetAttr { atime: Some(SetTime::Now), ..SetAttr::default() })?;
    ensure!(now.atime > OLD && now.mtime == new, "times after atime was set to now: {now:?}");
    Ok(())
}

pub(super) fn times_of_links_can_be_set(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    let link = s.symlink(ROOT, "l", "f")?;
    let before = s.getattr(file.node)?;
    let set = age(s, link.node)?;
    ensure_eq!((set.atime, set.mtime), (OLD, OLD), "times of the link");
    ensure_eq!(s.getattr(file.node)?.mtime, before.mtime, "modification time of what it points to");
    Ok(())
}

pub(super) fn the_order_of_changes_is_owner_permissions_size_times(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "0123456789")?.node;
    let at = Some(SetTime::At(OLD));
    let changes = SetAttr { permissions: Some(0o600), size: Some(5), mtime: at, ..SetAttr::default() };
    let set = s.setattr(node, changes)?;
    ensure_eq!((set.permissions, set.size), (0o600, 5), "permissions and size");
    ensure_eq!(set.mtime, OLD, "modification time, which is set after the size");
    Ok(())
}

pub(super) fn writing_and_cutting_renew_the_times_of_a_file(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "data")?.node;
    let file = s.open(node, OpenFlags::READ_WRITE)?;
    renews(s, node, true, "a write", || s.write(file, 0, "DATA"))?;
    renews(s, node, true, "truncate", || s.truncate(node, 2).map(drop))?;
    renews(s, node, true, "extending", || s.truncate(node, 9).map(drop))?;
    s.release(file);
    renews(s, node, true, "open with TRUNCATE", || {
        let file = s.open(node, OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE)?;
        s.release(file);
        Ok(())
    })?;
    renews(s, node, false, "chmod", || s.chmod(node, 0o600).map(drop))
}

pub(super) fn changing_the_links_of_a_file_renews_its_change_time(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "data")?.node;
    renews(s, node, false, "link", || s.link(node, ROOT, "g").map(drop))?;
    renews(s, node, false, "unlink", || s.unlink(ROOT, "g"))
}

pub(super) fn changing_entries_renews_the_times_of_the_directory(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?.node;
    let other = s.dir(ROOT, "other")?.node;
    let flags = fs9_sdk::RenameFlags::empty();
    renews(s, dir, true, "create", || s.file(dir, "f", "data").map(drop))?;
    renews(s, dir, true, "mkdir", || s.dir(dir, "sub").map(drop))?;
    renews(s, dir, true, "rename within", || s.rename((dir, b"f"), (dir, b"g"), flags))?;
    renews(s, dir, true, "rename out of it", || s.rename((dir, b"g"), (other, b"g"), flags))?;
    renews(s, dir, true, "rename into it", || s.rename((other, b"g"), (dir, b"g"), flags))?;
    renews(s, dir, true, "unlink", || s.unlink(dir, "g"))?;
    renews(s, dir, true, "rmdir", || s.rmdir(dir, "sub"))?;
    if s.profile.has(Features::SYMLINKS) {
        renews(s, dir, true, "symlink", || s.symlink(dir, "l", "target").map(drop))?;
    }
    Ok(())
}

pub(super) fn reading_leaves_the_modification_time(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "data")?.node;
    let before = age(s, node)?;
    s.content(node)?;
    let after = s.getattr(node)?;
    ensure_eq!((after.mtime, after.ctime), (before.mtime, before.ctime), "times after reading");
    let dir = s.dir(ROOT, "d")?.node;
    let before = age(s, dir)?;
    s.list(dir)?;
    let after = s.getattr(dir)?;
    ensure_eq!((after.mtime, after.ctime), (before.mtime, before.ctime), "times after listing");
    Ok(())
}
