//! Which of the request threads wait for the kernel: one while that is enough.
//!
//! The kernel wakes whoever has waited longest. With several threads waiting, each request goes to another one, often
//! on another core, and a round trip costs ten times what it costs with a single thread beside its client. A single
//! one, however, makes everybody wait for a slow request. So threads that took a request and find that others are
//! there *rest*, in user space, and one of them watches: when every active thread has been in the same request for a
//! whole tick and sleeps, one that rests steps in. Before a request that is known to be slow, one steps in at once.
//! Whoever watches also sees the pace of requests, and keeps processors awake while it is quick.
//!
//! Invariants: while a thread rests, at least one that has taken a request before is active, which sees that the mount is
//! gone and releases those that rest; without requests no thread wakes up. No lock is held
//! across a request.

#[cfg(test)]
mod tests;

use crate::transport::awake::Awake;
use crate::transport::linger::{Linger, has_message};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long a request may hold up all others before another thread steps in: far above what a request from caches
/// takes, far below what a person notices.
const TICK: Duration = Duration::from_millis(1);

/// Ticks without a request after which nobody watches until the next one.
const QUIET_TICKS: u32 = 4;

/// What a thread is doing. On a cache line of its own.
#[repr(align(64))]
#[derive(Default)]
struct Seat {
    /// Odd within a request, even between two.
    turns: AtomicU64,
    /// The thread's number in the system, 0 while nobody sits here.
    thread: AtomicI32,
}

/// The request threads of one mount.
pub(super) struct Readers {
    seats: Box<[Seat]>,
    seats_taken: AtomicUsize,
    /// Threads that have taken a request and do not rest.
    active: AtomicUsize,
    /// Set while whoever watches sleeps until it is woken.
    watcher_sleeps: AtomicBool,
    rest: Mutex<Rest>,
    bell: Condvar,
    linger: Linger,
    /// Tells whether there is a request. Without it nobody looks.
    device: OnceLock<OwnedFd>,
    awake: Awake,
}

/// What the threads that rest share.
#[derive(Default)]
struct Rest {
    resting: usize,
    /// Threads that may get up.
    calls: usize,
    has_watcher: bool,
    /// The mount is gone: nobody rests any more.
    over: bool,
}

