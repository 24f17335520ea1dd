//! What the author of an fs9 provider reads.
//!
//! A *provider* serves a tree of files. It implements [`Provider`], which speaks of nodes as the kernel does. The
//! smallest provider implements five methods; every other operation answers `ENOSYS` until it is written. Whose backing
//! speaks of paths implements [`PathProvider`] instead, four methods at least, and wraps it in [`PathAdapter`].
//!
//! Invariants: names and targets are bytes; times are nanoseconds; an error always has an errno.
#![forbid(unsafe_code)]

mod attr;
mod call;
mod caller;
mod cancellation;
mod capabilities;
mod change;
mod dir;
mod entry;
mod error;
mod id;
mod lock;
mod lock_ranges;
mod lock_table;
mod name;
mod operation;
mod path_adapter;
mod path_provider;
pub mod privilege;
mod provider;
mod rel_path;
mod setattr;
mod statfs;
mod time;

pub use attr::Attr;
pub use call::{Call, Deadline};
pub use caller::Caller;
pub use cancellation::{CancelHook, Cancellation};
pub use capabilities::{Capabilities, Execution};
pub use change::{Change, ChangeSink};
pub use dir::{DirEntry, DirSink, Fill, MAX_COOKIE};
pub use entry::{Entry, OpenTraits, Opened};
pub use error::{Error, Result};
pub use fs9_abi::{
    ErrorKind, FallocateMode, FileType, IoctlFlags, OpenFlags, PollEvents, RenameFlags, Whence, XattrFlags,
};
pub use id::{FileHandle, NodeId, ObjectId};
pub use lock::{FileLock, LOCK_END, LockFamily, LockKind, LockOwner, SetLock};
pub use lock_ranges::LockRanges;
pub use lock_table::LockTable;
pub use name::{NAME_MAX, Name};
pub use operation::Operation;
pub use path_adapter::PathAdapter;
pub use path_provider::{CopyBetween, Listing, PathProvider, Target};
pub use provider::{
    CopyRange, IoctlReply, IoctlRequest, NewNode, OpenNode, Place, PollWaker, Provider, WriteOptions,
};
pub use rel_path::{RelPath, RelPathBuf};
pub use setattr::{SetAttr, SetTime};
pub use statfs::StatFs;
pub use time::Timestamp;
