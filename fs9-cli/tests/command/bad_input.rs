//! Each mistake gives one clear line and a status of `mount(8)`, and leaves nothing mounted.

use crate::scratch::{Scratch, fs9, is_root, refuse, succeed};
use std::fs;
use std::process::Command;

/// Runs a mount that has to fail, and checks that nothing is mounted.
#[track_caller]
fn refused(scratch: &Scratch, arguments: &[&str], status: i32) -> String {
    let mut command = fs9(&["mount"]);
    let line = refuse(command.args(arguments).arg(scratch.mnt()), status);
    assert!(!scratch.is_mounted(), "{line}");
    line
}

#[test]
fn a_missing_source_is_named() {
    let scratch = Scratch::new();
    let missing = scratch.path("missing");
    let line = refused(&scratch, &[missing.to_str().unwrap()], 32);
    assert_eq!(line, format!("mount: {}: the source does not exist: check the path", missing.display()));
}

#[test]
fn a_source_that_is_a_file_is_named() {
    let scratch = Scratch::new();
    let file = scratch.write("file", "");
    let line = refused(&scratch, &[file.to_str().unwrap()], 32);
    assert!(line.ends_with("the source is not a directory: choose a directory"), "{line}");
}

#[test]
fn a_missing_mount_point_is_named() {
    let scratch = Scratch::new();
    fs::remove_dir(scratch.mnt()).unwrap();
    let line = refused(&scratch, &["memory:"], 32);
    assert_eq!(
        line,
        format!(
            "mount: {}: the mount point does not exist: create the directory first",
            scratch.mnt().display()
        )
    );
}

#[test]
fn a_mount_point_that_is_a_file_is_named() {
    let scratch = Scratch::new();
    fs::remove_dir(scratch.mnt()).unwrap();
    fs::write(scratch.mnt(), "").unwrap();
    let line = refused(&scratch, &["memory:"], 32);
    assert!(line.ends_with("the mount point is not a directory: choose a directory"), "{line}");
}

#[test]
fn a_mount_point_that_is_already_ours_is_named_and_stays_as_it_is() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut again = fs9(&["mount", "memory:"]);
    let line = refuse(again.arg(scratch.mnt()), 32);
    assert!(line.contains("memory: is already mounted there: unmount it first"), "{line}");
    succeed(fs9(&["umount"]).arg(scratch.mnt()));
    assert!(!scratch.is_mounted(), "it was mounted once");
}

#[test]
fn a_mount_point_that_is_busy_with_another_file_system_is_named() {
    if !is_root() {
        eprintln!("skipped: only root can mount tmpfs");
        return;
    }
    let scratch = Scratch::new();
    succeed(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(scratch.mnt()));
    let line = refuse(fs9(&["mount", "memory:"]).arg(scratch.mnt()), 32);
    assert!(line.contains("is busy: a file system of type tmpfs is mounted there"), "{line}");
}

#[test]
fn an_unknown_option_is_refused_by_name() {
    let scratch = Scratch::new();
    let line = refused(&scratch, &["-o", "ro,frobnicate=3", "memory:"], 1);
    assert_eq!(line, "mount: unknown option \"frobnicate\": see fs9 mount --help");
    let line = refused(&scratch, &["-o", "attr_timeout=soon", "memory:"], 1);
    assert_eq!(line, "mount: option \"attr_timeout\": \"soon\" is not a number of seconds");
}

#[test]
fn options_that_exclude_each_other_are_both_named() {
    let scratch = Scratch::new();
    let line = refused(&scratch, &["-o", "writeback", "-o", "passthrough=auto", "memory:"], 1);
    assert!(line.contains("\"writeback\" and \"passthrough=auto\" exclude each other"), "{line}");
}

#[test]
fn an_option_of_another_provider_is_refused_by_name() {
    let scratch = Scratch::new();
    let line = refused(&scratch, &["-o", "size=1M", scratch.source().to_str().unwrap()], 32);
    assert!(line.contains("option \"size\" is for memory, not for local"), "{line}");
}

#[test]
fn an_unknown_provider_is_refused_with_the_known_ones() {
    let scratch = Scratch::new();
    let line = refused(&scratch, &["s3:bucket"], 32);
    assert!(line.starts_with("mount: unknown provider \"s3\": known are local, memory"), "{line}");
}

#[test]
fn missing_and_superfluous_arguments_are_a_wrong_invocation() {
    refuse(&mut fs9(&[]), 1);
    refuse(&mut fs9(&["mount"]), 1);
    refuse(&mut fs9(&["mount", "memory:"]), 1);
    refuse(&mut fs9(&["mount", "memory:", "/a", "/b"]), 1);
    refuse(&mut fs9(&["umount"]), 1);
    refuse(&mut fs9(&["frobnicate"]), 1);
}

#[test]
fn what_fails_in_the_daemon_is_told_by_the_command() {
    let scratch = Scratch::new();
    let line = refused(&scratch, &["-o", "log=/nowhere/at/all", "memory:"], 1);
    assert!(line.starts_with("mount: log=/nowhere/at/all: "), "{line}");
    let line = refused(&scratch, &["-o", "size=17", "memory:"], 32);
    assert!(line.contains("less than one page"), "{line}");
}

