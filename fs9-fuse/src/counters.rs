//! How many requests of each kind the kernel sent.

use fs9_sdk::Operation as OperationKind;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts requests by operation.
pub struct Counters {
    requests: Box<[AtomicU64]>,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters { requests: OperationKind::ALL.iter().map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Counters {
    pub(crate) fn count(&self, kind: OperationKind) {
        if let Some(counter) = self.requests.get(kind as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the number of requests that led to this operation.
    pub fn of(&self, kind: OperationKind) -> u64 {
        self.requests.get(kind as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Returns the number of all requests.
    pub fn total(&self) -> u64 {
        self.requests.iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    /// Returns the operations that were asked for, and how often.
    pub fn snapshot(&self) -> Vec<(OperationKind, u64)> {
        let all = OperationKind::ALL.iter().map(|&kind| (kind, self.of(kind)));
        all.filter(|&(_, count)| count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Counters;
    use fs9_sdk::Operation;

    #[test]
    fn each_operation_has_a_counter_of_its_own() {
        let counters = Counters::default();
        for &kind in Operation::ALL {
            counters.count(kind);
        }
        counters.count(Operation::Poll);
        assert_eq!(counters.of(Operation::Lookup), 1);
        assert_eq!(counters.of(Operation::Poll), 2);
        assert_eq!(counters.total(), Operation::ALL.len() as u64 + 1);
    }
}
