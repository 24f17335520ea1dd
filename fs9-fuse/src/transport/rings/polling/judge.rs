//! Whether polling pays, by what comes of it.

use std::time::{Duration, Instant};

/// Requests after which it is decided anew whether polling pays.
pub(super) const WINDOW: u32 = 64;

/// The longest time for so many requests: at this pace, waking up takes a tenth of it.
const WINDOW_MAX: Duration = Duration::from_millis(8);

/// Of every so many requests, the client is looked at: all threads look at the same place, which costs where there are
/// several clients.
pub(super) const SAMPLE: u32 = 4;

/// How often it may be another one than at the look before; with more, there are several at once.
const TURNS_MAX: u32 = 1;

/// Looks in vain among so many requests after which it does not pay.
const VAIN_MAX: u32 = 3;

/// How often others may need the processor among so many requests, before it is left to them.
const CROWDED_MAX: u32 = 1;

/// Windows to wait before it is tried again; twice as many each time that it did not pay.
const WINDOWS_WITHOUT_MIN: u32 = 16;
const WINDOWS_WITHOUT_MAX: u32 = 1024;

/// Windows after which a place proved good, so that the next wait is short again.
const WINDOWS_GOOD: u32 = 16;

/// Decides whether polling pays.
pub(super) struct Judge {
    begin: Instant,
    requests: u32,
    turns: u32,
    vain: u32,
    crowded: u32,
    /// Windows in which it paid, since the last in which it did not.
    good: u32,
    windows_without: u32,
    next_wait: u32,
}

impl Judge {
    pub(super) fn new(now: Instant) -> Judge {
        Judge {
            begin: now,
            requests: 0,
            turns: 0,
            vain: 0,
            crowded: 0,
            good: 0,
            windows_without: 0,
            next_wait: WINDOWS_WITHOUT_MIN,
        }
    }

    /// Notes a request. At the end of a window, returns whether polling pays. `is_another` tells whether the client is
    /// another one than at the last look of any thread, and `now` the time.
    pub(super) fn note(
        &mut self,
        is_another: impl FnOnce() -> bool,
        now: impl FnOnce() -> Instant,
    ) -> Option<bool> {
        self.requests += 1;
        if self.requests.is_multiple_of(SAMPLE) {
            self.turns += u32::from(is_another());
        }
        if self.requests < WINDOW {
            return None;
        }
        let now = now();
        let is_quick = now.saturating_duration_since(self.begin) <= WINDOW_MAX;
        let is_alone = self.turns <= TURNS_MAX;
        if self.vain > VAIN_MAX {
            self.wait();
        }
        let pays = is_quick && is_alone && self.windows_without == 0;
        self.windows_without = self.windows_without.saturating_sub(1);
        self.good = if pays { self.good.saturating_add(1) } else { 0 };
        if self.good >= WINDOWS_GOOD {
            self.next_wait = WINDOWS_WITHOUT_MIN;
        }
        (self.begin, self.requests, self.turns, self.vain, self.crowded) = (now, 0, 0, 0, 0);
        Some(pays)
    }

    /// Notes that a look found nothing.
    pub(super) fn note_vain(&mut self) {
        self.vain += 1;
    }

    /// Notes that others needed the processor, and returns whether it is to be left to them.
    pub(super) fn note_crowded(&mut self) -> bool {
        self.crowded += 1;
        let is_crowded = self.crowded > CROWDED_MAX;
        if is_crowded {
            self.wait();
        }
        is_crowded
    }

    /// Lets it rest for a short while.
    pub(super) fn wait_a_little(&mut self) {
        self.windows_without = WINDOWS_WITHOUT_MIN;
    }

    /// Lets it rest, twice as long each time.
    fn wait(&mut self) {
        self.windows_without = self.next_wait;
        self.next_wait = (self.next_wait * 2).min(WINDOWS_WITHOUT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Judge, SAMPLE, TURNS_MAX, VAIN_MAX, WINDOW, WINDOW_MAX, WINDOWS_GOOD, WINDOWS_WITHOUT_MAX,
        WINDOWS_WITHOUT_MIN,
    };
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    /// Lets a window pass in so much time, in which so many looks found another client.
    fn window(judge: &mut Judge, took: Duration, turns: u32) -> bool {
        let (end, looks) = (judge.begin + took, Cell::new(0));
        let is_another = || {
            looks.set(looks.get() + 1);
            looks.get() <= turns
        };
        for _ in 1..WINDOW {
            assert_eq!(judge.note(is_another, || panic!("nobody looks within a window")), None);
        }
        let pays = judge.note(is_another, || end).unwrap();
        assert_eq!(looks.get(), WINDOW / SAMPLE);
        pays
    }

    /// Returns after how many windows it pays again.
    fn rest(judge: &mut Judge) -> u32 {
        let begin = judge.windows_without;
        while !window(judge, WINDOW_MAX, 0) {}
        begin
    }

    #[test]
    fn it_pays_for_one_client_that_is_quick() {
        let judge = &mut Judge::new(Instant::now());
        assert!(window(judge, WINDOW_MAX, TURNS_MAX));
        assert!(!window(judge, WINDOW_MAX + Duration::from_micros(1), 0));
        assert!(!window(judge, WINDOW_MAX, TURNS_MAX + 1));
        assert!(window(judge, Duration::ZERO, 0));
    }

    #[test]
    fn what_looked_in_vain_too_often_is_not_tried_again_at_once() {
        let judge = &mut Judge::new(Instant::now());
        (0..VAIN_MAX).for_each(|_| judge.note_vain());
        assert!(window(judge, WINDOW_MAX, 0));
        (0..=VAIN_MAX).for_each(|_| judge.note_vain());
        assert!(!window(judge, WINDOW_MAX, 0));
        assert_eq!(rest(judge), WINDOWS_WITHOUT_MIN - 1);
    }

    #[test]
    fn each_time_that_it_does_not_pay_it_rests_longer_until_it_has_paid_for_long() {
        let judge = &mut Judge::new(Instant::now());
        let mut expected = WINDOWS_WITHOUT_MIN;
        for _ in 0..10 {
            judge.wait();
            assert_eq!(rest(judge), expected);
            expected = (expected * 2).min(WINDOWS_WITHOUT_MAX);
        }
        (0..WINDOWS_GOOD).for_each(|_| assert!(window(judge, WINDOW_MAX, 0)));
        judge.wait();
        assert_eq!(rest(judge), WINDOWS_WITHOUT_MIN);
    }
}
