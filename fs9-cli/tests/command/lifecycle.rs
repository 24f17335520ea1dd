//! From mounting to unmounting.

use crate::scratch::{Scratch, fs9, refuse, succeed, text, wait_until};
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Returns the processes whose command line holds this word.
fn processes_with(word: &str) -> usize {
    let numbers = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("cmdline"));
    numbers.filter(|path| fs::read(path).is_ok_and(|line| text(&line).contains(word))).count()
}

#[test]
fn a_directory_is_mounted_when_the_command_returns_and_serves_its_files() {
    let scratch = Scratch::new();
    fs::write(scratch.source().join("hello"), "world").unwrap();
    scratch.mount(scratch.source().to_str().unwrap(), "");
    assert_eq!(fs::read_to_string(scratch.mnt().join("hello")).unwrap(), "world");
    fs::write(scratch.mnt().join("new"), "written through the mount").unwrap();
    assert_eq!(fs::read_to_string(scratch.source().join("new")).unwrap(), "written through the mount");
}

#[test]
fn umount_takes_the_mount_away_and_ends_its_daemon() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let word = scratch.mnt().display().to_string();
    assert_eq!(processes_with(&word), 1, "one daemon serves it");
    succeed(fs9(&["umount"]).arg(scratch.mnt()));
    assert!(!scratch.is_mounted());
    wait_until("the daemon ends", || processes_with(&word) == 0);
}

#[test]
fn a_daemon_holds_nothing_that_the_one_who_started_it_had_open() {
    let scratch = Scratch::new();
    let mut script = Command::new("sh");
    script
        .args(["-c", "exec 9> $lock; flock 9; $fs9 mount memory: $m"])
        .env("fs9", env!("CARGO_BIN_EXE_fs9"));
    succeed(script.env("lock", scratch.path("lock")).env("m", scratch.mnt()));
    succeed(Command::new("flock").arg("--nonblock").arg(scratch.path("lock")).arg("true"));
}

#[test]
fn the_kernel_shows_source_type_and_safe_defaults() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "fsname=my memory");
    let list = text(&fs::read("/proc/self/mounts").unwrap());
    let mnt = format!(" {} ", scratch.mnt().display());
    let line = list.lines().find(|line| line.contains(&mnt)).unwrap();
    assert!(line.starts_with(&format!("my\\040memory{mnt}fuse.fs9 rw,nosuid,nodev,")), "{line}");
    assert!(line.contains("default_permissions") && !line.contains("allow_other"), "{line}");
}

#[test]
fn flags_of_the_kernel_are_set_as_asked() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "ro,noexec,noatime");
    let list = text(&fs::read("/proc/self/mounts").unwrap());
    let mnt = format!(" {} ", scratch.mnt().display());
    let line = list.lines().find(|line| line.contains(&mnt)).unwrap();
    for option in ["ro", "noexec", "noatime", "nosuid", "nodev"] {
        assert!(line.split([' ', ',']).any(|word| word == option), "{option} in {line}");
    }
    let error = fs::write(scratch.mnt().join("x"), "").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::ROFS.raw_os_error()));
}

#[test]
fn a_relative_source_is_found_and_shown_absolute() {
    let scratch = Scratch::new();
    fs::write(scratch.source().join("hello"), "world").unwrap();
    let mut command = fs9(&["mount", "local:source", "mnt"]);
    succeed(command.current_dir(scratch.path("")));
    assert_eq!(fs::read_to_string(scratch.mnt().join("hello")).unwrap(), "world");
    let list = text(&fs::read("/proc/self/mounts").unwrap());
    assert!(list.contains(&format!("{} {} ", scratch.source().display(), scratch.mnt().display())));
}

#[test]
fn a_source_may_contain_its_own_mount_point() {
    let scratch = Scratch::new();
    fs::write(scratch.source().join("hello"), "world").unwrap();
    scratch.mount(scratch.path("").to_str().unwrap(), "");
    assert_eq!(fs::read_to_string(scratch.mnt().join("source/hello")).unwrap(), "world");
    let mut names: Vec<_> =
        fs::read_dir(scratch.mnt()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["mnt", "source"]);
    let inner = fs::read_dir(scratch.mnt().join("mnt"));
    assert!(
        inner.as_ref().is_err_and(|e| e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()))
            || inner.is_ok_and(|entries| entries.count() == 0),
        "it does not repeat itself"
    );
}

