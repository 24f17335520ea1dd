//! Renaming in all its forms.

use crate::session::{ROOT, Session, kind, name};
use fs9_sdk::{ErrorKind, FileType, NodeId, Provider, RenameFlags};

const PLAIN: RenameFlags = RenameFlags::empty();

/// A root with `f` (file), `d` (directory with the file `d/x`), `e` (empty directory).
fn tree() -> (Session, NodeId, NodeId, NodeId) {
    let s = Session::new();
    let file = s.touch(ROOT, "f");
    let dir = s.mkdir(ROOT, "d");
    s.touch(dir, "x");
    let empty = s.mkdir(ROOT, "e");
    (s, file, dir, empty)
}

fn nlinks(s: &Session, nodes: &[NodeId]) -> Vec<u32> {
    nodes.iter().map(|&node| s.attr(node).nlink).collect()
}

#[test]
fn a_file_moves_and_keeps_its_node() {
    let (s, file, dir, _) = tree();
    s.rename((ROOT, "f"), (dir, "g"), PLAIN).unwrap();
    assert_eq!(kind(s.lookup(ROOT, "f")), ErrorKind::NotFound);
    assert_eq!(s.lookup(dir, "g").unwrap().node, file);
    assert_eq!(s.names(dir), ["x", "g"]);
}

#[test]
fn what_is_replaced_stays_readable_through_its_handle() {
    let (s, file, _, _) = tree();
    let victim = s.create(ROOT, "v");
    s.write(victim, 0, b"old").unwrap();
    s.rename((ROOT, "f"), (ROOT, "v"), PLAIN).unwrap();
    assert_eq!(s.lookup(ROOT, "v").unwrap().node, file);
    assert_eq!((s.read(victim, 0, 9), s.attr(victim.node).nlink), (b"old".to_vec(), 0));
    assert_eq!(s.names(ROOT), ["d", "e", "v"]);
}

#[test]
fn a_directory_replaces_only_an_empty_directory() {
    let (s, _, dir, empty) = tree();
    assert_eq!(kind(s.rename((ROOT, "e"), (ROOT, "d"), PLAIN)), ErrorKind::DirectoryNotEmpty);
    assert_eq!(kind(s.rename((ROOT, "d"), (ROOT, "f"), PLAIN)), ErrorKind::NotADirectory);
    assert_eq!(kind(s.rename((ROOT, "f"), (ROOT, "d"), PLAIN)), ErrorKind::IsADirectory);
    assert_eq!(kind(s.rename((ROOT, "f"), (ROOT, "e"), PLAIN)), ErrorKind::IsADirectory);
    s.rename((ROOT, "d"), (ROOT, "e"), PLAIN).unwrap();
    assert_eq!(s.lookup(ROOT, "e").unwrap().node, dir);
    assert_eq!(nlinks(&s, &[ROOT, dir, empty]), [3, 2, 0]);
    assert_eq!(kind(s.provider.mkdir(&s.call, empty, name("x"), 0o700)), ErrorKind::NotFound);
}

#[test]
fn a_directory_moves_with_its_subtree_and_its_link() {
    let (s, _, dir, empty) = tree();
    let sub = s.mkdir(dir, "sub");
    s.rename((ROOT, "d"), (empty, "moved"), PLAIN).unwrap();
    assert_eq!(nlinks(&s, &[ROOT, empty, dir]), [3, 3, 3]);
    assert_eq!(s.lookup(empty, "moved").unwrap().node, dir);
    assert_eq!(s.lookup(dir, "sub").unwrap().node, sub);
    assert_eq!(kind(s.rename((ROOT, "e"), (sub, "loop"), PLAIN)), ErrorKind::InvalidArgument);
}

#[test]
fn a_directory_does_not_move_into_itself_nor_over_its_ancestor() {
    let (s, _, dir, _) = tree();
    let sub = s.mkdir(dir, "sub");
    assert_eq!(kind(s.rename((ROOT, "d"), (dir, "y"), PLAIN)), ErrorKind::InvalidArgument);
    assert_eq!(kind(s.rename((ROOT, "d"), (sub, "y"), PLAIN)), ErrorKind::InvalidArgument);
    assert_eq!(kind(s.rename((ROOT, "d"), (dir, "sub"), PLAIN)), ErrorKind::InvalidArgument);
    assert_eq!(kind(s.rename((dir, "sub"), (ROOT, "d"), PLAIN)), ErrorKind::DirectoryNotEmpty);
    assert_eq!(kind(s.rename((dir, "x"), (ROOT, "d"), PLAIN)), ErrorKind::DirectoryNotEmpty);
    let exchange = s.rename((dir, "sub"), (ROOT, "d"), RenameFlags::EXCHANGE);
    assert_eq!(kind(exchange), ErrorKind::InvalidArgument);
}

