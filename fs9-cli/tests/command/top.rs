//! `fs9 top`: pages of what a mount does, on a terminal and elsewhere.

use crate::scratch::{Scratch, fs9, output, refuse, succeed, text, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Starts it on a mount, with what it writes in a file.
fn start(scratch: &Scratch, arguments: &[&str]) -> Child {
    let page = File::create(scratch.path("page")).unwrap();
    let mut command = fs9(&["top"]);
    command.args(arguments).arg(scratch.mnt()).stdin(Stdio::null()).stdout(page).spawn().unwrap()
}

fn page(scratch: &Scratch) -> String {
    fs::read_to_string(scratch.path("page")).unwrap()
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

#[test]
fn pages_tell_the_operations_of_their_interval() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    fs::create_dir(scratch.mnt().join("before")).unwrap();
    let is_done = AtomicBool::new(false);
    let pages = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !is_done.load(Ordering::Relaxed) {
                number += 1;
                fs::write(scratch.mnt().join(format!("file-{number}")), "x").unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let pages = succeed(fs9(&["top", "-b", "-d", "0.3", "-n", "2"]).arg(scratch.mnt()));
        is_done.store(true, Ordering::Relaxed);
        pages
    });
    let headline = format!("{}: memory:: ", scratch.mnt().display());
    assert_eq!(pages.matches(&headline).count(), 2, "{pages}");
    assert!(!pages.contains('\x1b'), "no terminal, no escapes");
    let row = |name: &str| pages.lines().find(|line| line.split_whitespace().nth(1) == Some(name));
    let rate: f64 = row("create").unwrap().split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(rate > 10.0 && rate < 1_100.0, "{pages}");
    assert!(row("write").is_some() && row("memory").is_some(), "{pages}");
    assert!(row("mkdir").is_none(), "that was before: {pages}");
}

#[test]
fn it_ends_when_it_is_interrupted_also_while_the_daemon_hangs() {
    let scratch = Scratch::new();
    let server = scratch.serve("memory:");
    let mut top = start(&scratch, &["-d", "0.1"]);
    wait_until("there is a page", || page(&scratch).contains("calls/s"));
    server.stop();
    wait_until("it sees that nobody answers", || page(&scratch).contains(": not answering ("));
    let started = Instant::now();
    interrupt(&top);
    let status = top.wait().unwrap();
    server.signal(Signal::CONT);
    assert!(started.elapsed() < Duration::from_secs(5) && status.success(), "{status}");
}

#[test]
fn it_ends_when_the_mount_does() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    let mut top = start(&scratch, &["-d", "0.5"]);
    wait_until("there is a page", || page(&scratch).contains("calls/s"));
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    wait_until("it ends", || top.try_wait().unwrap().is_some());
    assert!(top.wait().unwrap().success());
    let said = page(&scratch);
    assert!(said.ends_with(&format!("\n{} is gone\n", scratch.mnt().display())), "{said}");
}

#[test]
fn it_ends_when_nobody_reads_it() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" top -b -d 0.1 \"$m\" | head -n 1", env!("CARGO_BIN_EXE_fs9")]);
    let first = succeed(command.env("m", scratch.mnt()));
    assert!(first.contains("calls/s"), "{first}");
}

#[test]
fn a_terminal_shows_one_page_at_a_time_and_is_left_as_it_was() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut script = Command::new("script");
    let line = format!("{} top -d 0.1 -n 2 {}", env!("CARGO_BIN_EXE_fs9"), scratch.mnt().display());
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: script(1) is not installed");
        return;
    }
    let shown = output(&mut script);
    let shown = text(&shown.stdout);
    assert!(shown.starts_with("\x1b[?1049h\x1b[?25l\x1b[H"), "{shown:?}");
    assert!(shown.ends_with("\x1b[?25h\x1b[?1049l"), "{shown:?}");
    assert_eq!(shown.matches("calls/s").count(), 2, "{shown:?}");
}

#[test]
fn what_cannot_be_shown_is_told_in_one_line() {
    let scratch = Scratch::new();
    let line = refuse(fs9(&["top"]).arg(scratch.mnt()), 32);
    assert!(line.contains("not a mount of fs9"), "{line}");
    let line = refuse(fs9(&["top", "-d", "0"]).arg(scratch.mnt()), 1);
    assert!(line.contains("give 0.1 to 3600 seconds"), "{line}");
    scratch.mount("memory:", "nocontrol");
    let line = refuse(fs9(&["top"]).arg(scratch.mnt()), 32);
    assert!(line.contains("mounted with nocontrol"), "{line}");
}
