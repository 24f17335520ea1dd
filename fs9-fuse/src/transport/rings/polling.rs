//! Busy polling: while one client at a time sends requests quickly, the thread of its queue looks for the next one from
//! another processor instead of sleeping on the client's.
//!
//! Who sleeps on the client's processor makes it switch to the daemon and back for each request, which takes longer than
//! most requests do. A thread that looks from elsewhere spares it that, provided that the client's processor does not
//! go to sleep meanwhile; so it is done where processors are kept awake ([`Awake`]), and only there. Where several
//! clients send requests at once, or others have work for all of them, a thread on each is better.
//!
//! Invariants: at most one thread of a mount polls; it leaves the processor to others between two looks, and gives up where
//! others want it; without requests nobody polls, and soon after the last one no processor is kept awake.

use super::Shared;
use crate::transport::awake::Awake;
use crate::transport::linger::{Linger, Look};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Requests after which it is decided anew whether polling pays.
const WINDOW: u32 = 64;

/// The longest time for so many requests: at this pace, waking up takes a tenth of it.
const WINDOW_MAX: Duration = Duration::from_millis(8);

/// Of every so many requests, the client is looked at: all threads look at the same place, which costs where there are
/// several clients.
const SAMPLE: u32 = 4;

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

/// How many threads run or want to, on the whole machine (`proc_loadavg(5)`).
const LOAD: &str = "/proc/loadavg";

/// Without a request for so long, a thread that polls goes home.
pub(super) const QUIET: Duration = Duration::from_millis(3);

/// What the threads of a mount share.
pub(super) struct Polling {
    awake: Awake,
    /// Some thread polls.
    is_claimed: AtomicBool,
    last_client: AtomicU32,
}

impl Polling {
    pub(super) fn new(awake: Awake) -> Polling {
        Polling { awake, is_claimed: AtomicBool::new(false), last_client: AtomicU32::new(0) }
    }
}

impl Polling {
    /// Returns whether a client is another one than at the last call, on whatever thread.
    fn is_another(&self, client: u32) -> bool {
        let is_another = self.last_client.load(Ordering::Relaxed) != client;
        if is_another {
            self.last_client.store(client, Ordering::Relaxed);
        }
        is_another
    }
}

/// Where the thread of a queue may run.
struct Places {
    home: CpuSet,
    elsewhere: CpuSet,
}

impl Places {
    /// Binds the calling thread to a processor. Returns where it may run instead, if that is another one.
    fn settle(processor: usize) -> Option<Places> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut home = CpuSet::new();
        if processor < CpuSet::MAX_CPU {
            home.set(processor);
        }
        if let Err(error) = sched_setaffinity(None, &home) {
            // It runs wherever there is room.
            tracing::debug!(processor, %error, "a thread is not bound to its processor");
            return None;
        }
        let mut elsewhere = allowed;
        elsewhere.unset(processor);
        (elsewhere.count() > 0).then_some(Places { home, elsewhere })
    }
}

/// Decides whether polling pays.
struct Judge {
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
    fn new(now: Instant) -> Judge {
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
    fn note(&mut self, is_another: impl FnOnce() -> bool, now: impl FnOnce() -> Instant) -> Option<bool> {
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
    fn note_vain(&mut self) {
        self.vain += 1;
    }

    /// Notes that others needed the processor, and returns whether it is to be left to them.
    fn note_crowded(&mut self) -> bool {
        self.crowded += 1;
        let is_crowded = self.crowded > CROWDED_MAX;
        if is_crowded {
            self.wait();
        }
        is_crowded
    }

    /// Lets it rest for a while.
    fn wait(&mut self) {
        self.windows_without = self.next_wait;
        self.next_wait = (self.next_wait * 2).min(WINDOWS_WITHOUT_MAX);
    }
}

/// Returns whether one of so many processors has nothing to do, as far as can be told.
fn has_room(processors: u32) -> bool {
    let load = std::fs::read_to_string(LOAD).unwrap_or_default();
    running(&load).is_none_or(|running| running < processors)
}

/// Returns how many threads run or want to, the reader among them.
fn running(load: &str) -> Option<u32> {
    load.split(' ').nth(3)?.split('/').next()?.parse().ok()
}

/// The polling of a queue's main thread, and where that runs.
pub(super) struct Poller<'a> {
    shared: &'a Shared,
    queue: usize,
    places: Option<Places>,
    judge: Judge,
    linger: Linger,
    polls: bool,
}

impl<'a> Poller<'a> {
    /// Binds the calling thread to the processor of its queue.
    pub(super) fn settle(shared: &'a Shared, queue: usize) -> Poller<'a> {
        let places = Places::settle(queue);
        let judge = Judge::new(Instant::now());
        Poller { shared, queue, places, judge, linger: Linger::default(), polls: false }
    }

    /// Notes that a request of a client, a thread by its number, was taken, and begins or ends polling.
    pub(super) fn note_request(&mut self, client: u32) {
        let Some(polling) = self.shared.polling.get() else { return };
        match self.judge.note(|| polling.is_another(client), Instant::now) {
            Some(true) if !self.polls => self.begin(),
            Some(false) if self.polls => self.end(),
            _ => {}
        }
    }

    /// Looks for the next request, if this thread polls, until `is_there` returns true or it did not come soon. Returns
    /// whether the thread polls.
    pub(super) fn look(&mut self, is_there: impl FnMut() -> bool) -> bool {
        if self.polls {
            match self.linger.after_request(is_there) {
                Some(Look::Crowded) => {
                    if self.judge.note_crowded() {
                        self.end();
                    }
                }
                Some(Look::Vain) => self.judge.note_vain(),
                Some(Look::Found) | None => {}
            }
        }
        self.polls
    }

    fn begin(&mut self) {
        let (Some(places), Some(polling)) = (&self.places, self.shared.polling.get()) else { return };
        if !polling.awake.is_possible() || polling.is_claimed.swap(true, Ordering::AcqRel) {
            return;
        }
        if !has_room(places.elsewhere.count() + 1) {
            self.judge.windows_without = WINDOWS_WITHOUT_MIN;
            polling.is_claimed.store(false, Ordering::Release);
            return;
        }
        if let Err(error) = sched_setaffinity(None, &places.elsewhere) {
            tracing::debug!(self.queue, %error, "there is no other processor to look from");
            self.places = None;
            polling.is_claimed.store(false, Ordering::Release);
            return;
        }
        polling.awake.keep(true);
        self.polls = true;
    }

    /// Goes home and lets processors sleep.
    pub(super) fn end(&mut self) {
        let (Some(places), Some(polling)) = (&self.places, self.shared.polling.get()) else { return };
        if !std::mem::take(&mut self.polls) {
            return;
        }
        polling.awake.keep(false);
        if let Err(error) = sched_setaffinity(None, &places.home) {
            tracing::debug!(self.queue, %error, "a thread does not come back to its processor");
        }
        polling.is_claimed.store(false, Ordering::Release);
    }
}

impl Drop for Poller<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Judge, SAMPLE, TURNS_MAX, VAIN_MAX, WINDOW, WINDOW_MAX, WINDOWS_GOOD, WINDOWS_WITHOUT_MAX,
        WINDOWS_WITHOUT_MIN, running,
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

    #[test]
    fn the_number_of_running_threads_is_read() {
        assert_eq!(running("0.20 0.18 0.12 3/80 11206\n"), Some(3));
        assert_eq!(running(""), None);
        assert_eq!(running("0.20 0.18 0.12 x/80 1"), None);
        assert!(running(&std::fs::read_to_string(super::LOAD).unwrap()).unwrap() >= 1);
    }
}
