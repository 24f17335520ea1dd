//! A log-linear histogram of latencies.
//!
//! Each power of two of nanoseconds is cut into eight equal buckets, so that a percentile is at most an eighth too
//! high. Invariant: bucket limits rise strictly, and every duration has exactly one bucket.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of one power of two, as a power of two.
const STEP_BITS: u32 = 3;
/// Durations below 2^MIN_BITS nanoseconds share the first bucket: no call is that short.
const MIN_BITS: u32 = 5;
/// Durations from 2^MAX_BITS nanoseconds (1,100 s) share the last bucket: no deadline is that long.
const MAX_BITS: u32 = 40;
/// One for the short, eight for each power of two, one for the long.
const BUCKETS: usize = (((MAX_BITS - MIN_BITS) as usize) << STEP_BITS) + 2;

/// Counts durations; any number of threads may record at a time.
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    total_ns: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: [const { AtomicU64::new(0) }; BUCKETS], total_ns: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts a duration.
    pub(crate) fn record(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket_of(ns)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.total_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// Returns what was counted so far.
    pub(crate) fn read(&self) -> Latencies {
        Latencies {
            counts: self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect(),
            total_ns: self.total_ns.load(Ordering::Relaxed),
        }
    }
}

/// How long calls took, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies {
    counts: Vec<u64>,
    total_ns: u64,
}

impl Latencies {
    /// Returns the number of calls.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns how long all calls took together.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.total_ns)
    }

    /// Returns the mean, or `None` without calls.
    pub fn mean(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.total_ns.checked_div(self.count())?))
    }

    /// Returns a duration that `fraction` of the calls (0 to 1) did not exceed, at most an eighth too high. `None`
    /// without calls.
    pub fn percentile(&self, fraction: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = ((count as f64 * fraction).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|in_bucket| {
            seen += in_bucket;
            seen >= rank
        });
        Some(Duration::from_nanos(limit_of(bucket.unwrap_or(BUCKETS - 1))))
    }
}

/// Returns the bucket of a duration.
fn bucket_of(ns: u64) -> usize {
    if ns < 1 << MIN_BITS {
        return 0;
    }
    let power = ns.ilog2();
    if power >= MAX_BITS {
        return BUCKETS - 1;
    }
    let step = (ns >> (power - STEP_BITS)) & ((1 << STEP_BITS) - 1);
    1 + ((((power - MIN_BITS) as usize) << STEP_BITS) | step as usize)
}

/// Returns the duration that ends a bucket; of the last one, the duration that begins it.
fn limit_of(bucket: usize) -> u64 {
    let Some(index) = bucket.checked_sub(1) else { return 1 << MIN_BITS };
    let (power, step) = (MIN_BITS + (index >> STEP_BITS) as u32, (index & ((1 << STEP_BITS) - 1)) as u64);
    if power >= MAX_BITS {
        return 1 << MAX_BITS;
    }
    (1 << power) + ((step + 1) << (power - STEP_BITS))
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Histogram, MAX_BITS, bucket_of, limit_of};
    use std::time::Duration;

    #[test]
    fn a_duration_lies_below_the_limit_of_its_bucket_and_not_below_the_one_before() {
        for power in 0..MAX_BITS {
            for ns in [1_u64 << power, (1 << power) + 1, (3 << power) / 2, (2 << power) - 1] {
                let bucket = bucket_of(ns);
                assert!(ns < limit_of(bucket) || bucket == BUCKETS - 1, "{ns} in {bucket}");
                assert!(bucket == 0 || ns >= limit_of(bucket - 1), "{ns} in {bucket}");
            }
        }
        assert_eq!((bucket_of(0), bucket_of(u64::MAX)), (0, BUCKETS - 1));
    }

    #[test]
    fn limits_rise_strictly() {
        assert!((1..BUCKETS - 1).all(|bucket| limit_of(bucket - 1) < limit_of(bucket)));
    }

    #[test]
    fn percentiles_are_at_most_an_eighth_too_high() {
        let histogram = Histogram::default();
        for us in 1..=1000 {
            histogram.record(Duration::from_micros(us));
        }
        let latencies = histogram.read();
        for (fraction, us) in [(0.0, 1), (0.5, 500), (0.99, 990), (1.0, 1000)] {
            let exact = Duration::from_micros(us);
            let told = latencies.percentile(fraction).unwrap();
            assert!(told >= exact && told <= exact * 9 / 8, "{fraction}: {told:?} for {exact:?}");
        }
        assert_eq!(latencies.count(), 1000);
        assert_eq!(latencies.mean(), Some(Duration::from_nanos(500_500)));
    }

    #[test]
    fn nothing_counted_has_no_percentile_and_no_mean() {
        let latencies = Histogram::default().read();
        assert_eq!((latencies.percentile(0.5), latencies.mean(), latencies.count()), (None, None, 0));
    }
}
