//! The mount table: an immutable snapshot of what is mounted where.
//!
//! The places form a tree, and an index finds each by its number; both hold the same records. A change makes a new
//! record for its place and for each ancestor, and shares all else with the old table: O(depth x log n). So a reader
//! that holds a table takes no lock and sees one moment.
//!
//! Invariants: every place but the root has a mount or a child; the index has exactly the records of the tree; a place
//! has its number as long as it exists and no other place ever has it.
//!
//! Resolution walks down from the root and remembers the last mount that it passed. It looks only at the path's own
//! ancestors, and stops where no mount lies deeper: at most depth steps of O(log n), whatever the layout. Nothing is
//! counted up on the way, so that readers do not write to shared memory.

use crate::name_map::{Label, NameMap, Named};
use crate::{Components, Mount, MountId, PlaceId, VfsPath};
use fs9_sdk::Name;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use std::ops::Bound;
use std::sync::Arc;

/// One position in the tree of mount paths.
#[derive(Clone)]
struct Place {
    id: PlaceId,
    /// For the root: the root itself.
    parent: PlaceId,
    name: Label,
    mount: Option<Arc<Mount>>,
    /// Boxed, since most places are mount points without any.
    children: Option<Box<Children>>,
}

/// The places directly below a place.
#[derive(Clone, Default)]
struct Children {
    by_name: NameMap<Place>,
    /// In the order of their making, so that a listing can go on after a place, whatever came and went meanwhile.
    by_age: RedBlackTreeMapSync<PlaceId, Label>,
}

/// What is mounted where, at one moment.
#[derive(Clone)]
pub struct MountTable {
    root: Arc<Place>,
    places: HashTrieMapSync<PlaceId, Arc<Place>, foldhash::fast::RandomState>,
    mounts: RedBlackTreeMapSync<MountId, Arc<Mount>>,
}

impl MountTable {
    /// Returns a table with no mount.
    pub(crate) fn empty() -> MountTable {
        let root = Arc::new(Place::new(PlaceId::ROOT, PlaceId::ROOT, b""));
        let mut places = HashTrieMapSync::default();
        places.insert_mut(PlaceId::ROOT, Arc::clone(&root));
        MountTable { root, places, mounts: RedBlackTreeMapSync::default() }
    }

    /// Returns the mount that serves a path, and what is left of the path below its root. Of nested mounts the
    /// deepest one counts. `None` if nothing is mounted at the path or above it.
    pub fn resolve<'p>(&self, path: &'p VfsPath) -> Option<(&Arc<Mount>, Components<'p>)> {
        let mut rest = path.components();
        let mut place = &self.root;
        let mut found = place.mount.as_ref().map(|mount| (mount, rest.clone()));
        while let Some(child) = rest.next().and_then(|name| place.child(name)) {
            place = child;
            if let Some(mount) = &place.mount {
                found = Some((mount, rest.clone()));
            }
        }
        found
    }

    /// Returns the place of `/`.
    pub fn root_place(&self) -> PlaceId {
        PlaceId::ROOT
    }

    /// Returns the place at a path, if it is a mount point or an ancestor of one.
    pub fn place(&self, path: &VfsPath) -> Option<PlaceId> {
        path.components().try_fold(&self.root, |place, name| place.child(name)).map(|place| place.id)
    }

    /// Returns the place of that name directly below a place.
    pub fn child(&self, place: PlaceId, name: Name<'_>) -> Option<PlaceId> {
        Some(self.get(place)?.child(name)?.id)
    }

    /// Returns what is mounted at a place.
    pub fn mount_at(&self, place: PlaceId) -> Option<&Arc<Mount>> {
        self.get(place)?.mount.as_ref()
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
        let children = self.get(place).and_then(|place| place.children.as_deref());
        let range = (Bound::Excluded(after), Bound::Unbounded);
        children.into_iter().flat_map(move |children| {
            children.by_age.range(range).map(|(place, name)| (name.as_bytes(), *place))
        })
    }

    /// Returns the place above a place; `None` for the root and for places that do not exist.
    pub fn parent(&self, place: PlaceId) -> Option<PlaceId> {
        if place == PlaceId::ROOT {
            return None;
        }
        Some(self.get(place)?.parent)
    }

    /// Returns the last name of a place; `None` for the root and for places that do not exist.
    pub fn name(&self, place: PlaceId) -> Option<&[u8]> {
        if place == PlaceId::ROOT {
            return None;
        }
        Some(self.get(place)?.name.as_bytes())
    }

    /// Returns all mounts, in the order of their making.
    pub fn mounts(&self) -> impl Iterator<Item = &Arc<Mount>> {
        self.mounts.values()
    }

    /// Returns the number of mounts.
    pub(crate) fn len(&self) -> usize {
        self.mounts.size()
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
        self.get(place).is_some_and(|place| place.children.is_some())
    }

    /// Adds a mount at its path, where nothing is mounted. `last_place` is the greatest number given so far.
    pub(crate) fn insert(&mut self, mount: Arc<Mount>, last_place: &mut PlaceId) {
        let mut record = Place::clone(&self.root);
        let mut names = mount.path().components();
        while let Some(name) = names.next() {
            record = match record.child(name) {
                Some(child) => Place::clone(child),
                None => {
                    last_place.0 += 1;
                    let child = Place::new(*last_place, record.id, name.as_bytes());
                    // The last one is put into the table with its mount, below.
                    if !names.as_bytes().is_empty() {
                        self.replace(child.clone());
                    }
                    child
                }
            };
        }
        assert!(record.mount.is_none(), "two mounts at {}", mount.path());
        self.mounts.insert_mut(mount.id(), Arc::clone(&mount));
        record.mount = Some(mount);
        self.replace(record);
    }

    /// Takes the mount from a place, and the places away that led only to it.
    pub(crate) fn remove(&mut self, place: PlaceId) {
        let Some(mut record) = self.get(place).cloned() else { return };
        if let Some(mount) = record.mount.take() {
            self.mounts.remove_mut(&mount.id());
        }
        while record.is_needless() {
            let Some(mut parent) = self.get(record.parent).cloned() else { break };
            self.places.remove_mut(&record.id);
            parent.remove_child(&record);
            record = parent;
        }
        self.replace(record);
    }

    /// Puts a new record into the index and the tree, which gives each ancestor a new record, too.
    fn replace(&mut self, mut record: Place) {
        while record.id != PlaceId::ROOT {
            let Some(mut parent) = self.get(record.parent).cloned() else { return };
            let record_now = Arc::new(record);
            self.places.insert_mut(record_now.id, Arc::clone(&record_now));
            parent.insert_child(record_now);
            record = parent;
        }
        self.root = Arc::new(record);
        self.places.insert_mut(PlaceId::ROOT, Arc::clone(&self.root));
    }

    fn get(&self, place: PlaceId) -> Option<&Place> {
        if place == PlaceId::ROOT {
            return Some(&self.root);
        }
        self.places.get(&place).map(|place| &**place)
    }
}

