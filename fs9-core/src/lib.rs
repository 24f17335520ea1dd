//! The VFS of fs9: what is mounted where, and how calls reach it.
//!
//! A [`Namespace`] is a table of mounts, each a provider in its [`layers`] at a [`VfsPath`]. A frontend resolves names
//! through [`MountTable`], calls [`Mount::provider`] (on [`Mount::pool`] where there is one), and keeps what is open in a
//! [`HandleRegistry`].
//!
//! Invariants: readers of a table take no lock; nothing waits on a lock across a call into a provider; there is no
//! global state; no thread exists without work. Nothing here knows a provider's name.
#![forbid(unsafe_code)]

mod bind;
pub mod control;
mod deadline;
mod empty;
mod handles;
mod histogram;
mod id;
pub mod layers;
mod mount;
mod name_map;
mod namespace;
mod options;
mod path;
mod pool;
mod pooled_call;
mod slot;
mod statistics;
mod sweeper;
mod table;
mod walk;
mod watchdog;

pub use deadline::Deadlines;
pub use handles::{HandleId, HandleRegistry, OwnerId, SHARDS};
pub use histogram::Latencies;
pub use id::{MountId, OriginId, PlaceId};
pub use mount::{Mount, MountUse};
pub use namespace::{ChangedEntry, Namespace, NamespaceChange, TableGuard};
pub use options::{CALL_TIMEOUT_DEFAULT, MountOptions, QUEUE_MAX_DEFAULT, THREADS_MAX_DEFAULT};
pub use path::{Components, VfsPath};
pub use pool::{CallPool, Delivery, Job, PoolLoad, WAITS_MAX};
pub use pooled_call::INTERRUPT_GRACE;
pub use slot::{CallSlot, Reply, SlotState};
pub use statistics::{OperationStatistics, SLOW_CALL, Statistics};
pub use sweeper::Sweeper;
pub use table::MountTable;
pub use watchdog::{Overdue, Watch, Watchdog};
