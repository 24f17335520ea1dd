//! Looking for the next request for a moment instead of sleeping at once.
//!
//! A program that works through a directory sends its next request as soon as it has the answer to the last. If the
//! thread that answers has gone to sleep meanwhile, waking it costs more than the request itself: on an idle core of a
//! virtual machine some tens of microseconds. Between two looks the processor is offered to others, so that a client on
//! the same core is not held up.
//!
//! Invariant: without requests nobody looks: one look that finds nothing ends it, and the next requests are answered
//! without looking.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long to look: the time in which a client that slept is awake and has sent its next request.
const PATIENCE: Duration = Duration::from_micros(50);

/// Requests that are answered without looking after one look in vain, so that looking in vain takes at most 3 µs of
/// processor time for each request.
const REQUESTS_WITHOUT: u32 = 16;

/// When to look for the next request, and how.
#[derive(Default)]
pub(super) struct Linger {
    device: OnceLock<OwnedFd>,
    requests_without: AtomicU32,
}

impl Linger {
    /// Names the device that tells whether there is a request. Without it nobody looks.
    pub(super) fn read_from(&self, device: OwnedFd) {
        // A second device of the same connection would tell the same.
        self.device.set(device).ok();
    }

    /// Looks for the next request after one was answered, if the last ones came quickly.
    pub(super) fn after_request(&self) {
        let Some(device) = self.device.get() else { return };
        let without = self.requests_without.load(Ordering::Relaxed);
        if without > 0 {
            self.requests_without.store(without - 1, Ordering::Relaxed);
        } else if !comes_soon(device) {
            self.requests_without.store(REQUESTS_WITHOUT, Ordering::Relaxed);
        }
    }
}

/// Returns whether there is something to read before patience ends.
fn comes_soon(device: &OwnedFd) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let mut wanted = [PollFd::new(device, PollFlags::IN)];
        match poll(&mut wanted, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(0) => rustix::thread::sched_yield(),
            // Whatever else there is to say, reading says it.
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Linger, REQUESTS_WITHOUT, comes_soon};
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::sync::atomic::Ordering;

    #[test]
    fn what_is_there_is_found_and_what_never_comes_is_given_up() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let reader = OwnedFd::from(reader);
        assert!(!comes_soon(&reader));
        writer.write_all(b"request").unwrap();
        assert!(comes_soon(&reader));
    }

    #[test]
    fn a_look_in_vain_is_followed_by_requests_without_looking() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let linger = Linger::default();
        linger.after_request();
        linger.read_from(OwnedFd::from(reader));
        linger.after_request();
        for left in (0..REQUESTS_WITHOUT).rev() {
            linger.after_request();
            assert_eq!(linger.requests_without.load(Ordering::Relaxed), left);
        }
        writer.write_all(b"request").unwrap();
        linger.after_request();
        assert_eq!(linger.requests_without.load(Ordering::Relaxed), 0);
    }
}
