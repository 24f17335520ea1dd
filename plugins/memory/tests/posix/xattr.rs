//! Extended attributes and access control lists.

use crate::session::{ROOT, Session, kind, name};
use fs9_sdk::{Call, Caller, ErrorKind, NewNode, NodeId, OpenFlags, Place, Provider, Result, XattrFlags};

const ACCESS: &[u8] = b"system.posix_acl_access";
const DEFAULT: &[u8] = b"system.posix_acl_default";
const ANY: XattrFlags = XattrFlags::empty();

fn set(s: &Session, node: NodeId, attribute: &[u8], value: &[u8]) -> Result<()> {
    s.provider.setxattr(&s.call, node, attribute, value, ANY)
}

fn get(s: &Session, node: NodeId, attribute: &[u8]) -> Result<Vec<u8>> {
    s.provider.getxattr(&s.call, node, attribute)
}

/// An access control list as bytes: owner, one user, group, mask and others.
fn acl(owner: u16, user: u16, group: u16, mask: u16, others: u16) -> Vec<u8> {
    let entry = |tag: u16, permissions: u16, id: u32| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let nobody = u32::MAX;
    [
        2u32.to_le_bytes().to_vec(),
        entry(1, owner, nobody),
        entry(2, user, 4242),
        entry(4, group, nobody),
        entry(16, mask, nobody),
        entry(32, others, nobody),
    ]
    .concat()
}

#[test]
fn values_are_set_read_listed_and_removed() {
    let s = Session::new();
    let file = s.touch(ROOT, "f");
    set(&s, file, b"user.b", b"1").unwrap();
    set(&s, file, b"user.a", b"").unwrap();
    set(&s, file, b"user.b", b"22").unwrap();
    assert_eq!(get(&s, file, b"user.b").unwrap(), b"22");
    assert_eq!(get(&s, file, b"user.a").unwrap(), b"");
    assert_eq!(s.provider.listxattr(&s.call, file).unwrap(), b"user.a\0user.b\0");
    s.provider.removexattr(&s.call, file, b"user.b").unwrap();
    assert_eq!(kind(get(&s, file, b"user.b")), ErrorKind::NoData);
    assert_eq!(kind(s.provider.removexattr(&s.call, file, b"user.b")), ErrorKind::NoData);
    assert_eq!(s.provider.listxattr(&s.call, ROOT).unwrap(), b"");
}

#[test]
fn flags_say_whether_it_must_exist() {
    let s = Session::new();
    let with = |flags| s.provider.setxattr(&s.call, ROOT, b"user.a", b"1", flags);
    assert_eq!(kind(with(XattrFlags::REPLACE)), ErrorKind::NoData);
    with(XattrFlags::CREATE).unwrap();
    assert_eq!(kind(with(XattrFlags::CREATE)), ErrorKind::AlreadyExists);
    with(XattrFlags::REPLACE).unwrap();
    assert_eq!(kind(with(XattrFlags::from_bits_retain(4))), ErrorKind::InvalidArgument);
}

#[test]
fn names_and_values_beyond_the_limits_are_refused() {
    let s = Session::new();
    let largest = vec![7; 65_536];
    set(&s, ROOT, b"user.large", &largest).unwrap();
    assert_eq!(get(&s, ROOT, b"user.large").unwrap(), largest);
    assert_eq!(kind(set(&s, ROOT, b"user.x", &vec![7; 65_537])), ErrorKind::ArgumentListTooLong);
    let long = |length: usize| [b"user.".to_vec(), vec![b'n'; length - 5]].concat();
    set(&s, ROOT, &long(255), b"").unwrap();
    assert_eq!(kind(set(&s, ROOT, &long(256), b"")), ErrorKind::OutOfRange);
    assert_eq!(kind(set(&s, ROOT, b"", b"")), ErrorKind::OutOfRange);
    assert_eq!(kind(set(&s, ROOT, b"user.", b"")), ErrorKind::InvalidArgument);
    for foreign in [&b"nonsense"[..], b"system.other", b"os2.x", b"User.x"] {
        assert_eq!(kind(set(&s, ROOT, foreign, b"")), ErrorKind::NotSupported);
        assert_eq!(kind(get(&s, ROOT, foreign)), ErrorKind::NotSupported);
    }
}

#[test]
fn the_list_of_names_has_a_limit() {
    let s = Session::new();
    let set_many = (0..10_000).find_map(|i| set(&s, ROOT, format!("user.{i:0>245}").as_bytes(), b"").err());
    assert_eq!(set_many.unwrap().kind(), ErrorKind::NoSpace);
    assert!(s.provider.listxattr(&s.call, ROOT).unwrap().len() <= 65_536);
}

