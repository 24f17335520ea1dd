//! What signals do to a mount that is idle, busy, or dead.

use crate::scratch::{Scratch, fs9, refuse, succeed, wait_until};
use rustix::process::Signal;
use std::fs;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::process::Command;

#[test]
fn sigterm_unmounts_an_idle_mount() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
    assert!(!scratch.is_mounted());
}

#[test]
fn sigterm_waits_for_an_open_file_that_is_closed_in_time() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    let file = fs::File::create(scratch.mnt().join("file")).unwrap();
    server.signal(Signal::TERM);
    wait_until("new opens are refused", || fs::File::create(scratch.mnt().join("other")).is_err());
    assert!(scratch.is_mounted());
    drop(file);
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
    assert!(!scratch.is_mounted());
}

#[test]
fn sigterm_waits_for_a_working_directory_that_is_left_in_time() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    let mut holder =
        std::process::Command::new("sleep").arg("60").current_dir(scratch.mnt()).spawn().unwrap();
    server.signal(Signal::TERM);
    wait_until("new opens are refused", || fs::File::create(scratch.mnt().join("other")).is_err());
    let is_still_mounted = scratch.is_mounted();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(is_still_mounted);
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
    assert!(!server.log().contains("busy"), "{}", server.log());
}

#[test]
fn sigterm_detaches_a_busy_mount_and_serves_it_until_the_last_close() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    fs::write(scratch.mnt().join("file"), "still here").unwrap();
    let mut file = fs::File::open(scratch.mnt().join("file")).unwrap();
    server.signal(Signal::INT);
    wait_until("it is detached", || !scratch.is_mounted());
    let holder = format!("held by {} (", std::process::id());
    wait_until("the holder is in the log", || server.log().contains(&holder));
    let mut content = String::new();
    file.read_to_string(&mut content).unwrap();
    assert_eq!(content, "still here");
    assert!(server.child.try_wait().unwrap().is_none(), "it serves the open file");
    drop(file);
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
}

#[test]
fn a_second_sigterm_aborts_a_busy_mount() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    let file = fs::File::create(scratch.mnt().join("file")).unwrap();
    server.signal(Signal::TERM);
    wait_until("new opens are refused", || fs::File::create(scratch.mnt().join("other")).is_err());
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(8), "{}", server.log());
    assert!(!scratch.is_mounted());
    assert!(file.metadata().is_err(), "what is open is cut off");
}

/// Symptom: after `umount -l` of a busy mount, a second signal did not end the daemon where `/sys/fs/fuse/connections` is not
/// mounted. Cause: it waited for the end of what it could not cut off. Fix: it ends, and the kernel cuts it off then.
#[test]
fn a_second_sigterm_ends_a_daemon_whose_mount_was_detached_before() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    let file = fs::File::create(scratch.mnt().join("file")).unwrap();
    let same = format!("/proc/self/fd/{}", file.as_raw_fd());
    let detached = Command::new("umount").arg("-l").arg(scratch.mnt()).status().unwrap();
    assert!(detached.success() && !scratch.is_mounted());
    server.signal(Signal::TERM);
    wait_until("new opens are refused", || fs::File::open(&same).is_err());
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(8), "{}", server.log());
    assert!(file.metadata().is_err(), "what is open is cut off");
}

#[test]
fn a_dead_mount_is_shown_as_such_and_can_be_taken_away() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(scratch.is_mounted(), "the kernel keeps it");
    let status = succeed(fs9(&["status"]).arg(scratch.mnt()));
    assert!(status.contains("dead: its daemon is gone"), "{status}");
    refuse(fs9(&["mount", "memory:"]).arg(scratch.mnt()), 32);
    succeed(fs9(&["umount"]).arg(scratch.mnt()));
    assert!(!scratch.is_mounted());
}
