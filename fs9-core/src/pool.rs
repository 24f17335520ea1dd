//! Threads of its own for each provider that may block.
//!
//! One shared pool would let the calls of one hung provider take the threads of all others. Threads start when there
//! is work and none is idle, up to a limit, and end after an idle time. Calls beyond that wait in a bounded queue, and
//! beyond the queue they are refused with `EAGAIN`: the caller is told at once that the provider does not keep up, and
//! that trying later may help, which neither waiting for a deadline nor `EIO` would tell.
//!
//! Calls that wait by nature (for a lock, for an event) have no deadline, so that on these threads they could keep all
//! others out for good. They have threads of their own, [`CallPool::for_waits`], as many as may wait at a time and
//! without a queue: a wait that waited for another one's end could be the one that the other waits for.
//!
//! Invariants: at most `threads_max` threads; a panic of a job ends neither its thread nor the count of threads.
//! Lock order: `state` alone; it is not held while a job runs or is dropped, or a thread starts.

use crate::slot::CallSlot;
use fs9_sdk::{Call, Deadline, Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Work for a thread of the pool.
pub type Job = Box<dyn FnOnce() + Send>;

/// How long a thread waits for more work: longer than the pauses between the calls of one program, short enough that
/// an unused mount soon has no thread.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Calls of one mount that wait by nature at a time; more are refused. Each has a thread, which costs little while it
/// sleeps, and programs that contend for locks are far fewer.
pub const WAITS_MAX: usize = 256;

/// A job that waits for a thread.
struct Queued {
    ticket: u64,
    job: Job,
    /// It has to be done, however long it takes until there is a thread.
    is_kept: bool,
}

/// How a call ended for its asker before it ended itself.
#[derive(Clone, Copy)]
pub(crate) enum Ending {
    TimedOut,
    Interrupted,
}

impl Ending {
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Ending::TimedOut => ErrorKind::TimedOut,
            Ending::Interrupted => ErrorKind::Interrupted,
        }
    }
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    /// Threads that exist or are being started.
    threads: usize,
    /// Those of them that exist.
    running: usize,
    /// Threads that wait for work.
    idle: usize,
    closed: bool,
    timed_out: u64,
    interrupted: u64,
    refused: u64,
}

/// How busy a pool is, and what it could not do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolLoad {
    /// Threads that exist.
    pub threads: usize,
    /// Calls that wait for a thread.
    pub queued: usize,
    /// Calls whose caller was told `ETIMEDOUT`, ever.
    pub timed_out: u64,
    /// Calls whose caller was told `EINTR` before they ended, ever.
    pub interrupted: u64,
    /// Calls that were refused with `EAGAIN`, ever.
    pub refused: u64,
}

pub(crate) struct Shared {
    name: String,
    threads_max: usize,
    queue_max: usize,
    idle_max: Duration,
    state: Mutex<State>,
    work: Condvar,
    last_ticket: AtomicU64,
}

impl Shared {
    /// Returns a number by which a job can be taken back.
    pub(crate) fn next_ticket(&self) -> u64 {
        self.last_ticket.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Takes a job out of the queue, unless a thread has it already.
    pub(crate) fn withdraw(&self, ticket: u64) -> Option<Job> {
        let mut state = self.state.lock();
        let place = state.queue.iter().position(|queued| queued.ticket == ticket)?;
        state.queue.remove(place).map(|queued| queued.job)
    }

    pub(crate) fn count(&self, ending: Ending) {
        let mut state = self.state.lock();
        match ending {
            Ending::TimedOut => state.timed_out += 1,
            Ending::Interrupted => state.interrupted += 1,
        }
    }
}

/// A bounded number of threads with a bounded queue. Its threads end when it is dropped and the queue is empty.
pub struct CallPool {
    shared: Arc<Shared>,
}

/// A result of a call that ran on a pool.
#[derive(Debug)]
pub enum Delivery<R, T> {
    /// The call ended in time: the result is to be given to the reply.
    InTime(R, T),
    /// Somebody was told `ETIMEDOUT` or `EINTR` before: what the call did has to be undone or invalidated.
    Late(T),
}

impl CallPool {
    /// Returns a pool without threads. Its threads will have this name. Both limits are at least one.
    pub fn new(name: &str, threads_max: usize, queue_max: usize) -> Arc<CallPool> {
        Arc::new(CallPool::with_idle_max(name, threads_max, queue_max.max(1), IDLE_MAX))
    }

