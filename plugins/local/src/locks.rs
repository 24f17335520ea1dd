//! Locks of the source itself, so that processes outside of the mount and users of it keep each other out.
//!
//! Each owner has an open file of its own for each file and family: a lock on a range is one of that open file
//! (`F_OFD_SETLK`), a lock on a whole file one of `flock(2)`. All owners are this one process, whose ordinary locks
//! would never conflict. Such a wait cannot be ended from outside, so a wait is a row of tries: whenever a lock is given
//! back through the provider, and every few milliseconds, because nobody tells when a process outside gives one back. A
//! deadlock of owners is not detected, as the kernel does not for locks of open files.
//!
//! Invariants: an owner's file is open exactly while it holds a lock; `ranges` is what the kernel keeps for it.
//! Lock order: the locks of one owner before `owners`, which is held for no system call. An owner's own is held during
//! the system call that changes its locks: who else uses it is the same owner.

use crate::LocalProvider;
use crate::open_files::{OpenFile, Permit};
use crate::stat::refused;
use fs9_sdk::{
    Call, Error, ErrorKind, FileLock, LockFamily, LockKind, LockOwner, LockRanges, NodeId, OpenNode, Result,
    SetLock,
};
use fs9_sys::{RangeLock, RangeLockKind, get_ofd_lock, set_ofd_lock};
use parking_lot::{Condvar, Mutex};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, OFlags, flock};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The first pause between two tries of a wait: a lock that is held for a moment is free by then.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// The longest pause: what a waiter may be late when a process outside of the mount gives its lock back. A hundred
/// waiters try two thousand times a second, which measured 7 percent of a processor without optimisation.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// By which an owner's open file is found.
type Key = (NodeId, LockOwner, LockFamily);

/// What one owner has locked of one file, in one family.
#[derive(Default)]
struct OwnerLocks {
    open: Option<Descriptor>,
    ranges: LockRanges,
    /// It is no longer in the table: whoever still finds it looks again.
    gone: bool,
}

/// The open file that the locks belong to.
struct Descriptor {
    file: OwnedFd,
    writable: bool,
    _permit: Permit,
}

/// The locks of all owners.
#[derive(Default)]
pub(crate) struct Locks {
    owners: Mutex<HashMap<Key, Arc<Mutex<OwnerLocks>>>>,
    freed: Arc<Freed>,
}

/// Tells those who wait that it is worth a try.
#[derive(Default)]
struct Freed {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Freed {
    fn count(&self) -> u64 {
        *self.count.lock()
    }

    fn tell(&self) {
        *self.count.lock() += 1;
        self.changed.notify_all();
    }

    /// Sleeps until something was freed since the count was `seen`, at most so long.
    fn wait_after(&self, seen: u64, pause: Duration) {
        let mut count = self.count.lock();
        if *count == seen {
            self.changed.wait_for(&mut count, pause);
        }
    }
}

impl Locks {
    fn find(&self, key: &Key) -> Option<Arc<Mutex<OwnerLocks>>> {
        self.owners.lock().get(key).cloned()
    }

    /// Does something with the locks of an owner, and closes its file if no lock is left.
    fn with_owner<T>(&self, key: Key, change: impl Fn(&mut OwnerLocks) -> T) -> T {
        loop {
            let found = Arc::clone(self.owners.lock().entry(key).or_default());
            let mut owner = found.lock();
            if owner.gone {
                continue;
            }
            let result = change(&mut owner);
            if owner.ranges.is_empty() {
                owner.gone = true;
                owner.open = None;
                self.owners.lock().remove(&key);
            }
            return result;
        }
    }
}

impl LocalProvider {
    pub(crate) fn do_getlk(&self, file: OpenNode, owner: LockOwner, lock: FileLock) -> Result<FileLock> {
        let wanted = range_of(&lock);
        let found = match self.locks.find(&(file.node, owner, LockFamily::Range)) {
            Some(own) => own.lock().open.as_ref().map(|open| get_ofd_lock(&open.file, &wanted)),
            None => None,
        };
        let found = match found {
            Some(found) => found,
            // Any open file that has no locks sees those of all others.
            None => get_ofd_lock(&self.files.file(file.handle)?.descriptor, &wanted),
        };
        let Some((found, holder)) = found? else { return Ok(FileLock { kind: LockKind::Unlock, ..lock }) };
        let kind = match found.kind {
            RangeLockKind::Read => LockKind::Read,
            RangeLockKind::Write => LockKind::Write,
            RangeLockKind::Unlock => LockKind::Unlock,
        };
        let pid = holder.or_else(|| self.holder_inside(file.node, owner, &lock)).unwrap_or(0);
        Ok(FileLock { kind, start: found.start, end: found.end, pid })
    }

    /// Returns the process that holds a lock through the provider which is in the way of this one.
    fn holder_inside(&self, node: NodeId, owner: LockOwner, wanted: &FileLock) -> Option<u32> {
        let of_file = |key: &Key| key.0 == node && key.1 != owner && key.2 == LockFamily::Range;
        let owners = self.locks.owners.lock();
        let others: Vec<_> = owners.iter().filter(|(key, _)| of_file(key)).map(|(_, o)| o.clone()).collect();
        drop(owners);
        let conflicts = others.iter().filter_map(|other| other.lock().ranges.conflict(wanted));
        conflicts.min_by_key(|lock| lock.start).map(|lock| lock.pid)
    }

