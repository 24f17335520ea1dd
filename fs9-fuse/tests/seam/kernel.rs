//! A transport whose other end is the test.

use crate::requests::Asked;
use fs9_core::{HandleId, MountOptions, Namespace, VfsPath};
use fs9_fuse::{
    Answer, Backing, BufferedEntry, Creation, EntryAnswer, Exchange, Frontend, FuseOptions, Ino, Listing,
    Operation, Passthrough, Reply, RequestHeader, RequestId,
};
use fs9_local::{LocalOptions, LocalProvider};
use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_sdk::{Attr, Caller, ErrorKind, LockOwner, OpenFlags, Provider, WriteOptions};
use std::borrow::Cow;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

/// The whole answer to a request.
pub(crate) type Answered = Result<Answer, ErrorKind>;

/// A frontend, asked as the kernel asks it.
pub(crate) struct Kernel {
    pub(crate) frontend: Arc<Frontend>,
    last_request: AtomicU64,
}

/// The way back of one request, and whether it may take long.
struct Line(SyncSender<Answered>, bool);

impl Exchange for Line {
    fn listing(&mut self) -> Option<&mut dyn Listing> {
        None
    }

    fn register_backing(&self, _: BorrowedFd<'_>) -> io::Result<Backing> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Reply for Line {
    fn may_wait(&self) -> bool {
        self.1
    }

    fn may_miss_signals(&self) -> bool {
        false
    }

    fn send(self, answer: Answered) {
        self.0.try_send(answer).unwrap();
    }

    fn send_listing(self, _: &[BufferedEntry]) -> usize {
        0
    }
}

impl Kernel {
    /// Serves a provider at `/`.
    pub(crate) fn of(root: Arc<dyn Provider>) -> Kernel {
        let namespace = Namespace::new();
        namespace.mount(&VfsPath::root(), root, MountOptions::default()).unwrap();
        Kernel::namespace(namespace)
    }

    pub(crate) fn namespace(namespace: Arc<Namespace>) -> Kernel {
        Kernel::with(namespace, FuseOptions { passthrough: Passthrough::Off, ..FuseOptions::default() })
    }

    pub(crate) fn with(namespace: Arc<Namespace>, options: FuseOptions) -> Kernel {
        Kernel { frontend: Frontend::new(namespace, options), last_request: AtomicU64::new(0) }
    }

    /// Returns the number of the next request: as the kernel's, even and never used twice.
    pub(crate) fn next_request(&self) -> RequestId {
        RequestId(self.last_request.load(Ordering::Relaxed) + 2)
    }

    pub(crate) fn ask(&self, caller: Caller, ino: Ino, operation: Operation<'_>) -> Answered {
        self.send(caller, ino, operation).answer()
    }

    /// Sends a request without waiting for the answer.
    pub(crate) fn send(&self, caller: Caller, ino: Ino, operation: Operation<'_>) -> Asked {
        self.send_by(true, caller, ino, operation)
    }

    /// Sends a request that has the last entry of a queue: the answer may not wait for a provider.
    pub(crate) fn send_by_the_last_entry(&self, caller: Caller, ino: Ino, operation: Operation<'_>) -> Asked {
        self.send_by(false, caller, ino, operation)
    }

    fn send_by(&self, may_wait: bool, caller: Caller, ino: Ino, operation: Operation<'_>) -> Asked {
        // The line has room for one answer: a second one fails the test.
        let (line, answer) = sync_channel(1);
        let id = RequestId(self.last_request.fetch_add(2, Ordering::Relaxed) + 2);
        self.frontend.dispatch(RequestHeader { id, ino, caller }, operation, Line(line, may_wait));
        Asked { id, answer }
    }

    /// Asks as root.
    pub(crate) fn root(&self, ino: Ino, operation: Operation<'_>) -> Answered {
        self.ask(Caller::ROOT, ino, operation)
    }

    pub(crate) fn attr(&self, ino: Ino) -> Attr {
        match self.root(ino, Operation::Getattr { handle: None }) {
            Ok(Answer::Attributes(_, attr, _)) => attr,
            other => panic!("getattr: {:?}", other.err()),
        }
    }

    pub(crate) fn lookup(&self, parent: Ino, name: &str) -> Option<EntryAnswer> {
        match self.root(parent, Operation::Lookup { name: bytes(name) }) {
            Ok(Answer::Entry(entry)) => Some(entry),
            Ok(Answer::Missing(_)) => None,
            other => panic!("lookup: {:?}", other.err()),
        }
    }

    /// Makes a closed regular file of root.
    pub(crate) fn touch(&self, name: &str, mode: u32) -> Ino {
        let (entry, handle) = created(self.root(Ino::ROOT, create(name, mode, OpenFlags::EXCLUSIVE)));
        self.release(entry.ino, handle);
        entry.ino
    }

    pub(crate) fn release(&self, ino: Ino, handle: HandleId) {
        let released = self.root(ino, Operation::Release { handle, flock_owner: None });
        assert!(matches!(released, Ok(Answer::Done)));
    }

    pub(crate) fn write(&self, ino: Ino, handle: HandleId, data: &[u8]) {
        let options = WriteOptions::default();
        let write = Operation::Write { handle, offset: 0, data: Cow::Borrowed(data), options };
        assert!(
            matches!(self.root(ino, write), Ok(Answer::Written(written)) if written == data.len() as u64)
        );
        let flushed = self.root(ino, Operation::Flush { handle, owner: LockOwner(1) });
        assert!(matches!(flushed, Ok(Answer::Done)));
    }

    pub(crate) fn read(&self, ino: Ino, handle: HandleId) -> Vec<u8> {
        match self.root(ino, Operation::Read { handle, offset: 0, length: 4096 }) {
            Ok(Answer::Data(data)) => data.bytes().to_vec(),
            other => panic!("read: {:?}", other.err()),
        }
    }
}

pub(crate) fn bytes(text: &str) -> Cow<'_, [u8]> {
    Cow::Borrowed(text.as_bytes())
}

/// Returns a request to make a file and open it for writing.
pub(crate) fn create(name: &str, mode: u32, flags: OpenFlags) -> Operation<'_> {
    let flags = OpenFlags::READ_WRITE | OpenFlags::CREATE | flags;
    let creation = Creation::default();
    Operation::Create { name: bytes(name), mode, flags, kill_privileges: false, creation }
}

pub(crate) fn created(answer: Answered) -> (EntryAnswer, HandleId) {
    match answer {
        Ok(Answer::Created(entry, opened)) => (entry, opened.handle),
        other => panic!("create: {:?}", other.err()),
    }
}

/// Returns with what an operation failed; what else it gave is dropped.
pub(crate) fn refused(answer: Answered) -> Option<ErrorKind> {
    answer.err()
}

pub(crate) fn memory() -> Arc<dyn Provider> {
    Arc::new(MemoryProvider::new(MemoryOptions::default()).unwrap())
}

pub(crate) fn local(directory: &Path) -> Arc<dyn Provider> {
    Arc::new(LocalProvider::open(directory, LocalOptions::default()).unwrap())
}