    /// Returns a pool for calls that wait by nature: [`WAITS_MAX`] at a time, and none in a queue.
    pub fn for_waits(name: &str) -> Arc<CallPool> {
        Arc::new(CallPool::with_idle_max(name, WAITS_MAX, 0, IDLE_MAX))
    }

    fn with_idle_max(name: &str, threads_max: usize, queue_max: usize, idle_max: Duration) -> CallPool {
        let shared = Shared {
            name: name.to_owned(),
            threads_max: threads_max.max(1),
            queue_max,
            idle_max,
            state: Mutex::default(),
            work: Condvar::new(),
            last_ticket: AtomicU64::new(0),
        };
        CallPool { shared: Arc::new(shared) }
    }

    /// Hands a job to a thread. A panic in it is caught and logged.
    ///
    /// # Errors
    /// `EAGAIN` if all threads are busy and the queue is full, or no thread could be started at all.
    pub fn submit(&self, job: Job) -> Result<()> {
        self.submit_as(self.shared.next_ticket(), job)
    }

    /// As [`CallPool::submit`], for a job that has to be done: the queue has always room for it. Who calls this bounds how
    /// many there are.
    ///
    /// # Errors
    /// `EAGAIN` if no thread could be started at all; the job is then done by the next one that can be.
    pub fn submit_kept(&self, job: Job) -> Result<()> {
        self.enqueue(Queued { ticket: self.shared.next_ticket(), job, is_kept: true })
    }

    /// Hands a job to a thread, with a ticket by which it can be taken back.
    pub(crate) fn submit_as(&self, ticket: u64, job: Job) -> Result<()> {
        self.enqueue(Queued { ticket, job, is_kept: false })
    }

    fn enqueue(&self, queued: Queued) -> Result<()> {
        let Queued { ticket, is_kept, .. } = queued;
        let mut state = self.shared.state.lock();
        let has_thread = state.idle > state.queue.len();
        let start = !has_thread && state.threads < self.shared.threads_max;
        if !has_thread && !start && !is_kept && state.queue.len() >= self.shared.queue_max {
            state.refused += 1;
            return Err(Error::new(ErrorKind::WouldBlock).because("too many calls wait for this provider"));
        }
        state.queue.push_back(queued);
        if !start {
            drop(state);
            self.shared.work.notify_one();
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        let shared = Arc::clone(&self.shared);
        let started = std::thread::Builder::new().name(shared.name.clone()).spawn(move || run(&shared));
        started.map(drop).or_else(|cause| self.not_started(ticket, cause))
    }

    /// Takes the job back for which no thread could be started, unless there are others, and with the last one all jobs;
    /// those that have to be done stay.
    fn not_started(&self, ticket: u64, cause: io::Error) -> Result<()> {
        let mut state = self.shared.state.lock();
        state.threads -= 1;
        if state.running > 0 {
            // They come to the job in time. One that is only being started may fail as this one did.
            return Ok(());
        }
        let is_own = |queued: &Queued| queued.ticket == ticket;
        let is_kept = state.queue.iter().any(|queued| is_own(queued) && queued.is_kept);
        let own = state.queue.iter().position(|queued| is_own(queued) && !queued.is_kept);
        let own = own.and_then(|place| state.queue.remove(place));
        // Those that hoped for a thread which never came: dropped, they answer EIO.
        let (kept, orphans): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut state.queue)
            .into_iter()
            .partition(|queued| queued.is_kept || state.threads > 0);
        state.queue = kept;
        state.refused += u64::from(is_kept) + own.iter().chain(&orphans).count() as u64;
        drop(state);
        drop(orphans);
        if own.is_none() && !is_kept {
            // It has been done meanwhile.
            return Ok(());
        }
        drop(own);
        Err(Error::new(ErrorKind::WouldBlock)
            .during("start a thread for")
            .at(&self.shared.name)
            .because(cause))
    }

