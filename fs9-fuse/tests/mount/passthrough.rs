//! Reads and writes past the daemon, and what they must not lead to.

use crate::support::{Mounted, local};
use fs9_fuse::{FuseOptions, Passthrough};
use fs9_sdk::Operation;
use std::fs::{self, File, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

fn mount_local(passthrough: Passthrough) -> (tempfile::TempDir, Mounted) {
    let source = tempfile::tempdir().unwrap();
    fs::set_permissions(source.path(), Permissions::from_mode(0o777)).unwrap();
    let options = FuseOptions { passthrough, allow_other: true, suid: true, ..FuseOptions::default() };
    let mounted = Mounted::with(local(source.path()), options);
    fs::set_permissions(mounted.path(), Permissions::from_mode(0o777)).unwrap();
    (source, mounted)
}

/// Appends to a file as somebody who does not own it.
fn append_as_nobody(file: &Path) {
    let status = Command::new("setpriv")
        .args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "sh",
            "-c",
            "echo more >> \"$1\"",
            "sh",
        ])
        .arg(file)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn data_of_open_files_does_not_reach_the_daemon() {
    let (source, mounted) = mount_local(Passthrough::Auto);
    assert!(mounted.session.has_passthrough(), "run this as root on Linux 6.9 or later");
    let path = mounted.path().join("f");
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(&vec![7; 1 << 20]).unwrap();
    file.rewind().unwrap();
    let mut read = Vec::new();
    file.read_to_end(&mut read).unwrap();
    assert_eq!((read.len(), fs::metadata(&path).unwrap().len()), (1 << 20, 1 << 20));
    let counters = mounted.session.counters();
    assert_eq!((counters.of(Operation::Read), counters.of(Operation::Write)), (0, 0));
    assert_eq!(fs::read(source.path().join("f")).unwrap(), read);
}

/// Symptom: with a long lifetime, a file that was changed through a map kept its old modification time for as long.
/// Cause: the kernel sees no store through the map of a backing file. Fix: the end of a writer invalidates the attributes.
#[test]
fn a_store_through_a_map_is_seen_in_the_times_once_the_writer_is_gone() {
    const STORE: &str = "import mmap, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR)
map = mmap.mmap(file, 4096)
os.close(file)
before = os.stat(sys.argv[1]).st_mtime_ns
time.sleep(0.02)
map[0:1] = b'x'
map.close()
print(before)";
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("f"), [7; 4096]).unwrap();
    let day = Some(std::time::Duration::from_secs(86_400));
    let options = FuseOptions { attr_lifetime: day, entry_lifetime: day, ..FuseOptions::default() };
    let mounted = Mounted::with(local(source.path()), options);
    assert!(mounted.session.has_passthrough(), "run this as root on Linux 6.9 or later");
    let path = mounted.path().join("f");
    let store = Command::new("python3").args(["-c", STORE]).arg(&path).output().unwrap();
    assert!(store.status.success(), "{}", String::from_utf8_lossy(&store.stderr));
    let before: i64 = String::from_utf8(store.stdout).unwrap().trim().parse().unwrap();
    let mtime = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec()
    };
    let stored = mtime(&source.path().join("f"));
    assert!(stored > before, "the store moved the time of the backing file");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while mtime(&path) != stored {
        assert!(std::time::Instant::now() < deadline, "the old time is kept");
        // RELEASE and what follows it come after the close.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn without_passthrough_every_byte_is_the_same() {
    let (source, mounted) = mount_local(Passthrough::Off);
    let data: Vec<u8> = (0..3_000_000u32).map(|index| (index % 251) as u8).collect();
    fs::write(mounted.path().join("f"), &data).unwrap();
    assert_eq!(fs::read(source.path().join("f")).unwrap(), data);
    assert_eq!(fs::read(mounted.path().join("f")).unwrap(), data);
    assert!(mounted.session.counters().of(Operation::Write) > 0);
}

#[test]
fn opens_that_overlap_share_one_mode() {
    let (_source, mounted) = mount_local(Passthrough::Auto);
    let path = mounted.path().join("f");
    fs::write(&path, b"0123456789").unwrap();
    let mut reader = File::open(&path).unwrap();
    let mut writer = File::options().write(true).open(&path).unwrap();
    let mut appender = File::options().append(true).open(&path).unwrap();
    writer.write_all(b"ab").unwrap();
    appender.write_all(b"end").unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "ab23456789end");
    drop((reader, writer));
    fs::write(&path, b"new").unwrap();
    appender.write_all(b"!").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new!");
}

#[test]
fn a_write_by_an_ordinary_user_clears_suid_and_sgid() {
    for passthrough in [Passthrough::Auto, Passthrough::Off] {
        let (source, mounted) = mount_local(passthrough);
        for (name, hold_open) in [("a", false), ("b", true)] {
            let path = mounted.path().join(name);
            fs::write(&path, b"x").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
            // With a reader that chose passthrough before the bits were set, the writer has to pass as well.
            let reader = hold_open.then(|| File::open(&path).unwrap());
            fs::set_permissions(&path, Permissions::from_mode(0o6777)).unwrap();
            append_as_nobody(&path);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o777, "{passthrough:?} {name}");
            assert_eq!(fs::metadata(source.path().join(name)).unwrap().mode() & 0o7777, 0o777);
            drop(reader);
        }
    }
}

#[test]
fn bits_set_while_a_writer_is_open_are_cleared_by_its_next_write() {
    let (source, mounted) = mount_local(Passthrough::Auto);
    let path = mounted.path().join("f");
    fs::write(&path, b"x").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    // A shell of another user holds the file open, and writes when told to.
    let mut writer = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c"])
        .arg("exec 3>>\"$1\"; echo ready; read line; echo more >&3")
        .arg("sh")
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    writer.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o6777)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o6777);
    writer.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    assert!(writer.wait().unwrap().success());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o777);
    assert_eq!(fs::metadata(source.path().join("f")).unwrap().mode() & 0o7777, 0o777);
}

#[test]
fn a_file_that_is_unlinked_while_open_goes_on() {
    let (source, mounted) = mount_local(Passthrough::Auto);
    let path = mounted.path().join("f");
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    file.write_all(b"still here").unwrap();
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), file.metadata().unwrap().nlink()), ("still here", 0));
    assert_eq!(fs::read_dir(source.path()).unwrap().count(), 0);
}

#[test]
fn registrations_end_with_the_last_release() {
    let (_source, mounted) = mount_local(Passthrough::Auto);
    for index in 0..64 {
        fs::write(mounted.path().join(format!("f{index}")), b"x").unwrap();
    }
    assert!(mounted.session.drain(std::time::Duration::from_secs(10)));
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = files();
    for index in 0..64 {
        assert_eq!(fs::read(mounted.path().join(format!("f{index}"))).unwrap(), b"x");
    }
    assert!(mounted.session.drain(std::time::Duration::from_secs(10)));
    assert!(files() <= before + 8, "{before} descriptors became {}", files());
}
