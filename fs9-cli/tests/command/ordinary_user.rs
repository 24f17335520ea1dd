//! A user without rights mounts through `fusermount3`.

use crate::scratch::{NOBODY, Scratch, is_root, mounts_below, output, text, wait_until};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Command, Output};

/// A scratch directory of which a user without rights owns source and mount point.
struct User {
    scratch: Scratch,
}

impl User {
    /// Returns nothing, with a message, where users cannot mount.
    fn new() -> Option<User> {
        let search = std::env::var_os("PATH").unwrap();
        if !std::env::split_paths(&search).any(|directory| directory.join("fusermount3").exists()) {
            eprintln!("skipped: fusermount3 is not installed");
            return None;
        }
        let scratch = Scratch::new();
        // The user may not be able to reach the place where the binary was built.
        std::fs::copy(env!("CARGO_BIN_EXE_fs9"), scratch.path("fs9")).unwrap();
        std::fs::set_permissions(scratch.path("fs9"), std::fs::Permissions::from_mode(0o755)).unwrap();
        if is_root() {
            for place in [scratch.source(), scratch.mnt()] {
                chown(place, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        Some(User { scratch })
    }

    /// Runs a shell script as that user, with `$fs9`, `$m` and `$s`.
    fn shell(&self, script: &str) -> Output {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args([
                &format!("--reuid={NOBODY}"),
                &format!("--regid={NOBODY}"),
                "--clear-groups",
                "sh",
            ]);
            command
        } else {
            Command::new("sh")
        };
        command.args(["-c", script]).env("fs9", self.scratch.path("fs9"));
        output(command.env("m", self.scratch.mnt()).env("s", self.scratch.source()).current_dir("/"))
    }

    #[track_caller]
    fn sh(&self, script: &str) -> String {
        let output = self.shell(script);
        assert!(output.status.success(), "{script}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a script that has to fail with this status and one line.
    #[track_caller]
    fn refused(&self, script: &str, status: i32) -> String {
        let output = self.shell(script);
        let line = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{script}: {line}");
        assert!(line.starts_with("fs9: ") && line.matches('\n').count() == 1, "{line}");
        assert!(mounts_below(&self.scratch.mnt()).is_empty(), "{line}");
        line
    }
}

#[test]
fn a_user_mounts_works_and_unmounts() {
    let Some(user) = User::new() else { return };
    user.sh("$fs9 mount $s $m && echo hello > $m/file && grep -q hello $s/file");
    let owner = user.sh("stat -c %u $m/file $s/file");
    assert_eq!(owner.lines().next(), owner.lines().nth(1));
    user.sh("echo mount memory: /scratch > $m/.fs9/ctl && echo x > $m/scratch/file");
    user.sh("$fs9 umount $m");
    assert!(!user.scratch.is_mounted());
}

#[test]
fn nobody_else_enters_a_users_mount_not_even_root() {
    if !is_root() {
        eprintln!("skipped: only root can be somebody else");
        return;
    }
    let Some(user) = User::new() else { return };
    user.sh("$fs9 mount memory: $m");
    let error = std::fs::read_dir(user.scratch.mnt()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    let mut status = Command::new(user.scratch.path("fs9"));
    let page = text(&output(status.arg("status").arg(user.scratch.mnt())).stdout);
    assert!(page.contains(&format!("of user {NOBODY}: no permission to look")), "{page}");
    user.sh("$fs9 umount $m");
}

#[test]
fn a_busy_mount_of_a_user_names_its_holder() {
    let Some(user) = User::new() else { return };
    user.sh("$fs9 mount memory: $m");
    let busy = user.shell("cd $m && exec 3> file && cd / && $fs9 umount $m");
    assert_eq!(busy.status.code(), Some(32), "{}", text(&busy.stderr));
    let line = text(&busy.stderr);
    assert!(line.contains("busy: held by ") && line.contains("fd 3"), "{line}");
    wait_until("the file is closed", || user.shell("$fs9 umount $m").status.success());
}

#[test]
fn allow_other_without_permission_in_fuse_conf_says_so() {
    let Some(user) = User::new() else { return };
    let conf = std::fs::read_to_string("/etc/fuse.conf").unwrap_or_default();
    if conf.lines().any(|line| line.trim() == "user_allow_other")
        || (!is_root() && rustix::process::geteuid().is_root())
    {
        eprintln!("skipped: /etc/fuse.conf permits it here");
        return;
    }
    let line = user.refused("$fs9 mount -o allow_other memory: $m", 1);
    assert!(line.contains("add the line user_allow_other"), "{line}");
}

#[test]
fn what_only_root_may_is_refused_by_name() {
    let Some(user) = User::new() else { return };
    let line = user.refused("$fs9 mount -o suid memory: $m", 1);
    assert!(line.contains("mount: suid: only root"), "{line}");
    let line = user.refused("PATH=/nowhere $fs9 mount memory: $m", 32);
    assert!(line.contains("fusermount3: not found"), "{line}");
}

#[test]
fn an_unreadable_source_is_named() {
    let Some(user) = User::new() else { return };
    if !is_root() {
        eprintln!("skipped: only root can make a directory that a user cannot read");
        return;
    }
    chown(user.scratch.source(), Some(0), Some(0)).unwrap();
    std::fs::set_permissions(user.scratch.source(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let line = user.refused("$fs9 mount $s $m", 32);
    assert!(line.contains("the source cannot be read: permission denied"), "{line}");
}

#[test]
fn a_mount_point_that_a_user_may_not_write_is_refused_in_one_line() {
    let Some(user) = User::new() else { return };
    if !is_root() {
        eprintln!("skipped: only root can make a directory that a user cannot write");
        return;
    }
    chown(user.scratch.mnt(), Some(0), Some(0)).unwrap();
    let line = user.refused("$fs9 mount memory: $m", 32);
    assert!(line.contains("fusermount3") || line.contains("no write access"), "{line}");
}
