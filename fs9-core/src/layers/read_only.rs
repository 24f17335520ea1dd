//! Refuses every change.

use super::{Intent, Interceptor};
use fs9_sdk::{Call, Capabilities, ErrorKind, Result};

/// A layer that answers `EROFS` to every call that changes something or prepares to.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOnly;

impl Interceptor for ReadOnly {
    fn call<T>(
        &self,
        intent: Intent,
        _call: Option<&Call>,
        forward: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if intent.changes { Err(ErrorKind::ReadOnly.into()) } else { forward() }
    }

    fn capabilities(&self, inner: Capabilities) -> Capabilities {
        Capabilities { read_only: true, ..inner }
    }
}