#[test]
fn two_names_of_one_file_are_left_as_they_are() {
    let (s, file, dir, _) = tree();
    s.provider.link(&s.call, file, dir, name("g")).unwrap();
    s.rename((ROOT, "f"), (dir, "g"), PLAIN).unwrap();
    s.rename((ROOT, "f"), (dir, "g"), RenameFlags::EXCHANGE).unwrap();
    s.rename((ROOT, "f"), (ROOT, "f"), PLAIN).unwrap();
    s.rename((ROOT, "d"), (ROOT, "d"), PLAIN).unwrap();
    assert_eq!(s.lookup(ROOT, "f").unwrap().attr.nlink, 2);
}

#[test]
fn noreplace_refuses_what_exists() {
    let (s, file, _, _) = tree();
    for to in ["d", "e", "f"] {
        let refused = s.rename((ROOT, "f"), (ROOT, to), RenameFlags::NOREPLACE);
        assert_eq!(kind(refused), ErrorKind::AlreadyExists);
    }
    s.rename((ROOT, "f"), (ROOT, "new"), RenameFlags::NOREPLACE).unwrap();
    assert_eq!(s.lookup(ROOT, "new").unwrap().node, file);
}

#[test]
fn exchange_swaps_a_file_and_a_full_directory() {
    let (s, file, dir, empty) = tree();
    let inner = s.touch(empty, "inner");
    s.rename((empty, "inner"), (ROOT, "d"), RenameFlags::EXCHANGE).unwrap();
    assert_eq!(s.lookup(ROOT, "d").unwrap().node, inner);
    assert_eq!(s.lookup(empty, "inner").unwrap().node, dir);
    assert_eq!(nlinks(&s, &[ROOT, empty, dir]), [3, 3, 2]);
    assert_eq!(kind(s.rename((ROOT, "e"), (dir, "y"), PLAIN)), ErrorKind::InvalidArgument);
    s.rename((ROOT, "f"), (ROOT, "e"), RenameFlags::EXCHANGE).unwrap();
    assert_eq!(s.lookup(ROOT, "e").unwrap().node, file);
    assert_eq!(nlinks(&s, &[ROOT]), [3]);
    let absent = s.rename((ROOT, "f"), (ROOT, "absent"), RenameFlags::EXCHANGE);
    assert_eq!(kind(absent), ErrorKind::NotFound);
}

#[test]
fn whiteout_leaves_a_device_behind() {
    let (s, file, _, empty) = tree();
    s.rename((ROOT, "f"), (empty, "g"), RenameFlags::WHITEOUT).unwrap();
    assert_eq!(s.lookup(empty, "g").unwrap().node, file);
    let left = s.lookup(ROOT, "f").unwrap().attr;
    assert_eq!((left.kind, left.rdev, left.permissions), (FileType::CharDevice, 0, 0));
    s.rename((ROOT, "d"), (ROOT, "g"), RenameFlags::WHITEOUT | RenameFlags::NOREPLACE).unwrap();
    assert_eq!(s.lookup(ROOT, "d").unwrap().attr.kind, FileType::CharDevice);
    assert_eq!(nlinks(&s, &[ROOT]), [4]);
    s.unlink(ROOT, "d").unwrap();
}

#[test]
fn a_whiteout_for_which_nothing_can_be_replaced_costs_nothing() {
    let (s, _, _, _) = tree();
    let before = s.used();
    assert_eq!(kind(s.rename((ROOT, "e"), (ROOT, "d"), RenameFlags::WHITEOUT)), ErrorKind::DirectoryNotEmpty);
    assert_eq!(s.used(), before);
    assert_eq!(s.names(ROOT), ["f", "d", "e"]);
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let (s, _, _, _) = tree();
    for flags in [
        RenameFlags::EXCHANGE | RenameFlags::NOREPLACE,
        RenameFlags::EXCHANGE | RenameFlags::WHITEOUT,
        RenameFlags::from_bits_retain(8),
        RenameFlags::from_bits_retain(1 << 31),
    ] {
        assert_eq!(kind(s.rename((ROOT, "f"), (ROOT, "e"), flags)), ErrorKind::InvalidArgument);
    }
    assert_eq!(kind(s.rename((ROOT, "absent"), (ROOT, "e"), PLAIN)), ErrorKind::NotFound);
    let under_file = s.lookup(ROOT, "f").unwrap().node;
    assert_eq!(kind(s.rename((ROOT, "e"), (under_file, "y"), PLAIN)), ErrorKind::NotADirectory);
}
