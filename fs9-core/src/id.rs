//! Numbers of the VFS, each in a type of its own.
//!
//! Invariant: none of them is reused while the namespace that gave it lives.

use std::fmt;

/// A mount of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MountId(pub u32);

/// What was mounted: equal for a mount and every bind that was made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OriginId(pub u32);

/// A position in the tree of mount paths: each mount point and each ancestor of one is a place.
///
/// It keeps its number as long as the place exists, and no later place gets that number. Later places have greater
/// numbers, so that a listing can go on after the last place that it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaceId(pub u64);

impl PlaceId {
    /// The place of `/`, which always exists.
    pub const ROOT: PlaceId = PlaceId(1);
}

impl fmt::Display for MountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for OriginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
