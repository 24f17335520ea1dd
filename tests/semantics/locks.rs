//! POSIX and flock locks hold among all users of a mount.

use fs9_tests::Mounted;
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use std::fs::File;
use std::path::Path;
use std::process::Command;

/// Opens a file for reading and writing.
fn open(path: &Path) -> File {
    File::options().create(true).truncate(false).read(true).write(true).open(path).unwrap()
}

#[test]
fn a_flock_keeps_out_a_second_open_file_until_it_is_closed() {
    for mount in [Mounted::local(""), Mounted::memory("")] {
        let path = mount.path("lock");
        let first = open(&path);
        let second = open(&path);
        flock(&first, FlockOperation::LockExclusive).unwrap();
        let refused = flock(&second, FlockOperation::NonBlockingLockExclusive).unwrap_err();
        assert_eq!(refused, rustix::io::Errno::WOULDBLOCK);
        let other_process =
            Command::new("flock").args(["--nonblock"]).arg(&path).arg("true").status().unwrap();
        assert!(!other_process.success());
        drop(first);
        flock(&second, FlockOperation::NonBlockingLockExclusive).unwrap();
    }
}

#[test]
fn a_posix_lock_keeps_out_another_process() {
    for mount in [Mounted::local(""), Mounted::memory("")] {
        let path = mount.path("database");
        let file = open(&path);
        fcntl_lock(&file, FlockOperation::LockExclusive).unwrap();
        let sqlite = |text: &str| Command::new("sqlite3").arg(&path).arg(text).output().unwrap();
        let locked = sqlite("create table t(a);");
        let message = String::from_utf8_lossy(&locked.stderr).into_owned();
        assert!(!locked.status.success() && message.contains("locked"), "{message}");
        fcntl_lock(&file, FlockOperation::Unlock).unwrap();
        assert!(sqlite("create table t(a);").status.success());
    }
}
