//! Keeps a panic of a provider to the call that met it.

use super::{Intent, Interceptor};
use fs9_sdk::{Call, Error, ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A layer that turns a panic of the provider into `EIO` for its caller. What the provider leaves behind is its own
/// affair: nothing of the VFS is changed during a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contain;

impl Interceptor for Contain {
    fn call<T>(
        &self,
        intent: Intent,
        _call: Option<&Call>,
        forward: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        catch_unwind(AssertUnwindSafe(forward)).unwrap_or_else(|_| {
            tracing::error!(operation = %intent.operation, "a provider panicked");
            Err(Error::new(ErrorKind::Io).because("the provider panicked"))
        })
    }
}
