//! Counters of one provider: calls, errors and latencies of each operation.
//!
//! Invariant: counters only grow. They are relaxed: a reader may see a call's latency before its error, never a
//! number that was not written. Nothing is allocated for an operation that was never called.

use crate::histogram::{Histogram, Latencies};
use fs9_sdk::Operation;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The number of operations.
const OPERATIONS: usize = Operation::ALL.len();

/// A call that takes longer is worth a line in the log.
pub const SLOW_CALL: Duration = Duration::from_secs(10);

/// The counters of one operation.
#[derive(Default)]
struct Counters {
    errors: AtomicU64,
    latency: Histogram,
}

/// The counters of each operation, those that were ever called.
type ByOperation = [OnceLock<Box<Counters>>; OPERATIONS];

/// Counters of one provider.
#[derive(Default)]
pub struct Statistics {
    /// Made at the first call: of 100,000 mounts, most are never called.
    operations: OnceLock<Box<ByOperation>>,
    slow: AtomicU64,
}

/// What was counted of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationStatistics {
    /// The operation.
    pub operation: Operation,
    /// Calls that failed.
    pub errors: u64,
    /// How long the calls took.
    pub latencies: Latencies,
}

impl Statistics {
    /// Counts a call.
    pub fn record(&self, operation: Operation, took: Duration, failed: bool) {
        let operations = self.operations.get_or_init(|| Box::new([const { OnceLock::new() }; OPERATIONS]));
        let Some(slot) = operations.get(operation as usize) else { return };
        let counters = slot.get_or_init(Box::default);
        counters.latency.record(took);
        if failed {
            counters.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a call that took longer than [`SLOW_CALL`].
    pub fn record_slow(&self) {
        self.slow.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of calls that took longer than [`SLOW_CALL`].
    pub fn slow(&self) -> u64 {
        self.slow.load(Ordering::Relaxed)
    }

    /// Returns what was counted of an operation, or `None` if it was never called.
    pub fn of(&self, operation: Operation) -> Option<OperationStatistics> {
        let counters = self.operations.get()?.get(operation as usize)?.get()?;
        let errors = counters.errors.load(Ordering::Relaxed);
        Some(OperationStatistics { operation, errors, latencies: counters.latency.read() })
    }

    /// Returns what was counted of each operation that was ever called.
    pub fn operations(&self) -> impl Iterator<Item = OperationStatistics> {
        Operation::ALL.iter().filter_map(|&operation| self.of(operation))
    }
}

#[cfg(test)]
mod tests {
    use super::Statistics;
    use fs9_sdk::Operation;
    use std::time::Duration;

    #[test]
    fn calls_and_errors_are_counted_by_operation() {
        let statistics = Statistics::default();
        for failed in [false, true, false] {
            statistics.record(Operation::Lookup, Duration::from_micros(3), failed);
        }
        statistics.record(Operation::Poll, Duration::ZERO, true);
        let lookup = statistics.of(Operation::Lookup).unwrap();
        assert_eq!((lookup.latencies.count(), lookup.errors), (3, 1));
        assert_eq!(statistics.of(Operation::Poll).unwrap().errors, 1);
        assert_eq!(statistics.of(Operation::Read), None);
        assert_eq!(statistics.operations().count(), 2);
    }

    #[test]
    fn a_provider_that_was_never_called_costs_little_memory() {
        assert!(size_of::<Statistics>() <= 64);
    }
}
