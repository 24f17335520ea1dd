//! POSIX and flock locks hold among all users of a mount, and with `locks=provider` among all users of its source.

use fs9_tests::Mounted;
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Opens a file for reading and writing.
fn open(path: &Path) -> File {
    File::options().create(true).truncate(false).read(true).write(true).open(path).unwrap()
}

#[test]
fn a_flock_keeps_out_a_second_open_file_until_it_is_closed() {
    for mount in [Mounted::local(""), Mounted::memory("")] {
        let path = mount.path("lock");
        let first = open(&path);
        let second = open(&path);
        flock(&first, FlockOperation::LockExclusive).unwrap();
        let refused = flock(&second, FlockOperation::NonBlockingLockExclusive).unwrap_err();
        assert_eq!(refused, rustix::io::Errno::WOULDBLOCK);
        let other_process =
            Command::new("flock").args(["--nonblock"]).arg(&path).arg("true").status().unwrap();
        assert!(!other_process.success());
        drop(first);
        flock(&second, FlockOperation::NonBlockingLockExclusive).unwrap();
    }
}

#[test]
fn a_posix_lock_keeps_out_another_process() {
    for mount in [Mounted::local(""), Mounted::memory("")] {
        let path = mount.path("database");
        let file = open(&path);
        fcntl_lock(&file, FlockOperation::LockExclusive).unwrap();
        let sqlite = |text: &str| Command::new("sqlite3").arg(&path).arg(text).output().unwrap();
        let locked = sqlite("create table t(a);");
        let message = String::from_utf8_lossy(&locked.stderr).into_owned();
        assert!(!locked.status.success() && message.contains("locked"), "{message}");
        fcntl_lock(&file, FlockOperation::Unlock).unwrap();
        assert!(sqlite("create table t(a);").status.success());
    }
}

/// Takes a lock on a file and keeps it until its input ends; or tells that it is taken, or that the wait was interrupted.
const HOLDER: &str = "
import errno, fcntl, os, signal, struct, sys
path, family, wait = sys.argv[1], sys.argv[2], sys.argv[3] == 'wait'
class Caught(Exception): pass
def caught(number, frame): raise Caught
signal.signal(signal.SIGUSR1, caught)
file = os.open(path, os.O_RDWR)
whole = struct.pack('hhqqi4x', fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
print('begins', flush=True)
try:
    if family == 'flock':
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    elif family == 'posix':
        fcntl.fcntl(file, fcntl.F_SETLKW if wait else fcntl.F_SETLK, whole)
    else:
        fcntl.fcntl(file, 38 if wait else 37, whole)  # F_OFD_SETLKW, F_OFD_SETLK
    print('holds', flush=True)
except Caught:
    print('interrupted', flush=True)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
sys.stdin.read()
";

/// A process that takes a lock.
struct Holder {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(path: &Path, family: &str, wait: &str) -> Holder {
        let mut command = Command::new("python3");
        command.args(["-c", HOLDER]).arg(path).args([family, wait]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut holder = Holder { child, output };
        assert_eq!(holder.says(), "begins");
        holder
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Tries to take a lock, and gives it back at once.
    fn attempt(path: &Path, family: &str) -> String {
        let mut holder = Holder::start(path, family, "try");
        let said = holder.says();
        holder.end();
        said
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until the process sleeps in a wait for a lock.
    fn sleeps(&self) {
        let begin = Instant::now();
        let stat = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
            assert!(begin.elapsed() < Duration::from_secs(20), "it does not wait");
            std::thread::sleep(Duration::from_millis(1));
        }
        // The daemon need not have taken the request yet: by io_uring, Linux 6.18 does not tell it of a signal that comes before.
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// Returns what refuses a lock that another process holds.
fn taken(said: &str) -> bool {
    ["EAGAIN", "EACCES"].contains(&said)
}

const FAMILIES: [&str; 3] = ["posix", "ofd", "flock"];

#[test]
fn locks_that_the_provider_keeps_hold_between_the_mount_and_its_source() {
    let mount = Mounted::local("locks=provider");
    let (inside, outside) = (mount.path("file"), mount.source("file"));
    open(&inside);
    for family in FAMILIES {
        for (holds, wants) in [(&inside, &outside), (&outside, &inside), (&inside, &inside)] {
            let mut holder = Holder::start(holds, family, "try");
            assert_eq!(holder.says(), "holds", "{family}");
            let said = Holder::attempt(wants, family);
            assert!(taken(&said), "{family}: {said}");
            let mut waiter = Holder::start(wants, family, "wait");
            waiter.sleeps();
            holder.end();
            assert_eq!(waiter.says(), "holds", "{family}");
            waiter.end();
        }
    }
}

#[test]
fn a_wait_for_a_lock_that_the_provider_keeps_ends_with_a_signal() {
    for mount in [Mounted::local("locks=provider"), Mounted::memory("locks=provider")] {
        let path = mount.path("file");
        open(&path);
        for family in FAMILIES {
            let mut holder = Holder::start(&path, family, "try");
            assert_eq!(holder.says(), "holds", "{family}");
            // On a busy machine a single end may be late.
            let ends = |caught: bool| {
                let mut waiter = Holder::start(&path, family, "wait");
                waiter.sleeps();
                let begin = Instant::now();
                waiter.signal(if caught { Signal::USR1 } else { Signal::KILL });
                if caught {
                    assert_eq!(waiter.says(), "interrupted", "{family}");
                } else {
                    waiter.child.wait().unwrap();
                }
                let took = begin.elapsed();
                waiter.end();
                took
            };
            for caught in [true, false] {
                let took: Vec<Duration> = (0..3).map(|_| ends(caught)).collect();
                assert!(took.iter().any(|&took| took < Duration::from_millis(100)), "{family}: {took:?}");
            }
            holder.end();
            assert_eq!(Holder::attempt(&path, family), "holds", "{family}: no wait has left a lock");
        }
    }
}
