//! Limits, and that everything is given back.

use crate::session::{ROOT, Session, kind, name};
use fs9_memory::MemoryOptions;
use fs9_sdk::{ErrorKind, FallocateMode, OpenFlags, OpenNode, Provider, RenameFlags, SetAttr, XattrFlags};
use std::sync::atomic::{AtomicU32, Ordering};

const PAGE: usize = 4096;

fn small(pages: usize, inodes: u64) -> Session {
    let size_max = (pages * PAGE) as u64;
    Session::with(MemoryOptions { size_max, inodes_max: Some(inodes), ..MemoryOptions::default() })
}

#[test]
fn a_write_beyond_the_limit_is_short_and_then_fails() {
    let s = small(4, 10);
    let file = s.create(ROOT, "f");
    assert_eq!(s.write(file, 100, &vec![1; 5 * PAGE]).unwrap(), 4 * PAGE - 100);
    assert_eq!(kind(s.write(file, 4 * PAGE as u64, b"x")), ErrorKind::NoSpace);
    assert_eq!(s.attr(file.node).size, 4 * PAGE as u64);
    assert_eq!(s.write(file, 0, &[2; PAGE]).unwrap(), PAGE, "what is allocated can be overwritten");
}

#[test]
fn allocation_takes_everything_or_nothing() {
    let s = small(4, 10);
    let file = s.create(ROOT, "f");
    let reserve = |length| s.provider.fallocate(&s.call, file, FallocateMode::empty(), 0, length);
    assert_eq!(kind(reserve(5 * PAGE as u64)), ErrorKind::NoSpace);
    assert_eq!(kind(reserve(1 << 60)), ErrorKind::NoSpace);
    assert_eq!((s.used().0, s.attr(file.node).size), (0, 0));
    reserve(4 * PAGE as u64).unwrap();
    let other = s.create(ROOT, "g");
    assert_eq!(kind(s.write(other, 0, b"x")), ErrorKind::NoSpace);
    assert_eq!(s.write(file, 0, &vec![1; 4 * PAGE]).unwrap(), 4 * PAGE, "what is reserved can be written");
}

#[test]
fn space_returns_on_truncation_and_when_nobody_holds_the_file() {
    let s = small(8, 10);
    let file = s.create(ROOT, "f");
    s.write(file, 0, &vec![1; 8 * PAGE]).unwrap();
    s.set(file.node, SetAttr { size: Some(1), ..SetAttr::default() });
    assert_eq!(s.used().0, PAGE as u64);
    s.unlink(ROOT, "f").unwrap();
    s.provider.forget(file.node, 1);
    assert_eq!(s.used(), (PAGE as u64, 2), "the handle holds it");
    s.provider.release(file);
    assert_eq!(s.used(), (0, 1));
}

#[test]
fn a_file_without_a_name_is_gone_once_it_is_released_and_forgotten() {
    let s = small(8, 3);
    let make = || {
        let (entry, opened) = s.provider.tmpfile(&s.call, ROOT, 0o600, OpenFlags::READ_WRITE).unwrap();
        OpenNode { node: entry.node, handle: opened.handle }
    };
    let file = make();
    s.write(file, 0, &vec![1; 8 * PAGE]).unwrap();
    assert_eq!(s.used(), (8 * PAGE as u64, 2));
    s.provider.release(file);
    assert_eq!(s.used(), (8 * PAGE as u64, 2), "it is still known");
    s.provider.forget(file.node, 1);
    assert_eq!(s.used(), (0, 1));

    let file = make();
    s.provider.link(&s.call, file.node, ROOT, name("f")).unwrap();
    assert_eq!(s.used().1, 2, "its first name costs nothing");
    s.provider.link(&s.call, file.node, ROOT, name("g")).unwrap();
    assert_eq!(s.used().1, 3);
    assert_eq!(kind(s.provider.tmpfile(&s.call, ROOT, 0o600, OpenFlags::READ_WRITE)), ErrorKind::NoSpace);
    s.provider.release(file);
    s.provider.forget(file.node, 3);
    s.unlink(ROOT, "f").unwrap();
    s.unlink(ROOT, "g").unwrap();
    assert_eq!(s.used(), (0, 1));
}

