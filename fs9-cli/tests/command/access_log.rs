//! `.fs9/accesslog`: what is asked of a mount, line by line, while somebody reads it.

use crate::scratch::{Scratch, fs9, output, succeed, text, wait_until};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `O_NONBLOCK` of the generic ABI.
const O_NONBLOCK: i32 = 0o4000;

/// As many as may read at a time.
const READERS_MAX: usize = 8;

fn log_of(scratch: &Scratch) -> std::path::PathBuf {
    scratch.mnt().join(".fs9/accesslog")
}

/// Opens the log without waiting reads.
fn nonblocking(scratch: &Scratch) -> File {
    File::options().read(true).custom_flags(O_NONBLOCK).open(log_of(scratch)).unwrap()
}

/// Reads what is there.
fn lines(log: &mut File) -> Vec<String> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match log.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => all.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    text(&all).lines().map(str::to_owned).collect()
}

/// Returns a line's words after the time, the result's among them, but not how long it took.
fn words(line: &str) -> Vec<&str> {
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words.len(), 7, "{line}");
    assert!(words[0].len() == 27 && words[0].ends_with('Z'), "{line}");
    assert!(words[6].starts_with('<') && words[6].ends_with('>'), "{line}");
    words[1..6].to_vec()
}

/// Makes a request. The name is a new one each time: the kernel keeps in mind what is missing.
fn ask_for(scratch: &Scratch, number: &mut u32) {
    *number += 1;
    fs::metadata(scratch.mnt().join(format!("missing-{number}"))).unwrap_err();
}

/// Copies the log to a file until it ends.
fn cat(scratch: &Scratch, to: &Path) -> Child {
    let to = File::create(to).unwrap();
    Command::new("cat").arg(log_of(scratch)).stdout(to).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn each_request_is_a_line_with_its_caller_its_inode_and_its_result() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut log = nonblocking(&scratch);
    fs::create_dir(scratch.mnt().join("a b")).unwrap();
    fs::metadata(scratch.mnt().join("missing")).unwrap_err();
    fs::rename(scratch.mnt().join("a b"), scratch.mnt().join("c")).unwrap();
    fs::write(scratch.mnt().join("file"), "four").unwrap();
    let lines = lines(&mut log);
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let caller = format!("{user},{group},{}", rustix::thread::gettid().as_raw_nonzero());
    let has = |operation: &str, argument: &str, result: &str| {
        let found = lines.iter().any(|line| {
            let words = words(line);
            words[0] == caller && words[1] == operation && words[3] == argument && words[4] == result
        });
        assert!(found, "{operation} {argument} {result} by {caller} in {lines:#?}");
    };
    has("[mkdir]", "a\\040b", "ok");
    has("[lookup]", "missing", "ENOENT");
    has("[rename]", "a\\040b:1/c", "ok");
    has("[create]", "file", "ok");
}

#[test]
fn reads_and_writes_are_told_with_their_place_where_they_reach_the_daemon() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut log = nonblocking(&scratch);
    scratch.sh("printf 12345 | dd of=$m/file bs=5 seek=2 status=none");
    let lines = lines(&mut log);
    assert!(lines.iter().any(|line| line.contains("[write]") && line.contains(" 10+5 ok ")), "{lines:#?}");
}

#[test]
fn what_is_done_on_the_control_directory_is_no_line() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut log = nonblocking(&scratch);
    scratch.sh("cat $m/.fs9/stats; ls -l $m/.fs9; echo remount attr_timeout=2 > $m/.fs9/ctl");
    log.metadata().unwrap();
    let lines = lines(&mut log);
    let others: Vec<_> = lines.iter().filter(|line| words(line)[2] != "1").collect();
    assert_eq!(others, [""; 0]);
    assert!(lines.iter().all(|line| !line.contains(".fs9") && !line.contains("stats")), "{lines:#?}");
}

