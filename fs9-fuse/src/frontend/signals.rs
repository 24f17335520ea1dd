//! Signals that no interrupt tells of.
//!
//! When a request waits in the queue of a ring and its asker gets a signal, the kernel does not tell (Linux 6.18:
//! `fuse_uring_prepare_send` marks the request as sent without looking whether it was interrupted). The asker then waits
//! until it is answered, whatever comes. So of a call that goes to another thread, the asker's signals are looked at once,
//! a moment after it was taken; those that come later are told.

use crate::in_flight::InFlight;
use crate::operation::RequestHeader;
use fs9_core::{Overdue, Watch, Watchdog};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long after a request was taken to look: most calls are answered by then, and a person does not notice it.
const LOOK_AFTER: Duration = Duration::from_millis(20);

/// A look that is due; dropped when the request is answered.
pub(super) struct SignalLook {
    _look: Arc<Look>,
    _watch: Watch,
}

struct Look {
    in_flight: Arc<InFlight>,
    header: RequestHeader,
}

/// Has a watchdog look at the signals of whoever asks, and interrupt the request if one is pending.
pub(super) fn look_later(
    watchdog: &Watchdog,
    in_flight: &Arc<InFlight>,
    header: RequestHeader,
) -> SignalLook {
    let look = Arc::new(Look { in_flight: Arc::clone(in_flight), header });
    let weak: Weak<dyn Overdue> = Arc::downgrade(&(Arc::clone(&look) as Arc<dyn Overdue>));
    SignalLook { _watch: watchdog.watch(Instant::now() + LOOK_AFTER, weak), _look: look }
}

impl Overdue for Look {
    fn overdue(&self) {
        let status = std::fs::read(format!("/proc/{}/status", self.header.caller.pid));
        if status.is_ok_and(|status| has_signal(&status)) {
            self.in_flight.interrupt(self.header.id);
        }
    }
}

/// Returns whether a thread has a signal that it would take, by its `/proc/PID/status` (`proc_pid_status(5)`).
fn has_signal(status: &[u8]) -> bool {
    let mask = |name: &[u8]| {
        let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name));
        let digits = line.and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
        u64::from_str_radix(digits.trim(), 16).unwrap_or_default()
    };
    (mask(b"SigPnd:") | mask(b"ShdPnd:")) & !mask(b"SigBlk:") != 0
}

#[cfg(test)]
mod tests {
    use super::has_signal;

    #[test]
    fn a_signal_counts_unless_it_is_blocked() {
        let status = |thread: u64, process: u64, blocked: u64| {
            format!("Name:\tcat\nSigPnd:\t{thread:016x}\nShdPnd:\t{process:016x}\nSigBlk:\t{blocked:016x}\n")
        };
        for (thread, process, blocked, expected) in
            [(0, 0, 0, false), (2, 0, 0, true), (0, 2, 0, true), (2, 4, 6, false), (2, 4, 2, true)]
        {
            assert_eq!(has_signal(status(thread, process, blocked).as_bytes()), expected);
        }
        assert!(!has_signal(b"SigPnd:\tnot a number\n"));
        assert!(!has_signal(&std::fs::read("/proc/self/status").unwrap()));
    }
}
