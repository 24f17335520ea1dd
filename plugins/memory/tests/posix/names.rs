//! Finding, making, linking, removing and listing entries.

use crate::session::{Page, ROOT, Session, kind, name};
use fs9_sdk::{
    ErrorKind, FileType, NAME_MAX, Name, NewNode, NodeId, OpenFlags, Place, Provider, RenameFlags,
};
use std::collections::HashSet;

#[test]
fn what_was_made_is_found_and_listed_once() {
    let s = Session::new();
    let dir = s.mkdir(ROOT, "d");
    let file = s.touch(dir, "f");
    assert_eq!(s.lookup(dir, "f").unwrap().node, file);
    assert_eq!(kind(s.lookup(dir, "g")), ErrorKind::NotFound);
    assert_eq!(kind(s.lookup(file, "x")), ErrorKind::NotADirectory);
    assert_eq!(s.names(ROOT), ["d"]);
    assert_eq!(s.names(dir), ["f"]);
}

#[test]
fn a_name_that_exists_cannot_be_made_again() {
    let s = Session::new();
    s.touch(ROOT, "a");
    let place = Place { parent: ROOT, name: name("a") };
    let exclusive = OpenFlags::READ_WRITE | OpenFlags::EXCLUSIVE;
    assert_eq!(kind(s.provider.create(&s.call, place, 0o600, exclusive)), ErrorKind::AlreadyExists);
    assert_eq!(kind(s.provider.mkdir(&s.call, ROOT, name("a"), 0o700)), ErrorKind::AlreadyExists);
    assert_eq!(kind(s.provider.symlink(&s.call, ROOT, name("a"), b"t")), ErrorKind::AlreadyExists);
    let fifo = NewNode { mode: 0o010_644, rdev: 0 };
    assert_eq!(kind(s.provider.mknod(&s.call, ROOT, name("a"), fifo)), ErrorKind::AlreadyExists);
}

#[test]
fn create_without_exclusive_opens_what_exists() {
    let s = Session::new();
    let first = s.create(ROOT, "a");
    s.write(first, 0, b"kept").unwrap();
    let second = s.create(ROOT, "a");
    assert_eq!(second.node, first.node);
    assert_eq!(s.read(second, 0, 9), b"kept");
    let place = Place { parent: ROOT, name: name("a") };
    let flags = OpenFlags::READ_WRITE | OpenFlags::TRUNCATE;
    let (entry, _) = s.provider.create(&s.call, place, 0o600, flags).unwrap();
    assert_eq!((entry.attr.size, entry.attr.permissions), (0, 0o644));
    s.mkdir(ROOT, "d");
    let directory = Place { parent: ROOT, name: name("d") };
    assert_eq!(kind(s.provider.create(&s.call, directory, 0o600, flags)), ErrorKind::IsADirectory);
}

#[test]
fn every_type_of_node_can_be_made() {
    let s = Session::new();
    let types = [
        (FileType::Fifo, 0),
        (FileType::CharDevice, 0x0103),
        (FileType::BlockDevice, 0x0801),
        (FileType::Regular, 0),
        (FileType::Socket, 0),
    ];
    for (index, (file_type, rdev)) in types.into_iter().enumerate() {
        let new = NewNode { mode: file_type.mode_bits() | 0o666, rdev };
        let at = index.to_string();
        let entry = s.provider.mknod(&s.call, ROOT, name(&at), new).unwrap();
        assert_eq!((entry.attr.kind, entry.attr.rdev), (file_type, rdev));
        assert_eq!(entry.attr.permissions, 0o644);
    }
    let untyped = NewNode { mode: 0o600, rdev: 9 };
    let entry = s.provider.mknod(&s.call, ROOT, name("untyped"), untyped).unwrap();
    assert_eq!((entry.attr.kind, entry.attr.rdev), (FileType::Regular, 0));
    let directory = NewNode { mode: 0o040_700, rdev: 0 };
    assert_eq!(kind(s.provider.mknod(&s.call, ROOT, name("d"), directory)), ErrorKind::NotPermitted);
    let nonsense = NewNode { mode: 0o030_700, rdev: 0 };
    assert_eq!(kind(s.provider.mknod(&s.call, ROOT, name("n"), nonsense)), ErrorKind::InvalidArgument);
}

