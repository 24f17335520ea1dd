//! Wall time of operations and processor time of the daemon that serves them.
//!
//! The daemon's time is utime + stime of /proc/PID/stat (proc(5)): threads that have ended are in it, and it counts
//! in ticks, so a row must last for many of them.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// The kernel reports processor time in ticks of USER_HZ, which is 100 on every architecture that fs9 runs on.
const TICK: Duration = Duration::from_millis(10);

/// Fields of /proc/PID/stat after the command's name, which is in parentheses and may hold anything.
const UTIME_FIELD: usize = 11;
const STIME_FIELD: usize = 12;

/// What a stretch of work took.
pub struct Sample {
    /// How many operations the work did.
    pub operations: u64,
    /// Wall time.
    pub elapsed: Duration,
    /// Processor time of the daemon, user and system.
    pub daemon: Duration,
}

/// Reads both clocks.
pub struct Clock {
    daemon: u32,
}

impl Clock {
    /// Returns a clock that also watches this process; 0 watches none.
    #[must_use]
    pub fn new(daemon: u32) -> Clock {
        Clock { daemon }
    }

    /// Runs `work`, which returns how many operations it did, between two readings.
    ///
    /// # Errors
    /// Those of `work`, and of reading /proc/PID/stat of a daemon that has gone.
    pub fn time(&self, work: impl FnOnce() -> io::Result<u64>) -> io::Result<Sample> {
        let daemon_before = self.daemon_time()?;
        let started = Instant::now();
        let operations = work()?;
        let elapsed = started.elapsed();
        Ok(Sample { operations, elapsed, daemon: self.daemon_time()?.saturating_sub(daemon_before) })
    }

    fn daemon_time(&self) -> io::Result<Duration> {
        if self.daemon == 0 {
            return Ok(Duration::ZERO);
        }
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.daemon))?;
        processor_ticks(&stat).map(|ticks| TICK * ticks).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat is not as proc(5) says")
        })
    }
}

fn processor_ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok();
    Some(ticks(UTIME_FIELD)? + ticks(STIME_FIELD)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_hostile_command_name() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 90 80 70 60 123 45 6 5 20 0 1 0 99";
        assert_eq!(processor_ticks(stat), Some(168));
        assert_eq!(processor_ticks("7 (a"), None);
        assert_eq!(processor_ticks("7 (a) S 1"), None);
    }
}
