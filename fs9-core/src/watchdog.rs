//! One thread that watches the deadlines of all calls of a namespace.
//!
//! It starts with the first watch, sleeps until the earliest deadline, sleeps without limit while there is none, and
//! ends with the watchdog. Lock order: `state` alone; it is not held while a watcher is told.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

/// Something with a deadline. It is told once, on the watchdog's thread, and must not block.
pub trait Overdue: Send + Sync {
    /// The deadline passed.
    fn overdue(&self);
}

/// A deadline, and a number that tells apart those at the same moment.
type Key = (Instant, u64);

#[derive(Default)]
struct State {
    watched: BTreeMap<Key, Weak<dyn Overdue>>,
    last: u64,
    thread_runs: bool,
    /// While the thread sleeps: when it wakes by itself, if at all.
    sleeps_until: Option<Option<Instant>>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when the earliest deadline moved forward, or the watchdog was dropped.
    changed: Condvar,
}

/// Tells calls that their deadline passed.
#[derive(Default)]
pub struct Watchdog {
    shared: Arc<Shared>,
}

/// A way to a watchdog for those who outlive the borrow of it.
#[derive(Clone)]
pub(crate) struct Timer(Arc<Shared>);

/// A watched deadline; it is no longer watched when this is dropped.
pub struct Watch {
    shared: Arc<Shared>,
    key: Key,
}

impl Watchdog {
    /// Tells `call` when `deadline` passes, unless the result is dropped before. The watchdog does not keep `call`
    /// alive.
    #[must_use]
    pub fn watch(&self, deadline: Instant, call: Weak<dyn Overdue>) -> Watch {
        watch(&self.shared, deadline, call)
    }

    pub(crate) fn timer(&self) -> Timer {
        Timer(Arc::clone(&self.shared))
    }

    /// Returns the number of deadlines that are watched.
    pub fn len(&self) -> usize {
        self.shared.state.lock().watched.len()
    }

    /// Returns whether no deadline is watched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Timer {
    /// As [`Watchdog::watch`].
    #[must_use]
    pub(crate) fn watch(&self, deadline: Instant, call: Weak<dyn Overdue>) -> Watch {
        watch(&self.0, deadline, call)
    }
}

fn watch(shared: &Arc<Shared>, deadline: Instant, call: Weak<dyn Overdue>) -> Watch {
    let mut state = shared.state.lock();
    state.last += 1;
    let key = (deadline, state.last);
    // Mostly the thread sleeps until a deadline that lies earlier, also when that call has long been answered; so
    // one call after another costs no wake-up each.
    let sleeps_too_long =
        state.sleeps_until.is_some_and(|until| until.is_none_or(|moment| deadline < moment));
    state.watched.insert(key, call);
    let start = !state.thread_runs && !state.closed;
    state.thread_runs |= start;
    drop(state);
    if start {
        start_thread(shared);
    } else if sleeps_too_long {
        shared.changed.notify_one();
    }
    Watch { shared: Arc::clone(shared), key }
}

fn start_thread(shared: &Arc<Shared>) {
    let watched = Arc::clone(shared);
    let started = std::thread::Builder::new().name("fs9-watchdog".into()).spawn(move || run(&watched));
    if let Err(error) = started {
        // The next watch tries again; until then calls are only as punctual as their providers.
        tracing::error!(%error, "no thread to watch deadlines");
        shared.state.lock().thread_runs = false;
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.state.lock().watched.remove(&self.key);
    }
}

fn run(shared: &Shared) {
    let mut state = shared.state.lock();
    while !state.closed {
        let first = state.watched.first_key_value().map(|(key, _)| key.0);
        match first {
            Some(moment) if moment <= Instant::now() => tell_first(&mut state),
            _ => sleep(shared, &mut state, first),
        }
    }
}

/// Sleeps until that moment or a change; woken early, the caller looks again.
fn sleep(shared: &Shared, state: &mut MutexGuard<'_, State>, until: Option<Instant>) {
    state.sleeps_until = Some(until);
    match until {
        Some(moment) => drop(shared.changed.wait_until(state, moment)),
        None => shared.changed.wait(state),
    }
    state.sleeps_until = None;
}

fn tell_first(state: &mut MutexGuard<'_, State>) {
    if let Some((_, call)) = state.watched.pop_first() {
        MutexGuard::unlocked(state, || {
            if let Some(call) = call.upgrade() {
                call.overdue();
            }
        });
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").field("watched", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("deadline", &self.key.0).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Overdue, Watchdog};
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    struct Told {
        name: &'static str,
        to: Mutex<Sender<&'static str>>,
    }

    impl Overdue for Told {
        fn overdue(&self) {
            self.to.lock().unwrap().send(self.name).unwrap();
        }
    }

    fn told(name: &'static str, to: &Sender<&'static str>) -> Arc<dyn Overdue> {
        Arc::new(Told { name, to: Mutex::new(to.clone()) })
    }

    #[test]
    fn deadlines_are_told_in_their_order_whatever_the_order_of_watching() {
        let (watchdog, (sender, told_names)) = (Watchdog::default(), channel());
        let now = Instant::now();
        let calls = ["third", "first", "second"].map(|name| told(name, &sender));
        let _watches = [(0, 90), (1, 30), (2, 60)].map(|(call, ms): (usize, u64)| {
            watchdog.watch(now + Duration::from_millis(ms), Arc::downgrade(&calls[call]))
        });
        let in_order: Vec<_> = told_names.iter().take(3).collect();
        assert_eq!(in_order, ["first", "second", "third"]);
        assert!(now.elapsed() >= Duration::from_millis(90));
        assert!(watchdog.is_empty());
    }

    #[test]
    fn a_dropped_watch_is_never_told() {
        let (watchdog, (sender, told_names)) = (Watchdog::default(), channel());
        let now = Instant::now();
        let (dropped, kept) = (told("dropped", &sender), told("kept", &sender));
        drop(watchdog.watch(now + Duration::from_millis(5), Arc::downgrade(&dropped)));
        let _watch = watchdog.watch(now + Duration::from_millis(20), Arc::downgrade(&kept));
        assert_eq!(told_names.recv().unwrap(), "kept");
        assert!(told_names.try_recv().is_err());
    }
}