    /// Runs `work` on a thread of the pool and waits for its result until the call's deadline. A result that comes
    /// later is given to `undo`, on the pool's thread.
    ///
    /// # Errors
    /// `ETIMEDOUT`, `EAGAIN` as [`CallPool::submit`], `EIO` if `work` panicked.
    pub fn call<T: Send + 'static>(
        &self,
        call: &Call,
        work: impl FnOnce() -> T + Send + 'static,
        undo: impl FnOnce(T) + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let slot = Arc::new(CallSlot::new(sender));
        let worker = Arc::clone(&slot);
        self.submit(Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            match (result, worker.answer()) {
                // The waiting thread lost the race, so it waits for what is sent here.
                (result, Some(sender)) => drop(sender.send(result)),
                (Ok(value), None) => undo(value),
                (Err(_), None) => tracing::error!("a call panicked after its deadline"),
            }
        }))?;
        let received = match call.deadline {
            Deadline::At(moment) => {
                let left = moment.saturating_duration_since(std::time::Instant::now());
                match receiver.recv_timeout(left) {
                    Err(_) if slot.abandon().is_some() => {
                        call.cancellation.cancel();
                        self.shared.state.lock().timed_out += 1;
                        return Err(ErrorKind::TimedOut.into());
                    }
                    Err(_) => receiver.recv(),
                    Ok(result) => Ok(result),
                }
            }
            Deadline::Unlimited | Deadline::Wait => receiver.recv(),
        };
        received.ok().and_then(std::result::Result::ok).ok_or_else(panicked)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns how busy the pool is.
    pub fn load(&self) -> PoolLoad {
        let state = self.shared.state.lock();
        PoolLoad {
            threads: state.threads,
            queued: state.queue.len(),
            timed_out: state.timed_out,
            interrupted: state.interrupted,
            refused: state.refused,
        }
    }
}

impl Drop for CallPool {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.work.notify_all();
    }
}

pub(crate) fn panicked() -> Error {
    Error::new(ErrorKind::Io).because("the provider panicked")
}

/// The life of a thread.
fn run(shared: &Shared) {
    let mut state = shared.state.lock();
    state.running += 1;
    loop {
        if let Some(Queued { job, .. }) = state.queue.pop_front() {
            parking_lot::MutexGuard::unlocked(&mut state, || {
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!(pool = shared.name, "a job panicked");
                }
            });
            continue;
        }
        if state.closed {
            break;
        }
        state.idle += 1;
        let waited = shared.work.wait_for(&mut state, shared.idle_max);
        state.idle -= 1;
        if waited.timed_out() && state.queue.is_empty() {
            break;
        }
    }
    state.running -= 1;
    state.threads -= 1;
}

impl fmt::Debug for CallPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, load) = (&self.shared.name, self.load());
        f.debug_struct("CallPool").field("name", name).field("load", &load).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{CallPool, Queued};
    use fs9_sdk::ErrorKind;
    use std::io;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn idle_threads_end_and_new_work_starts_new_ones() {
        let pool = CallPool::with_idle_max("test", 4, 4, Duration::from_millis(5));
        for _ in 0..3 {
            let (sender, receiver) = channel();
            pool.submit(Box::new(move || sender.send(()).unwrap())).unwrap();
            receiver.recv().unwrap();
            while pool.load().threads > 0 {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn an_idle_thread_is_used_before_another_is_started() {
        let pool = CallPool::new("test", 8, 8);
        for _ in 0..50 {
            let (sender, receiver) = channel();
            pool.submit(Box::new(move || sender.send(()).unwrap())).unwrap();
            receiver.recv().unwrap();
            while pool.shared.state.lock().idle == 0 {
                std::thread::yield_now();
            }
        }
        assert_eq!(pool.load().threads, 1);
    }

    /// Symptom: where no thread could be started, a call was neither made nor refused. Cause: of two that came at the same
    /// time, each counted on the thread of the other. Fix: only on threads that run.
    #[test]
    fn jobs_that_come_together_are_refused_each_where_no_thread_can_be_started() {
        let pool = CallPool::new("test", 4, 4);
        let tickets = [(); 3].map(|()| pool.shared.next_ticket());
        {
            let mut state = pool.shared.state.lock();
            state.queue.extend(tickets.map(|ticket| Queued { ticket, job: Box::new(|| ()), is_kept: false }));
            let ticket = pool.shared.next_ticket();
            state.queue.push_back(Queued { ticket, job: Box::new(|| ()), is_kept: true });
            state.threads = 2;
        }
        for &ticket in &tickets[..2] {
            let refused = pool.not_started(ticket, io::ErrorKind::WouldBlock.into()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::WouldBlock);
        }
        let load = pool.load();
        assert_eq!(
            (load.threads, load.queued, load.refused),
            (0, 1, 3),
            "the third has no thread of its own, the fourth waits for the next one"
        );
    }

    #[test]
    fn what_is_queued_is_done_also_when_the_pool_is_dropped_meanwhile() {
        let ((go, gate), (sender, receiver)) = (channel::<()>(), channel());
        let pool = CallPool::new("test", 1, 8);
        pool.submit(Box::new(move || gate.recv().unwrap())).unwrap();
        for number in 0..5 {
            let sender = sender.clone();
            pool.submit(Box::new(move || sender.send(number).unwrap())).unwrap();
        }
        drop((pool, sender));
        go.send(()).unwrap();
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}
