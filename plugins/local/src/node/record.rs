//! What is kept of one known inode: at most 128 bytes, of which a million fit a small machine.

use crate::node::Whereabouts;
use fs9_sdk::FileType;
use fs9_sys::FileHandleBytes;
use rustix::fd::OwnedFd;
use std::sync::Arc;

/// A descriptor that is shared by the table and whoever works with it.
pub(crate) type Descriptor = Arc<OwnedFd>;

/// What tells an inode from all others that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Index of its device.
    pub(crate) device: u32,
    /// Inode number.
    pub(crate) number: u64,
}

/// An inode as a lookup saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// What tells it from others.
    pub(crate) key: Key,
    /// Tells it from earlier ones of the same key.
    pub(crate) generation: u64,
    /// Its type.
    pub(crate) kind: FileType,
    /// Whether it has set-user-ID or set-group-ID.
    pub(crate) privileged: bool,
}

impl Found {
    /// Returns whether both are the same inode.
    pub(crate) fn is_same(&self, other: &Found) -> bool {
        (self.key, self.generation, self.kind) == (other.key, other.generation, other.kind)
    }
}

/// How a node is found again once its descriptor is given up.
#[derive(Debug)]
pub(crate) enum Recall {
    /// Not known yet: the descriptor is all there is.
    Descriptor,
    /// By file handle.
    Handle(FileHandleBytes),
    /// By its place at the last lookup; checked against key and generation.
    Place(Box<Whereabouts>),
}

/// What is kept of one known inode.
pub(crate) struct Record {
    pub(crate) found: Found,
    /// Lookups that are not forgotten yet.
    pub(crate) lookups: u64,
    /// Nodes that are found again through this directory.
    pub(crate) pins: u32,
    pub(crate) descriptor: Option<Descriptor>,
    pub(crate) recall: Recall,
    /// Where in the shard's ring of evictable records it stands, or [`NOT_IN_RING`].
    pub(crate) ring: u32,
    /// Used since the clock's hand last passed.
    pub(crate) referenced: bool,
    /// Who relies on its descriptor being kept; what has lost its last name is relied on for good.
    pub(crate) holds: u32,
    /// An eviction found that nothing else leads to it.
    pub(crate) spared: bool,
}

/// Marks a record that the clock does not see.
pub(crate) const NOT_IN_RING: u32 = u32::MAX;

const _: () = assert!(size_of::<Option<Record>>() <= 128);
