//! Keeps calls from starting too late.

use super::{Intent, Interceptor};
use fs9_sdk::{Call, Result};

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
        match call.and_then(Call::lapsed) {
            Some(kind) => Err(kind.into()),
            None => forward(),
        }
    }
}
