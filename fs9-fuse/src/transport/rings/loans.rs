//! Entries of a queue that change hands, so that requests come to the thread that polls.
//!
//! The kernel gives a request to the entry that was answered last. If a client is quicker than the answer that it got is
//! over, its next request goes to another thread, and then all that follow. So that thread has its answer laid down by the
//! one that polls, which thereby has the entry, too. One is enough: it is there when the other is not. When the thread
//! polls no more, it gives the entry back in the same way, with the next answer.
//!
//! Invariants: a thread has at most one entry of another; no answer is handed to a thread that is at a request, for it may
//! be there for long; no entry is with a thread that has ended. No lock is held while another is taken.

use parking_lot::Mutex;
use std::sync::Arc;

/// What comes to a thread from others of its queue: answers `T`, with the entries by which they go to the kernel.
pub(super) struct Loans<T> {
    wake: Box<dyn Fn() + Send + Sync>,
    state: Mutex<State<T>>,
}

struct State<T> {
    arrived: Vec<T>,
    /// The thread whose entry this one has.
    owner: Option<Arc<Loans<T>>>,
    /// Another thread has the entry of this one.
    is_lent: bool,
    /// This thread lays down at once what comes to it.
    is_open: bool,
    has_ended: bool,
}

impl<T> Loans<T> {
    /// Returns what comes to a thread, which is woken so.
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Loans<T>> {
        let state =
            State { arrived: Vec::new(), owner: None, is_lent: false, is_open: false, has_ended: false };
        Arc::new(Loans { wake: Box::new(wake), state: Mutex::new(state) })
    }

    /// Says that this thread looks for requests, and takes what is lent to it meanwhile.
    pub(super) fn open(&self) {
        self.state.lock().is_open = true;
    }

    /// Says that this thread does what it has found. Returns the answers that others handed to it.
    pub(super) fn close(&self) -> Vec<T> {
        let mut state = self.state.lock();
        state.is_open = false;
        std::mem::take(&mut state.arrived)
    }

    /// Lends the entry of `owner` to this thread, which lays the answer down. Returns the answer if it does not take it.
    pub(super) fn lend(&self, answer: T, owner: &Arc<Loans<T>>) -> Option<T> {
        owner.state.lock().is_lent = true;
        let mut state = self.state.lock();
        if state.has_ended || !state.is_open || state.owner.is_some() {
            drop(state);
            owner.state.lock().is_lent = false;
            return Some(answer);
        }
        state.owner = Some(Arc::clone(owner));
        state.arrived.push(answer);
        drop(state);
        (self.wake)();
        None
    }

    /// Gives back the entry that this thread has of another, which lays the answer down. Returns the answer if there is no
    /// such entry, or nobody to take it.
    pub(super) fn give_back(&self, answer: T) -> Option<T> {
        let Some(owner) = self.take_owner() else { return Some(answer) };
        let mut state = owner.state.lock();
        state.is_lent = false;
        if state.has_ended {
            return Some(answer);
        }
        state.arrived.push(answer);
        drop(state);
        (owner.wake)();
        None
    }

    /// Returns the answers that others handed to this thread.
    pub(super) fn arrived(&self) -> Vec<T> {
        std::mem::take(&mut self.state.lock().arrived)
    }

    /// Returns whether something is still to come to this thread, or is there.
    pub(super) fn is_expecting(&self) -> bool {
        let state = self.state.lock();
        state.is_lent || !state.arrived.is_empty()
    }

    /// Says that this thread ends, with the mount: whose entry it has waits for it no more.
    pub(super) fn end(&self) {
        self.state.lock().has_ended = true;
        drop(self.arrived());
        if let Some(owner) = self.take_owner() {
            owner.state.lock().is_lent = false;
            (owner.wake)();
        }
    }

    fn take_owner(&self) -> Option<Arc<Loans<T>>> {
        self.state.lock().owner.take()
    }
}

#[cfg(test)]
mod tests {
    use super::Loans;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Returns a thread's loans, and how often it was woken.
    fn thread() -> (Arc<Loans<u32>>, Arc<AtomicUsize>) {
        let woken = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&woken);
        let wake = move || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        (Loans::new(wake), woken)
    }

    #[test]
    fn one_entry_is_lent_and_comes_back() {
        let ((borrower, woken), (owner, owner_woken)) = (thread(), thread());
        borrower.open();
        assert_eq!(borrower.lend(1, &owner), None);
        assert_eq!((borrower.arrived(), woken.load(Ordering::Relaxed)), (vec![1], 1));
        assert!(owner.is_expecting());
        // A second one is not taken, of whomever.
        let (other, _) = thread();
        assert_eq!(borrower.lend(2, &other), Some(2));
        assert!(!other.is_expecting());
        assert_eq!(borrower.give_back(3), None);
        assert!(owner.is_expecting());
        assert_eq!((owner.arrived(), owner_woken.load(Ordering::Relaxed)), (vec![3], 1));
        assert!(!owner.is_expecting());
        // It is lent and given back but once.
        assert_eq!(borrower.give_back(4), Some(4));
        assert_eq!(borrower.lend(5, &other), None);
    }

    #[test]
    fn nothing_is_handed_to_a_thread_that_is_at_a_request() {
        let ((borrower, woken), (owner, _)) = (thread(), thread());
        assert_eq!(borrower.lend(1, &owner), Some(1));
        borrower.open();
        assert_eq!(borrower.lend(2, &owner), None);
        assert_eq!(borrower.close(), [2]);
        assert_eq!(borrower.give_back(3), None);
        assert_eq!(borrower.lend(4, &owner), Some(4));
        assert_eq!(woken.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn nobody_waits_for_a_thread_that_ended() {
        let ((borrower, _), (owner, woken)) = (thread(), thread());
        borrower.open();
        assert_eq!(borrower.lend(1, &owner), None);
        borrower.end();
        assert!(!owner.is_expecting());
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert_eq!(borrower.lend(2, &owner), Some(2));
        assert!(!owner.is_expecting());
    }

    #[test]
    fn the_entry_of_a_thread_that_ended_stays_where_it_is() {
        let ((borrower, _), (owner, _)) = (thread(), thread());
        borrower.open();
        assert_eq!(borrower.lend(1, &owner), None);
        owner.end();
        assert_eq!(borrower.give_back(2), Some(2));
        assert_eq!(borrower.give_back(3), Some(3));
    }
}
