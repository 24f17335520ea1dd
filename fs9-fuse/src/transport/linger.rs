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
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long to look: the time in which a client that slept is awake and has sent its next request.
const PATIENCE: Duration = Duration::from_micros(50);

/// Requests that are answered without looking after one look in vain, so that looking in vain takes at most 3 µs of
/// processor time for each request.
const REQUESTS_WITHOUT: u32 = 16;

/// When to look for the next request.
#[derive(Default)]
pub(super) struct Linger {
    requests_without: AtomicU32,
}

impl Linger {
    /// Looks for the next request after one was answered, if the last ones came quickly: until `is_there` returns true.
    /// Returns what came of it, if it was asked.
    pub(super) fn after_request(&self, is_there: impl FnMut() -> bool) -> Option<Look> {
        let without = self.requests_without.load(Ordering::Relaxed);
        if without > 0 {
            self.requests_without.store(without - 1, Ordering::Relaxed);
            return None;
        }
        let look = look(is_there);
        if look != Look::Found {
            self.requests_without.store(REQUESTS_WITHOUT, Ordering::Relaxed);
        }
        Some(look)
    }
}

/// What came of looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Found,
    /// Nothing came before patience ended.
    Vain,
    /// The processor was needed by others, and it took longer than patience until it came back.
    Crowded,
}

/// Returns whether a device has something to read.
pub(super) fn has_message(device: impl AsFd) -> bool {
    let mut wanted = [PollFd::new(&device, PollFlags::IN)];
    // Whatever else there is to say, reading says it.
    poll(&mut wanted, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) != Ok(0)
}

fn look(mut is_there: impl FnMut() -> bool) -> Look {
    let begin = Instant::now();
    let mut before = Duration::ZERO;
    loop {
        if is_there() {
            return Look::Found;
        }
        rustix::thread::sched_yield();
        let now = begin.elapsed();
        if now - before > PATIENCE {
            return Look::Crowded;
        }
        if now > PATIENCE {
            return Look::Vain;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::{Linger, Look, PATIENCE, REQUESTS_WITHOUT, has_message, look};
    use std::io::Write;

    #[test]
    fn what_is_there_is_found_and_what_never_comes_is_given_up() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        assert_ne!(look(|| has_message(&reader)), Look::Found);
        writer.write_all(b"request").unwrap();
        assert_eq!(look(|| has_message(&reader)), Look::Found);
    }

    #[test]
    fn a_processor_that_is_needed_by_others_is_left_to_them() {
        let away = || {
            std::thread::sleep(2 * PATIENCE);
            false
        };
        assert_eq!(look(away), Look::Crowded);
    }

    #[test]
    fn a_look_in_vain_is_followed_by_requests_without_looking() {
        let linger = Linger::default();
        assert_ne!(linger.after_request(|| false), Some(Look::Found));
        for _ in 0..REQUESTS_WITHOUT {
            assert_eq!(linger.after_request(|| panic!("nobody looks")), None);
        }
        let mut looks = 0;
        let comes_at_last = || {
            looks += 1;
            looks == 3
        };
        // A busy machine may need the processor between two looks.
        let found = linger.after_request(comes_at_last);
        assert!(found == Some(Look::Found) && looks == 3 || found == Some(Look::Crowded), "{found:?}");
    }
}
