//! Keeps calls from starting too late, and notes those that take long.

use super::{Intent, Interceptor};
use crate::Statistics;
use crate::statistics::SLOW_CALL;
use fs9_sdk::{Call, Deadline, ErrorKind, Result};
use std::sync::Arc;
use std::time::Instant;

/// A layer that refuses to start a call whose deadline has passed or whose caller has gone, and counts and logs those
/// that took longer than [`SLOW_CALL`]. It cannot end a call; whoever waits for one ends the waiting.
#[derive(Clone)]
pub struct Timeout {
    statistics: Arc<Statistics>,
}

impl Timeout {
    /// Returns a layer that counts there.
    pub fn new(statistics: Arc<Statistics>) -> Timeout {
        Timeout { statistics }
    }
}

impl Interceptor for Timeout {
    fn call<T>(&self, intent: Intent, call: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        let begin = Instant::now();
        if let Some(call) = call {
            if matches!(call.deadline, Deadline::At(moment) if moment <= begin) {
                return Err(ErrorKind::TimedOut.into());
            }
            if call.cancellation.is_cancelled() {
                return Err(ErrorKind::Interrupted.into());
            }
        }
        let result = forward();
        let took = begin.elapsed();
        if took >= SLOW_CALL && call.is_none_or(|call| call.deadline != Deadline::Wait) {
            self.statistics.record_slow();
            tracing::warn!(operation = %intent.operation, seconds = took.as_secs(), "a provider took long");
        }
        result
    }
}
