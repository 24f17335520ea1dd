//! How the one who typed the command learns that the mount is there.

use crate::fault::Fault;
use fs9_sys::Daemon;
use std::io;

/// Tells whoever waits for the mount, once.
#[derive(Debug)]
pub(crate) struct Reporter {
    is_foreground: bool,
    parent: Option<Daemon>,
}

impl Reporter {
    /// Nobody waits: the command itself serves.
    pub(crate) fn foreground() -> Reporter {
        Reporter { is_foreground: true, parent: None }
    }

    /// The process that was started waits at a pipe.
    pub(crate) fn to_parent(pipe: Daemon) -> Reporter {
        Reporter { is_foreground: false, parent: Some(pipe) }
    }

    /// Returns whether the command itself serves.
    pub(crate) fn is_foreground(&self) -> bool {
        self.is_foreground
    }

    /// Tells that the mount answers, and lets go of terminal and working directory.
    ///
    /// # Errors
    /// `EPIPE` if the one who waited is gone.
    pub(crate) fn ready(&mut self) -> io::Result<()> {
        assert!(self.is_foreground || self.parent.is_some(), "whoever waits is told once");
        self.parent.take().map_or(Ok(()), Daemon::ready)
    }

    /// Tells that there will be no mount. Returns whether somebody still waited, who then wants to read why.
    pub(crate) fn give_up(&mut self, fault: &Fault) -> bool {
        self.parent.take().is_some_and(|pipe| pipe.failed(fault.status() as u8).is_ok())
    }
}
