//! Becoming a daemon: two forks, and a pipe by which the one who typed the command learns how it went.
//!
//! Invariant: the parent leaves only after the daemon has reported, or is gone; a daemon that dies without a word is
//! a failure.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{chdir, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::io;

/// In which process [`detach`] returned.
#[derive(Debug)]
pub enum Detached {
    /// The one that was started: it waits for the daemon's report.
    Parent(Waiter),
    /// The daemon: alone in a session of its own, its standard streams still those of the parent.
    Daemon(Daemon),
}

/// What the daemon reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It serves.
    Ready,
    /// It gave up, with this exit status; it has said why on standard error.
    Failed(u8),
    /// It is gone without a word.
    Died,
}

/// Waits for the daemon's report.
#[derive(Debug)]
pub struct Waiter(OwnedFd);

/// Reports to the one who waits.
#[derive(Debug)]
pub struct Daemon(OwnedFd);

/// Forks a daemon off. To be called before any thread exists: a child of fork has only the calling one. Descriptors
/// beyond standard error are closed: a daemon that kept what a shell let it inherit would hold locks and pipes for days.
/// So it is to be called before anything is opened, too.
///
/// # Errors
/// `EBUSY` if there are other threads; else what the system refuses.
pub fn detach() -> io::Result<Detached> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    close_inherited()?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    if let Some(child) = fork()? {
        drop(writer);
        reap(child);
        return Ok(Detached::Parent(Waiter(reader)));
    }
    drop(reader);
    // The second fork makes sure that the daemon leads no session and never gets a controlling terminal.
    let second = setsid().map_err(io::Error::from).and_then(|_| fork());
    match second {
        Ok(None) => Ok(Detached::Daemon(Daemon(writer))),
        // The first child has nothing left to do; if it failed, closing the pipe tells the parent so.
        Ok(Some(_)) | Err(_) => exit_now(),
    }
}

impl Waiter {
    /// Waits until the daemon reports or is gone.
    ///
    /// # Errors
    /// What reading a pipe can meet.
    pub fn wait(self) -> io::Result<Outcome> {
        let mut status = [0];
        let length = loop {
            match rustix::io::read(&self.0, &mut status) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        };
        Ok(match (length, status) {
            (0, _) => Outcome::Died,
            (_, [0]) => Outcome::Ready,
            (_, [status]) => Outcome::Failed(status),
        })
    }
}

impl Daemon {
    /// Reports that the daemon serves, and lets go of the terminal and the working directory.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn ready(self) -> io::Result<()> {
        chdir("/")?;
        let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        report(&self.0, 0)
    }

    /// Reports a failure; the parent is to exit with this status, which is not 0.
    ///
    /// # Errors
    /// `EPIPE` if the parent is gone.
    pub fn failed(self, status: u8) -> io::Result<()> {
        report(&self.0, status.max(1))
    }
}

fn report(pipe: impl AsFd, status: u8) -> io::Result<()> {
    rustix::io::write(pipe, &[status])?;
    Ok(())
}

/// Closes all descriptors beyond standard error.
fn close_inherited() -> io::Result<()> {
    // SAFETY: nobody else runs, and by the contract of `detach` nothing of ours is open yet.
    match unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Forks; returns the child's process id in the parent.
fn fork() -> io::Result<Option<libc::pid_t>> {
    // SAFETY: there is one thread only, so no lock is held by another that the child would lack.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        child => Ok(Some(child)),
    }
}

/// Waits for the first child, which exits at once.
fn reap(child: libc::pid_t) {
    let mut status = 0;
    loop {
        // SAFETY: `status` is ours, and the process id is that of our own child.
        let result = unsafe { libc::waitpid(child, &raw mut status, 0) };
        if result >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// Leaves without running the parent's exit handlers or flushing its buffers a second time.
fn exit_now() -> ! {
    // SAFETY: _exit touches no memory of ours.
    unsafe { libc::_exit(0) }
}
