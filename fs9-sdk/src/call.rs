//! What accompanies each call into a provider: who asks, until when, and whether it still matters.

use crate::Caller;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// As long as it needs, as on a hard mount; the call is expected to end by itself.
    Unlimited,
    /// Until this moment; then the caller is told `ETIMEDOUT`.
    At(Instant),
    /// The call waits by nature (a reader of a stream, a poll): no deadline, always cancellable.
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

/// Tells a call that nobody waits for its result any more.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Option<Arc<AtomicBool>>);

impl Cancellation {
    /// Returns one that never fires, without an allocation.
    pub const fn never() -> Cancellation {
        Cancellation(None)
    }

    /// Returns one that can fire.
    pub fn new() -> Cancellation {
        Cancellation(Some(Arc::default()))
    }

    /// Fires; a call that looks at it is expected to end soon with `EINTR`.
    pub fn cancel(&self) {
        if let Some(flag) = &self.0 {
            flag.store(true, Ordering::Release);
        }
    }

    /// Returns whether it fired.
    pub fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|flag| flag.load(Ordering::Acquire))
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
}
