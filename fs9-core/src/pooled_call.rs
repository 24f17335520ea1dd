//! One call on a pool and the one who waits for it: answered by the call, let go at the deadline, or interrupted.
//!
//! An interrupt cancels the call. One that was not begun is dropped at once; one that runs has a short grace, so that a
//! provider that lives answers as if nothing had happened, and then its asker is told `EINTR`. No thread waits for that
//! moment: the watchdog keeps it as it keeps deadlines.
//!
//! Invariant: each reply is used exactly once, whoever comes first; what the call does afterwards is handed out as late.
//! Lock order: `hook` and `grace` are held only to store into; nothing else is locked meanwhile.

use crate::pool::{CallPool, Delivery, Ending, Shared, panicked};
use crate::slot::{CallSlot, Reply, SlotState};
use crate::watchdog::Timer;
use crate::{Overdue, Watch, Watchdog};
use fs9_sdk::{Call, CancelHook, Cancellation, Deadline};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long a call that was interrupted may go on before its asker is let go: far more than a quick call takes, so that
/// the signal of a timer seldom becomes an `EINTR`, and half of the 100 ms within which an interrupted program ends.
pub const INTERRUPT_GRACE: Duration = Duration::from_millis(50);

/// A call whose asker can be let go.
struct Watched<R> {
    slot: CallSlot<R>,
    cancellation: Cancellation,
    pool: Arc<Shared>,
    timer: Timer,
    /// By which the queue knows it.
    ticket: u64,
    /// It is made in any case, also when nobody waits for it.
    kept: bool,
    interrupted: AtomicBool,
    hook: Mutex<Option<CancelHook>>,
    grace: Mutex<Option<Watch>>,
}

impl<R: Reply> Watched<R> {
    /// Follows the call's cancellation. To be called when the call is in the queue or beyond.
    fn listen(self: &Arc<Self>) {
        let watched = Arc::downgrade(self);
        let hook = self.cancellation.on_cancel(move || {
            if let Some(watched) = watched.upgrade() {
                watched.interrupt();
            }
        });
        if self.slot.state() == SlotState::Pending {
            *self.hook.lock() = Some(hook);
        }
    }

    fn interrupt(self: &Arc<Self>) {
        if self.slot.state() != SlotState::Pending {
            // Letting go of an overdue call cancels it, too.
            return;
        }
        self.interrupted.store(true, Ordering::Release);
        if self.withdraw() {
            return self.let_go();
        }
        let this: Weak<Self> = Arc::downgrade(self);
        let watch = self.timer.watch(Instant::now() + INTERRUPT_GRACE, this);
        *self.grace.lock() = Some(watch);
    }

    /// Takes the call out of the queue and returns whether it was there, so that it is never made.
    fn withdraw(&self) -> bool {
        !self.kept && self.pool.withdraw(self.ticket).is_some()
    }

    fn let_go(&self) {
        let Some(reply) = self.slot.abandon() else { return };
        let ending =
            if self.interrupted.load(Ordering::Acquire) { Ending::Interrupted } else { Ending::TimedOut };
        self.pool.count(ending);
        self.cancellation.cancel();
        self.withdraw();
        reply.refuse(ending.kind().into());
    }
}

impl<R: Reply> Overdue for Watched<R> {
    fn overdue(&self) {
        self.let_go();
    }
}

impl CallPool {
    /// Runs `work` on a thread of the pool and gives its result to `deliver` there, in time or late. If the time is up
    /// first, the call is cancelled, the pool refuses work, or `work` panics, the reply is refused with `ETIMEDOUT`,
    /// `EINTR`, `EAGAIN` or `EIO`; each reply is used exactly once. The refusal of an overdue call comes from the
    /// watchdog's thread, that of a cancelled one from there or from the thread that cancels. What is let go before it
    /// has begun is never done, nor delivered.
    pub fn run<R: Reply, T>(
        &self,
        watchdog: &Watchdog,
        call: &Call,
        reply: R,
        work: impl FnOnce() -> T + Send + 'static,
        deliver: impl FnOnce(Delivery<R, T>) + Send + 'static,
    ) {
        self.start(watchdog, call, (reply, false), work, deliver);
    }

    /// As [`CallPool::run`], for work that is to be done also when nobody waits for it any more: it stays in the queue.
    pub fn run_to_the_end<R: Reply, T>(
        &self,
        watchdog: &Watchdog,
        call: &Call,
        reply: R,
        work: impl FnOnce() -> T + Send + 'static,
        deliver: impl FnOnce(Delivery<R, T>) + Send + 'static,
    ) {
        self.start(watchdog, call, (reply, true), work, deliver);
    }

    fn start<R: Reply, T>(
        &self,
        watchdog: &Watchdog,
        call: &Call,
        (reply, kept): (R, bool),
        work: impl FnOnce() -> T + Send + 'static,
        deliver: impl FnOnce(Delivery<R, T>) + Send + 'static,
    ) {
        let watched = Arc::new(Watched {
            slot: CallSlot::new(reply),
            cancellation: call.cancellation.clone(),
            pool: Arc::clone(self.shared()),
            timer: watchdog.timer(),
            ticket: self.shared().next_ticket(),
            kept,
            interrupted: AtomicBool::new(false),
            hook: Mutex::default(),
            grace: Mutex::default(),
        });
        let watch = watch(call.deadline, &watched);
        let worker = Arc::clone(&watched);
        let job = move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(watch);
            match (result, worker.slot.answer()) {
                (Ok(value), Some(reply)) => deliver(Delivery::InTime(reply, value)),
                (Ok(value), None) => deliver(Delivery::Late(value)),
                (Err(_), Some(reply)) => reply.refuse(panicked()),
                (Err(_), None) => tracing::error!("a call panicked after its asker was let go"),
            }
        };
        match self.submit_as(watched.ticket, Box::new(job)) {
            Ok(()) => watched.listen(),
            Err(error) => {
                if let Some(reply) = watched.slot.answer() {
                    reply.refuse(error);
                }
            }
        }
    }
}

fn watch<R: Reply>(deadline: Deadline, watched: &Arc<Watched<R>>) -> Option<Watch> {
    let Deadline::At(moment) = deadline else { return None };
    let this: Weak<Watched<R>> = Arc::downgrade(watched);
    Some(watched.timer.watch(moment, this))
}
