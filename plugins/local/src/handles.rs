//! Open files and directories by number.
//!
//! Invariant: a handle is found from the call that inserts it to the one that removes it. Whoever uses it holds an
//! `Arc`, so removal never closes a descriptor under a call.
//! Lock order: one shard at a time, and nothing else while it is held.

use crate::node::Slab;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shards, so that threads seldom meet; a power of two.
const SHARDS: usize = 16;

/// Values under numbers, for many threads.
pub(crate) struct Handles<T> {
    shards: Box<[Mutex<Slab<Arc<T>>>]>,
    next: AtomicUsize,
}

impl<T> Handles<T> {
    /// Returns an empty table.
    pub(crate) fn new() -> Handles<T> {
        let shards = std::iter::repeat_with(|| Mutex::new(Slab::new())).take(SHARDS).collect();
        Handles { shards, next: AtomicUsize::new(0) }
    }

    /// Puts a value in and returns its number.
    pub(crate) fn insert(&self, value: Arc<T>) -> u64 {
        let shard = self.next.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let slot = self.shards[shard].lock().insert(value);
        u64::from(slot) * SHARDS as u64 + shard as u64
    }

    /// Returns the value of a number.
    pub(crate) fn get(&self, number: u64) -> Option<Arc<T>> {
        let slot = u32::try_from(number / SHARDS as u64).ok()?;
        self.shards[(number % SHARDS as u64) as usize].lock().get(slot).cloned()
    }

    /// Takes a value out.
    pub(crate) fn remove(&self, number: u64) -> Option<Arc<T>> {
        let slot = u32::try_from(number / SHARDS as u64).ok()?;
        self.shards[(number % SHARDS as u64) as usize].lock().remove(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::Handles;
    use std::sync::Arc;

    #[test]
    fn a_handle_is_found_until_it_is_removed() {
        let handles = Handles::new();
        let numbers: Vec<u64> = (0..100).map(|value| handles.insert(Arc::new(value))).collect();
        for (value, number) in numbers.iter().enumerate() {
            assert_eq!(handles.get(*number).as_deref(), Some(&value));
            assert_eq!(handles.remove(*number).as_deref(), Some(&value));
            assert!(handles.get(*number).is_none());
            assert!(handles.remove(*number).is_none());
        }
        assert!(handles.get(u64::MAX).is_none());
    }
}
