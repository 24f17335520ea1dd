//! Whether calls that wait for the disk are quick at present, so that the thread that brings requests may make them.
//!
//! A call that takes as long as the disk needs holds up whatever else its thread would bring, so it is made elsewhere; that
//! costs two changes of threads. Where the backing lies in memory, or in a disk whose cache survives a loss of power, the
//! call itself takes hardly longer than they do. Which it is shows only when it is done, so the past tells: calls of a class
//! are made in place while the last ones were quick on average, and elsewhere from the first on that holds up others for
//! long. How much a call can have to do is known before and bounded as well.
//!
//! What turns out slow in place holds up others. On `/dev/fuse` another reader steps in. A queue of a ring has nobody who
//! could, so it has one [`Place`] for such calls, which stays closed for [`PAYBACK`] times as long as a call held it up.
//!
//! Invariants: a disk that is always slow is found out by calls that are made elsewhere; calls that hold a queue up for
//! longer than [`HOLD_UP_MAX`] take at most one part in [`PAYBACK`] of its time, besides the first.

use crate::operation::Operation;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Up to this average calls are quick. Handing one over and back was measured to cost 65 µs on a machine with two busy
/// cores; a sync to ext4 in memory takes 25 to 400 µs, one to a disk without a safe cache a millisecond and more.
const QUICK_MAX: Duration = Duration::from_micros(500);

/// How long a call in place may hold up others without consequence: as long as a reader of `/dev/fuse` may be stuck before
/// another one steps in.
const HOLD_UP_MAX: Duration = Duration::from_millis(1);

/// How many times as long as a call held up a queue its place stays closed.
const PAYBACK: u32 = 16;

/// The average after a call that held up others for long, and at the beginning: six quick calls bring it down.
const SLOW: Duration = Duration::from_millis(1);

/// The last call's weight in the average is one part in so many.
const WEIGHT: u32 = 8;

/// What one call counts for at most: after the slowest one, 25 quick ones bring the average down.
const TOOK_MAX: Duration = Duration::from_millis(100);

/// Bytes that a sync made in place may have to write at most, and a preallocation to allot. A file that nobody looked at
/// can be dirty as a whole; the size is that of a segment of a log of PostgreSQL. It takes a slow SSD 100 ms.
const SYNC_BYTES_MAX: u64 = 16 << 20;

/// Bytes that are copied in place at most: at 1 GB/s they take half of [`QUICK_MAX`].
const COPY_BYTES_MAX: u64 = 256 << 10;

/// What takes as long as the disk needs, whatever is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskWork {
    /// Files and directories are made durable.
    Sync,
    /// Space is allotted or freed.
    Allocate,
    /// Data is copied by the provider.
    Copy,
}

impl DiskWork {
    /// Returns which of these an operation is, if any.
    pub(crate) fn of(operation: &Operation<'_>) -> Option<DiskWork> {
        use Operation as O;
        match operation {
            O::Fsync { .. } | O::Fsyncdir { .. } => Some(DiskWork::Sync),
            O::Fallocate { .. } => Some(DiskWork::Allocate),
            O::CopyFileRange { .. } => Some(DiskWork::Copy),
            _ => None,
        }
    }

    /// Returns with how many bytes such a call may be made in place at most.
    pub(crate) const fn bytes_max(self) -> u64 {
        match self {
            DiskWork::Sync | DiskWork::Allocate => SYNC_BYTES_MAX,
            DiskWork::Copy => COPY_BYTES_MAX,
        }
    }
}

/// The pace of one mount, for each class of calls.
#[derive(Default)]
pub(crate) struct Paces {
    classes: [Pace; 3],
}

impl Paces {
    /// Makes a call and notes how long it took.
    pub(crate) fn time<T>(&self, work: DiskWork, call: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = call();
        self.of(work).note(begin.elapsed());
        result
    }

    /// Returns whether the last calls were quick.
    pub(crate) fn are_quick(&self, work: DiskWork) -> bool {
        self.of(work).is_quick()
    }