thread_local! {
    /// A thread's place among the readers of the mount that it serves.
    static SEAT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A request in hand.
pub(super) struct Turn {
    readers: Arc<Readers>,
    seat: usize,
}

impl Readers {
    /// Returns the readers of a mount with at most `threads` of them.
    pub(super) fn new(threads: usize, awake: Awake) -> Arc<Readers> {
        Arc::new(Readers {
            seats: (0..threads.max(1)).map(|_| Seat::default()).collect(),
            seats_taken: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            watcher_sleeps: AtomicBool::new(false),
            rest: Mutex::default(),
            bell: Condvar::new(),
            linger: Linger::default(),
            device: OnceLock::new(),
            awake,
        })
    }

    /// Returns how many threads there are to be.
    pub(super) fn threads(&self) -> usize {
        self.seats.len()
    }

    /// Names the device from which the threads read. Until then they sleep as soon as a request is answered.
    pub(super) fn read_from(&self, device: OwnedFd) {
        // A second device of the same connection would tell the same.
        self.device.set(device).ok();
    }

    /// Notes that this thread took a request. It rests when the turn is dropped, if it is not needed.
    pub(super) fn take_turn(self: &Arc<Self>) -> Turn {
        let seat = self.seat_of_this_thread();
        self.note_turn(seat);
        if self.watcher_sleeps.load(Ordering::Relaxed) {
            self.wake_watcher();
        }
        Turn { readers: Arc::clone(self), seat }
    }

    /// Notes that a thread begins or ends a request.
    fn note_turn(&self, seat: usize) {
        if let Some(seat) = self.seats.get(seat) {
            seat.turns.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the seat of this thread; it takes one with its first request.
    fn seat_of_this_thread(&self) -> usize {
        if let Some(seat) = SEAT.get() {
            return seat;
        }
        self.active.fetch_add(1, Ordering::AcqRel);
        let index = self.seats_taken.fetch_add(1, Ordering::AcqRel);
        if let Some(seat) = self.seats.get(index) {
            seat.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Release);
        }
        SEAT.set(Some(index));
        index
    }

    /// Lets all threads go and see for themselves: the mount is gone, and nobody rests any more. This thread gives up its
    /// seat.
    pub(super) fn end(&self) {
        SEAT.set(None);
        self.rest.lock().over = true;
        self.bell.notify_all();
    }

    /// Lets threads that rest get up.
    fn call(&self, count: usize) {
        let mut rest = self.rest.lock();
        let called = count.min(rest.resting.saturating_sub(rest.calls));
        if called > 0 {
            rest.calls += called;
            self.bell.notify_all();
        }
    }

    fn wake_watcher(&self) {
        if self.watcher_sleeps.swap(false, Ordering::AcqRel) {
            drop(self.rest.lock());
            self.bell.notify_all();
        }
    }

    /// Rests until it is called, if another active thread remains.
    fn rest_if_surplus(&self) {
        let leave_one = |active: usize| (active > 1).then(|| active - 1);
        if self.active.fetch_update(Ordering::AcqRel, Ordering::Relaxed, leave_one).is_err() {
            return;
        }
        let mut rest = self.rest.lock();
        rest.resting += 1;
        while rest.calls == 0 && !rest.over {
            if rest.has_watcher {
                self.bell.wait(&mut rest);
            } else {
                self.watch(&mut rest);
            }
        }
        rest.calls = rest.calls.saturating_sub(1);
        rest.resting -= 1;
        self.active.fetch_add(1, Ordering::AcqRel);
        if !rest.has_watcher && rest.resting > 0 {
            // Somebody else has to watch now.
            self.bell.notify_all();
        }
    }

    /// Watches the active threads until one of those that rest is called.
    fn watch(&self, rest: &mut MutexGuard<'_, Rest>) {
        rest.has_watcher = true;
        let mut before = self.look();
        let mut quiet_ticks = 0;
        let mut keeper = self.awake.keeper();
        while rest.calls == 0 && !rest.over {
            if quiet_ticks < QUIET_TICKS {
                self.bell.wait_for(rest, TICK);
            } else {
                self.watcher_sleeps.store(true, Ordering::Release);
                // A request may have come before the flag was up.
                if self.look() == before {
                    self.bell.wait(rest);
                }
                self.watcher_sleeps.store(false, Ordering::Release);
                quiet_ticks = 0;
            }
            let now = self.look();
            if self.all_are_stuck(&before, &now) {
                rest.calls += 1;
            }
            quiet_ticks = if now == before { quiet_ticks + 1 } else { 0 };
            MutexGuard::unlocked(rest, || keeper.tick(requests_between(&before, &now)));
            before = now;
        }
        MutexGuard::unlocked(rest, || drop(keeper));
        rest.has_watcher = false;
    }

    fn look(&self) -> Vec<u64> {
        self.seats.iter().map(|seat| seat.turns.load(Ordering::Relaxed)).collect()
    }

    /// Returns whether every active thread sleeps in the request in which it was a tick ago. One that runs, or waits
    /// for a processor, is not helped by a second one. One that has not taken a request yet waits for the kernel.
    fn all_are_stuck(&self, before: &[u64], now: &[u64]) -> bool {
        let turns = before.iter().zip(now).zip(&self.seats);
        let in_same_turn = turns.filter(|((before, now), _)| before == now && *now % 2 == 1);
        let stuck: Vec<&Seat> = in_same_turn.map(|(_, seat)| seat).collect();
        stuck.len() >= self.active.load(Ordering::Acquire)
            && self.all_are_seated()
            && stuck.iter().all(|seat| sleeps(seat.thread.load(Ordering::Acquire)))
    }

    fn all_are_seated(&self) -> bool {
        self.seats_taken.load(Ordering::Acquire) >= self.seats.len()
    }
}

/// Returns how many requests began between two looks.
fn requests_between(before: &[u64], now: &[u64]) -> u64 {
    // Each counts when it begins and when it ends.
    before.iter().zip(now).map(|(before, now)| now.wrapping_sub(*before).div_ceil(2)).sum()
}

/// Returns whether a thread of this process neither runs nor waits for a processor (`proc_pid_stat(5)`); what cannot
/// be read counts as asleep.
fn sleeps(thread: i32) -> bool {
    let stat = std::fs::read(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    // The name before the state can hold anything, parentheses too.
    let end_of_name = stat.iter().rposition(|&byte| byte == b')').unwrap_or_default();
    stat.get(end_of_name + 2) != Some(&b'R')
}

impl Turn {
    /// Has another thread step in for this one, which expects to take long.
    pub(super) fn relieve(&self) {
        self.readers.call(1);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.readers.note_turn(self.seat);
        if self.readers.active.load(Ordering::Relaxed) > 1 {
            self.readers.rest_if_surplus();
        } else if let Some(device) = self.readers.device.get() {
            self.readers.linger.after_request(|| has_message(device));
        }
    }
}
