//! Files without a name, and times of birth.

use fs9_tests::Mounted;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, linkat, open, statx};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Gives a name to an open file, as `open(2)` tells how to.
fn link_open_file(file: &File, name: &Path) -> Result<(), Errno> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(CWD, path, CWD, name, AtFlags::SYMLINK_FOLLOW)
}

fn unnamed(directory: &Path, further: OFlags) -> File {
    open(directory, OFlags::TMPFILE | OFlags::RDWR | further, Mode::from_raw_mode(0o640)).unwrap().into()
}

/// Returns seconds and nanoseconds of a file's birth, if they are known.
fn birth(path: &Path) -> Option<(i64, u32)> {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::BTIME | StatxFlags::BASIC_STATS).unwrap();
    let is_known = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    is_known.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec))
}

#[test]
fn a_file_without_a_name_can_be_given_one() {
    for mount in [Mounted::local(""), Mounted::memory(""), Mounted::local("passthrough=off")] {
        let directory = mount.path("");
        let mut file = unnamed(&directory, OFlags::empty());
        file.write_all(b"unnamed").unwrap();
        assert_eq!((file.metadata().unwrap().nlink(), file.metadata().unwrap().mode() & 0o777), (0, 0o640));
        assert!(fs::read_dir(&directory).unwrap().all(|entry| entry.unwrap().file_name() == ".fs9"));
        link_open_file(&file, &mount.path("named")).unwrap();
        assert_eq!(file.metadata().unwrap().nlink(), 1);
        assert_eq!(fs::read(mount.path("named")).unwrap(), b"unnamed");
        assert_eq!(file.metadata().unwrap().ino(), fs::metadata(mount.path("named")).unwrap().ino());
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "unnamed");
    }
}

#[test]
fn a_file_without_a_name_that_is_exclusive_stays_without_one() {
    for mount in [Mounted::local(""), Mounted::memory("")] {
        let file = unnamed(&mount.path(""), OFlags::EXCL);
        assert_eq!(link_open_file(&file, &mount.path("named")).unwrap_err(), Errno::NOENT);
        assert!(fs::metadata(mount.path("named")).is_err());
    }
}

#[test]
fn the_time_of_birth_is_that_of_the_source() {
    let mount = Mounted::local("");
    for name in ["file", "directory"] {
        match name {
            "file" => fs::write(mount.path(name), b"x").unwrap(),
            _ => fs::create_dir(mount.path(name)).unwrap(),
        }
        assert_eq!(birth(&mount.path(name)), birth(&mount.source(name)));
    }
    assert!(birth(&mount.source("file")).is_some(), "the file system below tells it");
    let before = birth(&mount.path("file"));
    fs::write(mount.path("file"), b"changed").unwrap();
    fs::rename(mount.path("file"), mount.path("renamed")).unwrap();
    assert_eq!(birth(&mount.path("renamed")), before);
}