#[test]
fn names_of_any_bytes_are_mounted_and_unmounted() {
    let scratch = Scratch::new();
    // The mount point is text: other programs read the kernel's list while this runs, and not all of them know better.
    let source = scratch.path("").join(OsStr::from_bytes(b"s \xff\n"));
    let mountpoint = scratch.path("m \t\n\\040é");
    for directory in [&source, &mountpoint] {
        fs::create_dir(directory).unwrap();
    }
    fs::write(source.join("hello"), "world").unwrap();
    succeed(fs9(&["mount"]).arg(&source).arg(&mountpoint));
    assert_eq!(fs::read_to_string(mountpoint.join("hello")).unwrap(), "world");
    refuse(fs9(&["mount", "memory:"]).arg(&mountpoint), 32);
    assert!(succeed(fs9(&["status"]).arg(&mountpoint)).contains("serving"));
    succeed(fs9(&["umount"]).arg(&mountpoint));
    assert!(!mountpoint.join("hello").exists());
}

#[test]
fn a_mount_point_behind_a_symbolic_link_is_found() {
    let scratch = Scratch::new();
    let link = scratch.path("link");
    std::os::unix::fs::symlink("mnt", &link).unwrap();
    succeed(fs9(&["mount", "memory:"]).arg(&link));
    assert!(scratch.is_mounted());
    succeed(fs9(&["umount"]).arg(&link));
    assert!(!scratch.is_mounted());
}

#[test]
fn a_busy_mount_is_not_unmounted_and_its_holder_is_named() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut holder = Command::new("sleep").arg("60").current_dir(scratch.mnt()).spawn().unwrap();
    let line = refuse(fs9(&["umount"]).arg(scratch.mnt()), 32);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(line.contains(&format!("busy: held by {} (sleep, cwd)", holder.id())), "{line}");
    wait_until("nobody holds it", || fs9(&["umount"]).arg(scratch.mnt()).output().unwrap().status.success());
    assert!(!scratch.is_mounted());
}

#[test]
fn of_several_mount_points_those_that_can_are_unmounted() {
    let (first, second) = (Scratch::new(), Scratch::new());
    first.mount("memory:", "");
    let line = refuse(fs9(&["umount"]).arg(first.mnt()).arg(second.mnt()), 64);
    assert!(line.contains(second.mnt().to_str().unwrap()) && !first.is_mounted(), "{line}");
}

#[test]
fn a_busy_mount_is_detached_lazily_and_its_files_are_served_until_closed() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    fs::write(scratch.mnt().join("file"), "still here").unwrap();
    let mut file = fs::File::open(scratch.mnt().join("file")).unwrap();
    succeed(fs9(&["umount", "-l"]).arg(scratch.mnt()));
    assert!(!scratch.is_mounted());
    let mut content = String::new();
    file.read_to_string(&mut content).unwrap();
    assert_eq!(content, "still here");
    drop(file);
    let word = scratch.mnt().display().to_string();
    wait_until("the daemon ends", || processes_with(&word) == 0);
}

#[test]
fn systemd_is_told_that_the_mount_is_ready_and_that_it_stops() {
    let scratch = Scratch::new();
    let socket = UnixDatagram::bind(scratch.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = fs9(&["mount", "-f", "memory:"]);
    command.arg(scratch.mnt()).env("NOTIFY_SOCKET", scratch.path("notify"));
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let next = || {
        let mut state = [0; 512];
        let length = socket.recv(&mut state).unwrap();
        text(&state[..length])
    };
    let ready = next();
    assert!(ready.starts_with("READY=1\n") && scratch.is_mounted(), "{ready}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    assert_eq!(next(), "STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_log_is_text_or_json_and_of_the_level_that_was_asked_for() {
    let scratch = Scratch::new();
    let log = scratch.path("daemon.log");
    scratch.mount("memory:", &format!("log={},log_format=json", log.display()));
    wait_until("it logs", || fs::read_to_string(&log).is_ok_and(|lines| lines.ends_with('\n')));
    let lines = fs::read_to_string(&log).unwrap();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["level"], "INFO");
    let message = first["fields"]["message"].as_str().unwrap();
    let expected = format!("is mounted at {}, requests come by ", scratch.mnt().display());
    assert!(message.contains(&expected), "{message}");
    succeed(fs9(&["umount"]).arg(scratch.mnt()));

    let quiet = scratch.path("quiet.log");
    scratch.mount("memory:", &format!("log={},log_level=error", quiet.display()));
    assert_eq!(fs::read_to_string(&quiet).unwrap(), "");
}
