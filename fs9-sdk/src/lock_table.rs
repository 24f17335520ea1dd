//! Locks of many owners on many files, for a provider that keeps them by itself.
//!
//! A deadlock of owners that wait for each other is not detected (`EDEADLK`), as it is not for the locks of open files
//! (`F_OFD_SETLKW`) and on network file systems: an owner may be several threads, or processes. Whoever waits can be
//! interrupted. Who of several that wait is next is not promised.
//!
//! Invariant: a file is in the table while somebody holds or waits for a lock on it.
//! Lock order: one shard at a time, and nothing else while it is held.

use crate::{
    Call, ErrorKind, FileLock, LockFamily, LockKind, LockOwner, LockRanges, NodeId, Result, SetLock,
};
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

/// Shards, so that locks of different files seldom meet; a power of two.
const SHARDS: usize = 16;

/// The locks on one file.
#[derive(Default)]
struct FileLocks {
    ranges: HashMap<LockOwner, LockRanges>,
    flocks: HashMap<LockOwner, FileLock>,
    waiters: usize,
}

#[derive(Default)]
struct Shard {
    files: Mutex<HashMap<NodeId, FileLocks>>,
    /// Signalled when a lock that others may wait for became weaker, or a wait is cancelled.
    freed: Condvar,
}

/// Locks of many owners on many files.
pub struct LockTable {
    shards: Box<[Arc<Shard>]>,
}

impl FileLocks {
    /// Returns the lock of another owner that is in the way.
    fn conflict(&self, owner: LockOwner, lock: &FileLock, family: LockFamily) -> Option<FileLock> {
        match family {
            _ if lock.kind == LockKind::Unlock => None,
            LockFamily::Range => {
                let others = self.ranges.iter().filter(|(other, _)| **other != owner);
                others.filter_map(|(_, ranges)| ranges.conflict(lock)).min_by_key(|lock| lock.start)
            }
            LockFamily::Flock => {
                let shared = |kind| kind == LockKind::Read;
                let mut others = self.flocks.iter().filter(|(other, _)| **other != owner);
                others.find(|(_, held)| !(shared(held.kind) && shared(lock.kind))).map(|(_, held)| *held)
            }
        }
    }

    fn set(&mut self, owner: LockOwner, lock: FileLock, family: LockFamily) {
        match family {
            LockFamily::Range => {
                let ranges = self.ranges.entry(owner).or_default();
                ranges.set(lock);
                if ranges.is_empty() {
                    self.ranges.remove(&owner);
                }
            }
            LockFamily::Flock if lock.kind == LockKind::Unlock => drop(self.flocks.remove(&owner)),
            LockFamily::Flock => drop(self.flocks.insert(owner, lock)),
        }
    }

    fn is_unused(&self) -> bool {
        self.ranges.is_empty() && self.flocks.is_empty() && self.waiters == 0
    }
}

impl LockTable {
    /// Returns a table without locks.
    pub fn new() -> LockTable {
        LockTable { shards: std::iter::repeat_with(Arc::default).take(SHARDS).collect() }
    }

    /// Returns a lock on a range that another owner holds and that keeps this one out, or this one with
    /// [`LockKind::Unlock`] if there is none.
    pub fn test(&self, node: NodeId, owner: LockOwner, lock: FileLock) -> FileLock {
        let files = self.shard(node).files.lock();
        let found = files.get(&node).and_then(|file| file.conflict(owner, &lock, LockFamily::Range));
        found.unwrap_or(FileLock { kind: LockKind::Unlock, ..lock })
    }

    /// Takes, changes or gives back a lock of an owner on a file, as [`Provider::setlk`](crate::Provider::setlk) does.
    ///
    /// # Errors
    /// `EAGAIN` if another owner is in the way and `wait` is not asked for, `EINTR` if the wait is cancelled.
    pub fn set(&self, call: &Call, node: NodeId, change: SetLock) -> Result<()> {
        let shard = self.shard(node);
        match shard.try_set(&mut shard.files.lock(), node, &change) {
            false if change.wait => {}
            false => return Err(ErrorKind::WouldBlock.into()),
            true => return Ok(()),
        }
        let wakes = Arc::clone(shard);
        // Before the shard is locked, as `on_cancel` asks for.
        let _hook = call.cancellation.on_cancel(move || wakes.wake());
        shard.wait_and_set(call, node, &change)
    }

    /// Returns whether nobody holds or waits for a lock.
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.files.lock().is_empty())
    }

    fn shard(&self, node: NodeId) -> &Arc<Shard> {
        &self.shards[(node.0 % SHARDS as u64) as usize]
    }
}

