//! Tests of the table of inodes, with real mounts.

use super::{Found, InodeTable};
use crate::inode::{Ino, Object};
use crate::options::WantedLifetimes;
use crate::view::{MountView, Views};
use fs9_core::{MountOptions, Namespace, PlaceId, VfsPath};
use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_sdk::{Attr, Entry, FileType, NodeId, ObjectId, Timestamp};
use std::sync::Arc;

/// Returns the views of mounts at these paths.
fn views(paths: &[&str]) -> Vec<Arc<MountView>> {
    let namespace = Namespace::new();
    let mount = |path: &&str| {
        let provider = Arc::new(MemoryProvider::new(MemoryOptions::default()).unwrap());
        let path = VfsPath::parse(path.as_bytes()).unwrap();
        namespace.mount(&path, provider, MountOptions::default()).unwrap().id()
    };
    let ids: Vec<_> = paths.iter().map(mount).collect();
    let views = Views::default().updated(&namespace.table(), &WantedLifetimes::default());
    ids.into_iter().map(|id| Arc::clone(views.get(id).unwrap())).collect()
}

fn entry(node: u64, number: u64, generation: u64) -> Entry {
    let id = ObjectId { device: 0, number, generation };
    let attr = Attr::new(id, FileType::Regular, 0o644, Timestamp::default());
    Entry { node: NodeId(node), attr }
}

fn remember(table: &InodeTable, view: &Arc<MountView>, entry: &Entry) -> Ino {
    table.remember(&Found { view, entry, parent: Ino::ROOT, place: None, counted: true })
}

fn node_of(table: &InodeTable, ino: Ino) -> Option<NodeId> {
    match table.get(ino)?.object {
        Object::Node { node, .. } => Some(node),
        Object::Synthetic(_) => None,
    }
}

fn forgotten(table: &InodeTable, ino: Ino, count: u64) -> Vec<(NodeId, u64)> {
    table.forget(ino, count).iter().map(|forgotten| (forgotten.node, forgotten.count)).collect()
}

#[test]
fn an_inode_lives_until_its_last_lookup_is_taken_back() {
    let (table, views) = (InodeTable::new(), views(&["/"]));
    let ino = remember(&table, &views[0], &entry(7, 70, 0));
    assert_eq!(ino, Ino(70));
    assert_eq!(remember(&table, &views[0], &entry(7, 70, 0)), ino);
    assert_eq!(forgotten(&table, ino, 1), [(NodeId(7), 1)]);
    assert_eq!(node_of(&table, ino), Some(NodeId(7)));
    assert_eq!(forgotten(&table, ino, 1), [(NodeId(7), 1)]);
    assert!(table.get(ino).is_none());
    assert_eq!((forgotten(&table, ino, 1), table.len()), (vec![], 0));
}

#[test]
fn a_reused_number_reaches_the_new_node_and_gives_both_their_lookups_back() {
    let (table, views) = (InodeTable::new(), views(&["/"]));
    let ino = remember(&table, &views[0], &entry(7, 70, 1));
    remember(&table, &views[0], &entry(7, 70, 1));
    assert_eq!(remember(&table, &views[0], &entry(8, 70, 2)), ino);
    assert_eq!(node_of(&table, ino), Some(NodeId(8)));
    assert_eq!(forgotten(&table, ino, 3), [(NodeId(7), 2), (NodeId(8), 1)]);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_lookup_that_was_not_delivered_leaves_no_trace() {
    let (table, views) = (InodeTable::new(), views(&["/"]));
    let ino = remember(&table, &views[0], &entry(7, 70, 1));
    remember(&table, &views[0], &entry(7, 70, 1));
    table.unremember(ino);
    assert_eq!(forgotten(&table, ino, 1), [(NodeId(7), 1)]);
    // Also where it gave the number to another object.
    let ino = remember(&table, &views[0], &entry(7, 70, 1));
    remember(&table, &views[0], &entry(8, 70, 2));
    table.unremember(ino);
    assert_eq!(node_of(&table, ino), Some(NodeId(7)));
    assert_eq!(forgotten(&table, ino, 1), [(NodeId(7), 1)]);
    assert_eq!(table.len(), 0);
}

#[test]
fn objects_whose_numbers_collide_keep_numbers_of_their_own() {
    let (table, views) = (InodeTable::new(), views(&["/", "/other"]));
    // Two views that number alike: each object of the one has the number of one of the other.
    let twin = Arc::new(views[1].numbered_like(&views[0]));
    let first = remember(&table, &views[0], &entry(7, 70, 0));
    let second = remember(&table, &twin, &entry(9, 70, 0));
    assert_ne!(first, second);
    assert_eq!((node_of(&table, first), node_of(&table, second)), (Some(NodeId(7)), Some(NodeId(9))));
    // The displaced object is found again, also when the number that it wanted is free by then.
    assert_eq!(forgotten(&table, first, 1), [(NodeId(7), 1)]);
    assert_eq!(remember(&table, &twin, &entry(9, 70, 0)), second);
    assert_eq!(forgotten(&table, second, 2), [(NodeId(9), 2)]);
    assert_eq!(table.len(), 0);
}

#[test]
fn mounts_do_not_share_numbers() {
    let (table, views) = (InodeTable::new(), views(&["/", "/m"]));
    let first = remember(&table, &views[0], &entry(7, 70, 0));
    let second = remember(&table, &views[1], &entry(7, 70, 0));
    assert_ne!(first, second);
    assert_eq!(table.len(), 2);
    assert_eq!(table.clear().len(), 2);
    assert_eq!(table.len(), 0);
}

#[test]
fn roots_of_mounts_and_synthetic_directories_give_nothing_back() {
    let (table, views) = (InodeTable::new(), views(&["/m"]));
    let entry = entry(1, 5, 0);
    let place = Some(PlaceId(4));
    let root =
        table.remember(&Found { view: &views[0], entry: &entry, parent: Ino::ROOT, place, counted: false });
    let synthetic = table.remember_synthetic(PlaceId(5), Ino::ROOT);
    assert_eq!(table.remember_synthetic(PlaceId(5), Ino::ROOT), synthetic);
    assert_eq!(table.get(root).unwrap().place, place);
    assert_eq!((forgotten(&table, root, 1), forgotten(&table, synthetic, 2)), (vec![], vec![]));
    assert_eq!(table.len(), 0);
}

#[test]
fn versions_tell_whether_data_changed() {
    let (table, views) = (InodeTable::new(), views(&["/"]));
    let ino = remember(&table, &views[0], &entry(7, 70, 0));
    assert!(!table.note_version(ino, 5));
    assert!(table.note_version(ino, 5));
    assert!(!table.note_version(ino, 6));
    assert!(!table.note_version(Ino(71), 5));
}

#[test]
fn a_table_gives_memory_back() {
    let (table, views) = (InodeTable::new(), views(&["/"]));
    let inos: Vec<Ino> =
        (0..100_000).map(|number| remember(&table, &views[0], &entry(number, number + 2, 0))).collect();
    for ino in inos {
        forgotten(&table, ino, 1);
    }
    let capacity: usize = table.shards.iter().map(|shard| shard.lock().capacity()).sum();
    assert!(capacity < 100_000 / 2, "{capacity}");
}
