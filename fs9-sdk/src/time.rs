//! Points in time as files carry them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time since the epoch, with nanoseconds; earlier times have negative seconds, as in `timespec(3)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01 00:00:00 UTC, rounded down.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// Returns the present time of the system clock.
    pub fn now() -> Timestamp {
        SystemTime::now().into()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Timestamp { seconds: after.as_secs() as i64, nanoseconds: after.subsec_nanos() },
            Err(before) => {
                let before = before.duration();
                match before.subsec_nanos() {
                    0 => Timestamp { seconds: -(before.as_secs() as i64), nanoseconds: 0 },
                    nanos => Timestamp {
                        seconds: -(before.as_secs() as i64) - 1,
                        nanoseconds: 1_000_000_000 - nanos,
                    },
                }
            }
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> SystemTime {
        let whole = if time.seconds >= 0 {
            UNIX_EPOCH.checked_add(Duration::from_secs(time.seconds.unsigned_abs()))
        } else {
            UNIX_EPOCH.checked_sub(Duration::from_secs(time.seconds.unsigned_abs()))
        };
        // Times from disk can lie beyond what the standard library represents.
        whole.and_then(|t| t.checked_add(Duration::from_nanos(time.nanoseconds.into()))).unwrap_or(UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;
    use std::time::SystemTime;

    #[test]
    fn times_before_and_after_the_epoch_survive_the_way_there_and_back() {
        for (seconds, nanoseconds) in [(0, 0), (0, 1), (-1, 999_999_999), (-1, 0), (-2, 5), (1 << 33, 7)] {
            let time = Timestamp { seconds, nanoseconds };
            assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        }
    }

    #[test]
    fn absurd_times_do_not_panic() {
        for seconds in [i64::MIN, i64::MAX] {
            let time = SystemTime::from(Timestamp { seconds, nanoseconds: 999_999_999 });
            assert_eq!(time >= SystemTime::UNIX_EPOCH, seconds > 0 || time == SystemTime::UNIX_EPOCH);
        }
    }
}
