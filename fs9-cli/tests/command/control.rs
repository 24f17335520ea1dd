//! `.fs9`: reachable by name, not listed, and commanded with `echo`.

use crate::scratch::{NOBODY, Scratch, fs9, is_root, output, refuse, succeed, text};
use std::fs;
use std::process::Command;

#[test]
fn a_provider_is_mounted_and_unmounted_by_echo() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    scratch.sh("echo mount memory: /scratch > $m/.fs9/ctl");
    assert_eq!(scratch.sh("cat $m/.fs9/ctl"), "ok\tmounted memory: at /scratch\n");
    assert_eq!(scratch.sh("ls $m"), "scratch\n");
    scratch.sh("echo hello > $m/scratch/file && grep -q hello $m/scratch/file");
    scratch.sh("echo unmount /scratch > $m/.fs9/ctl");
    assert_eq!(scratch.sh("ls $m"), "");
}

#[test]
fn a_command_takes_options_of_the_provider() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    scratch.sh("echo mount memory: /small size=64k,mode=1777 > $m/.fs9/ctl");
    assert_eq!(scratch.sh("stat -c %a $m/small"), "1777\n");
    assert!(!scratch.shell("head -c 100000 /dev/zero > $m/small/file").status.success());
    scratch.sh("echo mount local:$s /data ro > $m/.fs9/ctl");
    let refused = text(&scratch.shell("touch $m/data/file").stderr);
    assert!(refused.contains("Read-only file system"), "{refused}");
}

#[test]
fn a_bind_shows_a_directory_at_a_second_path() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    scratch.sh("mkdir -p $m/a/b && echo same > $m/a/b/file");
    scratch.sh("echo bind /a/b /seen > $m/.fs9/ctl");
    assert_eq!(scratch.sh("cat $m/seen/file"), "same\n");
    scratch.sh("echo changed > $m/seen/file");
    assert_eq!(scratch.sh("cat $m/a/b/file"), "changed\n");
    scratch.sh("echo unmount /seen > $m/.fs9/ctl");
}

#[test]
fn a_bind_of_a_directory_that_leads_to_mounts_shows_them() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    scratch.sh("echo mount memory: /way/to/a > $m/.fs9/ctl && echo same > $m/way/to/a/file");
    scratch.sh("echo bind /way /seen > $m/.fs9/ctl");
    assert_eq!(scratch.sh("cat $m/.fs9/ctl"), "ok\tbound /way at /seen\n");
    assert_eq!(scratch.sh("cat $m/seen/to/a/file"), "same\n");
    let shown = scratch.sh("cut -f 3-5 $m/.fs9/mounts");
    assert!(shown.contains("/seen\tbind\t/way\n") && shown.contains("/seen/to/a\tmemory\t"), "{shown}");
    assert!(!scratch.shell("/bin/echo unmount /seen > $m/.fs9/ctl").status.success());
    scratch.sh("echo unmount -l /seen > $m/.fs9/ctl");
    assert_eq!(scratch.sh("ls $m"), "way\n");
}

#[test]
fn paths_with_blanks_are_quoted_or_escaped() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    scratch.sh(r#"echo 'mount memory: "/my files"' > $m/.fs9/ctl"#);
    assert_eq!(scratch.sh("ls $m"), "my files\n");
    scratch.sh(r"printf '%s\n' 'unmount /my\040files' > $m/.fs9/ctl");
    assert_eq!(scratch.sh("ls $m"), "");
}

#[test]
fn a_refused_command_fails_the_write_and_ctl_tells_why() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let cases = [
        (
            "frobnicate /x",
            "EINVAL",
            "unknown command \"frobnicate\": known are mount, unmount, bind, remount",
        ),
        ("mount memory:", "EINVAL", "usage: mount SOURCE PATH [OPTIONS]"),
        ("mount s3:bucket /x", "EINVAL", "unknown provider \"s3\": known are local, memory"),
        ("mount /nowhere/at/all /x", "EINVAL", "the source does not exist"),
        ("mount source /x", "EINVAL", "not an absolute path"),
        ("mount memory: x", "EINVAL", "not absolute"),
        ("mount memory: /x frob", "EINVAL", "unknown option \"frob\""),
        ("mount memory: / ", "EBUSY", "it belongs to the mount itself"),
        ("mount memory: /.fs9/x", "EBUSY", "it belongs to the mount itself"),
        ("unmount /", "EBUSY", "it belongs to the mount itself"),
        ("unmount /x", "EINVAL", "nothing is mounted there"),
        ("bind /missing /x", "ENOENT", "/missing"),
        ("mount memory: \"/x", "EINVAL", "a quote that is not closed"),
    ];
    for (command, errno, why) in cases {
        let output = scratch.shell(&format!("printf '%s\\n' '{command}' > $m/.fs9/ctl"));
        assert!(!output.status.success(), "{command}");
        let answer = scratch.sh("cat $m/.fs9/ctl");
        assert!(answer.starts_with(&format!("{errno}\t")) && answer.contains(why), "{command}: {answer}");
    }
    assert_eq!(scratch.sh("ls $m"), "");
}

