//! From the kernel's FUSE protocol to the VFS and back.
//!
//! A transport (`/dev/fuse`, or rings of io_uring) brings requests, which the protocol decodes into [`Operation`]s; the
//! [`Frontend`] does them by calls of providers and answers through a [`Reply`]; a [`Session`] ties both to a mount point.
//! Neither operation nor reply knows by which way a request came.
//!
//! Invariants: no path policy here, the frontend knows nodes, inodes and places; every request is answered exactly once;
//! nothing waits on a lock across a call of a provider.
#![forbid(unsafe_code)]

mod counters;
mod executions;
mod frontend;
mod fusermount;
mod in_flight;
mod inode;
mod invalidate;
mod io_mode;
mod isolation;
mod mount_point;
mod operation;
mod options;
mod pace;
mod protocol;
mod read_buffer;
mod reply;
mod session;
mod transport;
mod view;

pub use counters::Counters;
pub use frontend::Frontend;
pub use inode::Ino;
pub use invalidate::KernelCache;
pub use operation::{AttributeChanges, Bytes, Creation, Operation, RequestHeader, RequestId};
pub use options::{FuseOptions, IoUring, Locks, LowLatency, Passthrough, WantedLifetimes};
pub use read_buffer::ReadBuffer;
pub use reply::{
    Answer, Backing, BufferedEntry, EntryAnswer, Exchange, ListedEntry, Listing, OpenAnswer, Reply,
};
pub use session::{Session, SessionHandle};
