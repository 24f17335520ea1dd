//! What the kernel is answered, without anything of the transport, and what a transport provides for it.

use crate::inode::Ino;
use crate::read_buffer::ReadBuffer;
use fs9_core::HandleId;
use fs9_sdk::{Attr, ErrorKind, FileLock, FileType, IoctlReply, OpenTraits, PollEvents, StatFs};
use std::any::Any;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// An inode that the kernel learns of, which counts as one lookup.
#[derive(Clone, Copy, Debug)]
pub struct EntryAnswer {
    /// The inode.
    pub ino: Ino,
    /// Its attributes.
    pub attr: Attr,
    /// How long the name may be cached.
    pub entry_lifetime: Duration,
    /// How long the attributes may be cached.
    pub attr_lifetime: Duration,
}

/// A file or directory that was opened.
#[derive(Clone)]
pub struct OpenAnswer {
    /// The handle.
    pub handle: HandleId,
    /// How the kernel treats it.
    pub traits: OpenTraits,
    /// Where reads and writes go, if not to us.
    pub backing: Option<Backing>,
}

/// A successful answer.
pub enum Answer {
    /// It is done; there is nothing to tell.
    Done,
    /// A name leads to this inode.
    Entry(EntryAnswer),
    /// The name does not exist, and that may be cached so long.
    Missing(Duration),
    /// Attributes, and how long they may be cached.
    Attributes(Ino, Attr, Duration),
    /// What was read.
    Data(ReadBuffer),
    /// A target, a value, or names.
    Bytes(Vec<u8>),
    /// The number of bytes that an answer of bytes would have.
    Size(u32),
    /// The number of bytes that were written or copied.
    Written(u64),
    /// A file was opened.
    Opened(OpenAnswer),
    /// A file was made and opened.
    Created(EntryAnswer, OpenAnswer),
    /// The listing that was pushed into [`Exchange::listing`].
    Listing,
    /// Sizes and counts.
    Statfs(StatFs),
    /// An offset.
    Offset(u64),
    /// The answer to an ioctl.
    Ioctl(IoctlReply),
    /// The events that are ready.
    Events(PollEvents),
    /// The lock that stands in the way, or none ([`LockKind::Unlock`](fs9_sdk::LockKind)).
    Lock(FileLock),
}

/// One entry of a listing as the kernel gets it.
#[derive(Clone, Copy)]
pub struct ListedEntry<'a> {
    /// Its name; also `.` and `..`.
    pub name: &'a [u8],
    /// Where the listing goes on after it.
    pub cookie: u64,
    /// The number that is shown.
    pub ino: Ino,
    /// Its type.
    pub kind: Option<FileType>,
    /// In a listing with attributes: the inode, which counts as looked up. Without it, the entry is only listed.
    pub entry: Option<EntryAnswer>,
}

/// Collects a listing.
pub trait Listing {
    /// Takes one entry, or returns false because there is no room for it.
    fn push(&mut self, entry: ListedEntry<'_>) -> bool;
}

/// What an operation needs of its transport before it is answered.
pub trait Exchange {
    /// Returns where the entries of a listing go.
    fn listing(&mut self) -> Option<&mut dyn Listing>;

    /// Registers a descriptor, so that the kernel reads and writes it by itself.
    ///
    /// # Errors
    /// `EPERM` without privilege, `EOPNOTSUPP` without support, `ELOOP` where file systems are stacked too deep.
    fn register_backing(&self, descriptor: BorrowedFd<'_>) -> io::Result<Backing>;
}

/// The way back to the kernel for one request. It is used exactly once.
pub trait Reply: Exchange + Send + 'static {
    /// Returns whether the answer may take as long as a provider needs that may block.
    fn may_wait(&self) -> bool;

    /// Returns whether the kernel may have kept to itself that whoever asks has had a signal.
    fn may_miss_signals(&self) -> bool;

    /// Sends the answer.
    fn send(self, answer: Result<Answer, ErrorKind>);

    /// Pushes entries that were collected elsewhere and sends those that fit; returns how many did.
    fn send_listing(self, entries: &[BufferedEntry]) -> usize;
}

/// A descriptor that is registered with the kernel; dropping the last copy ends that.
#[derive(Clone)]
pub struct Backing(Arc<dyn Any + Send + Sync>);

impl Backing {
    /// Wraps what the transport knows the registration by.
    pub fn new(registration: impl Any + Send + Sync) -> Backing {
        Backing(Arc::new(registration))
    }

    /// Returns what the transport knows the registration by.
    pub fn registration<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }

    /// Returns whether both are the same registration.
    pub fn is(&self, other: &Backing) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// An entry that waits to be listed.
#[derive(Clone, Debug)]
pub struct BufferedEntry {
    name: Box<[u8]>,
    cookie: u64,
    ino: Ino,
    kind: Option<FileType>,
    /// The inode, if the entry brought one.
    pub entry: Option<EntryAnswer>,
}

impl BufferedEntry {
    /// Returns the entry as a listing takes it.
    pub fn listed(&self) -> ListedEntry<'_> {
        ListedEntry {
            name: &self.name,
            cookie: self.cookie,
            ino: self.ino,
            kind: self.kind,
            entry: self.entry,
        }
    }
}

/// A listing for an operation that runs apart from its reply, because the reply may be taken from it.
#[derive(Default)]
pub(crate) struct ListingBuffer {
    entries: Vec<BufferedEntry>,
    bytes: usize,
}

/// What a listing on another thread collects at most: what `getdents64(2)` of the C library asks for.
const LISTING_BYTES_MAX: usize = 32 << 10;

/// The kernel's record of an entry besides the name, with attributes (`struct fuse_direntplus`).
const ENTRY_BYTES: usize = 152;

impl ListingBuffer {
    /// Returns what was collected.
    pub(crate) fn entries(&self) -> &[BufferedEntry] {
        &self.entries
    }
}

impl Listing for ListingBuffer {
    fn push(&mut self, entry: ListedEntry<'_>) -> bool {
        let bytes = self.bytes + ENTRY_BYTES + entry.name.len();
        if bytes > LISTING_BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        self.entries.push(BufferedEntry {
            name: entry.name.into(),
            cookie: entry.cookie,
            ino: entry.ino,
            kind: entry.kind,
            entry: entry.entry,
        });
        true
    }
}

impl Exchange for ListingBuffer {
    fn listing(&mut self) -> Option<&mut dyn Listing> {
        Some(self)
    }

    fn register_backing(&self, _descriptor: BorrowedFd<'_>) -> io::Result<Backing> {
        // A provider that may block is asked on another thread for a reason: the kernel would wait as well.
        Err(io::ErrorKind::Unsupported.into())
    }
}
