//! The mount table: an immutable snapshot of what is mounted where.
//!
//! Invariants: every place but the root has a mount or a child; a place's parent exists, and tells of it what its own
//! record tells; a place has its number as long as it exists and no other place ever has it. A table never changes: a change makes a new table, which shares
//! all but O(depth x log n) of its records with the old one. So a reader that holds a table takes no lock and sees
//! one moment.
//!
//! Resolution walks down from the root and remembers the last mount that it passed. It looks only at the path's own
//! ancestors, and stops where no mount lies deeper: at most depth steps of O(log n), whatever the layout. Among many
//! siblings the cost is that of memory that no cache holds; so a parent tells all that there is to know of a child
//! without children, and nothing is counted up on the way.

use crate::{Components, Mount, MountId, PlaceId, VfsPath};
use fs9_sdk::Name;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use std::ops::Bound;
use std::sync::Arc;

/// A map of which a changed copy shares all but O(log n) with the old one.
type Map<K, V> = HashTrieMapSync<K, V, foldhash::fast::RandomState>;

/// One position in the tree of mount paths.
#[derive(Clone)]
struct PlaceRecord {
    /// For the root: the root itself.
    parent: PlaceId,
    name: Arc<[u8]>,
    mount: Option<Arc<Mount>>,
    /// Boxed, since most places are mount points without any.
    children: Option<Box<Children>>,
}

/// What a place tells of one directly below it.
#[derive(Clone)]
struct Child {
    place: PlaceId,
    mount: Option<Arc<Mount>>,
    has_children: bool,
}

/// The places directly below a place.
#[derive(Clone, Default)]
struct Children {
    by_name: Map<Arc<[u8]>, Child>,
    /// In the order of their making, so that a listing can go on after a place, whatever came and went meanwhile.
    by_age: RedBlackTreeMapSync<PlaceId, Arc<[u8]>>,
}

/// What is mounted where, at one moment.
#[derive(Clone)]
pub struct MountTable {
    places: Map<PlaceId, PlaceRecord>,
    mounts: RedBlackTreeMapSync<MountId, Arc<Mount>>,
}

impl MountTable {
    /// Returns a table with no mount.
    pub(crate) fn empty() -> MountTable {
        let root =
            PlaceRecord { parent: PlaceId::ROOT, name: Arc::from(&b""[..]), mount: None, children: None };
        let mut places = Map::default();
        places.insert_mut(PlaceId::ROOT, root);
        MountTable { places, mounts: RedBlackTreeMapSync::default() }
    }

