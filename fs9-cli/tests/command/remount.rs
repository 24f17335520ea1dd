//! `-o remount`: what can change does, what cannot is refused by name, what is repeated is no change.

use crate::scratch::{Scratch, fs9, is_root, refuse, succeed, wait_until};
use std::fs;

/// Remounts with options.
#[track_caller]
fn remount(scratch: &Scratch, options: &str) {
    let options = format!("remount,{options}");
    succeed(fs9(&["mount", "-o", &options, "memory:"]).arg(scratch.mnt()));
}

/// Remounts with options that are to be refused.
#[track_caller]
fn refused(scratch: &Scratch, options: &str) -> String {
    let options = format!("remount,{options}");
    refuse(fs9(&["mount", "-o", &options]).arg(scratch.mnt()), 32)
}

#[test]
fn lifetimes_change_on_a_mount_in_use() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "attr_timeout=5");
    let _in_use = fs::File::create(scratch.mnt().join("file")).unwrap();
    remount(&scratch, "attr_timeout=0,entry_timeout=0,negative_timeout=0");
    assert_eq!(scratch.sh("cat $m/.fs9/ctl"), "ok\tremounted\n");
}

#[test]
fn attributes_are_asked_for_anew_once_their_lifetime_is_nothing() {
    let scratch = Scratch::new();
    fs::write(scratch.source().join("file"), "1").unwrap();
    scratch.mount(scratch.source().to_str().unwrap(), "attr_timeout=1000,entry_timeout=1000");
    let size = || fs::metadata(scratch.mnt().join("file")).unwrap().len();
    assert_eq!(size(), 1);
    remount(&scratch, "attr_timeout=0");
    // What was handed out before keeps its lifetime; a file that the kernel has not seen does not.
    fs::write(scratch.source().join("later"), "1").unwrap();
    let later = || fs::metadata(scratch.mnt().join("later")).unwrap().len();
    assert_eq!(later(), 1);
    fs::write(scratch.source().join("later"), "12").unwrap();
    assert_eq!(later(), 2);
}

#[test]
fn the_log_level_changes_on_a_mount_in_use() {
    let scratch = Scratch::new();
    let log = scratch.path("daemon.log");
    scratch.mount("memory:", &format!("log={},log_level=error", log.display()));
    remount(&scratch, "log_level=info");
    scratch.sh("echo mount memory: /seen > $m/.fs9/ctl");
    wait_until("the command is in the log", || {
        fs::read_to_string(&log).unwrap().contains("mount memory: /seen")
    });
}

#[test]
fn root_makes_a_mount_read_only_and_writable_again() {
    if !is_root() {
        eprintln!("skipped: only root can");
        return;
    }
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    remount(&scratch, "ro,noexec");
    assert!(!scratch.shell("touch $m/file").status.success());
    let options = scratch.sh("findmnt -no OPTIONS $m");
    assert!(options.starts_with("ro,nosuid,nodev,noexec,"), "{options}");
    remount(&scratch, "rw,exec");
    scratch.sh("touch $m/file");
}

#[test]
fn a_mount_with_an_open_writer_does_not_become_read_only() {
    if !is_root() {
        eprintln!("skipped: only root can");
        return;
    }
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let _writer = fs::File::create(scratch.mnt().join("file")).unwrap();
    let line = refused(&scratch, "ro");
    assert!(line.contains("files are open for writing: close them first"), "{line}");
}

#[test]
fn what_cannot_change_is_refused_by_name_and_nothing_changes() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    for option in ["writeback", "max_threads=7", "allow_other", "nocontrol", "passthrough=off"] {
        let line = refused(&scratch, option);
        assert!(
            line.contains(&format!("option \"{option}\" cannot change: unmount and mount anew")),
            "{line}"
        );
    }
}

#[test]
fn what_mount_repeats_from_its_lists_is_no_change() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "noatime,max_threads=3,attr_timeout=4");
    remount(
        &scratch,
        "rw,nosuid,nodev,noatime,user_id=0,group_id=0,default_permissions,max_threads=3,_netdev,nofail,x-systemd.automount",
    );
}

#[test]
fn a_remount_of_what_is_not_mounted_is_refused() {
    let scratch = Scratch::new();
    let line = refused(&scratch, "ro");
    assert!(line.ends_with("not a mount of fs9: fs9 status lists them"), "{line}");
}
