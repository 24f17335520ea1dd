//! A namespace through a real mount.

use crate::support::{Mounted, memory};
use fs9_fuse::{FuseOptions, IoUring};
use fs9_sys::credentials::{Identity, act_as};
use rustix::fs::{FallocateFlags, SeekFrom, copy_file_range, fallocate, seek};
use std::fs;
use std::os::unix::fs::FileExt;

#[test]
fn files_and_directories_live_through_a_mount() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::create_dir(path.join("d")).unwrap();
    fs::write(path.join("d/f"), b"hello").unwrap();
    assert_eq!(fs::read(path.join("d/f")).unwrap(), b"hello");
    fs::rename(path.join("d/f"), path.join("g")).unwrap();
    assert_eq!(fs::read_dir(path.join("d")).unwrap().count(), 0);
    let names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2);
    fs::remove_file(path.join("g")).unwrap();
    fs::remove_dir(path.join("d")).unwrap();
    assert_eq!(fs::read_dir(path).unwrap().count(), 0);
}

#[test]
fn the_root_has_the_number_that_its_listing_shows() {
    use std::os::unix::fs::MetadataExt;
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::create_dir(path.join("d")).unwrap();
    let root = fs::metadata(path).unwrap().ino();
    assert_eq!(fs::metadata(path.join("d/..")).unwrap().ino(), root);
    let listed = |directory: &std::path::Path, wanted: &str| {
        let opened = fs::File::open(directory).unwrap();
        let mut entries = rustix::fs::Dir::read_from(opened).unwrap().map(Result::unwrap);
        entries.find(|entry| entry.file_name().to_bytes() == wanted.as_bytes()).unwrap().ino()
    };
    assert_eq!((listed(path, "."), listed(path, ".."), listed(&path.join("d"), "..")), (root, root, root));
}

#[test]
fn requests_come_by_the_transport_that_is_asked_for() {
    let enabled = fs::read_to_string("/sys/module/fuse/parameters/enable_uring").unwrap_or_default();
    let is_enabled = enabled.trim() == "Y";
    for (io_uring, has_rings) in
        [(IoUring::Off, false), (IoUring::On, true)].into_iter().take(1 + usize::from(is_enabled))
    {
        let mounted = Mounted::with(memory(), FuseOptions { io_uring, ..FuseOptions::default() });
        assert_eq!(mounted.session.has_rings(), has_rings);
        fs::write(mounted.path().join("f"), b"x").unwrap();
        assert_eq!(fs::read(mounted.path().join("f")).unwrap(), b"x");
        let is_ring = |link: &std::path::Path| link.to_string_lossy() == "anon_inode:[io_uring]";
        let links = fs::read_dir("/proc/self/fd").unwrap();
        let mut links = links.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
        // Other tests of this process may have mounts by rings, but none has taken this one's away.
        assert!(!has_rings || links.any(|link| is_ring(&link)));
    }
    if !is_enabled {
        eprintln!("left out: enable_uring of the module fuse is off");
    }
}

/// Who acts for somebody else may not ask for names on a mount without other users, but what is open was given to them.
#[test]
fn what_is_open_stays_usable_for_whoever_acts_for_somebody_else() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: needs root");
        return;
    }
    let mounted = Mounted::of(memory());
    let path = mounted.path().join("f");
    fs::write(&path, [7; 4096]).unwrap();
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    let other = Identity { uid: 61_001, gid: 61_001, groups: None, umask: None };
    let use_it = || {
        assert!(fs::metadata(&path).is_err());
        file.write_at(&[8; 10], 0).unwrap();
        fallocate(&file, FallocateFlags::empty(), 0, 8192).unwrap();
        assert_eq!(copy_file_range(&file, Some(&mut 0), &file, Some(&mut 4096), 10).unwrap(), 10);
        assert_eq!(seek(&file, SeekFrom::Data(0)).unwrap(), 0);
        file.sync_all().unwrap();
    };
    std::thread::scope(|scope| scope.spawn(|| act_as(&other, use_it)).join()).unwrap().unwrap();
    let mut copied = [0; 10];
    file.read_at(&mut copied, 4096).unwrap();
    assert_eq!(copied, [8; 10]);
}