    fn of(&self, work: DiskWork) -> &Pace {
        let [sync, allocate, copy] = &self.classes;
        match work {
            DiskWork::Sync => sync,
            DiskWork::Allocate => allocate,
            DiskWork::Copy => copy,
        }
    }
}

/// The pace of one class: how long its last calls took on average, in nanoseconds.
struct Pace(AtomicU32);

impl Default for Pace {
    fn default() -> Pace {
        Pace(AtomicU32::new(nanoseconds_of_one(SLOW)))
    }
}

impl Pace {
    fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) <= nanoseconds_of_one(QUICK_MAX)
    }

    fn note(&self, took: Duration) {
        // What others note meanwhile may be lost: it is an estimate.
        let average = self.0.load(Ordering::Relaxed);
        let next = average - average / WEIGHT + nanoseconds_of_one(took) / WEIGHT;
        let least = if took > HOLD_UP_MAX { nanoseconds_of_one(SLOW) } else { 0 };
        self.0.store(next.max(least), Ordering::Relaxed);
    }
}

/// Returns what one call counts for.
fn nanoseconds_of_one(took: Duration) -> u32 {
    u32::try_from(took.min(TOOK_MAX).as_nanos()).unwrap_or(u32::MAX / WEIGHT)
}

/// Where a queue's threads make calls that wait for the disk: one at a time, and none while the last one that took long is
/// paid back.
pub(crate) struct Place {
    began: Instant,
    /// Until when it is closed, in nanoseconds; [`TAKEN`] while a call is made.
    closed_until: AtomicU64,
}

/// The state of a place in which a call is made.
const TAKEN: u64 = u64::MAX;

/// A call in place.
pub(crate) struct InPlace<'a> {
    place: &'a Place,
    begin: Duration,
}

impl Default for Place {
    fn default() -> Place {
        Place { began: Instant::now(), closed_until: AtomicU64::new(0) }
    }
}

impl Place {
    /// Takes the place, if it is open and nobody is there; it is free again when the call ends.
    pub(crate) fn enter(&self) -> Option<InPlace<'_>> {
        self.enter_at(self.began.elapsed())
    }

    fn enter_at(&self, now: Duration) -> Option<InPlace<'_>> {
        let closed_until = self.closed_until.load(Ordering::Relaxed);
        // Nothing but the place itself is handed from one call to the next.
        let is_mine = closed_until <= nanoseconds(now)
            && self
                .closed_until
                .compare_exchange(closed_until, TAKEN, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        // Not made beforehand: dropping it would open the place.
        is_mine.then(|| InPlace { place: self, begin: now })
    }

    fn leave_at(&self, took: Duration, now: Duration) {
        let payback = if took > HOLD_UP_MAX { took.saturating_mul(PAYBACK) } else { Duration::ZERO };
        self.closed_until.store(nanoseconds(now.saturating_add(payback)), Ordering::Relaxed);
    }
}

impl Drop for InPlace<'_> {
    fn drop(&mut self) {
        let now = self.place.began.elapsed();
        self.place.leave_at(now.saturating_sub(self.begin), now);
    }
}

/// Returns a time in nanoseconds; what has no room, after six centuries, is the last that is not [`TAKEN`].
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(TAKEN).min(TAKEN - 1)
}

#[cfg(test)]
mod tests {
    use super::{DiskWork, HOLD_UP_MAX, PAYBACK, Pace, Paces, Place, QUICK_MAX};
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    const LONG: Duration = Duration::from_millis(10);
    const SHORT: Duration = Duration::from_micros(50);

    /// Makes quick calls until they are quick on average, and returns how many that took.
    fn prove(pace: &Pace) -> usize {
        let more = || {
            pace.note(SHORT);
            pace.is_quick()
        };
        1 + std::iter::repeat_with(more).take_while(|&is_quick| !is_quick).take(1000).count()
    }

    /// Makes a call in place that takes so long, at a time that is moved on; returns whether the place was open.
    fn stay(place: &Place, now: &mut Duration, took: Duration) -> bool {
        let Some(entered) = place.enter_at(*now) else { return false };
        std::mem::forget(entered);
        *now += took;
        place.leave_at(took, *now);
        true
    }

