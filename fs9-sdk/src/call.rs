//! What accompanies each call into a provider: who asks, until when, and whether it still matters.

use crate::{Caller, Cancellation, ErrorKind};
use std::time::{Duration, Instant};

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// As long as it needs, as on a hard mount; the call is expected to end by itself.
    Unlimited,
    /// Until this moment; then the caller is told `ETIMEDOUT`.
    At(Instant),
    /// The call waits by nature (for data of a stream, an event, a lock): no deadline, always cancellable.
    Wait,
}

impl Deadline {
    /// Returns the time that is left, or `None` where there is no limit.
    pub fn remaining(self) -> Option<Duration> {
        match self {
            Deadline::At(moment) => Some(moment.saturating_duration_since(Instant::now())),
            Deadline::Unlimited | Deadline::Wait => None,
        }
    }
}

/// What accompanies a call into a provider.
#[derive(Clone, Debug)]
pub struct Call {
    /// On whose behalf the call is made.
    pub caller: Caller,
    /// How long it may take.
    pub deadline: Deadline,
    /// Whether its result still matters.
    pub cancellation: Cancellation,
}

impl Call {
    /// Returns a call of this caller without a limit in time.
    pub const fn by(caller: Caller) -> Call {
        Call { caller, deadline: Deadline::Unlimited, cancellation: Cancellation::never() }
    }

    /// Returns what the one who asked is told by now if the call has not ended: `ETIMEDOUT` after the deadline, `EINTR` when
    /// it was cancelled before.
    pub fn lapsed(&self) -> Option<ErrorKind> {
        // The clock is read only where there is a deadline.
        if matches!(self.deadline, Deadline::At(moment) if moment <= Instant::now()) {
            return Some(ErrorKind::TimedOut);
        }
        self.cancellation.is_cancelled().then_some(ErrorKind::Interrupted)
    }
}
