//! How long single calls took.
//!
//! Invariant: every call is kept, so that a percentile is one that was measured and no edge of a bucket.

use std::time::Duration;

/// Calls of one client for which there is room at once; beyond it the list grows, with a copy that a percentile does
/// not see. Room that is not used costs no memory.
const CALLS_EXPECTED: usize = 1 << 22;

/// Latencies of calls in nanoseconds, sorted only by [`Latencies::merged`].
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn new() -> Latencies {
        Latencies(Vec::with_capacity(CALLS_EXPECTED))
    }

    /// Keeps one call's time. A call of more than 4 s counts as one of 4.29 s.
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
    }

    /// Forgets all calls and keeps the memory that they touched.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Returns the calls of all clients, sorted.
    pub(crate) fn merged(clients: Vec<Latencies>) -> Latencies {
        let mut all: Vec<u32> = clients.into_iter().flat_map(|client| client.0).collect();
        all.sort_unstable();
        Latencies(all)
    }

    /// Returns the smallest time in nanoseconds within which so many of a hundred calls had ended: the nearest rank
    /// of a merged list. 0 for no calls.
    pub(crate) fn percentile(&self, percent: usize) -> u32 {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(times: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::new();
        times.into_iter().for_each(|time| latencies.push(Duration::from_nanos(time)));
        latencies
    }

    #[test]
    fn percentiles_are_those_of_all_clients_together() {
        let all = Latencies::merged(vec![client((1..=100).rev()), client(101..=200)]);
        assert_eq!(all.count(), 200);
        assert_eq!((all.percentile(50), all.percentile(99), all.percentile(100)), (100, 198, 200));
        let few = Latencies::merged(vec![client([7, 5, 6])]);
        assert_eq!((few.percentile(1), few.percentile(50), few.percentile(99)), (5, 6, 7));
        assert_eq!(Latencies::merged(Vec::new()).percentile(50), 0);
    }

    #[test]
    fn a_call_beyond_four_seconds_counts_as_the_longest() {
        assert_eq!(client([5_000_000_000]).percentile(99), u32::MAX);
    }
}
