//! What is remembered of one inode.
//!
//! Invariant: `lookups` is what the kernel holds and will take back by `FORGET`; of these, each [`Predecessor`] has
//! its share. While a record exists, its provider holds at least one lookup of its node, or the node needs none.

use super::{Ino, mix};
use crate::view::MountView;
use fs9_core::PlaceId;
use fs9_sdk::{Attr, FileType, NodeId, ObjectId};
use std::sync::Arc;

/// What an inode stands for.
#[derive(Clone)]
pub(crate) enum Object {
    /// A provider's node.
    Node {
        /// Its mount.
        view: Arc<MountView>,
        /// Its number there.
        node: NodeId,
    },
    /// A directory that exists only as the ancestor of a mount point.
    Synthetic(PlaceId),
}

/// An inode as an operation finds it.
#[derive(Clone)]
pub(crate) struct Target {
    /// Its number.
    pub(crate) ino: Ino,
    /// What it stands for.
    pub(crate) object: Object,
    /// The place of a directory that is a mount point or an ancestor of one.
    pub(crate) place: Option<PlaceId>,
    /// Its type.
    pub(crate) kind: FileType,
    /// The directory in which it was last looked up.
    pub(crate) parent: Ino,
}

/// An object that had the number before, with lookups that the kernel has not taken back yet.
pub(super) struct Predecessor {
    pub(super) view: Arc<MountView>,
    pub(super) node: NodeId,
    pub(super) lookups: u64,
}

/// All objects that had the number before, the oldest first.
#[derive(Default)]
pub(super) struct Predecessors {
    pub(super) all: Vec<Predecessor>,
}

/// One inode.
pub(super) struct Record {
    /// `None` for a synthetic directory.
    pub(super) view: Option<Arc<MountView>>,
    pub(super) node: NodeId,
    pub(super) id: ObjectId,
    pub(super) place: Option<PlaceIndex>,
    pub(super) parent: Ino,
    /// Lookups of the present object.
    pub(super) lookups: u64,
    /// What the data looked like when it was last opened; 0 if it never was.
    pub(super) seen: u64,
    /// Almost always absent; boxed so that it costs one word.
    pub(super) predecessors: Option<Box<Predecessors>>,
    pub(super) kind: FileType,
    /// The provider counts lookups of the node. (It does not for the root of a mount.)
    pub(super) counted: bool,
}

/// A place that exists: its number is never 0, which saves a word in each record.
pub(super) type PlaceIndex = std::num::NonZeroU64;

/// Returns the number of a place as a record keeps it.
pub(super) fn place_index(place: Option<PlaceId>) -> Option<PlaceIndex> {
    place.and_then(|place| PlaceIndex::new(place.0))
}

impl Record {
    /// Returns whether the record stands for this object of this mount.
    pub(super) fn is(&self, view: &MountView, id: ObjectId) -> bool {
        self.id.number == id.number
            && self.id.device == id.device
            && self.view.as_ref().is_some_and(|known| known.mount.id() == view.mount.id())
    }

    /// Gives the number back to the object that had it before, if there is one.
    pub(super) fn restore_predecessor(&mut self) -> bool {
        let Some(old) = self.predecessors.as_mut().and_then(|predecessors| predecessors.all.pop()) else {
            return false;
        };
        self.view = Some(old.view);
        self.node = old.node;
        self.lookups = old.lookups;
        self.counted = true;
        self.predecessors.take_if(|predecessors| predecessors.all.is_empty());
        true
    }

    /// Returns the record as an operation sees it.
    pub(super) fn target(&self, ino: Ino) -> Target {
        let place = self.place.map(|place| PlaceId(place.get()));
        let object = match (&self.view, place) {
            (Some(view), _) => Object::Node { view: Arc::clone(view), node: self.node },
            (None, place) => Object::Synthetic(place.unwrap_or(PlaceId::ROOT)),
        };
        Target { ino, object, place, kind: self.kind, parent: self.parent }
    }
}

/// Returns a number that changes when the data of a file does, as far as its attributes tell; never 0.
pub(crate) fn data_version(attr: &Attr) -> u64 {
    let time = (attr.mtime.seconds as u64) << 30 ^ u64::from(attr.mtime.nanoseconds);
    mix(mix(attr.size) ^ time).max(1)
}

#[cfg(test)]
mod tests {
    use super::Record;

    #[test]
    fn a_record_and_its_key_leave_room_for_the_table_around_them() {
        // 200 bytes an inode, with a hash table that is half full at its worst.
        assert!(size_of::<Record>() + size_of::<u64>() <= 104, "{}", size_of::<Record>());
    }
}
