//! The signals that end a daemon, or a command that goes on until then, as something to wait for.
//!
//! Invariant: they are blocked before any thread exists, so that every thread inherits the mask and only the one who
//! reads the descriptor takes them.

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The signals that end a daemon or a command.
#[derive(Debug)]
pub(crate) struct EndingSignals(SignalFd);

impl EndingSignals {
    /// Takes SIGTERM, SIGINT and SIGHUP from now on.
    ///
    /// # Errors
    /// What the system refuses.
    pub(crate) fn take() -> io::Result<EndingSignals> {
        let mut signals = SigSet::empty();
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().for_each(|signal| signals.add(signal));
        signals.thread_block()?;
        Ok(EndingSignals(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Returns whether a signal has come, and takes it.
    pub(crate) fn has_come(&self) -> bool {
        matches!(self.0.read_signal(), Ok(Some(_)))
    }
}

impl AsFd for EndingSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
