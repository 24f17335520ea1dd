//! How a mount that is served comes to its end.

use super::signals::EndingSignals;
use crate::holders;
use crate::mountinfo;
use fs9_fuse::{Session, SessionHandle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long to wait for what is open, before the mount is detached.
const DRAIN: Duration = Duration::from_secs(5);

/// How often to look whether all is closed: the kernel tells of closed files, but not of the last.
const LOOK: Duration = Duration::from_millis(20);

/// How often to try again to unmount what has no open files, but perhaps a working directory in it: as a user, each try
/// starts a program.
const RETRY: Duration = Duration::from_millis(250);

/// How a mount ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody uses it any more.
    Unmounted,
    /// It was cut off while it was used.
    Aborted,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ending::Unmounted => "unmounted",
            Ending::Aborted => "aborted while busy",
        })
    }
}

/// A mount that is served by other threads.
pub(super) struct Served {
    handle: SessionHandle,
    mountpoint: PathBuf,
    server: JoinHandle<()>,
    /// Hangs up when the last request was answered.
    end: OwnedFd,
}

/// What woke the waiting thread.
#[derive(PartialEq, Eq)]
enum Event {
    Ended,
    Signal,
    Timeout,
}

impl Served {
    /// Starts to answer requests.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn start(session: Session, handle: SessionHandle, mountpoint: &Path) -> io::Result<Served> {
        let (end, alive) = pipe_with(PipeFlags::CLOEXEC)?;
        let server = std::thread::Builder::new().name("fs9-serve".into()).spawn(move || {
            if let Err(error) = session.serve() {
                tracing::error!("serving ended: {error}");
            }
            drop(alive);
        })?;
        Ok(Served { handle, mountpoint: mountpoint.to_owned(), server, end })
    }

    /// Cuts the mount off from its users and takes it away.
    pub(super) fn abort(self) {
        let place = self.mountpoint.display();
        match self.handle.abort() {
            Ok(()) => self.join(),
            // After a lazy unmount, where /sys/fs/fuse/connections is not mounted, it takes the end of this process.
            Err(error) => tracing::warn!("{place}: not cut off before the end of the daemon: {error}"),
        }
    }

    /// Waits for the end: unmounted by others, or told to by a signal.
    pub(super) fn wait(self, signals: &EndingSignals, on_signal: impl FnOnce()) -> Ending {
        if self.next_event(signals, None) == Event::Ended {
            self.join();
            return Ending::Unmounted;
        }
        on_signal();
        self.finish(signals)
    }

    /// Ends the mount after a signal.
    fn finish(self, signals: &EndingSignals) -> Ending {
        self.handle.refuse_opens(true);
        let deadline = Instant::now() + DRAIN;
        while !self.is_unmounted() && Instant::now() < deadline {
            let pause = if self.handle.open_handles() > 0 { LOOK } else { RETRY };
            match self.next_event(signals, Some(pause)) {
                Event::Ended => return self.unmounted(),
                Event::Signal => return self.aborted(),
                Event::Timeout => {}
            }
        }
        self.detach();
        match self.next_event(signals, None) {
            Event::Ended | Event::Timeout => self.unmounted(),
            Event::Signal => self.aborted(),
        }
    }

    /// Unmounts if nothing is open, and returns whether that was done.
    fn is_unmounted(&self) -> bool {
        self.handle.open_handles() == 0 && self.handle.unmount(false).is_ok()
    }

    /// Takes a mount that is still busy out of sight.
    fn detach(&self) {
        if !self.handle.is_in_place() {
            // Somebody detached it already. What is at the path now is another mount.
            return;
        }
        let lines = mountinfo::read().unwrap_or_default();
        let Some(mount) = mountinfo::on_top(&lines, &self.mountpoint).filter(|line| line.is_fs9()) else {
            return;
        };
        let place = self.mountpoint.display();
        tracing::warn!(
            "{place}: busy: held by {}: detaching it",
            holders::in_words(&holders::of_mount(mount))
        );
        if let Err(error) = self.handle.unmount(true) {
            tracing::error!("{place}: not detached: {error}");
        }
    }

    fn unmounted(self) -> Ending {
        self.join();
        Ending::Unmounted
    }

    fn aborted(self) -> Ending {
        self.abort();
        Ending::Aborted
    }

    /// Waits until the threads that answer have ended.
    fn join(self) {
        if self.server.join().is_err() {
            tracing::error!("the thread that serves has panicked");
        }
    }

    /// Waits for the next thing to happen.
    fn next_event(&self, signals: &EndingSignals, patience: Option<Duration>) -> Event {
        let deadline = patience.map(|patience| Instant::now() + patience);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [
                PollFd::from_borrowed_fd(self.end.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
            ];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Event::Timeout,
                Err(error) if error != rustix::io::Errno::INTR => {
                    tracing::error!("waiting for the end: {error}");
                    return Event::Signal;
                }
                Ok(_) | Err(_) => {}
            }
            // The end first: what is gone needs no drain.
            if fds.first().is_some_and(|end| end.revents().intersects(PollFlags::HUP | PollFlags::IN)) {
                return Event::Ended;
            }
            if signals.has_come() {
                return Event::Signal;
            }
        }
    }
}