#[test]
fn a_symbolic_link_keeps_its_target_byte_for_byte() {
    let s = Session::new();
    let target = b"../\xff\xfe/x";
    let link = s.provider.symlink(&s.call, ROOT, name("l"), target).unwrap();
    assert_eq!(s.provider.readlink(&s.call, link.node).unwrap(), target);
    assert_eq!((link.attr.size, link.attr.permissions), (target.len() as u64, 0o777));
    assert_eq!(kind(s.provider.readlink(&s.call, ROOT)), ErrorKind::InvalidArgument);
    s.provider.symlink(&s.call, ROOT, name("longest"), &[b'x'; 4095]).unwrap();
    let too_long = s.provider.symlink(&s.call, ROOT, name("m"), &[b'x'; 4096]);
    assert_eq!(kind(too_long), ErrorKind::NameTooLong);
}

#[test]
fn hard_links_are_one_node_until_the_last_name_goes() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    s.write(file, 0, b"data").unwrap();
    let linked = s.provider.link(&s.call, file.node, ROOT, name("b")).unwrap();
    assert_eq!((linked.node, linked.attr.nlink), (file.node, 2));
    s.unlink(ROOT, "a").unwrap();
    assert_eq!(s.lookup(ROOT, "b").unwrap().attr.nlink, 1);
    s.unlink(ROOT, "b").unwrap();
    assert_eq!(s.attr(file.node).nlink, 0);
    assert_eq!(kind(s.provider.link(&s.call, file.node, ROOT, name("c"))), ErrorKind::NotFound);
    assert_eq!(s.read(file, 0, 9), b"data");
}

#[test]
fn links_to_directories_and_over_names_are_refused() {
    let s = Session::new();
    let dir = s.mkdir(ROOT, "d");
    let file = s.touch(ROOT, "f");
    assert_eq!(kind(s.provider.link(&s.call, dir, ROOT, name("e"))), ErrorKind::NotPermitted);
    assert_eq!(kind(s.provider.link(&s.call, dir, ROOT, name("f"))), ErrorKind::AlreadyExists);
    assert_eq!(kind(s.provider.link(&s.call, file, ROOT, name("d"))), ErrorKind::AlreadyExists);
    assert_eq!(kind(s.provider.link(&s.call, file, file, name("x"))), ErrorKind::NotADirectory);
}

#[test]
fn each_kind_of_entry_needs_its_own_removal() {
    let s = Session::new();
    let dir = s.mkdir(ROOT, "d");
    s.touch(dir, "f");
    assert_eq!(kind(s.unlink(ROOT, "d")), ErrorKind::IsADirectory);
    assert_eq!(kind(s.rmdir(ROOT, "d")), ErrorKind::DirectoryNotEmpty);
    assert_eq!(kind(s.rmdir(dir, "f")), ErrorKind::NotADirectory);
    assert_eq!(kind(s.unlink(dir, "g")), ErrorKind::NotFound);
    assert_eq!(kind(s.rmdir(dir, "g")), ErrorKind::NotFound);
    s.unlink(dir, "f").unwrap();
    s.rmdir(ROOT, "d").unwrap();
    assert_eq!(s.attr(dir).nlink, 0);
    assert_eq!(s.attr(ROOT).nlink, 2);
}

#[test]
fn nothing_is_made_in_a_removed_directory() {
    let s = Session::new();
    let dir = s.mkdir(ROOT, "d");
    let file = s.touch(ROOT, "f");
    s.rmdir(ROOT, "d").unwrap();
    assert_eq!(kind(s.provider.mkdir(&s.call, dir, name("x"), 0o700)), ErrorKind::NotFound);
    assert_eq!(kind(s.provider.link(&s.call, file, dir, name("x"))), ErrorKind::NotFound);
    assert_eq!(kind(s.rename((ROOT, "f"), (dir, "x"), RenameFlags::empty())), ErrorKind::NotFound);
    assert_eq!(s.lookup(ROOT, "f").unwrap().attr.nlink, 1);
    assert!(s.names(dir).is_empty());
}