#[test]
fn only_files_and_directories_have_user_attributes() {
    let s = Session::new();
    let link = s.provider.symlink(&s.call, ROOT, name("l"), b"t").unwrap().node;
    let fifo = s.provider.mknod(&s.call, ROOT, name("p"), NewNode { mode: 0o010_600, rdev: 0 }).unwrap().node;
    for node in [link, fifo] {
        assert_eq!(kind(set(&s, node, b"user.a", b"")), ErrorKind::NotPermitted);
        set(&s, node, b"trusted.a", b"1").unwrap();
        set(&s, node, b"security.a", b"2").unwrap();
    }
    assert_eq!(kind(set(&s, link, ACCESS, &acl(7, 7, 7, 7, 7))), ErrorKind::NotSupported);
    assert_eq!(s.provider.listxattr(&s.call, link).unwrap(), b"security.a\0");
    let root = Call::by(Caller::ROOT);
    assert_eq!(s.provider.listxattr(&root, link).unwrap(), b"security.a\0trusted.a\0");
}

#[test]
fn an_access_list_and_the_permissions_follow_each_other() {
    let s = Session::new();
    let file = s.touch(ROOT, "f");
    assert_eq!(kind(get(&s, file, ACCESS)), ErrorKind::NoData);
    set(&s, file, ACCESS, &acl(6, 4, 5, 7, 1)).unwrap();
    assert_eq!(s.attr(file).permissions, 0o671);
    s.chmod(file, 0o4750);
    assert_eq!(get(&s, file, ACCESS).unwrap(), acl(7, 4, 5, 5, 0));
    assert_eq!(s.attr(file).permissions, 0o4750);
    s.provider.removexattr(&s.call, file, ACCESS).unwrap();
    assert_eq!(s.attr(file).permissions, 0o4750);
    assert_eq!(kind(get(&s, file, ACCESS)), ErrorKind::NoData);
    s.provider.removexattr(&s.call, file, ACCESS).unwrap();
}

#[test]
fn a_list_that_says_no_more_than_permissions_is_not_kept() {
    let s = Session::new();
    let file = s.touch(ROOT, "f");
    set(&s, file, ACCESS, &acl(6, 4, 5, 7, 1)).unwrap();
    let full = acl(7, 0, 4, 0, 2);
    let minimal = [&full[..12], &full[20..28], &full[36..]].concat();
    set(&s, file, ACCESS, &minimal).unwrap();
    assert_eq!(s.attr(file).permissions, 0o742);
    assert_eq!(kind(get(&s, file, ACCESS)), ErrorKind::NoData);
    assert_eq!(s.provider.listxattr(&s.call, file).unwrap(), b"");
}

#[test]
fn a_list_drops_setgid_on_request_only() {
    let s = Session::new();
    let file = s.touch(ROOT, "f");
    s.chmod(file, 0o2755);
    set(&s, file, ACCESS, &acl(7, 4, 5, 5, 5)).unwrap();
    assert_eq!(s.attr(file).permissions, 0o2755);
    let kill = XattrFlags::KILL_SETGID;
    let invalid = s.provider.setxattr(&s.call, file, ACCESS, b"x", kill);
    assert!(invalid.is_err());
    assert_eq!(s.attr(file).permissions, 0o2755, "nothing was set");
    s.provider.setxattr(&s.call, file, ACCESS, &acl(7, 4, 5, 5, 5), kill).unwrap();
    assert_eq!(s.attr(file).permissions, 0o755);
}

#[test]
fn a_default_list_belongs_to_directories_and_replaces_the_umask() {
    let s = Session::new();
    let (dir, file) = (s.mkdir(ROOT, "d"), s.touch(ROOT, "f"));
    let default = acl(7, 6, 5, 7, 2);
    assert_eq!(kind(set(&s, file, DEFAULT, &default)), ErrorKind::AccessDenied);
    set(&s, dir, DEFAULT, &default).unwrap();
    assert_eq!(s.attr(dir).permissions, 0o755, "a default list changes nothing by itself");

    let place = Place { parent: dir, name: name("f") };
    let (made, _) = s.provider.create(&s.call, place, 0o666, OpenFlags::READ_WRITE).unwrap();
    assert_eq!(made.attr.permissions, 0o662);
    assert_eq!(get(&s, made.node, ACCESS).unwrap(), acl(6, 6, 5, 6, 2));
    assert_eq!(kind(get(&s, made.node, DEFAULT)), ErrorKind::NoData);

    let sub = s.mkdir(dir, "sub");
    assert_eq!(s.attr(sub).permissions, 0o772);
    assert_eq!(get(&s, sub, DEFAULT).unwrap(), default);
    assert_eq!(get(&s, sub, ACCESS).unwrap(), default);
    let link = s.provider.symlink(&s.call, dir, name("l"), b"t").unwrap();
    assert_eq!(link.attr.permissions, 0o777);
}

#[test]
fn invalid_lists_change_nothing() {
    let s = Session::new();
    let dir = s.mkdir(ROOT, "d");
    let good = acl(7, 4, 5, 5, 5);
    for bad in [&good[..11], &good[..12], b"\x01\0\0\0", b"x"] {
        assert!(set(&s, dir, ACCESS, bad).is_err());
        assert!(set(&s, dir, DEFAULT, bad).is_err());
    }
    assert_eq!(s.attr(dir).permissions, 0o755);
    assert_eq!(s.provider.listxattr(&s.call, dir).unwrap(), b"");
}