    #[test]
    fn a_few_quick_calls_are_the_proof() {
        let pace = Pace::default();
        assert!(!pace.is_quick());
        assert_eq!(prove(&pace), 6);
        (0..100).for_each(|_| pace.note(QUICK_MAX));
        assert!(pace.is_quick());
    }

    #[test]
    fn one_call_that_holds_up_others_ends_it_until_the_proof_is_given_again() {
        for (took, proof) in [(HOLD_UP_MAX + SHORT, 6), (LONG, 8), (Duration::MAX, 25)] {
            let pace = Pace::default();
            prove(&pace);
            (0..100).for_each(|_| pace.note(SHORT));
            pace.note(took);
            assert!(!pace.is_quick());
            assert_eq!(prove(&pace), proof, "{took:?}");
        }
    }

    #[test]
    fn a_call_that_is_somewhat_slower_ends_nothing_and_many_do() {
        let pace = Pace::default();
        prove(&pace);
        (0..100).for_each(|_| pace.note(SHORT));
        pace.note(HOLD_UP_MAX);
        assert!(pace.is_quick());
        (0..10).for_each(|_| pace.note(HOLD_UP_MAX));
        assert!(!pace.is_quick());
    }

    #[test]
    fn a_disk_that_is_often_slow_is_never_waited_for_in_place() {
        let pace = Pace::default();
        for number in 0..1000 {
            assert!(!pace.is_quick());
            pace.note(if number % 6 == 0 { LONG } else { Duration::ZERO });
        }
    }

    #[test]
    fn each_class_has_a_pace_of_its_own() {
        let paces = Paces::default();
        let all = [DiskWork::Sync, DiskWork::Allocate, DiskWork::Copy];
        all.iter().for_each(|&work| assert!(!paces.are_quick(work)));
        for (index, &work) in all.iter().enumerate() {
            prove(paces.of(work));
            assert_eq!(all.map(|other| paces.are_quick(other)), [0, 1, 2].map(|place| place <= index));
        }
        assert_eq!(paces.time(DiskWork::Sync, || 7), 7);
        paces.time(DiskWork::Sync, || std::thread::sleep(2 * HOLD_UP_MAX));
        assert_eq!(all.map(|work| paces.are_quick(work)), [false, true, true]);
    }

    #[test]
    fn one_call_at_a_time_is_made_in_place() {
        let place = Place::default();
        let first = place.enter().unwrap();
        // Who is refused leaves nothing behind.
        (0..3).for_each(|_| assert!(place.enter().is_none()));
        drop(first);
        // On a busy machine the first one may have been held up itself.
        while place.enter().is_none() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn who_held_up_others_pays_it_back() {
        let (place, mut now) = (Place::default(), Duration::ZERO);
        assert!(stay(&place, &mut now, HOLD_UP_MAX));
        assert!(stay(&place, &mut now, LONG));
        now += LONG * PAYBACK - Duration::from_nanos(1);
        assert!(!stay(&place, &mut now, LONG));
        now += Duration::from_nanos(1);
        assert!(stay(&place, &mut now, LONG));
    }

    #[test]
    fn calls_that_hold_up_others_are_a_small_part_of_the_time_however_they_mix() {
        let (place, mut now) = (Place::default(), Duration::ZERO);
        let (mut held_up, mut count) = (Duration::ZERO, 0);
        for _ in 0..1_000_000 {
            if stay(&place, &mut now, LONG) {
                held_up += LONG;
                count += 1;
            } else {
                now += Duration::from_micros(20);
            }
        }
        assert!(count > 100, "{count}");
        assert!(held_up * PAYBACK <= now, "{held_up:?} of {now:?}");
    }

    #[test]
    fn a_call_of_any_length_is_no_overflow() {
        let place = Place::default();
        place.leave_at(Duration::MAX, Duration::MAX);
        assert_eq!(place.closed_until.load(Ordering::Relaxed), super::TAKEN - 1);
        assert!(place.enter().is_none());
        let pace = Pace::default();
        (0..1000).for_each(|_| pace.note(Duration::MAX));
        assert!(!pace.is_quick());
    }
}
