//! As `mount(8)` and `mount.fuse3(8)` call us.

use crate::scratch::{Scratch, fs9, is_root, output, refuse, succeed, text};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a link to the command under another name.
fn called(scratch: &Scratch, name: &str) -> PathBuf {
    let link = scratch.path(name);
    symlink(env!("CARGO_BIN_EXE_fs9"), &link).unwrap();
    link
}

#[test]
fn the_helper_of_mount_takes_a_line_of_fstab() {
    let scratch = Scratch::new();
    std::fs::write(scratch.source().join("hello"), "world").unwrap();
    let mut helper = Command::new(called(&scratch, "mount.fs9"));
    helper.arg(scratch.source()).arg(scratch.mnt());
    succeed(helper.args([
        "-n",
        "-v",
        "-o",
        "rw,_netdev,nofail,x-systemd.automount,attr_timeout=1",
        "-t",
        "fs9",
    ]));
    assert_eq!(scratch.sh("cat $m/hello"), "world");
}

#[test]
fn the_helper_remounts() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut helper = Command::new(called(&scratch, "mount.fuse.fs9"));
    succeed(helper.arg("memory:").arg(scratch.mnt()).args(["-o", "rw,nosuid,nodev,remount,entry_timeout=2"]));
    let mut helper = Command::new(scratch.path("mount.fuse.fs9"));
    let line = refuse(helper.arg("memory:").arg(scratch.mnt()).args(["-o", "remount,writeback"]), 32);
    assert!(line.contains("option \"writeback\" cannot change"), "{line}");
}

#[test]
fn a_fake_mount_checks_but_does_not_mount() {
    let scratch = Scratch::new();
    let helper = called(&scratch, "mount.fs9");
    succeed(Command::new(&helper).arg("memory:").arg(scratch.mnt()).arg("-f"));
    assert!(!scratch.is_mounted());
    let line = refuse(Command::new(&helper).arg("s3:x").arg(scratch.mnt()).arg("-f"), 32);
    assert!(line.contains("unknown provider"), "{line}");
}

#[test]
fn a_sloppy_mount_passes_unknown_options_over() {
    let scratch = Scratch::new();
    let helper = called(&scratch, "mount.fs9");
    let line =
        refuse(Command::new(&helper).arg("memory:").arg(scratch.mnt()).args(["-o", "ro,frobnicate"]), 1);
    assert!(line.contains("unknown option \"frobnicate\""), "{line}");
    succeed(Command::new(&helper).arg("memory:").arg(scratch.mnt()).args(["-s", "-o", "ro,frobnicate"]));
    assert!(scratch.is_mounted());
}

/// A line of fstab, the type that the kernel shows, and what `mount` repeats from the kernel's list at a remount. In a
/// mount namespace of its own, because `mount` finds its helpers only in `/sbin`.
const AS_MOUNT_DOES: &str = r#"
trap 'umount -l "$m" 2>/dev/null || true' EXIT
mount --bind "$links" "$(realpath /sbin)"
mount -t fs9 "$s" "$m" -o _netdev,nofail,attr_timeout=3
test "$(cat "$m/hello")" = world
umount "$m"
mount -t fuse.fs9 memory: "$m" -o noatime
findmnt -no FSTYPE,SOURCE,OPTIONS "$m"
mount -o remount,ro "$m"
findmnt -no OPTIONS "$m"
mount -o remount,rw,entry_timeout=1 "$m"
findmnt -no OPTIONS "$m"
echo still writable > "$m/file"
if mount -o remount,writeback "$m"; then exit 9; fi
umount "$m"
"#;

#[test]
fn mount_mounts_and_remounts_by_either_type() {
    if !is_root() {
        eprintln!("skipped: only root has mount namespaces");
        return;
    }
    let scratch = Scratch::new();
    std::fs::write(scratch.source().join("hello"), "world").unwrap();
    std::fs::create_dir(scratch.path("links")).unwrap();
    for name in ["links/mount.fs9", "links/mount.fuse.fs9"] {
        called(&scratch, name);
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-e", "-c", AS_MOUNT_DOES]).env("links", scratch.path("links"));
    let output = output(command.env("m", scratch.mnt()).env("s", scratch.source()));
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].starts_with("fuse.fs9 memory: rw,nosuid,nodev,noatime,"), "{stdout}");
    assert!(lines[1].starts_with("ro,nosuid,nodev,noatime,"), "{stdout}");
    assert!(lines[2].starts_with("rw,nosuid,nodev,noatime,"), "{stdout}");
    assert!(stderr.contains("option \"writeback\" cannot change"), "{stderr}");
}

#[test]
fn mount_fuse_finds_us_by_our_own_name() {
    let program = Path::new("/usr/sbin/mount.fuse3");
    if !is_root() || !program.exists() {
        eprintln!("skipped: needs root and mount.fuse3");
        return;
    }
    let scratch = Scratch::new();
    called(&scratch, "fs9");
    let mut search = scratch.path("").into_os_string();
    search.push(":");
    search.push(std::env::var_os("PATH").unwrap());
    let mount_fuse = |options: &str| {
        let mut command = Command::new(program);
        command
            .arg("memory:")
            .arg(scratch.mnt())
            .args(["-t", "fuse.fs9", "-o", options])
            .env("PATH", &search);
        succeed(&mut command);
        scratch.sh("findmnt -no FSTYPE,OPTIONS $m")
    };
    assert!(mount_fuse("nosuid,nodev,_netdev").starts_with("fuse.fs9 rw,nosuid,nodev,"));
    // It adds dev and suid, which nobody asked for.
    assert!(mount_fuse("remount,ro").starts_with("fuse.fs9 ro,nosuid,nodev,"));
}

#[test]
fn completions_and_man_pages_come_from_the_same_definitions() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = succeed(&mut fs9(&["completions", shell]));
        for command in ["mount", "umount", "status"] {
            assert!(script.contains(command), "{shell}");
        }
        assert!(script.contains("--config") || script.contains("-l config"), "{shell}");
    }
    succeed(fs9(&["man"]).arg(scratch.path("man")));
    let page = std::fs::read_to_string(scratch.path("man/fs9-mount.1")).unwrap();
    for word in
        ["allow_other", "attr_timeout=SECONDS", "SOURCE MOUNTPOINT", "An ordinary user mounts", "Exit status"]
    {
        assert!(page.replace("\\-", "-").contains(word), "{word} in {page}");
    }
    // Each option stands alone, with its text below it, and not as a table that a narrow page breaks.
    assert!(page.contains("\n.TP\n\\fBpassthrough=auto|off\\fR\nWhether the kernel reads"), "{page}");
    assert!(page.lines().all(|line| !line.starts_with(' ')), "{page}");
    assert!(scratch.path("man/fs9.1").exists() && scratch.path("man/mount.fs9.8").exists());
}
