//! The nodes of the provider: which inodes are known, and what leads to them.

mod record;
mod shard;
mod slab;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use record::{Found, Key, Recall};
pub(crate) use shard::Victim;
pub(crate) use slab::Slab;
pub(crate) use table::{Access, Node, NodeTable, Shield};

use fs9_sdk::{NodeId, Place};

/// A directory and a name in it, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    /// The directory.
    pub(crate) parent: NodeId,
    /// The name.
    pub(crate) name: Box<[u8]>,
}

impl From<Place<'_>> for Whereabouts {
    fn from(place: Place<'_>) -> Whereabouts {
        Whereabouts { parent: place.parent, name: place.name.as_bytes().into() }
    }
}
