//! Counts calls, errors and latencies, and notes calls that take long.

use super::{Intent, Interceptor};
use crate::Statistics;
use crate::statistics::SLOW_CALL;
use fs9_sdk::{Call, Deadline, Result};
use std::sync::Arc;
use std::time::Instant;

/// A layer that counts every call, and logs those that take longer than [`SLOW_CALL`] although they do not wait by
/// nature. It does not see bytes, so that it leaves backing descriptors alone.
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
    fn call<T>(&self, intent: Intent, call: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        let begin = Instant::now();
        let result = forward();
        let took = begin.elapsed();
        self.statistics.record(intent.operation, took, result.is_err());
        if took >= SLOW_CALL && call.is_none_or(|call| call.deadline != Deadline::Wait) {
            self.statistics.record_slow();
            tracing::warn!(operation = %intent.operation, seconds = took.as_secs(), "a provider took long");
        }
        result
    }
}