#[test]
fn inodes_and_further_names_are_limited() {
    let s = small(8, 3);
    let file = s.touch(ROOT, "a");
    s.provider.link(&s.call, file, ROOT, name("b")).unwrap();
    assert_eq!(kind(s.provider.link(&s.call, file, ROOT, name("c"))), ErrorKind::NoSpace);
    assert_eq!(kind(s.provider.mkdir(&s.call, ROOT, name("d"), 0o700)), ErrorKind::NoSpace);
    assert_eq!((s.attr(file).nlink, s.attr(ROOT).nlink), (2, 2));
    s.unlink(ROOT, "b").unwrap();
    s.mkdir(ROOT, "d");
    let whiteout = s.rename((ROOT, "a"), (ROOT, "b"), RenameFlags::WHITEOUT);
    assert_eq!(kind(whiteout), ErrorKind::NoSpace);
    assert_eq!(s.names(ROOT), ["a", "d"]);
    s.rmdir(ROOT, "d").unwrap();
    let d = s.provider.mkdir(&s.call, ROOT, name("e"), 0o700);
    assert_eq!(kind(d), ErrorKind::NoSpace, "the removed directory is still known");
}

#[test]
fn attributes_and_targets_count() {
    let s = small(2, 10);
    let too_much = vec![0; 2 * PAGE];
    let set = |value: &[u8]| s.provider.setxattr(&s.call, ROOT, b"user.a", value, XattrFlags::empty());
    assert_eq!(kind(set(&too_much)), ErrorKind::NoSpace);
    assert_eq!(s.provider.listxattr(&s.call, ROOT).unwrap(), b"");
    set(&[0; PAGE]).unwrap();
    assert_eq!(kind(s.provider.symlink(&s.call, ROOT, name("l"), &[b'x'; PAGE - 1])), ErrorKind::NoSpace);
    set(b"").unwrap();
    s.provider.symlink(&s.call, ROOT, name("l"), &[b'x'; PAGE - 1]).unwrap();
    assert_eq!(s.names(ROOT), ["l"]);
}

#[test]
fn an_emptied_tree_uses_nothing_but_its_root() {
    let s = Session::new();
    let dir = s.mkdir(ROOT, "d");
    let sub = s.mkdir(dir, "sub");
    let file = s.create(sub, "f");
    s.write(file, 1 << 30, &vec![1; 100_000]).unwrap();
    s.provider.fallocate(&s.call, file, FallocateMode::KEEP_SIZE, 0, 50_000).unwrap();
    s.provider.setxattr(&s.call, file.node, b"user.a", b"value", XattrFlags::empty()).unwrap();
    s.provider.setxattr(&s.call, file.node, b"security.capability", b"c", XattrFlags::empty()).unwrap();
    s.provider.setxattr(&s.call, sub, b"user.a", b"value", XattrFlags::empty()).unwrap();
    s.provider.link(&s.call, file.node, ROOT, name("hard")).unwrap();
    let link = s.provider.symlink(&s.call, ROOT, name("soft"), b"target").unwrap().node;
    let victim = s.create(ROOT, "victim");
    s.write(victim, 0, b"x").unwrap();
    s.rename((ROOT, "hard"), (ROOT, "victim"), RenameFlags::WHITEOUT).unwrap();

    s.unlink(ROOT, "hard").unwrap();
    s.unlink(ROOT, "victim").unwrap();
    s.unlink(ROOT, "soft").unwrap();
    s.unlink(sub, "f").unwrap();
    s.rmdir(dir, "sub").unwrap();
    s.rmdir(ROOT, "d").unwrap();
    s.provider.release(file);
    s.provider.release(victim);
    for (node, count) in [(file.node, 2), (victim.node, 1), (link, 1), (sub, 1), (dir, 1)] {
        s.provider.forget(node, count);
    }
    assert_eq!(s.used(), (0, 1));
}

#[test]
fn a_tree_of_any_depth_can_be_dropped() {
    let s = Session::new();
    let mut parent = ROOT;
    for _ in 0..100_000 {
        parent = s.mkdir(parent, "d");
    }
    drop(s);
}

static REPORTED: AtomicU32 = AtomicU32::new(0);

#[test]
fn much_freed_memory_is_reported_and_little_is_not() {
    let report = || {
        REPORTED.fetch_add(1, Ordering::Release);
    };
    let s = Session::with(MemoryOptions { after_freeing: Some(report), ..MemoryOptions::default() });
    let file = s.create(ROOT, "f");
    let reserve = |length| s.provider.fallocate(&s.call, file, FallocateMode::empty(), 0, length).unwrap();
    let cut = SetAttr { size: Some(0), ..SetAttr::default() };
    reserve(60 << 20);
    s.set(file.node, cut);
    assert_eq!(REPORTED.load(Ordering::Acquire), 0);
    reserve(4 << 20);
    s.set(file.node, cut);
    while REPORTED.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
}
