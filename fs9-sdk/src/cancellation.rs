//! How a call learns that nobody waits for its result any more.
//!
//! Invariant: whoever asked to be told is told exactly once, or never if it stopped listening before.
//! Lock order: `state` alone; nobody is told while it is held.

use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is called when a call is cancelled.
type Listener = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    listeners: Vec<(u64, Listener)>,
    last: u64,
}

#[derive(Default)]
struct Signal {
    /// Set with `state` locked, read without.
    fired: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

/// Tells a call that nobody waits for its result any more: whoever asked was interrupted by a signal, or was told that
/// the time is up.
///
/// # What a provider does with it
///
/// A call that waits (for a lock, for data of a stream, for a remote side) ends the waiting with `EINTR` and without
/// having changed anything. There are three ways to learn of it: looking now and then
/// ([`Cancellation::is_cancelled`]), sleeping until then ([`Cancellation::wait_for`]), or being told
/// ([`Cancellation::on_cancel`]). A call that ends soon by itself need not look. A call that goes on is not stopped: its
/// asker has an answer already, and what it does later is undone where that is possible.
#[derive(Clone, Default)]
pub struct Cancellation(Option<Arc<Signal>>);

/// Keeps a listener of [`Cancellation::on_cancel`]; dropping it ends the listening.
#[must_use = "dropping it ends the listening"]
pub struct CancelHook(Option<(Arc<Signal>, u64)>);

impl Cancellation {
    /// Returns one that never fires, without an allocation.
    pub const fn never() -> Cancellation {
        Cancellation(None)
    }

    /// Returns one that can fire.
    pub fn new() -> Cancellation {
        Cancellation(Some(Arc::default()))
    }

    /// Fires, and tells all who listen, on this thread. A panic of one of them is caught. Firing again does nothing.
    pub fn cancel(&self) {
        let Some(signal) = &self.0 else { return };
        let listeners = {
            let mut state = signal.state.lock();
            signal.fired.store(true, Ordering::Release);
            signal.changed.notify_all();
            std::mem::take(&mut state.listeners)
        };
        for (_, listener) in listeners {
            // It may belong to a plugin, and this thread serves others. The panic hook has told of it.
            drop(catch_unwind(AssertUnwindSafe(listener)));
        }
    }

    /// Returns whether it fired.
    pub fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|signal| signal.fired.load(Ordering::Acquire))
    }

    /// Calls `listener` once when this fires, on the thread that cancels; at once, on this thread, if it fired already.
    /// When the hook is dropped, the listener is not called any more, though a call that has begun may still run.
    ///
    /// The listener must not block. To end a wait on a condition variable, it locks the mutex of the condition, so that
    /// it cannot come between the look and the sleep, and notifies. Therefore the one who waits calls `on_cancel`
    /// before it locks that mutex, drops the hook after it has unlocked it, and looks at
    /// [`Cancellation::is_cancelled`] each time before it sleeps.
    pub fn on_cancel(&self, listener: impl FnOnce() + Send + 'static) -> CancelHook {
        let Some(signal) = &self.0 else { return CancelHook(None) };
        let mut state = signal.state.lock();
        if signal.fired.load(Ordering::Relaxed) {
            drop(state);
            listener();
            return CancelHook(None);
        }
        state.last += 1;
        let key = state.last;
        state.listeners.push((key, Box::new(listener)));
        CancelHook(Some((Arc::clone(signal), key)))
    }

    /// Sleeps until this fires, at most so long, and returns whether it has fired: a pause between two tries that an
    /// interrupt ends.
    pub fn wait_for(&self, time: Duration) -> bool {
        let Some(signal) = &self.0 else {
            std::thread::sleep(time);
            return false;
        };
        let until = Instant::now().checked_add(time);
        let mut state = signal.state.lock();
        while !signal.fired.load(Ordering::Relaxed) {
            match until {
                Some(until) if signal.changed.wait_until(&mut state, until).timed_out() => break,
                Some(_) => {}
                None => signal.changed.wait(&mut state),
            }
        }
        signal.fired.load(Ordering::Relaxed)
    }
}

impl Drop for CancelHook {
    fn drop(&mut self) {
        let Some((signal, key)) = &self.0 else { return };
        let mut state = signal.state.lock();
        let place = state.listeners.iter().position(|(listener, _)| listener == key);
        let listener = place.map(|place| state.listeners.swap_remove(place));
        drop(state);
        drop(listener);
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            None => "never",
            Some(_) if self.is_cancelled() => "cancelled",
            Some(_) => "possible",
        };
        write!(f, "Cancellation({state})")
    }
}

impl fmt::Debug for CancelHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelHook").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Cancellation;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    #[test]
    fn a_listener_is_told_once_however_often_it_fires() {
        let (cancellation, told) = (Cancellation::new(), Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&told);
        let _hook = cancellation.on_cancel(move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        assert!(!cancellation.is_cancelled());
        cancellation.cancel();
        cancellation.cancel();
        assert!(cancellation.is_cancelled());
        assert_eq!(told.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn who_listens_too_late_is_told_at_once_and_who_stopped_is_not_told() {
        let (cancellation, (sender, told)) = (Cancellation::new(), channel());
        let (early, late) = (sender.clone(), sender);
        drop(cancellation.on_cancel(move || early.send("stopped").unwrap()));
        cancellation.cancel();
        let _hook = cancellation.on_cancel(move || late.send("late").unwrap());
        assert_eq!(told.iter().collect::<Vec<_>>(), ["late"]);
    }

    #[test]
    fn a_panic_of_one_listener_keeps_no_other_from_being_told() {
        let (cancellation, (sender, told)) = (Cancellation::new(), channel());
        let _first = cancellation.on_cancel(|| panic!("on purpose"));
        let _second = cancellation.on_cancel(move || sender.send(()).unwrap());
        cancellation.cancel();
        told.recv().unwrap();
    }

    #[test]
    fn a_pause_ends_when_it_fires_and_else_in_time() {
        let cancellation = Cancellation::new();
        assert!(!cancellation.wait_for(Duration::from_millis(5)));
        assert!(!Cancellation::never().wait_for(Duration::from_millis(1)));
        let (waiting, begin) = (cancellation.clone(), Instant::now());
        let waiter = std::thread::spawn(move || waiting.wait_for(Duration::MAX));
        cancellation.cancel();
        assert!(waiter.join().unwrap());
        assert!(cancellation.wait_for(Duration::from_secs(60)));
        assert!(begin.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn one_that_never_fires_keeps_nothing() {
        let (sender, told) = channel::<()>();
        let never = Cancellation::never();
        let _hook = never.on_cancel(move || sender.send(()).unwrap());
        never.cancel();
        assert!(told.recv().is_err() && !never.is_cancelled());
    }
}
