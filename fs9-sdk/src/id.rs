//! Numbers that could be mistaken for each other, each in a type of its own.

/// A provider's object, valid from the call that returned it until its lookups are forgotten.
///
/// The provider chooses the number; it may reuse it once the object is forgotten. It is not what users see as
/// an inode number: that comes from [`ObjectId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The root of every provider.
    pub const ROOT: NodeId = NodeId(1);
}

/// An open file or directory of a provider, valid from open until release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileHandle(pub u64);

/// The identity of an object, which users see as `st_ino`.
///
/// Two names with equal `device` and `number` are hard links of one file. With
/// [`Capabilities::stable_ids`](crate::Capabilities) it is the same after every restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// Which of the provider's devices holds the object; 0 is the one that holds its root.
    pub device: u64,
    /// The inode number on that device, never 0.
    pub number: u64,
    /// Tells a later file with the same number from an earlier one; 0 if the provider never reuses numbers.
    pub generation: u64,
}
