//! Signals to programs that wait for a provider: whoever is killed ends at once, and the mount goes on.

use crate::slow::{Hangs, OpenAtEnd, slow};
use crate::support::{Mounted, memory, wait_until};
use fs9_core::layers::{Intent, Interceptor, Layered};
use fs9_core::{INTERRUPT_GRACE, MountOptions};
use fs9_sdk::{Call, Capabilities, Execution, Operation, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Within so long a program ends that was sent a signal.
const END_MAX: Duration = Duration::from_millis(100);

/// How often an end is measured: on a busy machine a single one may be late.
const TRIES: usize = 5;

/// How long a provider takes that is quick: a fifth of the grace that an interrupted call has.
const QUICK: Duration = Duration::from_millis(10);

/// How often a process is sent a signal that it catches: several times within a quick call.
const SIGNAL_EACH: Duration = Duration::from_millis(3);

/// Looks for files, and tells the number of each error. Caught signals restart nothing.
const LOOKS: &str = "
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda number, frame: None)
print('ready', flush=True)
for path in sys.argv[1:]:
    try:
        os.stat(path)
        print(0, flush=True)
    except OSError as error:
        print(error.errno, flush=True)
";

const ENOENT: i32 = 2;
const EINTR: i32 = 4;

/// Mounts memory, and at `/slow` what hangs in an operation while the gate is closed. There are files `slow/fN` whose data
/// the kernel has not seen.
fn hanging(operation: Operation, hangs: Hangs) -> (Mounted, OpenAtEnd) {
    let (provider, gate) = slow(memory(), operation, hangs);
    let mounted = Mounted::beside_memory(provider, MountOptions::default());
    for number in 0..TRIES {
        let file = File::create(mounted.path().join(format!("slow/f{number}"))).unwrap();
        file.set_len(8192).unwrap();
    }
    assert!(mounted.session.drain(Duration::from_secs(20)));
    (mounted, gate)
}

fn cat(path: &Path) -> Child {
    Command::new("cat").arg(path).stdout(Stdio::null()).spawn().unwrap()
}

/// Sends a signal and returns how the process ended, and when.
fn end(mut child: Child, signal: Signal) -> (ExitStatus, Duration) {
    let begin = Instant::now();
    kill_process(Pid::from_child(&child), signal).unwrap();
    wait_until("the process ends", || child.try_wait().unwrap().is_some());
    (child.wait().unwrap(), begin.elapsed())
}

fn goes_on(mounted: &Mounted) {
    fs::write(mounted.path().join("healthy"), b"goes on").unwrap();
    assert_eq!(fs::read(mounted.path().join("healthy")).unwrap(), b"goes on");
}

/// Has a program hang in an operation and ends it, several times.
fn a_signal_ends_a_cat(operation: Operation, signal: Signal) {
    use std::os::unix::process::ExitStatusExt;
    let (mounted, gate) = hanging(operation, Hangs::Before);
    gate.0.close();
    let took: Vec<Duration> = (0..TRIES)
        .map(|number| {
            let child = cat(&mounted.path().join(format!("slow/f{number}")));
            gate.0.wait_for(number + 1);
            let (status, took) = end(child, signal);
            assert_eq!(status.signal(), Some(signal.as_raw()), "{operation}");
            goes_on(&mounted);
            took
        })
        .collect();
    assert!(took.iter().any(|&took| took < END_MAX), "{operation}: {took:?}");
    gate.0.open();
    gate.0.wait_for(0);
    assert!(mounted.session.drain(Duration::from_secs(20)), "{} stay open", mounted.session.open_handles());
    assert_eq!(fs::read(mounted.path().join("slow/f0")).unwrap(), [0; 8192]);
}

#[test]
fn ctrl_c_ends_a_cat_that_waits_for_a_provider_that_hangs() {
    for operation in [Operation::Open, Operation::Read] {
        a_signal_ends_a_cat(operation, Signal::INT);
    }
}

#[test]
fn a_cat_that_waits_for_a_provider_that_hangs_can_be_killed() {
    for operation in [Operation::Open, Operation::Read] {
        a_signal_ends_a_cat(operation, Signal::KILL);
    }
}

#[test]
fn what_was_opened_for_a_process_that_was_killed_meanwhile_is_closed_again() {
    let (mounted, gate) = hanging(Operation::Open, Hangs::After);
    gate.0.close();
    for (waiting, signal) in [(1, Signal::INT), (2, Signal::KILL)] {
        let child = cat(&mounted.path().join("slow/f0"));
        gate.0.wait_for(waiting);
        end(child, signal);
    }
    gate.0.open();
    wait_until("what nobody uses is closed", || mounted.session.open_handles() == 0);
    assert_eq!((mounted.session.counters().of(Operation::Open), gate.0.begun()), (2, 2));
}