    /// Returns the mount that serves a path, and what is left of the path below its root. Of nested mounts the
    /// deepest one counts. `None` if nothing is mounted at the path or above it.
    pub fn resolve<'p>(&self, path: &'p VfsPath) -> Option<(&Arc<Mount>, Components<'p>)> {
        let mut rest = path.components();
        let mut record = self.places.get(&PlaceId::ROOT)?;
        let mut found = record.mount.as_ref().map(|mount| (mount, rest.clone()));
        while let Some(child) = rest.next().and_then(|name| record.child(name)) {
            if let Some(mount) = &child.mount {
                found = Some((mount, rest.clone()));
            }
            if !child.has_children {
                break;
            }
            record = self.places.get(&child.place)?;
        }
        found
    }

    /// Returns the place of `/`.
    pub fn root_place(&self) -> PlaceId {
        PlaceId::ROOT
    }

    /// Returns the place at a path, if it is a mount point or an ancestor of one.
    pub fn place(&self, path: &VfsPath) -> Option<PlaceId> {
        path.components().try_fold(PlaceId::ROOT, |place, name| self.child(place, name))
    }

    /// Returns the place of that name directly below a place.
    pub fn child(&self, place: PlaceId, name: Name<'_>) -> Option<PlaceId> {
        Some(self.places.get(&place)?.child(name)?.place)
    }

    /// Returns what is mounted at a place.
    pub fn mount_at(&self, place: PlaceId) -> Option<&Arc<Mount>> {
        self.places.get(&place)?.mount.as_ref()
    }

    /// Returns whether the place exists.
    pub fn contains(&self, place: PlaceId) -> bool {
        self.places.contains_key(&place)
    }

    /// Returns name and number of the places directly below a place, in the order of their numbers.
    pub fn children(&self, place: PlaceId) -> impl Iterator<Item = (&[u8], PlaceId)> {
        self.children_after(place, PlaceId(0))
    }

    /// Returns those of [`MountTable::children`] with a number above `after`. A listing that goes on so, on whatever
    /// later table, shows each place that exists all the while exactly once.
    pub fn children_after(&self, place: PlaceId, after: PlaceId) -> impl Iterator<Item = (&[u8], PlaceId)> {
        let children = self.places.get(&place).and_then(|record| record.children.as_deref());
        let range = (Bound::Excluded(after), Bound::Unbounded);
        children
            .into_iter()
            .flat_map(move |children| children.by_age.range(range).map(|(place, name)| (&**name, *place)))
    }

    /// Returns the place above a place; `None` for the root and for places that do not exist.
    pub fn parent(&self, place: PlaceId) -> Option<PlaceId> {
        if place == PlaceId::ROOT {
            return None;
        }
        Some(self.places.get(&place)?.parent)
    }

    /// Returns the last name of a place; `None` for the root and for places that do not exist.
    pub fn name(&self, place: PlaceId) -> Option<&[u8]> {
        if place == PlaceId::ROOT {
            return None;
        }
        Some(&self.places.get(&place)?.name)
    }

    /// Returns all mounts, in the order of their making.
    pub fn mounts(&self) -> impl Iterator<Item = &Arc<Mount>> {
        self.mounts.values()
    }

    /// Returns the mount of that number.
    pub fn mount(&self, id: MountId) -> Option<&Arc<Mount>> {
        self.mounts.get(&id)
    }

    /// Returns the mounts below a place, each after the one that it is mounted on.
    pub(crate) fn mounts_below(&self, place: PlaceId) -> Vec<Arc<Mount>> {
        let mut found = Vec::new();
        let mut open: Vec<PlaceId> = self.children(place).map(|(_, child)| child).collect();
        while let Some(place) = open.pop() {
            found.extend(self.mount_at(place).cloned());
            open.extend(self.children(place).map(|(_, child)| child));
        }
        found
    }

    /// Returns whether something is mounted below a place.
    pub(crate) fn has_children(&self, place: PlaceId) -> bool {
        self.places.get(&place).is_some_and(|record| record.children.is_some())
    }

    /// Adds a mount at its path, where nothing is mounted. `last_place` is the greatest number given so far.
    pub(crate) fn insert(&mut self, mount: Arc<Mount>, last_place: &mut PlaceId) -> PlaceId {
        let mut place = PlaceId::ROOT;
        for name in mount.path().components() {
            place = match self.child(place, name) {
                Some(child) => child,
                None => self.add_child(place, name, last_place),
            };
        }
        self.mounts.insert_mut(mount.id(), Arc::clone(&mount));
        self.change(place, |record| {
            assert!(record.mount.is_none(), "two mounts at {}", mount.path());
            record.mount = Some(mount);
        });
        place
    }

    fn add_child(&mut self, parent: PlaceId, name: Name<'_>, last_place: &mut PlaceId) -> PlaceId {
        last_place.0 += 1;
        let (place, name) = (*last_place, Arc::<[u8]>::from(name.as_bytes()));
        let record = PlaceRecord { parent, name: Arc::clone(&name), mount: None, children: None };
        let child = record.told(place);
        self.places.insert_mut(place, record);
        self.change(parent, |record| {
            let children = record.children.get_or_insert_default();
            children.by_name.insert_mut(Arc::clone(&name), child);
            children.by_age.insert_mut(place, name);
        });
        place
    }

    /// Takes the mount from a place, and the places away that led only to it.
    pub(crate) fn remove(&mut self, place: PlaceId) {
        if let Some(mount) = self.mount_at(place) {
            let id = mount.id();
            self.mounts.remove_mut(&id);
        }
        self.change(place, |record| record.mount = None);
        self.prune(place);
    }

    fn prune(&mut self, mut place: PlaceId) {
        while place != PlaceId::ROOT {
            let Some(record) = self.places.get(&place) else { return };
            if record.mount.is_some() || record.children.is_some() {
                return;
            }
            let (parent, name) = (record.parent, Arc::clone(&record.name));
            self.places.remove_mut(&place);
            self.change(parent, |record| {
                let children = record.children.get_or_insert_default();
                children.by_name.remove_mut(&name);
                children.by_age.remove_mut(&place);
                if children.by_name.is_empty() {
                    record.children = None;
                }
            });
            place = parent;
        }
    }

    /// Changes the record of a place, and what its parent tells of it.
    fn change(&mut self, place: PlaceId, change: impl FnOnce(&mut PlaceRecord)) {
        let Some(mut record) = self.places.get(&place).cloned() else { return };
        change(&mut record);
        if place != PlaceId::ROOT
            && let Some(mut parent) = self.places.get(&record.parent).cloned()
        {
            let siblings = parent.children.get_or_insert_default();
            siblings.by_name.insert_mut(Arc::clone(&record.name), record.told(place));
            self.places.insert_mut(record.parent, parent);
        }
        self.places.insert_mut(place, record);
    }
}

impl PlaceRecord {
    fn child(&self, name: Name<'_>) -> Option<&Child> {
        self.children.as_ref()?.by_name.get(name.as_bytes())
    }

    /// Returns what the parent tells of this place.
    fn told(&self, place: PlaceId) -> Child {
        Child { place, mount: self.mount.clone(), has_children: self.children.is_some() }
    }
}
