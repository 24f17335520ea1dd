//! A user without rights mounts through `fusermount3`.
//!
//! Where `/dev/fuse` is open to users, as udev makes it, is a matter of the machine: as root, the tests run in a mount
//! namespace of their own with a device that is.

use crate::scratch::{NOBODY, Scratch, is_root, output, text, wait_until};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Child, Command, Output, Stdio};

/// Makes a device that everybody may open, and stays until its input ends.
const NAMESPACE: &str = r#"
mknod "$d/fuse" c 10 229
chmod 666 "$d/fuse"
mount --bind "$d/fuse" /dev/fuse
echo ready
exec cat
"#;

/// A scratch directory of which a user without rights owns source and mount point.
struct User {
    scratch: Scratch,
    /// Keeps the mount namespace.
    namespace: Option<Child>,
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
        let namespace = is_root().then(|| {
            for place in [scratch.source(), scratch.mnt()] {
                chown(place, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-e", "-c", NAMESPACE]).env("d", scratch.path(""));
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            child
        });
        Some(User { scratch, namespace })
    }

    /// Returns a command in the mount namespace, of this process's user or of one without rights.
    fn command(&self, is_privileged: bool) -> Command {
        let Some(namespace) = &self.namespace else { return Command::new("env") };
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", namespace.id()));
        if is_privileged {
            command.arg("env");
        } else {
            let (uid, gid) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
            command.args(["setpriv", &uid, &gid, "--clear-groups"]);
        }
        command
    }

    /// Runs a shell script with `$fs9`, `$m` and `$s`.
    fn run(&self, is_privileged: bool, script: &str) -> Output {
        let mut command = self.command(is_privileged);
        command.args(["sh", "-c", script]).env("fs9", self.scratch.path("fs9"));
        output(command.env("m", self.scratch.mnt()).env("s", self.scratch.source()).current_dir("/"))
    }

    /// Runs a shell script as the user without rights.
    fn shell(&self, script: &str) -> Output {
        self.run(false, script)
    }

    /// Returns whether the mount is there.
    fn is_mounted(&self) -> bool {
        let process = self.namespace.as_ref().map_or_else(std::process::id, Child::id);
        let list = text(&std::fs::read(format!("/proc/{process}/mounts")).unwrap());
        list.contains(&format!(" {} fuse.fs9 ", self.scratch.mnt().display()))
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
        assert!(!self.is_mounted(), "{line}");
        line
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if self.is_mounted() {
            // Somebody may have unmounted it since.
            let _gone = self.run(true, "umount -l \"$m\"");
        }
        if let Some(namespace) = &mut self.namespace {
            // Both fail if it has ended, which is as well.
            let _ended = namespace.kill();
            let _reaped = namespace.wait();
        }
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
    assert!(!user.is_mounted());
}

#[test]
fn new_files_get_the_umask_of_the_one_who_makes_them_not_of_the_daemon() {
    let Some(user) = User::new() else { return };
    user.sh("umask 077; $fs9 mount $s $m");
    user.sh("umask 0002; touch $m/file; mkdir $m/dir; umask 0; mknod $m/fifo p");
    assert_eq!(user.sh("stat -c %a $m/file $m/dir $m/fifo"), "664\n775\n666\n");
    user.sh("$fs9 umount $m");
}

#[test]
fn nobody_else_enters_a_users_mount_not_even_root() {
    if !is_root() {
        eprintln!("skipped: only root can be somebody else");
        return;
    }
    let Some(user) = User::new() else { return };
    user.sh("$fs9 mount memory: $m");
    assert!(text(&user.run(true, "ls $m").stderr).contains("Permission denied"));
    let page = text(&user.run(true, "$fs9 status $m").stdout);
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
    if conf.lines().any(|line| line.trim() == "user_allow_other") {
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
    let line = user.refused("$fs9 mount -o low_latency=on memory: $m", 32);
    assert!(line.contains("low_latency=on: cannot open /dev/cpu_dma_latency"), "{line}");
    let line = user.refused("PATH=/nowhere $fs9 mount memory: $m", 32);
    assert!(line.contains("fusermount3: not found"), "{line}");
}

#[test]
fn a_device_that_is_closed_to_users_is_named() {
    let Some(user) = User::new() else { return };
    if user.namespace.is_none() {
        eprintln!("skipped: only root can close it");
        return;
    }
    assert!(user.run(true, "chmod 600 /dev/fuse").status.success(), "the one of this mount namespace");
    let line = user.refused("$fs9 mount memory: $m", 32);
    assert_eq!(
        line,
        "fs9: mount: /dev/fuse: closed to users: open it (chmod 666 /dev/fuse), or mount as root\n"
    );
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
    assert!(line.contains("no write access to mountpoint"), "{line}");
}

#[test]
fn the_doctor_tells_a_user_what_users_can_have() {
    let Some(user) = User::new() else { return };
    user.sh("$fs9 mount $s $m");
    let page = user.sh("$fs9 doctor");
    let place = user.scratch.mnt().display().to_string();
    assert!(page.contains("ok       mounting: as a user, by "), "{page}");
    assert!(page.contains("off      passthrough: "), "{page}");
    assert!(page.contains(&format!("ok       mount: {place} answers")), "{page}");
    assert_eq!(page.lines().last(), Some("a mount would work"));
    if is_root() {
        let page = text(&user.run(true, "$fs9 doctor").stdout);
        assert!(page.contains(&format!("off      mount: {place} is closed to this user")), "{page}");
    }
    user.sh("$fs9 umount $m");
}
