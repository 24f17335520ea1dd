//! `fs9 doctor` on the machine of the test, and on one that lacks something.

use crate::scratch::{Scratch, fs9, is_root, output, succeed, text, wait_until};
use rustix::process::Signal;
use std::process::Command;
use std::time::{Duration, Instant};

/// Returns the findings of a topic.
fn findings(json: &str, topic: &str) -> Vec<serde_json::Value> {
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    let all = report["findings"].as_array().unwrap();
    all.iter().filter(|finding| finding["topic"] == topic).cloned().collect()
}

#[test]
fn where_mounts_work_the_doctor_says_so_and_a_line_for_each_finding() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let page = succeed(&mut fs9(&["doctor"]));
    assert_eq!(page.lines().last(), Some("a mount would work"));
    let json = succeed(&mut fs9(&["doctor", "--json"]));
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["can_mount"], &report["version"]), (&true.into(), &env!("CARGO_PKG_VERSION").into()));
    // Mounts of other tests come and go.
    let others = report["findings"].as_array().unwrap().iter().filter(|finding| finding["topic"] != "mount");
    let lines = page.lines().filter(|line| !line.contains(" mount: "));
    assert_eq!(lines.count(), others.count() + 1);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(findings(&json, "kernel")[0]["text"], format!("Linux {}", release.trim_end()));
    let place = format!("{} answers", scratch.mnt().display());
    assert!(findings(&json, "mount").iter().any(|mount| mount["text"] == place), "{json}");
}

#[test]
fn the_parameter_of_io_uring_is_told_as_it_is_and_left_as_it_is() {
    let parameter = || std::fs::read_to_string("/sys/module/fuse/parameters/enable_uring");
    let before = parameter();
    let json = succeed(&mut fs9(&["doctor", "--json"]));
    // Others may turn it while the test runs.
    if let (Ok(before), Ok(after)) = (before, parameter())
        && before == after
    {
        let state = if before.trim_end() == "Y" { "ok" } else { "off" };
        assert_eq!(findings(&json, "fuse-io_uring")[0]["state"], state);
    }
}

#[test]
fn a_stale_mount_is_a_problem_with_the_command_that_clears_it() {
    let scratch = Scratch::new();
    let server = scratch.serve("memory:");
    server.signal(Signal::KILL);
    let mnt = scratch.mnt();
    wait_until("the daemon is gone", || {
        std::fs::metadata(mnt.join("x")).is_err_and(|error| error.raw_os_error() == Some(107))
    });
    let page = succeed(&mut fs9(&["doctor"]));
    let place = mnt.display();
    let line = page.lines().find(|line| line.contains(&format!("{place} is stale"))).unwrap();
    assert!(line.starts_with("problem  mount: "), "{line}");
    assert!(line.contains(&format!("fs9 umount -l {place} ")), "{line}");
    succeed(fs9(&["umount", "-l"]).arg(&mnt));
    assert!(!succeed(&mut fs9(&["doctor"])).contains(mnt.to_str().unwrap()));
}

#[test]
fn a_mount_that_hangs_is_named_and_holds_nothing_up() {
    let scratch = Scratch::new();
    let server = scratch.serve("memory:");
    server.stop();
    let started = Instant::now();
    let json = succeed(&mut fs9(&["doctor", "--json"]));
    server.signal(Signal::CONT);
    assert!(started.elapsed() < Duration::from_secs(10));
    let silent = format!("{} does not answer: its daemon hangs", scratch.mnt().display());
    let mount = findings(&json, "mount").into_iter().find(|mount| mount["text"] == silent).unwrap();
    assert_eq!((&mount["state"], &mount["stops_mounting"]), (&"problem".into(), &false.into()));
    assert!(mount["advice"].as_str().unwrap().contains("/abort"), "{mount}");
}

#[test]
fn without_a_device_no_mount_would_work_and_the_exit_status_tells() {
    if !is_root() {
        eprintln!("skipped: only root can hide the device");
        return;
    }
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs none /dev && exec \"$0\" doctor";
    command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_fs9")]);
    let refused = output(&mut command);
    let page = text(&refused.stdout);
    assert_eq!(refused.status.code(), Some(1), "{page}{}", text(&refused.stderr));
    assert!(page.contains("problem  device: /dev/fuse is not there: load the module"), "{page}");
    assert_eq!(page.lines().last(), Some("no mount would work: device"));
}