#[test]
fn the_log_is_on_only_while_it_is_open_and_is_nobody_elses() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    fs::write(scratch.mnt().join("before"), "").unwrap();
    let mut first = nonblocking(&scratch);
    fs::write(scratch.mnt().join("between"), "").unwrap();
    let mut second = nonblocking(&scratch);
    fs::write(scratch.mnt().join("after"), "").unwrap();
    let (first, second) = (lines(&mut first).concat(), lines(&mut second).concat());
    assert!(!first.contains("before") && first.contains("between") && first.contains("after"), "{first}");
    assert!(!second.contains("between") && second.contains("after"), "{second}");
    assert!(scratch.sh("stat -c %a $m/.fs9/accesslog").starts_with("400\n"));
    let refused = scratch.shell("echo x > $m/.fs9/accesslog");
    assert!(text(&refused.stderr).contains("ermission denied"), "{}", text(&refused.stderr));
}

#[test]
fn whoever_waits_gets_lines_as_they_come_and_the_end_when_the_mount_ends() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    let copy = scratch.path("copy");
    let mut cat = cat(&scratch, &copy);
    let mut number = 0;
    for _ in 0..3 {
        // The first requests may come before cat has opened the log.
        wait_until("the log has the line", || {
            ask_for(&scratch, &mut number);
            fs::read_to_string(&copy).unwrap().contains(&format!(" missing-{number} ENOENT "))
        });
    }
    let started = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(4), "nobody had to be waited for");
    assert!(cat.wait().unwrap().success());
}

#[test]
fn readers_that_wait_do_not_stop_commands_and_are_bounded() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    let copies: Vec<_> = (0..READERS_MAX).map(|number| scratch.path(&format!("copy{number}"))).collect();
    let mut cats: Vec<Child> = copies.iter().map(|copy| cat(&scratch, copy)).collect();
    let mut number = 0;
    wait_until("all of them read", || {
        ask_for(&scratch, &mut number);
        copies.iter().all(|copy| fs::metadata(copy).unwrap().len() > 0)
    });
    let refused = output(Command::new("cat").arg(log_of(&scratch)));
    assert!(text(&refused.stderr).contains("busy"), "{}", text(&refused.stderr));
    scratch.sh("echo mount memory: /below > $m/.fs9/ctl && cat $m/.fs9/ctl && ls $m/below");
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    assert!(cats.iter_mut().all(|cat| cat.wait().unwrap().success()));
}

#[test]
fn poll_tells_when_there_is_a_line() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut log = nonblocking(&scratch);
    let ready = |log: &File, milliseconds: i64| {
        let patience = Timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 };
        poll(&mut [PollFd::new(log, PollFlags::IN)], Some(&patience)).unwrap() == 1
    };
    assert!(!ready(&log, 10));
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| ready(&log, 20_000));
        ask_for(&scratch, &mut 0);
        assert!(waiter.join().unwrap());
    });
    assert!(!lines(&mut log).is_empty());
    assert!(!ready(&log, 10));
}

#[test]
fn tail_follows_the_log() {
    let scratch = Scratch::new();
    let mut server = scratch.serve("memory:");
    let copy = scratch.path("copy");
    let mut tail = Command::new("tail");
    tail.args(["-n", "+1", "-f"]).arg(log_of(&scratch)).stdout(File::create(&copy).unwrap());
    let mut tail = tail.stderr(Stdio::null()).spawn().unwrap();
    let mut number = 0;
    wait_until("tail writes lines, which it collects before", || {
        ask_for(&scratch, &mut number);
        fs::read_to_string(&copy).unwrap().contains(" missing-1")
    });
    server.signal(Signal::TERM);
    // It finds the end, cannot look for what it takes for a new beginning, and gives up.
    wait_until("tail ends", || tail.try_wait().unwrap().is_some());
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn status_is_not_held_up_by_a_reader_that_waits() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let mut cat = cat(&scratch, &scratch.path("copy"));
    wait_until("cat reads", || scratch.sh("cat $m/.fs9/handles").contains("\tr\t"));
    let status = succeed(fs9(&["status"]).arg(scratch.mnt()));
    assert!(status.contains("serving"), "{status}");
    // The transport may know no interrupts: a line lets it see that it was killed.
    cat.kill().unwrap();
    ask_for(&scratch, &mut 0);
    cat.wait().unwrap();
}