impl Place {
    fn new(id: PlaceId, parent: PlaceId, name: &[u8]) -> Place {
        Place { id, parent, name: Label::new(name), mount: None, children: None }
    }

    fn child(&self, name: Name<'_>) -> Option<&Arc<Place>> {
        self.children.as_ref()?.by_name.get(name.as_bytes())
    }

    fn insert_child(&mut self, child: Arc<Place>) {
        let children = self.children.get_or_insert_default();
        if !children.by_age.contains_key(&child.id) {
            children.by_age.insert_mut(child.id, child.name.clone());
        }
        children.by_name.insert(child);
    }

    fn remove_child(&mut self, child: &Place) {
        if let Some(children) = &mut self.children {
            children.by_name.remove(child.name.as_bytes());
            children.by_age.remove_mut(&child.id);
            if children.by_name.is_empty() {
                self.children = None;
            }
        }
    }

    /// Returns whether nothing is here and nothing below, and it is not the root.
    fn is_needless(&self) -> bool {
        self.mount.is_none() && self.children.is_none() && self.id != PlaceId::ROOT
    }
}

impl Named for Place {
    fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::MountTable;
    use crate::mount::Served;
    use crate::{Mount, MountId, MountOptions, OriginId, PlaceId, Statistics, VfsPath};
    use fs9_sdk::{Capabilities, Name, Provider};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::{Arc, Weak};

    fn path(text: &str) -> VfsPath {
        VfsPath::parse(text.as_bytes()).unwrap()
    }

    fn served() -> Served {
        Served {
            origin: OriginId(1),
            provider: nobody(),
            capabilities: Capabilities::default(),
            pool: None,
            wait_pool: crate::CallPool::for_waits("test"),
            statistics: Arc::<Statistics>::default(),
            backing_withdrawn_by: None,
        }
    }

    /// A real provider that is never called here.
    fn nobody() -> Arc<dyn Provider> {
        #[derive(Default)]
        struct NoCommands(Arc<crate::control::AccessLog>);
        impl crate::control::Commands for NoCommands {
            fn run(&self, _: &fs9_sdk::Call, _: &[u8]) -> fs9_sdk::Result<String> {
                Ok(String::new())
            }
        }
        impl crate::control::HandleReport for NoCommands {
            fn open_handles(&self) -> Vec<crate::control::OpenHandle> {
                Vec::new()
            }
            fn access_log(&self) -> &Arc<crate::control::AccessLog> {
                &self.0
            }
        }
        let options =
            crate::control::ControlOptions { version: String::new(), uid: 0, gid: 0, log_waits: true };
        let (namespace, nothing) = (crate::Namespace::new(), Arc::new(NoCommands::default()));
        let control =
            crate::control::ControlProvider::new(&namespace, options, Arc::clone(&nothing) as _, nothing);
        Arc::new(control)
    }