#[test]
fn a_provider_that_listens_to_cancellation_is_left_at_once() {
    let (mounted, gate) = hanging(Operation::Open, Hangs::UntilCancelled);
    gate.0.close();
    let took: Vec<Duration> = (0..TRIES)
        .map(|number| {
            let child = cat(&mounted.path().join(format!("slow/f{number}")));
            gate.0.wait_for(number + 1);
            end(child, Signal::INT).1
        })
        .collect();
    assert!(took.iter().any(|&took| took < INTERRUPT_GRACE), "{took:?}");
}

#[test]
fn what_was_found_for_a_process_that_was_killed_meanwhile_is_forgotten_again() {
    let (provider, gate) = slow(memory(), Operation::Mkdir, Hangs::After);
    let mounted = Mounted::beside_memory(provider, MountOptions::default());
    let path = mounted.path().join("slow/d");
    // The mount's own root is known, and nothing else.
    fs::metadata(mounted.path().join("slow")).unwrap();
    let known = mounted.session.known_inodes();
    gate.0.close();
    let child = Command::new("mkdir").arg(&path).spawn().unwrap();
    gate.0.wait_for(1);
    end(child, Signal::INT);
    gate.0.open();
    wait_until("the late directory is forgotten", || {
        gate.0.wait_for(0);
        mounted.session.counters().of(Operation::Mkdir) == 1 && mounted.session.known_inodes() == known
    });
    // The kernel was told that the name is there by now.
    mounted.settle();
    wait_until("the late directory is seen", || fs::metadata(&path).is_ok());
}

/// A program that looks for files while it is sent signals.
struct Looker {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Looker {
    fn start(paths: impl Iterator<Item = std::path::PathBuf>) -> Looker {
        let mut command = Command::new("python3");
        command.args(["-c", LOOKS]).args(paths).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut looker = Looker { child, output };
        assert_eq!(looker.line(), "ready");
        looker
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn errno(&mut self) -> i32 {
        self.line().parse().unwrap()
    }

    fn signal(&self) {
        kill_process(Pid::from_child(&self.child), Signal::USR1).unwrap();
    }
}

#[test]
fn a_signal_that_is_caught_ends_a_wait_with_eintr() {
    let (mounted, gate) = hanging(Operation::Lookup, Hangs::Before);
    gate.0.close();
    let mut looker =
        Looker::start(["new", "other"].into_iter().map(|name| mounted.path().join("slow").join(name)));
    gate.0.wait_for(1);
    looker.signal();
    assert_eq!(looker.errno(), EINTR);
    // The next call of the same process is a call like any other.
    gate.0.open();
    assert_eq!(looker.errno(), ENOENT);
    assert!(looker.child.wait().unwrap().success());
    goes_on(&mounted);
}

/// Takes a moment for each lookup, and runs on threads of its own.
struct Quick;

impl Interceptor for Quick {
    fn call<T>(&self, intent: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        if intent.operation == Operation::Lookup {
            std::thread::sleep(QUICK);
        }
        forward()
    }

    fn capabilities(&self, inner: Capabilities) -> Capabilities {
        Capabilities { execution: Execution::MayBlock, ..inner }
    }
}

#[test]
fn a_quick_call_is_not_cut_short_by_a_signal_that_is_caught() {
    const LOOKS_EACH: usize = 10;
    let provider = Arc::new(Layered::new(memory(), Quick));
    let mounted = Mounted::beside_memory(provider, MountOptions::default());
    // On a busy machine a call that is quick may take longer than the grace: one try in which none does is enough.
    let cut_short: Vec<usize> = (0..TRIES)
        .map(|attempt| {
            let name = |number| mounted.path().join(format!("slow/{attempt}-{number}"));
            let mut looker = Looker::start((0..LOOKS_EACH).map(name));
            while looker.child.try_wait().unwrap().is_none() {
                looker.signal();
                std::thread::sleep(SIGNAL_EACH);
            }
            let errors: Vec<i32> = (0..LOOKS_EACH).map(|_| looker.errno()).collect();
            assert!(errors.iter().all(|&errno| errno == ENOENT || errno == EINTR), "{errors:?}");
            errors.iter().filter(|&&errno| errno == EINTR).count()
        })
        .collect();
    assert!(cut_short.contains(&0), "{cut_short:?}");
}
