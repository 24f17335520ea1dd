//! A directory for one test, with a source and a mount point; nothing stays mounted when it is dropped, and a mount that
//! hangs is aborted.
//!
//! `FS9_TEST_IO_URING=on|off` is the option `io_uring=` of what [`Scratch`] mounts; without it, fs9 decides.

use rustix::mount::UnmountFlags;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// No test takes longer: what hangs then is aborted.
const DEADLINE: Duration = Duration::from_secs(60);

/// A user without rights, who exists everywhere.
pub(crate) const NOBODY: u32 = 65_534;

/// A directory for one test.
pub(crate) struct Scratch {
    directory: tempfile::TempDir,
    // Dropping it ends the thread that watches the deadline.
    _watch: Sender<()>,
}

impl Scratch {
    /// Makes a directory with `source` and `mnt`, which others may enter.
    pub(crate) fn new() -> Scratch {
        let directory = tempfile::Builder::new().prefix("fs9-cli-").tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["source", "mnt"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let (watch, inbox) = mpsc::channel::<()>();
        let path = directory.path().to_owned();
        std::thread::spawn(move || {
            if inbox.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
                abort_below(&path);
            }
        });
        Scratch { directory, _watch: watch }
    }

    /// Returns a path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the source.
    pub(crate) fn source(&self) -> PathBuf {
        self.path("source")
    }

    /// Returns the mount point.
    pub(crate) fn mnt(&self) -> PathBuf {
        self.path("mnt")
    }

    /// Returns whether something is mounted at the mount point.
    pub(crate) fn is_mounted(&self) -> bool {
        !mounts_below(&self.mnt()).is_empty()
    }

    /// Writes a file, for example a configuration, and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Mounts a source with options, as a daemon.
    #[track_caller]
    pub(crate) fn mount(&self, source: &str, options: &str) {
        let mut command = fs9(&["mount", source]);
        command.arg(self.mnt());
        if !options.is_empty() {
            command.args(["-o", options]);
        }
        succeed(with_transport(&mut command));
        assert!(self.is_mounted());
    }

    /// Mounts a source in the foreground and waits until it is there.
    #[track_caller]
    pub(crate) fn serve(&self, source: &str) -> Server {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut command = fs9(&["mount", "-f", source]);
        let child = with_transport(command.arg(self.mnt())).stderr(log).stdin(Stdio::null()).spawn().unwrap();
        let server = Server { child, log: self.path("log") };
        wait_until("the log tells that it is mounted", || server.log().contains("is mounted at"));
        assert!(self.is_mounted());
        server
    }

    /// Runs a shell script with `$m` for the mount point, `$s` for the source.
    pub(crate) fn shell(&self, script: &str) -> Output {
        let mut command = Command::new("sh");
        output(command.args(["-c", script]).env("m", self.mnt()).env("s", self.source()))
    }

    /// Runs a shell script that has to succeed, and returns what it wrote.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        let output = self.shell(script);
        assert!(output.status.success(), "{script}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for (mountpoint, _) in mounts_below(self.directory.path()).into_iter().rev() {
            // It may have gone in the meantime.
            let _gone = rustix::mount::unmount(&mountpoint, UnmountFlags::DETACH);
        }
    }
}

/// A mount that is served in the foreground.
pub(crate) struct Server {
    pub(crate) child: Child,
    log: PathBuf,
}

impl Server {
    /// Returns what it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it, and waits until no thread of it can take a request any more: who asks for one that was taken hangs until it
    /// goes on.
    pub(crate) fn stop(&self) {
        self.signal(rustix::process::Signal::STOP);
        let tasks = format!("/proc/{}/task", self.child.id());
        let is_stopped = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            // A thread that has just ended takes nothing.
            stat.rsplit(") ").next().is_none_or(|state| state.is_empty() || state.starts_with('T'))
        };
        wait_until("all threads have stopped", || fs::read_dir(&tasks).unwrap().flatten().all(is_stopped));
    }

    /// Waits for its end and returns the exit status.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        wait_until("the server ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended, which is as well.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Returns the command with these arguments.
pub(crate) fn fs9(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fs9"));
    command.args(arguments).env_remove("FS9_LOG").env_remove("FS9_LOG_FORMAT").env_remove("NOTIFY_SOCKET");
    command
}

/// Adds the transport that tests are to use, if they are told.
fn with_transport(mount: &mut Command) -> &mut Command {
    match std::env::var("FS9_TEST_IO_URING") {
        Ok(wanted) => mount.args(["-o", &format!("io_uring={wanted}")]),
        Err(_) => mount,
    }
}

/// Runs a command to its end, or kills it at the deadline.
pub(crate) fn output(command: &mut Command) -> Output {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Short answers fit into the pipes, so that nobody has to read meanwhile.
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > DEADLINE {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    Output { status: child.wait().unwrap(), stdout, stderr }
}

/// Runs a command that has to succeed without a word on standard error; returns its output.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{command:?}");
    text(&output.stdout)
}

/// Runs a command that has to fail with this status and one line, which is returned without our name.
#[track_caller]
pub(crate) fn refuse(command: &mut Command, status: i32) -> String {
    let output = output(command);
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{command:?}: {line}");
    assert_eq!(line.matches('\n').count(), 1, "one line: {line}");
    let line = line.strip_prefix("fs9: ").unwrap_or_else(|| panic!("it names itself: {line}"));
    line.trim_end().to_owned()
}

/// Returns bytes as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for something that comes on its own.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns whether this process is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns mount points at and below a path with their device's minor number, in the order of mounting.
pub(crate) fn mounts_below(path: &Path) -> Vec<(PathBuf, String)> {
    let list = text(&fs::read("/proc/self/mountinfo").unwrap());
    let mount = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let minor = fields[2].split_once(':').unwrap().1.to_owned();
        (PathBuf::from(unescaped(fields[4])), minor)
    };
    list.lines().map(mount).filter(|(mountpoint, _)| mountpoint.starts_with(path)).collect()
}

/// Undoes the escapes of the kernel's list.
fn unescaped(field: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(field.to_owned(), |name, (escape, character)| name.replace(escape, character))
}

/// Makes every request of the mounts below a path fail.
fn abort_below(path: &Path) {
    for (_, minor) in mounts_below(path) {
        // It may not be FUSE, or gone.
        let _gone = fs::write(format!("/sys/fs/fuse/connections/{minor}/abort"), "1");
    }
}