#[test]
fn a_daemon_without_standard_error_cannot_log_there() {
    let scratch = Scratch::new();
    let line = refused(&scratch, &["-o", "log=stderr", "memory:"], 1);
    assert!(line.contains("give -f as well"), "{line}");
}

#[test]
fn a_broken_configuration_is_named_with_file_line_and_key() {
    let scratch = Scratch::new();
    let cases = [
        ("[[mount]]\npath = \"/\"\nsorce = \"memory:\"\n", 3, "sorce"),
        ("[[mount]]\npath = \"/\"\nsource = 7\n", 3, "source"),
        ("[[mount]]\npath = \"/\"\nsource = \"memory:\"\noptions = \"sise=1M\"\n", 4, "options"),
        ("options = \"suid,frob\"\n", 1, "options"),
        ("[[mount]]\npath = \"x\"\nsource = \"memory:\"\n", 2, "path"),
    ];
    for (config, line_number, key) in cases {
        let file = scratch.write("fs9.toml", config);
        let line = refused(&scratch, &["--config", file.to_str().unwrap()], 1);
        assert!(line.starts_with(&format!("mount: {}:{line_number}: {key}: ", file.display())), "{line}");
    }
}

#[test]
fn a_source_that_cannot_be_mounted_has_the_same_status_in_a_configuration() {
    let scratch = Scratch::new();
    let cases =
        [("missing", "the source does not exist: check the path"), ("s3:x", "unknown provider \"s3\"")];
    for (source, wrong) in cases {
        let file = scratch.write("fs9.toml", &format!("[[mount]]\npath = \"/\"\nsource = \"{source}\"\n"));
        let line = refused(&scratch, &["--config", file.to_str().unwrap()], 32);
        assert!(line.starts_with(&format!("mount: {}:3: source: ", file.display())), "{line}");
        assert!(line.contains(wrong), "{line}");
    }
}

/// Symptom: `fs9 mount --config FIFO` waited for ever. Cause: so does the open of a FIFO without a writer. Fix: what is no
/// regular file is refused, unless it is open already.
#[test]
fn a_configuration_that_may_never_end_is_refused() {
    let scratch = Scratch::new();
    let fifo = scratch.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for path in [fifo.to_str().unwrap(), "/dev/zero"] {
        let line = refused(&scratch, &["--config", path], 1);
        assert_eq!(line, format!("mount: {path}: not a regular file: give a readable file to --config"));
    }
    let directory = refused(&scratch, &["--config", scratch.source().to_str().unwrap()], 1);
    assert!(directory.ends_with(": give a readable file to --config"), "{directory}");
    let config = scratch.write("fs9.toml", "[[mount]]\npath = \"/\"\nsource = \"memory:\"\n");
    let mut piped = Command::new("sh");
    piped.args(["-c", "cat $1 | $0 mount --config /dev/stdin $2", env!("CARGO_BIN_EXE_fs9")]);
    succeed(piped.arg(config).arg(scratch.mnt()));
    assert!(scratch.is_mounted());
}

#[test]
fn a_configuration_that_fails_half_way_leaves_nothing_mounted_and_is_named_with_file_line_and_key() {
    let scratch = Scratch::new();
    fs::write(scratch.source().join("file"), "").unwrap();
    let mount = |path, source, options| {
        format!("[[mount]]\npath = \"{path}\"\nsource = \"{source}\"\noptions = \"{options}\"\n")
    };
    let bind = |source, target| format!("[[bind]]\nsource = \"{source}\"\ntarget = \"{target}\"\n");
    let root = mount("/", "source", "");
    let cases = [
        (bind("/missing", "/x"), "6: source: bind /missing: no such file or directory (ENOENT)"),
        (bind("/file", "/x"), "6: source: bind /file: not a directory (ENOTDIR)"),
        (bind("/", "/file"), "7: target: mount at /file: not a directory (ENOTDIR)"),
        (mount("/file", "memory:", ""), "6: path: mount at /file: not a directory (ENOTDIR)"),
        (mount("/x", "memory:", "size=17"), "7: source: "),
    ];
    for (table, wrong) in cases {
        let file = scratch.write("fs9.toml", &format!("{root}{table}"));
        let line = refused(&scratch, &["--config", file.to_str().unwrap()], 32);
        assert!(line.starts_with(&format!("mount: {}:{wrong}", file.display())), "{line}");
    }
}

#[test]
fn unmounting_what_is_no_mount_is_refused() {
    let scratch = Scratch::new();
    let line = refuse(fs9(&["umount"]).arg(scratch.mnt()), 32);
    assert!(line.ends_with("not a mount of fs9: fs9 status lists them"), "{line}");
    let line = refuse(fs9(&["status"]).arg(scratch.mnt()), 32);
    assert!(line.starts_with("status: "), "{line}");
}
