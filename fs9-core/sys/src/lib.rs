//! System calls that fs9 needs and rustix lacks: file handles, identities of single threads, directory reading into a
//! kept buffer, inode ioctls, locks of open files, what `/dev/fuse` has besides reading and writing, becoming a daemon, and
//! giving freed memory back.
//!
//! Invariants: every function that can fail returns `io::Result`; one unsafe operation a block, with its reason; no policy.

mod close;
pub mod credentials;
mod daemon;
mod directory;
mod file_handle;
pub mod fuse_device;
mod fuse_ring;
mod inode_ioctl;
mod io_uring;
mod memory;
mod ofd_lock;

pub use close::close;
pub use daemon::{Daemon, Detached, Outcome, Waiter, detach};
pub use directory::{RawEntry, parse_entry, read_directory};
pub use file_handle::{FILE_HANDLE_MAX, FileHandleBytes, open_by_handle, take_handle};
pub use fuse_ring::{FuseRing, RingBell, RingEvent, RingRequest};
pub use inode_ioctl::{
    ExtendedFlags, extended_flags, inode_flags, inode_version, set_extended_flags, set_inode_flags,
};
pub use io_uring::try_io_uring;
pub use memory::{keep_large_allocations_apart, return_free_memory};
pub use ofd_lock::{RangeLock, RangeLockKind, get_ofd_lock, set_ofd_lock};
