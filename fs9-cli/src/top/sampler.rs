//! Looks at a mount on a thread of its own, so that a daemon that hangs holds up neither pages nor Ctrl-C.
//!
//! Invariant: at most one look is under way.

use crate::mountinfo::MountLine;
use crate::status::{MountRecord, State, record_of};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::pipe::{PipeFlags, pipe_with};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

/// What a look saw, and when.
pub(super) struct Sample {
    pub(super) record: MountRecord,
    pub(super) taken: Instant,
}

/// Looks at one mount.
pub(super) struct Sampler {
    line: MountLine,
    requests: Sender<()>,
    samples: Receiver<Sample>,
    /// Has a byte for each sample.
    ready: OwnedFd,
    is_under_way: bool,
}

impl Sampler {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn start(line: &MountLine) -> io::Result<Sampler> {
        let (requests, inbox) = channel();
        let (outbox, samples) = channel();
        let (ready, bell) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let looked_at = line.clone();
        std::thread::Builder::new().name("fs9-sampler".into()).spawn(move || {
            for () in inbox {
                let record = record_of(&looked_at);
                let sample = Sample { record, taken: Instant::now() };
                // Both fail when nobody waits any more.
                if outbox.send(sample).is_err() || rustix::io::write(&bell, b"!").is_err() {
                    break;
                }
            }
        })?;
        Ok(Sampler { line: line.clone(), requests, samples, ready, is_under_way: false })
    }

    /// Begins a look, unless one is under way.
    pub(super) fn begin(&mut self) {
        if !self.is_under_way {
            self.is_under_way = self.requests.send(()).is_ok();
        }
    }

    /// Returns what the look saw, if it is done.
    pub(super) fn take(&mut self) -> Option<Sample> {
        let sample = self.samples.try_recv().ok()?;
        self.is_under_way = false;
        // The bell rings after the sample was sent, so that it may ring once more for nothing.
        let _nothing = rustix::io::read(&self.ready, &mut [0; 8]);
        Some(sample)
    }

    /// Returns what is known of a mount that does not answer.
    pub(super) fn silent(&self) -> MountRecord {
        MountRecord::new(&self.line, State::Silent)
    }
}

impl AsFd for Sampler {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }
}