    pub(crate) fn do_setlk(&self, call: &Call, file: OpenNode, change: SetLock) -> Result<()> {
        if change.lock.kind == LockKind::Unlock {
            return self.unlock(file.node, change);
        }
        let open = self.files.file(file.handle)?;
        match self.try_lock(file.node, &open, change) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && change.wait => {}
            tried => return tried,
        }
        let freed = Arc::clone(&self.locks.freed);
        let _hook = call.cancellation.on_cancel(move || freed.tell());
        let mut pause = PAUSE_MIN;
        loop {
            let seen = self.locks.freed.count();
            if call.cancellation.is_cancelled() {
                return Err(ErrorKind::Interrupted.into());
            }
            match self.try_lock(file.node, &open, change) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                tried => return tried,
            }
            self.locks.freed.wait_after(seen, pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn unlock(&self, node: NodeId, change: SetLock) -> Result<()> {
        let key = (node, change.owner, change.family);
        if self.locks.find(&key).is_none() {
            return Ok(());
        }
        let unlocked = self.locks.with_owner(key, |own| {
            let Some(open) = &own.open else { return Ok(()) };
            match change.family {
                LockFamily::Range => set_ofd_lock(&open.file, &range_of(&change.lock))?,
                LockFamily::Flock => flock(&open.file, FlockOperation::Unlock).map_err(refused)?,
            }
            own.ranges.set(change.lock);
            Ok(())
        });
        self.locks.freed.tell();
        unlocked
    }

    fn try_lock(&self, node: NodeId, through: &OpenFile, change: SetLock) -> Result<()> {
        let key = (node, change.owner, change.family);
        let (held_some, locked) = self.locks.with_owner(key, |own| {
            let held_some = !own.ranges.is_empty();
            let locked = match change.family {
                LockFamily::Range => self.try_range(own, through, change.lock),
                LockFamily::Flock => self.try_flock(own, through, change.lock),
            };
            (held_some, locked)
        });
        if held_some && (change.family == LockFamily::Flock || change.lock.kind == LockKind::Read) {
            // A write lock may have become a read lock, and a refused change may have lost what was held. Those who
            // hold nothing, try and fail do not wake each other.
            self.locks.freed.tell();
        }
        locked
    }

    fn try_range(&self, own: &mut OwnerLocks, through: &OpenFile, lock: FileLock) -> Result<()> {
        let writes = lock.kind == LockKind::Write;
        let file = match &own.open {
            Some(open) if open.writable || !writes => &open.file,
            _ => {
                let opened = self.open_for_locks(through, writes)?;
                // All that is held through a reader are read locks, which do not keep each other out: they are taken
                // once more before the first ones go with their file.
                for held in own.ranges.iter() {
                    set_ofd_lock(&opened.file, &range_of(&held))?;
                }
                &own.open.insert(opened).file
            }
        };
        set_ofd_lock(file, &range_of(&lock))?;
        own.ranges.set(lock);
        Ok(())
    }

    fn try_flock(&self, own: &mut OwnerLocks, through: &OpenFile, lock: FileLock) -> Result<()> {
        let operation = match lock.kind {
            LockKind::Write => FlockOperation::NonBlockingLockExclusive,
            LockKind::Read | LockKind::Unlock => FlockOperation::NonBlockingLockShared,
        };
        let open = match &own.open {
            Some(open) => open,
            None => own.open.insert(self.open_for_locks(through, false)?),
        };
        if let Err(errno) = flock(&open.file, operation) {
            // What was held is lost with a refused change (`flock(2)`).
            own.ranges.set(FileLock { kind: LockKind::Unlock, ..lock });
            return Err(refused(errno));
        }
        own.ranges.set(lock);
        Ok(())
    }

    /// Opens a file once more, for locks to belong to. A reader does not keep the file from being executed, so a writer is
    /// opened only for write locks; where only one of both is allowed, that one.
    fn open_for_locks(&self, through: &OpenFile, writable: bool) -> Result<Descriptor> {
        let permit = self.files.permit().map_err(no_room)?;
        let plain = OFlags::LARGEFILE | OFlags::NOCTTY | OFlags::NONBLOCK;
        let first = if writable { OFlags::RDWR } else { OFlags::RDONLY };
        let reopen = |access| self.with_room(|| self.backing.reopen(&through.descriptor, plain | access));
        let opened = match reopen(first) {
            Ok(file) => Ok((file, writable)),
            Err(error) if error.kind() == ErrorKind::AccessDenied => {
                reopen(OFlags::WRONLY).map(|file| (file, true))
            }
            Err(error) => Err(error),
        };
        let (file, writable) = opened.map_err(no_room)?;
        Ok(Descriptor { file, writable, _permit: permit })
    }
}

/// An error that is not about who holds a lock must not look as if it were: `EACCES` means that to `fcntl(2)`.
fn no_room(cause: Error) -> Error {
    Error::new(ErrorKind::NoLocks).during("open for locks").because(cause)
}

fn range_of(lock: &FileLock) -> RangeLock {
    let kind = match lock.kind {
        LockKind::Read => RangeLockKind::Read,
        LockKind::Write => RangeLockKind::Write,
        LockKind::Unlock => RangeLockKind::Unlock,
    };
    RangeLock { kind, start: lock.start, end: lock.end }
}
