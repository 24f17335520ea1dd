//! Hostile names, deep paths, large attributes and huge sparse files: native errnos, and nothing lost.

use fs9_tests::{Mounted, require_root};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, XattrFlags};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};

#[test]
fn names_of_255_bytes_and_without_utf8_live_and_longer_ones_are_refused() {
    for mount in [Mounted::local(""), Mounted::memory("")] {
        let longest = vec![b'x'; 255];
        let names: [&[u8]; 5] = [b"\xff\xfe\x80", b"a\nb", b" ", b"\\", &longest];
        for name in names {
            std::fs::write(mount.path(OsStr::from_bytes(name)), name).unwrap();
        }
        let mut listed: Vec<_> =
            std::fs::read_dir(mount.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        listed.sort();
        let mut expected: Vec<_> = names.iter().map(|name| OsStr::from_bytes(name).to_owned()).collect();
        expected.sort();
        assert_eq!(listed, expected);
        for name in names {
            assert_eq!(std::fs::read(mount.path(OsStr::from_bytes(name))).unwrap(), name);
        }
        let refused = std::fs::write(mount.path(OsStr::from_bytes(&[b'x'; 256])), b"").unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(36), "ENAMETOOLONG");
    }
}

#[test]
fn paths_deeper_than_path_max_are_reached_step_by_step() {
    const DEPTH: usize = 1_000;
    for mount in [Mounted::local(""), Mounted::memory("")] {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let mut here = rustix::fs::open(mount.path(""), flags, Mode::empty()).unwrap();
        for _ in 0..DEPTH {
            rustix::fs::mkdirat(&here, "deeper", Mode::from_raw_mode(0o755)).unwrap();
            here = rustix::fs::openat(&here, "deeper", flags, Mode::empty()).unwrap();
        }
        let made =
            rustix::fs::openat(&here, "bottom", OFlags::CREATE | OFlags::WRONLY, Mode::from_raw_mode(0o644));
        drop(made.unwrap());
        for _ in 0..DEPTH {
            here = rustix::fs::openat(&here, "..", flags, Mode::empty()).unwrap();
        }
        let top = rustix::fs::fstat(&here).unwrap();
        assert_eq!(top.st_ino, std::fs::metadata(mount.path("")).unwrap().ino());
        // What is deeper than PATH_MAX cannot be removed by path: the shell's own walker does it step by step.
        let removed = std::process::Command::new("rm").arg("-rf").arg(mount.path("deeper")).status().unwrap();
        assert!(removed.success());
    }
}

#[test]
fn an_attribute_of_64_kib_lives_in_memory_and_longer_ones_are_refused() {
    let mount = Mounted::memory("");
    let path = mount.path("file");
    std::fs::write(&path, b"").unwrap();
    let value = vec![7; 65_536];
    rustix::fs::setxattr(&path, "user.large", &value, XattrFlags::empty()).unwrap();
    let mut back = vec![0; 65_536];
    assert_eq!(rustix::fs::getxattr(&path, "user.large", &mut back).unwrap(), back.len());
    assert_eq!(back, value);
    let refused = rustix::fs::setxattr(&path, "user.large", &[0; 65_537], XattrFlags::empty()).unwrap_err();
    assert_eq!(refused, rustix::io::Errno::TOOBIG);
}

#[test]
fn a_sparse_terabyte_costs_nothing_and_reads_as_zeros() {
    for mount in [Mounted::local(""), Mounted::local("passthrough=off"), Mounted::memory("")] {
        let file = std::fs::File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(mount.path("sparse"))
            .unwrap();
        let end = 1 << 40;
        file.write_all_at(b"end", end).unwrap();
        let mut bytes = [1; 4096];
        file.read_exact_at(&mut bytes, end / 2).unwrap();
        assert!(bytes.iter().all(|&b| b == 0));
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), end + 3);
        assert!(metadata.blocks() < 1024, "{} blocks", metadata.blocks());
    }
}

#[test]
fn a_backing_directory_that_vanishes_gives_errnos_and_leaves_the_mount_alive() {
    let mut mount = Mounted::local("attr_timeout=0,entry_timeout=0");
    std::fs::create_dir_all(mount.path("a/b")).unwrap();
    std::fs::write(mount.path("a/b/c"), b"x").unwrap();
    std::fs::remove_dir_all(mount.source("")).unwrap();
    assert_eq!(std::fs::read(mount.path("a/b/c")).unwrap_err().raw_os_error(), Some(2), "ENOENT");
    assert_eq!(std::fs::write(mount.path("new"), b"").unwrap_err().raw_os_error(), Some(2), "ENOENT");
    assert_eq!(std::fs::read_dir(mount.path("")).unwrap().count(), 0);
    assert!(mount.is_alive());
}

#[test]
fn rename_flags_do_what_they_say() {
    for mount in [Mounted::local(""), Mounted::memory("")] {
        let [one, two] = ["one", "two"].map(|name| mount.path(name));
        std::fs::write(&one, b"1").unwrap();
        std::fs::write(&two, b"2").unwrap();
        let refused = rustix::fs::renameat_with(CWD, &one, CWD, &two, RenameFlags::NOREPLACE).unwrap_err();
        assert_eq!(refused, rustix::io::Errno::EXIST);
        rustix::fs::renameat_with(CWD, &one, CWD, &two, RenameFlags::EXCHANGE).unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), b"2");
        assert_eq!(std::fs::read(&two).unwrap(), b"1");
        if require_root() {
            rustix::fs::renameat_with(CWD, &one, CWD, &two, RenameFlags::WHITEOUT).unwrap();
            let whiteout = rustix::fs::statat(CWD, &one, AtFlags::SYMLINK_NOFOLLOW).unwrap();
            assert_eq!((whiteout.st_mode & 0o170_000, whiteout.st_rdev), (0o020_000, 0));
        }
        assert_eq!(std::fs::read(&two).unwrap(), b"2");
    }
}
