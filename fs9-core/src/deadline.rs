//! How long calls into a provider may take.

use fs9_sdk::{Deadline, Execution, Operation};
use std::time::{Duration, Instant};

/// Operations that move what was collected before, so that they may take this many times as long.
const FLUSHING_FACTOR: u32 = 4;

/// The time limits of one mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// `None`: calls take as long as they need.
    limit: Option<Duration>,
    /// Reads have no limit and are expected to wait.
    reads_wait: bool,
}

impl Deadlines {
    /// Returns the limits for a provider that is run so: none on the request's own thread, which nobody could
    /// replace, else `timeout`.
    pub fn new(execution: Execution, timeout: Duration) -> Deadlines {
        Deadlines {
            limit: match execution {
                Execution::Inline => None,
                Execution::MayBlock => Some(timeout),
            },
            reads_wait: false,
        }
    }

    /// Returns the same limits, but for reads that wait by nature, or not.
    #[must_use]
    pub fn with_waiting_reads(self, reads_wait: bool) -> Deadlines {
        Deadlines { reads_wait, ..self }
    }

    fn waits(&self, operation: Operation) -> bool {
        operation == Operation::Poll || (operation == Operation::Read && self.reads_wait)
    }

    /// Returns how long this operation may take.
    pub fn limit(&self, operation: Operation) -> Option<Duration> {
        use Operation::{Flush, Fsync, Fsyncdir, Release};
        match operation {
            _ if self.waits(operation) => None,
            Fsync | Fsyncdir | Flush | Release => Some(self.limit?.saturating_mul(FLUSHING_FACTOR)),
            _ => self.limit,
        }
    }

    /// Returns the deadline of a call that begins now.
    pub fn of(&self, operation: Operation) -> Deadline {
        if self.waits(operation) {
            return Deadline::Wait;
        }
        // A limit beyond what the clock can represent is none.
        match self.limit(operation).and_then(|limit| Instant::now().checked_add(limit)) {
            Some(moment) => Deadline::At(moment),
            None => Deadline::Unlimited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Deadlines;
    use fs9_sdk::{Deadline, Execution, Operation};
    use std::time::Duration;

    const TIMEOUT: Duration = Duration::from_secs(30);

    #[test]
    fn calls_on_the_requests_own_thread_have_no_limit() {
        let deadlines = Deadlines::new(Execution::Inline, TIMEOUT);
        for &operation in Operation::ALL.iter().filter(|&&o| o != Operation::Poll) {
            assert_eq!(deadlines.of(operation), Deadline::Unlimited, "{operation}");
        }
    }

    #[test]
    fn operations_that_flush_may_take_four_times_as_long() {
        let deadlines = Deadlines::new(Execution::MayBlock, TIMEOUT);
        assert_eq!(deadlines.limit(Operation::Read), Some(TIMEOUT));
        for operation in [Operation::Fsync, Operation::Flush, Operation::Release, Operation::Fsyncdir] {
            assert_eq!(deadlines.limit(operation), Some(4 * TIMEOUT), "{operation}");
        }
        let remaining = deadlines.of(Operation::Read).remaining().unwrap();
        assert!(remaining <= TIMEOUT && remaining > TIMEOUT - Duration::from_secs(5));
    }

    #[test]
    fn a_poll_waits_however_the_provider_is_run() {
        for execution in [Execution::Inline, Execution::MayBlock] {
            assert_eq!(Deadlines::new(execution, TIMEOUT).of(Operation::Poll), Deadline::Wait);
        }
    }

    #[test]
    fn reads_wait_only_where_that_is_said() {
        let deadlines = Deadlines::new(Execution::MayBlock, TIMEOUT).with_waiting_reads(true);
        assert_eq!((deadlines.of(Operation::Read), deadlines.limit(Operation::Read)), (Deadline::Wait, None));
        assert_eq!(deadlines.limit(Operation::Write), Some(TIMEOUT));
    }

    #[test]
    fn a_limit_beyond_the_clock_is_none() {
        let deadlines = Deadlines::new(Execution::MayBlock, Duration::MAX);
        assert_eq!(deadlines.of(Operation::Fsync), Deadline::Unlimited);
    }
}
