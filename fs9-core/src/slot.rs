//! The race between an answer and a deadline or an interrupt.
//!
//! Invariant: of all who ask for the reply, exactly one gets it: the first to move the state away from pending, by
//! compare-and-swap. The lock around the reply is never contended, since only the winner takes it.

use fs9_sdk::Error;
use parking_lot::Mutex;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where the answer to a request goes.
pub trait Reply: Send + 'static {
    /// Answers with an error.
    fn refuse(self, error: Error);
}

/// How a call ended for the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SlotState {
    /// Nobody answered yet.
    Pending = 0,
    /// The call was answered with its own result.
    Answered = 1,
    /// The asker was told `ETIMEDOUT` or `EINTR`; the call's result, if it ever comes, has to be undone.
    Abandoned = 2,
}

/// Holds a reply until the call ends or its asker is let go, whichever comes first.
pub struct CallSlot<R> {
    state: AtomicU8,
    reply: Mutex<Option<R>>,
}

impl<R> CallSlot<R> {
    /// Returns a slot that waits for an answer.
    pub fn new(reply: R) -> CallSlot<R> {
        CallSlot { state: AtomicU8::new(SlotState::Pending as u8), reply: Mutex::new(Some(reply)) }
    }

    /// Returns the reply to the call itself, or `None` if its asker was let go before: then the result has to be undone.
    pub fn answer(&self) -> Option<R> {
        self.take(SlotState::Answered)
    }

    /// Returns the reply to whoever lets the asker go before the call ends, or `None` if it was answered before.
    pub fn abandon(&self) -> Option<R> {
        self.take(SlotState::Abandoned)
    }

    /// Returns how far the call is.
    pub fn state(&self) -> SlotState {
        match self.state.load(Ordering::Acquire) {
            0 => SlotState::Pending,
            1 => SlotState::Answered,
            _ => SlotState::Abandoned,
        }
    }

    fn take(&self, end: SlotState) -> Option<R> {
        let pending = SlotState::Pending as u8;
        self.state.compare_exchange(pending, end as u8, Ordering::AcqRel, Ordering::Acquire).ok()?;
        let reply = self.reply.lock().take();
        assert!(reply.is_some(), "a pending slot had no reply");
        reply
    }
}

impl<R> fmt::Debug for CallSlot<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallSlot").field("state", &self.state()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{CallSlot, SlotState};
    use std::sync::Barrier;

    #[test]
    fn the_first_to_ask_gets_the_reply_and_the_other_is_told_that_it_lost() {
        let answered = CallSlot::new("reply");
        assert_eq!((answered.answer(), answered.abandon()), (Some("reply"), None));
        assert_eq!(answered.state(), SlotState::Answered);
        let late = CallSlot::new("reply");
        assert_eq!((late.abandon(), late.answer()), (Some("reply"), None));
        assert_eq!(late.state(), SlotState::Abandoned);
    }

    #[test]
    fn of_two_threads_exactly_one_gets_the_reply() {
        for _ in 0..500 {
            let (slot, start) = (CallSlot::new(()), Barrier::new(2));
            let got = std::thread::scope(|scope| {
                let other = scope.spawn(|| {
                    start.wait();
                    slot.abandon().is_some()
                });
                start.wait();
                [slot.answer().is_some(), other.join().unwrap()]
            });
            assert_ne!(got[0], got[1]);
            assert_eq!(slot.state() == SlotState::Answered, got[0]);
        }
    }
}