#[test]
fn a_forgotten_and_unnamed_object_is_stale() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    s.lookup(ROOT, "a").unwrap();
    s.unlink(ROOT, "a").unwrap();
    s.provider.forget(file.node, 1);
    s.attr(file.node);
    s.provider.forget(file.node, 1);
    assert_eq!(s.read(file, 0, 1), b"", "the handle alone keeps the file");
    s.provider.release(file);
    assert_eq!(kind(s.provider.getattr(&s.call, file.node, None)), ErrorKind::Stale);
    s.provider.forget(file.node, 7);
    s.provider.forget(ROOT, u64::MAX);
    s.attr(ROOT);
    assert_eq!(kind(s.lookup(NodeId(u64::MAX), "a")), ErrorKind::Stale);
}

#[test]
fn names_may_be_any_bytes_up_to_255() {
    let s = Session::new();
    let longest = [0xff; NAME_MAX];
    s.provider.mkdir(&s.call, ROOT, Name::new(&longest).unwrap(), 0o700).unwrap();
    s.provider.lookup(&s.call, ROOT, Name::new(&longest).unwrap()).unwrap();
    assert_eq!(s.list(ROOT, 1)[0].0, longest);
}

#[test]
fn a_listing_goes_on_at_any_cookie_while_others_come_and_go() {
    let s = Session::new();
    let stable: HashSet<String> = (0..500).map(|i| format!("stable{i}")).collect();
    for at in &stable {
        s.touch(ROOT, at);
        s.touch(ROOT, &format!("x{at}"));
    }
    let mut seen = Vec::new();
    let mut cookies = HashSet::new();
    let mut cookie = 0;
    loop {
        let mut page = Page { entries: Vec::new(), room: 7, lookups: Vec::new() };
        s.list_into(ROOT, cookie, false, &mut page);
        let Some((last, next)) = page.entries.last().cloned() else { break };
        cookie = next;
        for (at, cookie) in page.entries {
            assert!(cookies.insert(cookie), "a cookie was used twice");
            seen.push(String::from_utf8(at).unwrap());
        }
        // Removes behind and before the position, and adds behind the end.
        let last = String::from_utf8(last).unwrap();
        if last.starts_with('x') {
            s.unlink(ROOT, &last).unwrap();
        } else if s.lookup(ROOT, &format!("x{last}")).is_ok() {
            s.unlink(ROOT, &format!("x{last}")).unwrap();
        }
    }
    seen.retain(|at| at.starts_with("stable"));
    assert_eq!(seen.len(), stable.len(), "an entry came twice or never");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), stable);
}

#[test]
fn a_listing_with_attributes_counts_only_what_was_taken() {
    let s = Session::new();
    let nodes: Vec<NodeId> = (0..10).map(|i| s.touch(ROOT, &i.to_string())).collect();
    let mut page = Page { entries: Vec::new(), room: 4, lookups: Vec::new() };
    s.list_into(ROOT, 0, true, &mut page);
    assert_eq!(page.lookups.iter().map(|entry| entry.node).collect::<Vec<_>>(), nodes[..4]);
    for (index, &node) in nodes.iter().enumerate() {
        s.unlink(ROOT, &index.to_string()).unwrap();
        s.provider.forget(node, 1);
        let alive = s.provider.getattr(&s.call, node, None).is_ok();
        assert_eq!(alive, index < 4, "entry {index}");
    }
}

#[test]
fn a_directory_survives_removing_and_adding_many_entries() {
    let s = Session::new();
    for round in 0..3 {
        for i in 0..3000 {
            s.touch(ROOT, &format!("{round}-{i}"));
        }
        for i in (0..3000).filter(|i| i % 10 != 0) {
            s.unlink(ROOT, &format!("{round}-{i}")).unwrap();
        }
    }
    let names = s.names(ROOT);
    assert_eq!(names.len(), 900);
    for at in names {
        s.lookup(ROOT, &at).unwrap();
    }
}
