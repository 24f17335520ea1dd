//! The access log where requests end in unusual ways: late, by a panic, with a listing from another thread.

use crate::support::{Mounted, memory, names};
use fs9_core::control::{Commands, ControlOptions, ControlProvider};
use fs9_core::layers::{Intent, Interceptor, Layered};
use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_fuse::FuseOptions;
use fs9_sdk::{Call, Capabilities, ErrorKind, Execution, Operation, Result};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// `O_NONBLOCK` of the generic ABI.
const O_NONBLOCK: i32 = 0o4000;

/// The time limit of calls.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Runs on threads of its own; makes no directory before it is let go, and panics at a removal.
struct Odd(parking_lot::Mutex<Receiver<()>>);

impl Interceptor for Odd {
    fn call<T>(&self, intent: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        match intent.operation {
            // The other end is gone at the end of the test.
            Operation::Mkdir => drop(self.0.lock().recv()),
            // Without the hook, which writes a trace for longer than the call may take.
            Operation::Rmdir => std::panic::resume_unwind(Box::new("on purpose")),
            _ => {}
        }
        forward()
    }

    fn capabilities(&self, inner: Capabilities) -> Capabilities {
        Capabilities { execution: Execution::MayBlock, ..inner }
    }
}

struct NoCommands;

impl Commands for NoCommands {
    fn run(&self, _: &Call, _: &[u8]) -> Result<String> {
        Err(ErrorKind::NotSupported.into())
    }
}

/// Returns a mount with `odd` and a control directory; what is dropped lets `odd` go.
fn mounted() -> (Mounted, Sender<()>) {
    let (let_go, held) = channel();
    let namespace = Namespace::new();
    namespace.mount(&VfsPath::root(), memory(), MountOptions::default()).unwrap();
    let odd = Arc::new(Layered::new(memory(), Odd(parking_lot::Mutex::new(held))));
    let options = MountOptions { call_timeout: TIMEOUT, ..MountOptions::default() };
    namespace.mount(&VfsPath::parse(b"/odd").unwrap(), odd, options).unwrap();
    let mounted = Mounted::namespace(Arc::clone(&namespace), FuseOptions::default());
    let uid = rustix::process::geteuid().as_raw();
    let options = ControlOptions { version: "test".into(), uid, gid: 0, log_waits: true };
    let report = mounted.session.handle_report();
    let control = Arc::new(ControlProvider::new(&namespace, options, Arc::new(NoCommands), report));
    let options =
        MountOptions { hidden: true, reads_wait: true, call_timeout: TIMEOUT, ..MountOptions::default() };
    namespace.mount(&VfsPath::parse(b"/.fs9").unwrap(), control, options).unwrap();
    mounted.settle();
    (mounted, let_go)
}

fn open_log(mounted: &Mounted, flags: i32) -> File {
    File::options().read(true).custom_flags(flags).open(mounted.path().join(".fs9/accesslog")).unwrap()
}

/// Returns the operation, the argument, the result and the seconds of each line that is there.
fn lines(log: &mut File) -> Vec<(String, String, String, f64)> {
    let mut text = Vec::new();
    match log.read_to_end(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        other => panic!("{other:?}"),
    }
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let seconds = words[6].trim_matches(['<', '>']).parse().unwrap();
        (words[2].to_owned(), words[4].to_owned(), words[5].to_owned(), seconds)
    };
    String::from_utf8(text).unwrap().lines().map(line).collect()
}

#[test]
fn a_late_request_and_a_panic_are_one_line_each_with_what_the_asker_was_told() {
    let (mounted, let_go) = mounted();
    let odd = mounted.path().join("odd");
    let mut log = open_log(&mounted, O_NONBLOCK);
    let late = fs::create_dir(odd.join("late")).unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    drop(let_go);
    fs::create_dir(odd.join("soon")).unwrap();
    fs::remove_dir(odd.join("soon")).unwrap_err();
    let lines = lines(&mut log);
    let of = |operation: &str, argument: &str| -> Vec<_> {
        lines.iter().filter(|line| line.0 == operation && line.1 == argument).collect()
    };
    let late = of("[mkdir]", "late");
    assert!(late.len() == 1 && late[0].2 == "ETIMEDOUT", "{lines:#?}");
    assert!(late[0].3 >= TIMEOUT.as_secs_f64(), "{lines:#?}");
    let soon = of("[mkdir]", "soon");
    assert!(soon.len() == 1 && soon[0].2 == "ok", "{lines:#?}");
    let removed = of("[rmdir]", "soon");
    assert!(removed.len() == 1 && removed[0].2 == "EIO", "{lines:#?}");
}

#[test]
fn a_listing_from_another_thread_is_a_line() {
    let (mounted, _let_go) = mounted();
    fs::write(mounted.path().join("odd/file"), "").unwrap();
    let mut log = open_log(&mounted, O_NONBLOCK);
    assert_eq!(names(&mounted.path().join("odd")), ["file"]);
    let lines = lines(&mut log);
    assert!(lines.iter().any(|line| line.0 == "[readdir]" && line.2 == "ok"), "{lines:#?}");
}

#[test]
fn a_reader_that_waits_outlasts_the_time_limit_of_calls() {
    let (mounted, _let_go) = mounted();
    let mut log = open_log(&mounted, 0);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut buffer = [0; 512];
            let length = log.read(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        });
        // Nothing else can show that a wait goes on.
        std::thread::sleep(3 * TIMEOUT);
        assert!(!reader.is_finished());
        fs::metadata(mounted.path().join("missing")).unwrap_err();
        assert!(reader.join().unwrap().contains(" missing ENOENT "));
    });
}
