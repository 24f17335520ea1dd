//! Busy polling: while one client at a time sends requests quickly, the thread of its queue looks for the next one from
//! another processor instead of sleeping on the client's.
//!
//! Who sleeps on the client's processor makes it switch to the daemon and back for each request, which takes longer than
//! most requests do. A thread that looks from elsewhere spares it that, provided that the client's processor does not
//! go to sleep meanwhile; so it is done where processors are kept awake ([`Awake`]), and only there. Where several
//! clients send requests at once, or others have work for all of them, a thread on each is better.
//!
//! While it polls, requests of its queue that go to other threads are led to it ([`Loans`]).
//!
//! Invariants: at most one thread of a mount polls; it leaves the processor to others between two looks, and gives up where
//! others want it; without requests nobody polls, and soon after the last one no processor is kept awake.

mod judge;

use super::loans::Loans;
use super::worker::Settled;
use crate::transport::awake::Awake;
use crate::transport::linger::{Linger, Look};
use arc_swap::ArcSwapOption;
use judge::Judge;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How many threads run or want to, on the whole machine (`proc_loadavg(5)`).
const LOAD: &str = "/proc/loadavg";

/// Without a request for so long, a thread that polls goes home.
pub(super) const QUIET: Duration = Duration::from_millis(3);

/// What the threads of a mount share.
pub(super) struct Polling {
    awake: Awake,
    /// Some thread polls.
    is_claimed: AtomicBool,
    /// The thread that polls, and its queue.
    current: ArcSwapOption<(usize, Arc<Loans<Settled>>)>,
    last_client: AtomicU32,
}

impl Polling {
    pub(super) fn new(awake: Awake) -> Polling {
        Polling {
            awake,
            is_claimed: AtomicBool::new(false),
            current: ArcSwapOption::empty(),
            last_client: AtomicU32::new(0),
        }
    }
}

