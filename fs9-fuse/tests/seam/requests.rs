//! Requests that are answered later, or by an interrupt, on one file.

use crate::kernel::{Answered, Kernel, create};
use fs9_core::{HandleId, MountOptions, Namespace, VfsPath};
use fs9_fuse::{Answer, FuseOptions, Ino, OpenAnswer, Operation, RequestId};
use fs9_sdk::{Caller, ErrorKind, FileLock, LOCK_END, LockFamily, LockKind, LockOwner, OpenFlags, Provider};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that was sent.
pub(crate) struct Asked {
    pub(crate) id: RequestId,
    pub(crate) answer: Receiver<Answered>,
}

impl Asked {
    /// Waits for the answer.
    pub(crate) fn answer(&self) -> Answered {
        self.answer.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits for the answer and returns the error in it.
    pub(crate) fn refusal(&self) -> Option<ErrorKind> {
        self.answer().err()
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.answer(), Ok(Answer::Done))
    }

    /// Returns whether there is no answer yet.
    pub(crate) fn waits(&self) -> bool {
        self.answer.try_recv().is_err()
    }
}

/// A file that is open.
#[derive(Clone, Copy)]
pub(crate) struct File {
    pub(crate) ino: Ino,
    pub(crate) handle: HandleId,
}

/// A lock that is wanted: its kind, its family, and whether to wait.
pub(crate) type Wanted = (LockKind, LockFamily, bool);

/// Returns a frontend with options for a provider that is mounted with options.
pub(crate) fn serve(provider: Arc<dyn Provider>, mount: MountOptions, options: FuseOptions) -> Kernel {
    let namespace = Namespace::new();
    namespace.mount(&VfsPath::root(), provider, mount).unwrap();
    Kernel::with(namespace, options)
}

impl Kernel {
    fn send_by_root(&self, ino: Ino, operation: Operation<'_>) -> Asked {
        self.send(Caller::ROOT, ino, operation)
    }

    /// Sends a request to make and open a file of the root.
    pub(crate) fn creating(&self, name: &str) -> Asked {
        self.send_by_root(Ino::ROOT, create(name, 0o644, OpenFlags::EXCLUSIVE))
    }

    /// Makes and opens a file of the root.
    pub(crate) fn create_open(&self, name: &str) -> (File, OpenAnswer) {
        match self.creating(name).answer() {
            Ok(Answer::Created(entry, opened)) => (File { ino: entry.ino, handle: opened.handle }, opened),
            other => panic!("create: {:?}", other.err()),
        }
    }

    /// Opens a file once more.
    pub(crate) fn open_again(&self, file: File) -> File {
        let operation = Operation::Open { flags: OpenFlags::READ_WRITE, kill_privileges: false };
        match self.root(file.ino, operation) {
            Ok(Answer::Opened(opened)) => File { handle: opened.handle, ..file },
            other => panic!("open: {:?}", other.err()),
        }
    }

    /// Sends a request to read.
    pub(crate) fn reading(&self, file: File) -> Asked {
        self.send_by_root(file.ino, Operation::Read { handle: file.handle, offset: 0, length: 10 })
    }

    /// Sends a request to flush what an owner has open.
    pub(crate) fn flushing(&self, file: File, owner: u64) -> Asked {
        let owner = LockOwner(owner);
        self.send_by_root(file.ino, Operation::Flush { handle: file.handle, owner })
    }

    /// Ends a handle of a file that its owner may have locked as a whole.
    pub(crate) fn close(&self, file: File, flock_owner: Option<u64>) {
        let flock_owner = flock_owner.map(LockOwner);
        let released = self.root(file.ino, Operation::Release { handle: file.handle, flock_owner });
        assert!(matches!(released, Ok(Answer::Done)));
    }

    /// Sends a request to set a lock on all of a file.
    pub(crate) fn lock(&self, file: File, owner: u64, (kind, family, wait): Wanted) -> Asked {
        let lock = FileLock { kind, start: 0, end: LOCK_END, pid: 4711 };
        self.lock_range(file, owner, lock, (family, wait))
    }

    pub(crate) fn lock_range(
        &self,
        file: File,
        owner: u64,
        lock: FileLock,
        (family, wait): (LockFamily, bool),
    ) -> Asked {
        let (handle, owner) = (file.handle, LockOwner(owner));
        self.send_by_root(file.ino, Operation::Setlk { handle, owner, lock, family, wait })
    }

    /// Waits until nothing is under way.
    pub(crate) fn settle(&self) {
        wait_until(|| self.frontend.requests_in_flight() == 0);
    }
}

/// Waits until something is true.
pub(crate) fn wait_until(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "it does not become true");
        std::thread::yield_now();
    }
}
