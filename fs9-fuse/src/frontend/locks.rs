//! Locks that the provider keeps (`locks=provider`).
//!
//! Invariants: a wait never holds up the thread that brought the request: where the provider is called there, the lock is
//! tried once, and the wait goes to a thread of its own. Whoever took a lock through a handle is noted there, so that its
//! locks end with the handle at the latest: those of processes end before, when they close a descriptor, but of locks
//! that belong to an open file (`F_OFD_SETLK`) the kernel tells nothing at the end.

use super::open_file::{Backend, OpenFile};
use super::{Frontend, Request, on};
use crate::operation::Operation;
use crate::options::Locks;
use crate::reply::Answer;
use crate::view::MountView;
use fs9_core::HandleId;
use fs9_sdk::{
    Call, Caller, Deadline, ErrorKind, FileLock, LOCK_END, LockFamily, LockKind, LockOwner, Result, SetLock,
};
use std::sync::Arc;

/// A lock that was taken by a call nobody waits for any more.
pub(super) struct LateLock {
    file: Arc<OpenFile>,
    change: SetLock,
}

/// Returns an operation once more if it waits for a lock. (The kernel asks to wait also for an unlock.)
pub(super) fn lock_wait(operation: &Operation<'_>) -> Option<Operation<'static>> {
    match *operation {
        Operation::Setlk { handle, owner, lock, family, wait: true } if lock.kind != LockKind::Unlock => {
            Some(Operation::Setlk { handle, owner, lock, family, wait: true })
        }
        _ => None,
    }
}

/// Returns whether an operation waits by nature, so that it has no deadline.
pub(super) fn waits(operation: &Operation<'_>) -> bool {
    matches!(operation, Operation::Poll { .. }) || lock_wait(operation).is_some()
}

impl Frontend {
    pub(super) fn getlk(
        &self,
        request: &Request,
        handle: HandleId,
        owner: LockOwner,
        lock: FileLock,
    ) -> Result<Answer> {
        check(&lock)?;
        let file = self.open_file(handle)?;
        let backend = file.backend()?;
        on(&backend.view, |provider| provider.getlk(&request.call, backend.open, owner, lock))
            .map(Answer::Lock)
    }

    /// Sets a lock. Without [`Deadline::Wait`], it is tried once.
    pub(super) fn setlk(&self, request: &Request, handle: HandleId, change: SetLock) -> Result<Answer> {
        check(&change.lock)?;
        let file = self.open_file(handle)?;
        let backend = file.backend()?;
        let may_wait = request.call.deadline == Deadline::Wait && change.lock.kind != LockKind::Unlock;
        let change = SetLock { wait: change.wait && may_wait, ..change };
        if change.lock.kind != LockKind::Unlock {
            file.note_lock_owner(change.owner, change.family);
        }
        on(&backend.view, |provider| provider.setlk(&request.call, backend.open, change))?;
        Ok(Answer::Done)
    }

    /// Ends the locks on ranges of an owner who closes a descriptor of a file (`fcntl(2)`).
    pub(super) fn unlock_at_flush(&self, file: &OpenFile, owner: LockOwner) {
        if self.options.locks == Locks::Kernel {
            return;
        }
        file.take_lock_owner(owner, LockFamily::Range);
        if let Some(backend) = &file.backend {
            unlock(backend, SetLock::unlock_all(owner, LockFamily::Range));
        }
    }

    /// Returns the mount of an open file.
    pub(super) fn view_of(&self, operation: &Operation<'_>) -> Option<Arc<MountView>> {
        let Operation::Setlk { handle, .. } = operation else { return None };
        let file = self.open_file(*handle).ok()?;
        file.backend.as_ref().map(|backend| Arc::clone(&backend.view))
    }

    /// Returns what has to be given back if an operation takes a lock when nobody waits for it any more.
    pub(super) fn late_lock(&self, operation: &Operation<'_>) -> Option<LateLock> {
        match *operation {
            Operation::Setlk { handle, owner, lock, family, .. } if lock.kind != LockKind::Unlock => {
                let lock = FileLock { kind: LockKind::Unlock, ..lock };
                let change = SetLock { owner, lock, family, wait: false };
                Some(LateLock { file: self.open_file(handle).ok()?, change })
            }
            _ => None,
        }
    }
}

impl LateLock {
    /// Gives the lock back. What the owner had locked in its range before goes with it: nobody knows what that was, and a
    /// lock that nobody knows of would keep all others out.
    pub(super) fn give_back(self) {
        if let Some(backend) = &self.file.backend {
            unlock(backend, self.change);
        }
    }
}

/// Gives back what is still locked through a handle, on a thread on which its provider may be called.
pub(super) fn unlock_at_close(file: &OpenFile) {
    let Some(backend) = &file.backend else { return };
    for (owner, family) in file.take_lock_owners() {
        unlock(backend, SetLock::unlock_all(owner, family));
    }
}

fn unlock(backend: &Backend, change: SetLock) {
    let call = Call::by(Caller::ROOT);
    match on(&backend.view, |provider| provider.setlk(&call, backend.open, change)) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotImplemented => {}
        // The provider is asked again when the handle is released, if it was noted there; nobody else can be told.
        Err(error) => tracing::warn!(mount = %backend.view.mount.path(), %error, "a lock is not given back"),
    }
}

fn check(lock: &FileLock) -> Result<()> {
    if lock.start <= lock.end && lock.end <= LOCK_END {
        Ok(())
    } else {
        Err(ErrorKind::InvalidArgument.into())
    }
}