impl Shard {
    /// Sets a lock unless another owner is in the way.
    fn try_set(&self, files: &mut HashMap<NodeId, FileLocks>, node: NodeId, change: &SetLock) -> bool {
        let SetLock { owner, lock, family, .. } = *change;
        let mut entry = match files.entry(node) {
            Entry::Vacant(_) if lock.kind == LockKind::Unlock => return true,
            Entry::Vacant(vacant) => vacant.insert_entry(FileLocks::default()),
            Entry::Occupied(occupied) => occupied,
        };
        let file = entry.get_mut();
        // A conversion gives the old lock up first (`flock(2)`), so that two who share it can both ask for more.
        let gave_up = family == LockFamily::Flock && file.flocks.remove(&owner).is_some();
        let free = file.conflict(owner, &lock, family).is_none();
        if free {
            file.set(owner, lock, family);
        }
        // Those who try and fail must not wake each other, or they would never sleep.
        if file.waiters > 0 && (gave_up || (free && lock.kind != LockKind::Write)) {
            self.freed.notify_all();
        }
        if file.is_unused() {
            entry.remove();
        }
        free
    }

    fn wait_and_set(&self, call: &Call, node: NodeId, change: &SetLock) -> Result<()> {
        let mut files = self.files.lock();
        loop {
            if call.cancellation.is_cancelled() {
                return Err(ErrorKind::Interrupted.into());
            }
            if self.try_set(&mut files, node, change) {
                return Ok(());
            }
            files.entry(node).or_default().waiters += 1;
            self.freed.wait(&mut files);
            if let Entry::Occupied(mut entry) = files.entry(node) {
                entry.get_mut().waiters -= 1;
                if entry.get().is_unused() {
                    entry.remove();
                }
            }
        }
    }

    /// Makes all who wait look again. The lock keeps this from coming between the look and the sleep of one.
    fn wake(&self) {
        let _files = self.files.lock();
        self.freed.notify_all();
    }
}

impl Default for LockTable {
    fn default() -> LockTable {
        LockTable::new()
    }
}

impl fmt::Debug for LockTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockTable").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::LockTable;
    use crate::LockFamily::{Flock, Range};
    use crate::LockKind::{self, Read, Unlock, Write};
    use crate::{
        Call, Caller, Cancellation, ErrorKind, FileLock, LOCK_END, LockFamily, LockOwner, NodeId, SetLock,
    };
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    const NODE: NodeId = NodeId(17);
    const ONE: LockOwner = LockOwner(1);
    const TWO: LockOwner = LockOwner(2);

    fn change(owner: LockOwner, kind: LockKind, family: LockFamily, wait: bool) -> SetLock {
        SetLock { owner, lock: FileLock { kind, start: 0, end: LOCK_END, pid: 1 }, family, wait }
    }

    fn call() -> Call {
        Call { cancellation: Cancellation::new(), ..Call::by(Caller::ROOT) }
    }

    #[test]
    fn a_file_without_locks_is_not_in_the_table() {
        let table = LockTable::new();
        for family in [Range, Flock] {
            table.set(&call(), NODE, change(ONE, Write, family, false)).unwrap();
            assert!(!table.is_empty());
            let refused = table.set(&call(), NODE, change(TWO, Read, family, false));
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::WouldBlock);
            table.set(&call(), NODE, change(ONE, Unlock, family, false)).unwrap();
            assert!(table.is_empty());
        }
    }

    #[test]
    fn a_cancelled_wait_leaves_nothing_behind() {
        let table = Arc::new(LockTable::new());
        table.set(&call(), NODE, change(ONE, Write, Range, false)).unwrap();
        let (waiting, theirs) = (call(), Arc::clone(&table));
        let cancellation = waiting.cancellation.clone();
        let waiter = std::thread::spawn(move || theirs.set(&waiting, NODE, change(TWO, Write, Range, true)));
        std::thread::yield_now();
        cancellation.cancel();
        assert_eq!(waiter.join().unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        table.set(&call(), NODE, change(ONE, Unlock, Range, false)).unwrap();
        assert!(table.is_empty());
    }

    #[test]
    fn of_many_who_wait_for_one_lock_each_gets_it_and_never_two_at_once() {
        let (table, holders) = (LockTable::new(), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (table, holders) = (&table, &holders);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let owner = LockOwner(thread);
                        table.set(&call(), NODE, change(owner, Write, Range, true)).unwrap();
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        holders.fetch_sub(1, Ordering::SeqCst);
                        table.set(&call(), NODE, change(owner, Unlock, Range, false)).unwrap();
                    }
                });
            }
        });
        assert!(table.is_empty());
    }
}
