//! Starting and ending one `fs9 mount -f`.
//!
//! `FS9_TEST_IO_URING=on|off` is the option `io_uring=` of every mount that does not have it; without it, fs9 decides.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a mount may take to answer, and to end.
const DEADLINE: Duration = Duration::from_secs(20);

/// What to mount, and how.
#[derive(Clone, Debug, Default)]
pub struct MountPlan {
    /// `memory:`, or nothing for a local directory made for this test.
    pub source: Option<String>,
    /// The text after `-o`.
    pub options: String,
    /// Mounts the directory that holds the mount point itself.
    pub source_holds_mount_point: bool,
    /// Runs the daemon under this soft and hard limit of open files.
    pub open_files_max: Option<u64>,
}

/// A mounted fs9.
pub struct Mounted {
    daemon: Child,
    scratch: tempfile::TempDir,
}

impl Mounted {
    /// Mounts a fresh local directory with these options.
    ///
    /// # Panics
    /// If the mount does not answer in time.
    pub fn local(options: &str) -> Mounted {
        Mounted::start(&MountPlan { options: options.to_owned(), ..MountPlan::default() })
    }

    /// Mounts a fresh memory file system with these options.
    ///
    /// # Panics
    /// If the mount does not answer in time.
    pub fn memory(options: &str) -> Mounted {
        let plan =
            MountPlan { source: Some("memory:".into()), options: options.to_owned(), ..Default::default() };
        Mounted::start(&plan)
    }

    /// Mounts by a plan.
    ///
    /// # Panics
    /// If the mount does not answer in time.
    pub fn start(plan: &MountPlan) -> Mounted {
        let scratch = tempfile::Builder::new().prefix("fs9-test-").tempdir().expect("temporary directory");
        open_to_all(scratch.path());
        for part in ["source", "mnt"] {
            std::fs::create_dir(scratch.path().join(part)).expect("directory of the test");
            open_to_all(&scratch.path().join(part));
        }
        let ready = UnixDatagram::bind(scratch.path().join("notify")).expect("notify socket");
        ready.set_read_timeout(Some(DEADLINE)).expect("timeout of the notify socket");
        let mut daemon = command(plan, scratch.path()).spawn().expect("fs9 starts");
        let mut message = [0; 4096];
        let answered = ready.recv(&mut message).map(|n| message[..n].starts_with(b"READY=1"));
        if !matches!(answered, Ok(true)) {
            // The daemon is ours and did not come up: there is nothing of it to keep.
            drop(daemon.kill());
            panic!("fs9 mount did not answer: {answered:?}, {:?}", daemon.wait());
        }
        let mounted = Mounted { daemon, scratch };
        if let Some(wanted) = transport() {
            assert_eq!(mounted.has_rings(), wanted == "on", "the mount has the transport that was asked for");
        }
        mounted
    }

    /// Returns whether the daemon has rings of io_uring.
    ///
    /// # Panics
    /// If its descriptors cannot be listed.
    pub fn has_rings(&self) -> bool {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("descriptors");
        let mut targets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        targets.any(|target| target.as_os_str() == "anon_inode:[io_uring]")
    }

    /// Returns a path below the mount point.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.scratch.path().join("mnt").join(below)
    }

    /// Returns a path below the directory that is mounted.
    pub fn source(&self, below: impl AsRef<Path>) -> PathBuf {
        self.scratch.path().join("source").join(below)
    }

    /// Returns a path beside source and mount point, on the same native file system.
    pub fn outside(&self, below: impl AsRef<Path>) -> PathBuf {
        self.scratch.path().join(below)
    }

    /// Returns the process id of the daemon.
    pub fn pid(&self) -> u32 {
        self.daemon.id()
    }

    /// Returns whether the daemon still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.daemon.try_wait(), Ok(None))
    }

    /// Reads a file of the control directory.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn control(&self, file: &str) -> String {
        let path = self.path(".fs9").join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Waits until the daemon knows that no file is open for writing any more: the kernel tells of a `close(2)` when that has
    /// returned, and rings do not keep the order.
    ///
    /// # Panics
    /// If somebody still writes after the deadline.
    pub fn wait_for_writers(&self) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let handles = self.control("handles");
            let writes = |line: &&str| line.split('\t').any(|field| field == "w" || field == "rw");
            let Some(writer) = handles.lines().find(writes) else { return };
            assert!(Instant::now() < deadline, "still open: {writer}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Gives one command to the control file.
    ///
    /// # Errors
    /// The errno of a refused command.
    pub fn command(&self, line: &str) -> std::io::Result<()> {
        std::fs::write(self.path(".fs9/ctl"), format!("{line}\n"))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let mountpoint = self.path("");
        terminate(&self.daemon);
        let deadline = Instant::now() + DEADLINE;
        while self.is_alive() {
            if Instant::now() > deadline {
                // A daemon that does not end is killed; the failure is the test's to report.
                drop(self.daemon.kill());
                drop(self.daemon.wait());
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let left = rustix::mount::unmount(&mountpoint, rustix::mount::UnmountFlags::DETACH);
        if left.is_ok() && !std::thread::panicking() {
            panic!("the daemon ended and left {} mounted", mountpoint.display());
        }
    }
}

/// Returns the transport that tests are to use, if they are told.
fn transport() -> Option<String> {
    let wanted = std::env::var("FS9_TEST_IO_URING").ok()?;
    assert!(["on", "off"].contains(&wanted.as_str()), "FS9_TEST_IO_URING is on or off, not {wanted}");
    Some(wanted)
}

/// Asks the daemon to end, as an init system does.
fn terminate(daemon: &Child) {
    if let Some(pid) = i32::try_from(daemon.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended by itself, which is as good.
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
    }
}

/// Builds the command line of the daemon.
fn command(plan: &MountPlan, scratch: &Path) -> Command {
    let mut command = match plan.open_files_max {
        None => Command::new(binary()),
        Some(max) => {
            let mut limited = Command::new("prlimit");
            limited.arg(format!("--nofile={max}:{max}")).arg("--").arg(binary());
            limited
        }
    };
    command.arg("mount").arg("-f");
    if !plan.options.is_empty() {
        command.arg("-o").arg(&plan.options);
    }
    if let Some(wanted) = transport()
        && !plan.options.contains("io_uring=")
    {
        command.arg("-o").arg(format!("io_uring={wanted}"));
    }
    match &plan.source {
        Some(source) => command.arg(source),
        None if plan.source_holds_mount_point => command.arg(scratch),
        None => command.arg(scratch.join("source")),
    };
    command.arg(scratch.join("mnt")).env("NOTIFY_SOCKET", scratch.join("notify")).stdin(Stdio::null());
    command
}

/// Finds the `fs9` that was built beside this test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("path of the running test");
    let beside = test.parent().and_then(Path::parent).map(|dir| dir.join("fs9"));
    match beside {
        Some(path) if path.exists() => path,
        _ => panic!("fs9 is not built: run `cargo build -p fs9-cli` first, or the whole suite"),
    }
}

/// Lets every user enter and write.
fn open_to_all(path: &Path) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(path, mode).expect("permissions of the test's directory");
}
