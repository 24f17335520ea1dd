//! What the options change.

use crate::ground::{Ground, ROOT, is_root, kind, name, root};
use fs9_local::LocalOptions;
use fs9_sdk::{
    Attr, ErrorKind, NewNode, NodeId, OpenFlags, OpenNode, Place, Provider, RenameFlags, SetAttr, SetTime,
    Timestamp, WriteOptions, XattrFlags,
};
use rustix::fs::fstat;

fn read_once(ground: &Ground, node: NodeId) -> Attr {
    let long_ago = Timestamp { seconds: 1_000_000_000, nanoseconds: 5 };
    let atime = SetAttr { atime: Some(SetTime::At(long_ago)), ..SetAttr::default() };
    ground.provider.setattr(&root(), node, None, atime).unwrap();
    assert_eq!(ground.content(node).unwrap(), b"data");
    ground.getattr(node).unwrap()
}

#[test]
fn noatime_leaves_the_access_time_alone() {
    for noatime in [false, true] {
        let ground = Ground::new(LocalOptions { noatime, ..LocalOptions::default() });
        let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
        ground.write(&root(), file, b"data").unwrap();
        let atime = read_once(&ground, file.node).atime.seconds;
        assert_eq!(atime == 1_000_000_000, noatime, "access time {atime} with noatime {noatime}");
    }
}

#[test]
fn a_read_only_provider_refuses_every_change() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
    let dir = Ground::new(LocalOptions { read_only: true, ..LocalOptions::default() });
    std::fs::write(dir.path("file"), b"data").unwrap();
    let node = dir.lookup(ROOT, "file").unwrap().node;
    let (provider, call) = (&dir.provider, root());
    assert!(provider.capabilities().read_only && !ground.provider.capabilities().read_only);
    assert_eq!(dir.content(node).unwrap(), b"data");

    let place = |text| Place { parent: ROOT, name: name(text) };
    let size = SetAttr { size: Some(0), ..SetAttr::default() };
    let refused = [
        kind(dir.create(&call, ROOT, "new", 0o644)),
        kind(dir.open(&call, node, OpenFlags::WRITE_ONLY)),
        kind(dir.open(&call, node, OpenFlags::TRUNCATE)),
        kind(provider.mknod(&call, ROOT, name("new"), NewNode { mode: 0o100_644, rdev: 0 })),
        kind(provider.mkdir(&call, ROOT, name("new"), 0o755)),
        kind(provider.symlink(&call, ROOT, name("new"), b"target")),
        kind(provider.link(&call, node, ROOT, name("new"))),
        kind(provider.unlink(&call, ROOT, name("file"))),
        kind(provider.rmdir(&call, ROOT, name("file"))),
        kind(provider.rename(&call, place("file"), place("new"), RenameFlags::empty())),
        kind(provider.setattr(&call, node, None, size)),
        kind(provider.setxattr(&call, node, b"user.x", b"", XattrFlags::empty())),
        kind(provider.removexattr(&call, node, b"user.x")),
    ];
    assert_eq!(refused, [Some(ErrorKind::ReadOnly); 13]);
    ground.provider.release(file);
}

#[test]
fn with_writeback_a_write_only_handle_reads_and_appends_by_offset() {
    for writeback in [false, true] {
        let ground = Ground::new(LocalOptions { writeback, ..LocalOptions::default() });
        let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
        ground.write(&root(), file, b"0123456789").unwrap();
        let append = ground.open(&root(), file.node, OpenFlags::WRITE_ONLY | OpenFlags::APPEND).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(ground.provider.read(&root(), append, 0, &mut buffer).is_ok(), writeback);
        ground.provider.write(&root(), append, 2, b"xy", WriteOptions::default()).unwrap();
        let expected: &[u8] = if writeback { b"01xy456789" } else { b"0123456789xy" };
        assert_eq!(ground.content(file.node).unwrap(), expected);
    }
}

#[test]
fn direct_io_is_served_from_any_buffer() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
    let direct = ground.open(&root(), file.node, OpenFlags::READ_WRITE | OpenFlags::DIRECT).unwrap();
    ground.provider.write(&root(), direct, 3, b"unaligned", WriteOptions::default()).unwrap();
    assert_eq!(ground.content(file.node).unwrap(), b"\0\0\0unaligned");
}

#[test]
fn the_descriptor_that_is_lent_is_that_of_the_file() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
    let number = ground.getattr(file.node).unwrap().id.number;
    let mut seen = None;
    let lent = ground.provider.lend_backing(file, &mut |fd| seen = fstat(fd).ok().map(|stat| stat.st_ino));
    assert_eq!(lent, is_root());
    assert_eq!(lent, ground.provider.capabilities().backing_descriptors);
    assert_eq!(seen, lent.then_some(number));
    let handle = ground.provider.opendir(&root(), ROOT).unwrap().handle;
    assert!(!ground.provider.lend_backing(OpenNode { node: ROOT, handle }, &mut |_| ()));
}
