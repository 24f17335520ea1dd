//! Changes that a provider reports on its own account.

use crate::NodeId;

/// Something changed behind the back of whoever caches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The data of this node changed.
    Data(NodeId),
    /// The attributes of this node changed.
    Attributes(NodeId),
    /// The entry of this name in this directory appeared, vanished or points elsewhere.
    Entry {
        /// The directory.
        parent: NodeId,
        /// The name, as bytes.
        name: Vec<u8>,
    },
    /// Anything may have changed: events were lost.
    Everything,
}

/// Receives the changes of one provider.
pub trait ChangeSink: Send + Sync {
    /// Takes note of a change. It never blocks for long and may be called from any thread, but not with a lock
    /// held that an operation of the same provider takes.
    fn changed(&self, change: Change);
}
