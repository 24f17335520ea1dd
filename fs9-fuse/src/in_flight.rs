//! The requests that are under way on other threads, by which an interrupt finds them.
//!
//! Requests that are answered on the thread that brought them are not entered and cost nothing.
//!
//! An interrupt can be read before the request that it is about: several threads read (`fuse.rst`, "Interrupting
//! filesystem operations"). So those that find nothing are remembered for a while; most of them came too late. The kernel
//! never uses a number again, so that one that is remembered in vain harms nobody.
//!
//! Invariant: a request is in the table from when it is handed to another thread until it is answered.
//! Lock order: one shard at a time; nobody is told while it is held.

use crate::operation::RequestId;
use fs9_sdk::Cancellation;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Shards, so that threads seldom meet; a power of two.
const SHARDS: usize = 16;

/// Early interrupts that one shard remembers. The request of an early one is at most as many requests away as threads
/// read, and it is only crowded out by interrupts of the same shard that came too late.
const EARLY_MAX: usize = 64;

#[derive(Default)]
struct Shard {
    requests: HashMap<RequestId, Cancellation>,
    /// Interrupts whose requests are not known, oldest first.
    early: VecDeque<RequestId>,
    /// Nobody waits for any request, nor ever will.
    over: bool,
}

/// The requests that are under way on other threads.
#[derive(Default)]
pub(crate) struct InFlight {
    shards: [Mutex<Shard>; SHARDS],
}

/// A request that is under way; dropped when it is answered.
pub(crate) struct Entry {
    table: Arc<InFlight>,
    id: RequestId,
}

impl InFlight {
    /// Enters a request and returns what an interrupt of it fires: it has fired if the interrupt came before.
    pub(crate) fn enter(self: &Arc<Self>, id: RequestId) -> (Entry, Cancellation) {
        let cancellation = Cancellation::new();
        let mut shard = self.shard(id).lock();
        let early = shard.early.iter().position(|&early| early == id);
        if let Some(place) = early {
            shard.early.remove(place);
        }
        shard.requests.insert(id, cancellation.clone());
        let is_unwanted = early.is_some() || shard.over;
        drop(shard);
        if is_unwanted {
            cancellation.cancel();
        }
        (Entry { table: Arc::clone(self), id }, cancellation)
    }

    /// Interrupts a request, now or when it comes.
    pub(crate) fn interrupt(&self, id: RequestId) {
        let mut shard = self.shard(id).lock();
        let Some(cancellation) = shard.requests.get(&id).cloned() else {
            if shard.early.len() >= EARLY_MAX {
                shard.early.pop_front();
            }
            return shard.early.push_back(id);
        };
        drop(shard);
        cancellation.cancel();
    }

    /// Interrupts every request that is under way or still comes, when nobody waits for any of them.
    pub(crate) fn interrupt_all(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.over = true;
            let all: Vec<_> = shard.requests.values().cloned().collect();
            drop(shard);
            all.iter().for_each(Cancellation::cancel);
        }
    }

    /// Returns the number of requests that are under way.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().requests.len()).sum()
    }

    fn shard(&self, id: RequestId) -> &Mutex<Shard> {
        // The kernel's numbers are even.
        &self.shards[(id.0 / 2) as usize % SHARDS]
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.table.shard(self.id).lock().requests.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::{EARLY_MAX, InFlight, SHARDS};
    use crate::operation::RequestId;
    use std::sync::Arc;

    #[test]
    fn an_interrupt_finds_its_request_and_no_other() {
        let table = Arc::new(InFlight::default());
        let (first, interrupted) = table.enter(RequestId(2));
        let (second, other) = table.enter(RequestId(4));
        table.interrupt(RequestId(2));
        assert!(interrupted.is_cancelled() && !other.is_cancelled());
        assert_eq!(table.len(), 2);
        drop((first, second));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn an_interrupt_that_comes_first_waits_for_its_request() {
        let table = Arc::new(InFlight::default());
        table.interrupt(RequestId(6));
        assert!(table.enter(RequestId(6)).1.is_cancelled());
        // It is used up.
        assert!(!table.enter(RequestId(6)).1.is_cancelled());
    }

    #[test]
    fn interrupts_that_came_too_late_are_forgotten_one_by_one() {
        let table = Arc::new(InFlight::default());
        let of_one_shard = |number: usize| RequestId((number * 2 * SHARDS) as u64);
        for number in 0..=EARLY_MAX {
            table.interrupt(of_one_shard(number));
        }
        assert!(!table.enter(of_one_shard(0)).1.is_cancelled());
        assert!((1..=EARLY_MAX).all(|number| table.enter(of_one_shard(number)).1.is_cancelled()));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn all_are_interrupted_at_the_end() {
        let table = Arc::new(InFlight::default());
        let entered: Vec<_> = (0..100).map(|number| table.enter(RequestId(number))).collect();
        table.interrupt_all();
        assert!(entered.iter().all(|(_, cancellation)| cancellation.is_cancelled()));
        assert!(table.enter(RequestId(100)).1.is_cancelled(), "one that had not reached the table");
    }
}