    struct Builder {
        table: MountTable,
        served: Served,
        last_place: PlaceId,
        last_mount: u32,
    }

    impl Builder {
        fn new() -> Builder {
            let (table, served) = (MountTable::empty(), served());
            Builder { table, served, last_place: PlaceId::ROOT, last_mount: 0 }
        }

        fn mount(&mut self, at: &VfsPath) {
            self.last_mount += 1;
            let id = MountId(self.last_mount);
            let mount = Mount::new(id, at.clone(), self.served.clone(), MountOptions::default(), None);
            self.table.insert(Arc::new(mount), &mut self.last_place);
        }
    }

    #[test]
    fn a_hundred_thousand_siblings_each_resolve_to_themselves() {
        let mut builder = Builder::new();
        builder.mount(&VfsPath::root());
        let sibling = |index: u32| path(&format!("/m/{index}"));
        (0..100_000).for_each(|index| builder.mount(&sibling(index)));
        let table = builder.table;
        for index in 0..100_000 {
            let below = sibling(index).join(Name::new(b"x").unwrap());
            let (mount, rest) = table.resolve(&below).unwrap();
            assert_eq!((mount.path(), rest.as_bytes()), (&sibling(index), &b"x"[..]));
        }
        let beside = path("/m/100000");
        let (mount, rest) = table.resolve(&beside).unwrap();
        assert_eq!((mount.path(), rest.as_bytes()), (&VfsPath::root(), &b"m/100000"[..]));
        let parent = table.place(&path("/m")).unwrap();
        assert!(table.children(parent).map(|(_, place)| place).is_sorted());
        assert_eq!(table.children(parent).count(), 100_000);
    }

    #[test]
    fn a_dropped_table_drops_its_mounts() {
        let mut builder = Builder::new();
        builder.mount(&path("/a/b"));
        let mount: Weak<Mount> = Arc::downgrade(builder.table.mounts().next().unwrap());
        drop(builder);
        assert_eq!(mount.strong_count(), 0);
    }

    /// Few names, so that paths nest and meet.
    fn any_path() -> impl Strategy<Value = VfsPath> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..5)
            .prop_map(|names| path(&format!("/{}", names.join("/"))))
    }

    /// Everything that the table promises, compared with a plain map from paths to mounts.
    fn check(table: &MountTable, model: &BTreeMap<VfsPath, MountId>, asked: &[VfsPath]) {
        for path in asked {
            let ancestors = std::iter::successors(Some(path.clone()), VfsPath::parent);
            let expected = ancestors.into_iter().find_map(|path| model.get(&path).copied());
            assert_eq!(table.resolve(path).map(|(mount, _)| mount.id()), expected, "{path}");
            let is_place = path.is_root() || model.keys().any(|mount| mount.starts_with(path));
            assert_eq!(table.place(path).is_some(), is_place, "{path}");
            let Some(place) = table.place(path) else { continue };
            assert_eq!(table.mount_at(place).map(|mount| mount.id()), model.get(path).copied());
            let parent = path.parent().map(|parent| table.place(&parent).unwrap());
            assert_eq!(table.parent(place), parent);
            for (name, child) in table.children(place) {
                let joined = path.join(Name::new(name).unwrap());
                assert_eq!((table.place(&joined), table.name(child)), (Some(child), Some(name)));
            }
        }
        let mounts: Vec<MountId> = table.mounts().map(|mount| mount.id()).collect();
        let mut expected: Vec<MountId> = model.values().copied().collect();
        expected.sort_unstable();
        assert_eq!(mounts, expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

        #[test]
        fn it_behaves_as_a_map_of_paths_and_old_tables_never_change(
            changes in prop::collection::vec(any_path(), 1..60),
            asked in prop::collection::vec(any_path(), 20),
        ) {
            let (mut builder, mut model) = (Builder::new(), BTreeMap::new());
            let mut history = Vec::new();
            for at in changes {
                history.push((builder.table.clone(), model.clone()));
                match model.remove(&at) {
                    Some(_) => builder.table.remove(builder.table.place(&at).unwrap()),
                    None => {
                        builder.mount(&at);
                        model.insert(at, MountId(builder.last_mount));
                    }
                }
            }
            history.push((builder.table, model));
            history.iter().for_each(|(table, model)| check(table, model, &asked));
        }
    }
}
