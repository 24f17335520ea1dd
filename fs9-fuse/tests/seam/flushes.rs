//! Flushes reach a provider that may block, also those that nobody can wait for, and before the file is released.

use crate::kernel::{Kernel, memory};
use crate::requests::{Asked, File, serve, wait_until};
use crate::slow::{Hangs, OpenAtEnd, slow};
use fs9_core::MountOptions;
use fs9_core::layers::{Intent, Interceptor, Layered};
use fs9_fuse::{FuseOptions, Operation};
use fs9_sdk::{Call, Caller, ErrorKind, LockOwner, Operation as Kind, Result};
use parking_lot::Mutex;
use std::sync::Arc;

/// Which flushes and releases a provider has done, in their order.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<Kind>>>);

impl Journal {
    fn entries(&self) -> Vec<Kind> {
        self.0.lock().clone()
    }

    fn wait_for(&self, expected: &[Kind]) {
        wait_until(|| self.entries().len() >= expected.len());
        assert_eq!(self.entries(), expected);
    }
}

struct Journaled(Journal);

impl Interceptor for Journaled {
    fn call<T>(&self, intent: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        let result = forward();
        if matches!(intent.operation, Kind::Flush | Kind::Release) {
            self.0.0.lock().push(intent.operation);
        }
        result
    }
}

/// A mount whose provider hangs in one operation while the gate is closed, and a file that is open there.
struct Mount {
    kernel: Kernel,
    journal: Journal,
    gate: OpenAtEnd,
    file: File,
}

impl Mount {
    fn new(operation: Kind, options: MountOptions) -> Mount {
        let journal = Journal::default();
        let (provider, gate) = slow(memory(), operation, Hangs::Before);
        let provider = Arc::new(Layered::new(provider, Journaled(journal.clone())));
        let kernel = serve(provider, options, FuseOptions::default());
        let (file, _) = kernel.create_open("f");
        Mount { kernel, journal, gate, file }
    }

    /// One thread for calls, and room for two that wait for it: what the root looks like is asked at the beginning.
    fn narrow() -> Mount {
        let options = MountOptions { threads_max: 1, queue_max: 2, ..MountOptions::default() };
        Mount::new(Kind::Read, options)
    }

    /// Has one read hang in the thread and two wait for it, of another open file.
    fn fill(&self) -> [Asked; 3] {
        let other = self.kernel.open_again(self.file);
        self.gate.0.close();
        let hangs = self.kernel.reading(other);
        self.gate.0.wait_for(1);
        [hangs, self.kernel.reading(other), self.kernel.reading(other)]
    }

    /// Flushes by a request that has the last entry of a queue, and returns with what that is refused.
    fn flush_by_the_last_entry(&self, owner: u64) -> Option<ErrorKind> {
        let flush = Operation::Flush { handle: self.file.handle, owner: LockOwner(owner) };
        self.kernel.send_by_the_last_entry(Caller::ROOT, self.file.ino, flush).refusal()
    }
}

#[test]
fn a_flush_by_the_last_entry_is_refused_and_reaches_the_provider() {
    let mount = Mount::new(Kind::Flush, MountOptions::default());
    mount.gate.0.close();
    assert_eq!(mount.flush_by_the_last_entry(1), Some(ErrorKind::WouldBlock));
    mount.gate.0.wait_for(1);
    mount.gate.0.open();
    mount.journal.wait_for(&[Kind::Flush]);
}

#[test]
fn other_calls_by_the_last_entry_are_refused_and_do_not_reach_the_provider() {
    let mount = Mount::new(Kind::Read, MountOptions::default());
    let read = Operation::Read { handle: mount.file.handle, offset: 0, length: 10 };
    let asked = mount.kernel.send_by_the_last_entry(Caller::ROOT, mount.file.ino, read);
    assert_eq!(asked.refusal(), Some(ErrorKind::WouldBlock));
    assert!(mount.kernel.reading(mount.file).answer().is_ok());
    assert_eq!(mount.gate.0.begun(), 1);
}

#[test]
fn a_file_is_released_after_the_flushes_that_were_refused() {
    let mount = Mount::new(Kind::Flush, MountOptions::default());
    mount.gate.0.close();
    for owner in 1..=3 {
        assert_eq!(mount.flush_by_the_last_entry(owner), Some(ErrorKind::WouldBlock));
    }
    mount.gate.0.wait_for(3);
    mount.kernel.close(mount.file, None);
    // Another file is not held up.
    let (other, _) = mount.kernel.create_open("g");
    mount.kernel.close(other, None);
    mount.journal.wait_for(&[Kind::Release]);
    mount.gate.0.open();
    mount.journal.wait_for(&[Kind::Release, Kind::Flush, Kind::Flush, Kind::Flush, Kind::Release]);
}

#[test]
fn a_flush_that_finds_the_pool_full_is_refused_and_reaches_the_provider() {
    let mount = Mount::narrow();
    let reads = mount.fill();
    assert_eq!(mount.kernel.reading(mount.file).refusal(), Some(ErrorKind::WouldBlock));
    assert_eq!(mount.kernel.flushing(mount.file, 1).refusal(), Some(ErrorKind::WouldBlock));
    mount.kernel.close(mount.file, None);
    mount.gate.0.open();
    assert!(reads.iter().all(|read| read.answer().is_ok()));
    mount.journal.wait_for(&[Kind::Flush, Kind::Release]);
}

#[test]
fn refused_flushes_of_an_owner_are_one_while_they_wait() {
    let mount = Mount::narrow();
    let reads = mount.fill();
    for _ in 0..100 {
        assert_eq!(mount.flush_by_the_last_entry(1), Some(ErrorKind::WouldBlock));
        assert_eq!(mount.kernel.flushing(mount.file, 2).refusal(), Some(ErrorKind::WouldBlock));
    }
    mount.kernel.close(mount.file, None);
    mount.gate.0.open();
    assert!(reads.iter().all(|read| read.answer().is_ok()));
    mount.journal.wait_for(&[Kind::Flush, Kind::Flush, Kind::Release]);
}

#[test]
fn a_flush_that_was_interrupted_in_the_queue_reaches_the_provider_before_its_file_is_released() {
    let mount = Mount::narrow();
    mount.gate.0.close();
    let read = mount.kernel.reading(mount.file);
    mount.gate.0.wait_for(1);
    let flush = mount.kernel.flushing(mount.file, 1);
    mount.kernel.frontend.interrupt(flush.id);
    assert_eq!(flush.refusal(), Some(ErrorKind::Interrupted));
    mount.kernel.close(mount.file, None);
    mount.gate.0.open();
    assert!(read.answer().is_ok());
    mount.journal.wait_for(&[Kind::Flush, Kind::Release]);
}
