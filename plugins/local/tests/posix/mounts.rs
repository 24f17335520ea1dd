//! Other file systems below the directory. All need root.

use crate::ground::{Ground, ROOT, is_root, kind, name, root};
use fs9_local::{DescriptorBudget, LocalOptions};
use fs9_sdk::{DirEntry, DirSink, ErrorKind, Fill, OpenNode, Place, Provider, RenameFlags};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::path::{Path, PathBuf};

/// A file system in memory, mounted for as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    fn at(path: PathBuf) -> Mounted {
        std::fs::create_dir_all(&path).unwrap();
        mount("fs9-test", &path, "tmpfs", MountFlags::empty(), c"size=1M").unwrap();
        Mounted(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

#[derive(Default)]
struct Names(Vec<Vec<u8>>);

impl DirSink for Names {
    fn has_room(&self, _name_len: usize) -> bool {
        true
    }

    fn push(&mut self, entry: DirEntry<'_>) -> Fill {
        self.0.push(entry.name.as_bytes().to_vec());
        Fill::More
    }
}

#[test]
fn other_file_systems_are_entered_and_told_apart() {
    if !is_root() {
        return;
    }
    let few = Some(DescriptorBudget { nodes: 2, open: 16 });
    for descriptors in [None, few] {
        let ground = Ground::new(LocalOptions { descriptors, ..LocalOptions::default() });
        let mounted = Mounted::at(ground.path("sub"));
        for number in 0..20 {
            std::fs::write(mounted.path().join(format!("inner-{number}")), b"inner").unwrap();
            std::fs::write(ground.path(&format!("outer-{number}")), b"outer").unwrap();
        }
        let sub = ground.lookup(ROOT, "sub").unwrap();
        assert_eq!(ground.getattr(ROOT).unwrap().id.device, 0);
        assert_ne!(sub.attr.id.device, 0);
        let mut known = Vec::new();
        for number in 0..20 {
            let inner = ground.lookup(sub.node, &format!("inner-{number}")).unwrap();
            assert_eq!(inner.attr.id.device, sub.attr.id.device);
            known.push((inner.node, b"inner"));
            known.push((ground.lookup(ROOT, &format!("outer-{number}")).unwrap().node, b"outer"));
        }
        for (node, content) in known {
            assert_eq!(ground.content(node).unwrap(), content);
        }
        let place = |parent, text| Place { parent, name: name(text) };
        let across = (place(ROOT, "outer-0"), place(sub.node, "x"));
        let moved = ground.provider.rename(&root(), across.0, across.1, RenameFlags::empty());
        assert_eq!(kind(moved), Some(ErrorKind::CrossDevice));
        assert_eq!(kind(ground.provider.rmdir(&root(), ROOT, name("sub"))), Some(ErrorKind::Busy));
        let blocks = |node| ground.provider.statfs(&root(), node).unwrap().blocks;
        assert_ne!(blocks(ROOT), blocks(sub.node));
    }
}

#[test]
fn with_xdev_mount_points_are_the_directories_beneath() {
    if !is_root() {
        return;
    }
    let dir = crate::ground::directory();
    let _early = Mounted::at(dir.path().join("early"));
    std::fs::create_dir(dir.path().join("late")).unwrap();
    std::fs::write(dir.path().join("late/beneath"), b"beneath").unwrap();
    std::fs::write(dir.path().join("early/inner"), b"inner").unwrap();

    let ground = Ground::on(dir, LocalOptions { cross_devices: false, ..LocalOptions::default() });
    let _late = Mounted::at(ground.path("late"));
    let early = ground.lookup(ROOT, "early").unwrap();
    assert_eq!(early.attr.id.device, 0);
    assert_eq!(kind(ground.lookup(early.node, "inner")), Some(ErrorKind::NotFound));
    // A mount made later may appear in the view, depending on propagation. It is not entered.
    match ground.lookup(ROOT, "late") {
        Ok(late) => {
            assert_eq!(ground.content(ground.lookup(late.node, "beneath").unwrap().node).unwrap(), b"beneath")
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::CrossDevice),
    }

    let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
    ground.write(&root(), file, b"data").unwrap();
    ground.provider.link(&root(), file.node, ROOT, name("link")).unwrap();
    assert_eq!(std::fs::read(ground.path("link")).unwrap(), b"data", "changes reach the directory itself");
    assert_eq!(kind(ground.provider.rmdir(&root(), ROOT, name("early"))), Some(ErrorKind::Busy));
}

#[test]
fn our_own_mount_is_listed_but_never_entered() {
    if !is_root() {
        return;
    }
    let ground = Ground::new(LocalOptions::default());
    let mounted = Mounted::at(ground.path("own"));
    ground.provider.exclude_mount(mounted.path()).unwrap();
    assert_eq!(kind(ground.lookup(ROOT, "own")), Some(ErrorKind::TooManySymlinks));
    let handle = ground.provider.opendir(&root(), ROOT).unwrap().handle;
    for attributes in [false, true] {
        let mut names = Names::default();
        let dir = OpenNode { node: ROOT, handle };
        ground.provider.readdir(&root(), dir, 0, attributes, &mut names).unwrap();
        assert_eq!(names.0, [b"own"]);
    }
}