impl Polling {
    /// Returns whether a client is another one than at the last call, on whatever thread. What the kernel asks by itself,
    /// after a close for instance, has no client.
    fn is_another(&self, client: u32) -> bool {
        let is_another = client != 0 && self.last_client.load(Ordering::Relaxed) != client;
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
    polling: &'a OnceLock<Polling>,
    queue: usize,
    /// Returns whether one of so many processors has nothing to do.
    has_room: fn(u32) -> bool,
    places: Option<Places>,
    judge: Judge,
    linger: Linger,
    polls: bool,
}

impl<'a> Poller<'a> {
    /// Binds the calling thread to the processor of its queue.
    pub(super) fn settle(polling: &'a OnceLock<Polling>, queue: usize) -> Poller<'a> {
        let places = Places::settle(queue);
        let judge = Judge::new(Instant::now());
        Poller { polling, queue, has_room, places, judge, linger: Linger::default(), polls: false }
    }

    /// Notes that a request of a client, a thread by its number, was taken, and begins or ends polling.
    pub(super) fn note_request(&mut self, client: u32, loans: &Arc<Loans<Settled>>) {
        let Some(polling) = self.polling.get() else { return };
        match self.judge.note(|| polling.is_another(client), Instant::now) {
            Some(true) if !self.polls => self.begin(loans),
            Some(false) if self.polls => self.end(),
            _ => {}
        }
    }

    /// Returns whether this thread polls.
    pub(super) fn polls(&self) -> bool {
        self.polls
    }

    /// Returns the thread of this queue that polls.
    pub(super) fn borrower(&self) -> Option<Arc<Loans<Settled>>> {
        let current = self.polling.get()?.current.load();
        current.as_ref().filter(|current| current.0 == self.queue).map(|current| Arc::clone(&current.1))
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

    fn begin(&mut self, loans: &Arc<Loans<Settled>>) {
        let (Some(places), Some(polling)) = (&self.places, self.polling.get()) else { return };
        if !polling.awake.is_possible() || polling.is_claimed.swap(true, Ordering::AcqRel) {
            return;
        }
        if !(self.has_room)(places.elsewhere.count() + 1) {
            self.judge.wait_a_little();
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
        polling.current.store(Some(Arc::new((self.queue, Arc::clone(loans)))));
        self.polls = true;
    }

    /// Goes home and lets processors sleep.
    pub(super) fn end(&mut self) {
        let (Some(places), Some(polling)) = (&self.places, self.polling.get()) else { return };
        if !std::mem::take(&mut self.polls) {
            return;
        }
        polling.current.store(None);
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
    use super::judge::{SAMPLE, WINDOW};
    use super::{Awake, Loans, Poller, Polling, Settled, running};
    use rustix::thread::{CpuSet, sched_getaffinity};
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::sync::{Arc, OnceLock};

    #[test]
    fn what_the_kernel_asks_by_itself_is_of_no_other_client() {
        let polling = Polling::new(Awake::default());
        let clients = [7, 7, 0, 7, 8, 0, 8, 7];
        let others: Vec<_> = clients.into_iter().filter(|&client| polling.is_another(client)).collect();
        assert_eq!(others, [7, 8, 7]);
    }

    #[test]
    fn the_number_of_running_threads_is_read() {
        assert_eq!(running("0.20 0.18 0.12 3/80 11206\n"), Some(3));
        assert_eq!(running(""), None);
        assert_eq!(running("0.20 0.18 0.12 x/80 1"), None);
        assert!(running(&std::fs::read_to_string(super::LOAD).unwrap()).unwrap() >= 1);
    }

    fn settled(polling: &OnceLock<Polling>, processor: usize, has_room: fn(u32) -> bool) -> Poller<'_> {
        let mut poller = Poller::settle(polling, processor);
        poller.has_room = has_room;
        poller
    }

    fn loans() -> Arc<Loans<Settled>> {
        Loans::new(|| ())
    }

    /// Has a thread take requests until it polls.
    fn poll(poller: &mut Poller<'_>, client: u32) {
        // Windows of a busy machine may be too long.
        for _ in 0..1000 * WINDOW {
            poller.note_request(client, &loans());
            if poller.polls {
                return;
            }
        }
        panic!("it does not poll");
    }

    #[test]
    fn one_thread_polls_from_elsewhere_keeps_processors_awake_and_comes_home() {
        let allowed = sched_getaffinity(None).unwrap();
        let Some(processor) = (0..CpuSet::MAX_CPU).find(|&number| allowed.is_set(number)) else { return };
        if allowed.count() < 2 {
            eprintln!("skipped: there is one processor");
            return;
        }
        let (mut told, device) = std::io::pipe().unwrap();
        let polling = OnceLock::from(Polling::new(Awake::by(File::from(OwnedFd::from(device)))));
        let mut poller = settled(&polling, processor, |_| true);
        let home = sched_getaffinity(None).unwrap();
        assert!(home.is_set(processor) && home.count() == 1);
        poll(&mut poller, 7);
        let elsewhere = sched_getaffinity(None).unwrap();
        assert!(!elsewhere.is_set(processor) && elsewhere.count() == allowed.count() - 1);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let mut other = settled(&polling, processor, |_| true);
                (0..100 * WINDOW).for_each(|_| other.note_request(7, &loans()));
                other.polls
            });
            assert!(!other.join().unwrap(), "two threads poll");
        });
        poller.end();
        assert_eq!(sched_getaffinity(None).unwrap(), home);
        poll(&mut poller, 7);
        // Now there are two clients.
        (0..2 * WINDOW).for_each(|request| poller.note_request(7 + request / SAMPLE % 2, &loans()));
        assert!(!poller.polls);
        poll(&mut poller, 7);
        drop(poller);
        drop(polling);
        let mut asked = Vec::new();
        told.read_to_end(&mut asked).unwrap();
        let asked: Vec<_> =
            asked.chunks(4).map(|bytes| i32::from_ne_bytes(bytes.try_into().unwrap())).collect();
        assert_eq!(asked, [0, -1, 0, -1, 0, -1]);
    }

    #[test]
    fn nobody_polls_where_no_processor_has_room_or_none_is_kept_awake() {
        let (_told, device) = std::io::pipe().unwrap();
        let awake = Awake::by(File::from(OwnedFd::from(device)));
        for (awake, has_room) in [(awake, (|_| false) as fn(u32) -> bool), (Awake::default(), |_| true)] {
            let polling = OnceLock::from(Polling::new(awake));
            let mut poller = settled(&polling, 0, has_room);
            (0..100 * WINDOW).for_each(|_| poller.note_request(7, &loans()));
            assert!(!poller.polls);
        }
    }
}
