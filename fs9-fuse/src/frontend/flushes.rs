//! Flushes on their way to a provider that may block, which reach it also when nobody waits for them any more.
//!
//! A flush may carry the last of what was written. So one whose asker cannot wait (its request has the last entry of a
//! queue, or too many calls wait for the provider) is answered with an error and made all the same.
//!
//! Invariants: a file is released after its last flush: a flush keeps it, whatever became of its handle. Of the flushes
//! that nobody waits for, one for each handle and owner waits for a thread at most, for it has not begun: what a further
//! one would carry goes with it. So what the kernel has open bounds them.
//! Lock order: `flushes` alone; nothing is called while it is held.

use super::Frontend;
use super::open_file::OpenFile;
use crate::operation::Operation;
use fs9_core::Job;
use fs9_sdk::{Call, Caller, ErrorKind, LockOwner, Result};
use std::sync::Arc;

/// The flushes of one handle.
#[derive(Default)]
pub(super) struct Flushes {
    /// Flushes that wait or are under way.
    count: usize,
    /// Whose unanswered flush waits for a thread.
    waiting: Vec<LockOwner>,
    /// What ends the handle after the last flush, if that came meanwhile.
    release: Option<Job>,
}

/// A flush on its way.
pub(super) struct Flush {
    pub(super) file: Arc<OpenFile>,
    pub(super) owner: LockOwner,
}

impl Flush {
    fn begin(file: Arc<OpenFile>, owner: LockOwner) -> Flush {
        file.flushes.lock().count += 1;
        Flush { file, owner }
    }

    /// Returns a flush that nobody waits for, or nothing if one of that owner waits for a thread already.
    fn begin_unanswered(file: &Arc<OpenFile>, owner: LockOwner) -> Option<Flush> {
        let mut flushes = file.flushes.lock();
        if flushes.waiting.contains(&owner) {
            return None;
        }
        flushes.waiting.push(owner);
        flushes.count += 1;
        drop(flushes);
        Some(Flush { file: Arc::clone(file), owner })
    }

    /// Notes that the flush waits for a thread no longer.
    fn leave_queue(&self) {
        let owner = self.owner;
        self.file.flushes.lock().waiting.retain(|&waiting| waiting != owner);
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let mut flushes = self.file.flushes.lock();
        flushes.count -= 1;
        let release = if flushes.count == 0 { flushes.release.take() } else { None };
        drop(flushes);
        if let Some(release) = release {
            release();
        }
    }
}

impl OpenFile {
    /// Ends the handle, after the last of its flushes.
    pub(super) fn release_after_flushes(&self, release: impl FnOnce() + Send + 'static) {
        let mut flushes = self.flushes.lock();
        if flushes.count > 0 {
            flushes.release = Some(Box::new(release));
            return;
        }
        drop(flushes);
        release();
    }
}

impl Frontend {
    /// Returns the flush that an operation asks for, if it is one of an open file.
    pub(super) fn flush_asked_for(&self, operation: &Operation<'_>) -> Option<Flush> {
        let Operation::Flush { handle, owner } = *operation else { return None };
        Some(Flush::begin(self.open_file(handle).ok()?, owner))
    }

    /// Makes a flush that has been answered, on a thread of its provider.
    pub(super) fn flush_unanswered(self: &Arc<Self>, file: &Arc<OpenFile>, owner: LockOwner, caller: Caller) {
        let Some(backend) = &file.backend else { return };
        let Some(flush) = Flush::begin_unanswered(file, owner) else { return };
        let (frontend, view) = (Arc::clone(self), Arc::clone(&backend.view));
        backend.view.run_unanswered(move || {
            flush.leave_queue();
            if let Err(error) = frontend.flush_open(&Call::by(caller), &flush.file, owner) {
                tracing::warn!(mount = %view.mount.path(), %error, "a flush that nobody waited for failed");
            }
        });
    }

    /// Flushes an open file, and ends the locks of the owner who closed it.
    pub(super) fn flush_open(&self, call: &Call, file: &OpenFile, owner: LockOwner) -> Result<()> {
        let backend = file.backend()?;
        let flushed = super::on(&backend.view, |provider| provider.flush(call, backend.open));
        // Whoever gets the lock next finds what was written under it.
        self.unlock_at_flush(file, owner);
        match flushed {
            Err(error) if error.kind() == ErrorKind::NotImplemented => Ok(()),
            other => other,
        }
    }
}
