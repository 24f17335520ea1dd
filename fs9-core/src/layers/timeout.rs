//! Keeps calls from starting too late.

use super::{Intent, Interceptor};
use fs9_sdk::{Call, Deadline, ErrorKind, Result};
use std::time::Instant;

/// A layer that refuses to start a call whose deadline has passed (`ETIMEDOUT`) or that was cancelled (`EINTR`). It
/// cannot end a call that runs; whoever waits for one ends the waiting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeout;

impl Interceptor for Timeout {
    fn call<T>(
        &self,
        _intent: Intent,
        call: Option<&Call>,
        forward: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if let Some(call) = call {
            // The clock is read only where there is a deadline.
            if matches!(call.deadline, Deadline::At(moment) if moment <= Instant::now()) {
                return Err(ErrorKind::TimedOut.into());
            }
            if call.cancellation.is_cancelled() {
                return Err(ErrorKind::Interrupted.into());
            }
        }
        forward()
    }
}