#[test]
fn what_is_no_directory_is_not_mounted_over() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.source().join("dir")).unwrap();
    fs::write(scratch.source().join("dir/file"), "kept").unwrap();
    std::os::unix::fs::symlink("dir", scratch.source().join("link")).unwrap();
    scratch.mount(scratch.source().to_str().unwrap(), "");
    for (command, kind) in [
        ("mount memory: /dir/file", "/dir/file is a regular file"),
        ("mount memory: /dir/file/x", "/dir/file is a regular file"),
        ("mount memory: /link", "/link is a symbolic link"),
        ("bind /dir /dir/file", "/dir/file is a regular file"),
    ] {
        let refused = text(&scratch.shell(&format!("/bin/echo {command} > $m/.fs9/ctl")).stderr);
        assert!(refused.contains("Not a directory"), "{command}: {refused}");
        let answer = scratch.sh("cat $m/.fs9/ctl");
        assert!(answer.starts_with("ENOTDIR\t") && answer.contains(kind), "{command}: {answer}");
    }
    assert_eq!(scratch.sh("cat $m/dir/file"), "kept");
    scratch.sh("echo mount memory: /dir > $m/.fs9/ctl");
    assert_eq!(scratch.sh("ls $m/dir"), "");
}

#[test]
fn a_source_in_the_mount_itself_is_refused() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    scratch.sh("mkdir $m/dir");
    assert!(!scratch.shell("echo mount local:$m/dir /x > $m/.fs9/ctl").status.success());
    let answer = scratch.sh("cat $m/.fs9/ctl");
    assert!(
        answer.starts_with("ELOOP\t") && answer.contains("it lies in this very mount: use bind"),
        "{answer}"
    );
}

#[test]
fn no_command_makes_a_mount_looser_than_it_is() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    for option in ["suid", "dev", "noexec", "ro"] {
        let output = scratch.shell(&format!("echo remount {option} > $m/.fs9/ctl"));
        assert!(!output.status.success(), "{option}");
        assert!(scratch.sh("cat $m/.fs9/ctl").starts_with("EPERM\t"), "{option}");
    }
    for option in ["suid", "dev", "allow_other"] {
        let output = scratch.shell(&format!("echo mount memory: /x {option} > $m/.fs9/ctl"));
        assert!(!output.status.success(), "{option}");
    }
}

#[test]
fn a_read_only_mount_takes_no_commands() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "ro");
    let refused = text(&scratch.shell("echo mount memory: /x > $m/.fs9/ctl").stderr);
    assert!(refused.contains("Read-only file system"), "{refused}");
    assert_eq!(scratch.sh("ls $m"), "");
}

#[test]
fn a_busy_path_is_unmounted_only_lazily() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    scratch.sh("echo mount memory: /scratch > $m/.fs9/ctl && echo kept > $m/scratch/file");
    let file = fs::File::open(scratch.mnt().join("scratch/file")).unwrap();
    let output = scratch.shell("echo unmount /scratch > $m/.fs9/ctl");
    assert!(!output.status.success());
    assert!(scratch.sh("cat $m/.fs9/ctl").starts_with("EBUSY\t"));
    scratch.sh("echo unmount -l /scratch > $m/.fs9/ctl");
    assert_eq!(scratch.sh("ls $m"), "");
    assert_eq!(std::io::read_to_string(file).unwrap(), "kept\n");
}

#[test]
fn the_control_directory_is_there_by_name_only_and_belongs_to_its_owner() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    assert_eq!(scratch.sh("ls -A $m"), "");
    assert_eq!(
        scratch.sh("ls $m/.fs9 | tr '\\n' ' '"),
        "accesslog ctl handles mounts providers stats version "
    );
    assert_eq!(scratch.sh("stat -c '%a %u' $m/.fs9 $m/.fs9/ctl $m/.fs9/stats").lines().count(), 3);
    assert!(scratch.sh("stat -c %a $m/.fs9 $m/.fs9/ctl").starts_with("700\n600\n"));
    assert_eq!(scratch.sh("cat $m/.fs9/version"), format!("{}\n", env!("CARGO_PKG_VERSION")));
    let taken = text(&scratch.shell("mkdir $m/.fs9").stderr);
    assert!(taken.contains("File exists"), "{taken}");
}

#[test]
fn an_entry_of_that_name_is_hidden_with_a_line_in_the_log() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.source().join(".fs9")).unwrap();
    let log = scratch.path("daemon.log");
    scratch.mount(scratch.source().to_str().unwrap(), &format!("log={}", log.display()));
    assert!(scratch.sh("ls $m/.fs9").contains("ctl"));
    assert_eq!(scratch.sh("ls -A $m"), "");
    assert!(fs::read_to_string(log).unwrap().contains("the control directory hides it"));
}

#[test]
fn another_user_cannot_command_a_mount_that_is_open_to_all() {
    if !is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let scratch = Scratch::new();
    scratch.mount("memory:mode=1777", "allow_other");
    let nobody = |script: &str| {
        let mut command = Command::new("setpriv");
        command.args([
            &format!("--reuid={NOBODY}"),
            &format!("--regid={NOBODY}"),
            "--clear-groups",
            "sh",
            "-c",
        ]);
        output(command.arg(script).env("m", scratch.mnt()))
    };
    assert!(nobody("touch $m/file").status.success(), "the mount itself is open");
    for script in ["echo mount memory: /x > $m/.fs9/ctl", "cat $m/.fs9/stats", "ls $m/.fs9"] {
        let output = nobody(script);
        assert!(text(&output.stderr).contains("Permission denied"), "{script}: {}", text(&output.stderr));
    }
}

#[test]
fn without_control_there_is_no_control_directory() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "nocontrol");
    assert!(!scratch.mnt().join(".fs9").exists());
    scratch.sh("mkdir $m/.fs9");
    let line = refuse(fs9(&["mount", "-o", "remount,attr_timeout=3", "x"]).arg(scratch.mnt()), 32);
    assert!(line.contains("mounted with nocontrol"), "{line}");
    let status = succeed(fs9(&["status"]).arg(scratch.mnt()));
    assert!(status.contains("without control directory"), "{status}");
}
