//! Counts calls, errors and latencies.

use super::{Intent, Interceptor};
use crate::Statistics;
use fs9_sdk::{Call, Result};
use std::sync::Arc;
use std::time::Instant;

/// A layer that counts every call. It does not see bytes, so that it leaves backing descriptors alone.
#[derive(Clone)]
pub struct Metrics {
    statistics: Arc<Statistics>,
}

impl Metrics {
    /// Returns a layer that counts there.
    pub fn new(statistics: Arc<Statistics>) -> Metrics {
        Metrics { statistics }
    }
}

impl Interceptor for Metrics {
    fn call<T>(
        &self,
        intent: Intent,
        _call: Option<&Call>,
        forward: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let begin = Instant::now();
        let result = forward();
        self.statistics.record(intent.operation, begin.elapsed(), result.is_err());
        result
    }
}
