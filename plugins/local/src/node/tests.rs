//! The node table by itself, on descriptors of nothing in particular.

use super::{Access, Found, Key, NodeTable, Recall, Shield, Whereabouts};
use fs9_sdk::{FileType, NodeId};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};

fn descriptor() -> OwnedFd {
    open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

fn found(number: u64) -> Found {
    let key = Key { device: 0, number };
    Found { key, generation: 7, kind: FileType::Regular, privileged: false }
}

fn place(parent: NodeId, text: &str) -> Whereabouts {
    Whereabouts { parent, name: text.as_bytes().into() }
}

fn is_open(table: &NodeTable, node: NodeId) -> bool {
    matches!(table.access(node), Access::Open(_))
}

fn is_gone(table: &NodeTable, node: NodeId) -> bool {
    matches!(table.access(node), Access::Gone)
}

/// Takes the descriptor from some node, as under pressure.
fn evict(table: &NodeTable, recall: fn() -> Recall) -> bool {
    let Some((shard, victim)) = table.victim_anywhere() else { return false };
    let recall = victim.wants_handle.then(recall);
    table.retire(shard, &victim, recall)
}

fn handle() -> Recall {
    Recall::Handle(fs9_sys::take_handle(tempfile::tempfile().unwrap()).unwrap())
}

#[test]
fn one_inode_has_one_node_until_every_lookup_is_forgotten() {
    let table = NodeTable::new(1000);
    let node = table.intern(&found(5), descriptor(), None);
    assert_eq!(table.intern(&found(5), descriptor(), None), node);
    assert_ne!(table.intern(&found(6), descriptor(), None), node);
    table.look_again(node);
    table.release(node, 2, 0);
    assert!(is_open(&table, node));
    table.release(node, 1, 0);
    assert!(is_gone(&table, node));
}

#[test]
fn a_new_inode_of_an_old_number_is_another_node() {
    let table = NodeTable::new(8);
    let old = table.intern(&found(5), descriptor(), None);
    assert!(evict(&table, handle));
    let new = table.intern(&Found { generation: 8, ..found(5) }, descriptor(), None);
    assert_ne!(new, old);
    assert!(matches!(table.access(old), Access::Handle(..)));
    table.release(old, 1, 0);
    assert!(is_gone(&table, old) && is_open(&table, new));
    assert_eq!(table.intern(&Found { generation: 8, ..found(5) }, descriptor(), None), new);
}

#[test]
fn while_its_descriptor_is_open_a_node_stays_whatever_its_generation() {
    let table = NodeTable::new(8);
    let node = table.intern(&found(5), descriptor(), None);
    assert_eq!(table.intern(&Found { generation: 8, ..found(5) }, descriptor(), None), node);
}

#[test]
fn a_held_node_keeps_its_descriptor() {
    let table = NodeTable::new(8);
    let node = table.intern(&found(5), descriptor(), None);
    assert_eq!(table.hold(&found(5), &std::sync::Arc::new(descriptor())), Some(node));
    assert!(!evict(&table, handle));
    assert!(is_open(&table, node));
}

#[test]
fn a_spared_node_keeps_its_descriptor_until_something_else_leads_to_it() {
    let table = NodeTable::new(8);
    let node = table.intern(&found(5), descriptor(), None);
    let (shard, victim) = table.victim_anywhere().unwrap();
    table.spare(shard, &victim);
    assert!(!table.retire(shard, &victim, Some(handle())), "an eviction under way");
    assert!(!evict(&table, handle));
    table.hold(&found(5), &victim.descriptor);
    table.named(node, None);
    assert!(!evict(&table, handle), "somebody else relies on it");
    table.let_go(node);
    assert!(evict(&table, handle));
    assert!(!is_open(&table, node));
}

#[test]
fn a_first_name_is_a_place_and_a_further_one_is_not() {
    let table = NodeTable::new(8);
    let first = table.intern(&found(1), descriptor(), Some(&place(NodeId::ROOT, "first")));
    let second = table.intern(&found(2), descriptor(), Some(&place(NodeId::ROOT, "second")));
    let node = table.intern(&found(5), descriptor(), None);
    table.named(node, Some(&place(first, "f")));
    table.named(node, Some(&place(second, "g")));
    table.named(NodeId(99), Some(&place(second, "nobody knows this one")));
    table.release(first, 1, 0);
    table.release(second, 1, 0);
    assert!(!is_gone(&table, first) && is_gone(&table, second));
    while is_open(&table, node) {
        evict(&table, handle);
    }
    assert!(matches!(table.access(node), Access::Place(_, told) if told == place(first, "f")));
    table.release(node, 1, 0);
    assert!(is_gone(&table, first));
}

#[test]
fn a_victim_that_is_held_meanwhile_is_spared() {
    let table = NodeTable::new(8);
    let node = table.intern(&found(5), descriptor(), None);
    let (shard, victim) = table.victim_anywhere().unwrap();
    assert_eq!(table.hold(&found(5), &victim.descriptor), Some(node));
    assert!(!table.retire(shard, &victim, Some(handle())));
    assert!(is_open(&table, node));
}

#[test]
fn a_directory_outlives_its_lookups_while_nodes_are_found_through_it() {
    let table = NodeTable::new(8);
    let dir = table.intern(&found(1), descriptor(), Some(&place(NodeId::ROOT, "dir")));
    let inner = table.intern(&found(2), descriptor(), Some(&place(dir, "inner")));
    let file = table.intern(&found(3), descriptor(), Some(&place(inner, "file")));
    table.release(dir, 1, 0);
    table.release(inner, 1, 0);
    assert!(!is_gone(&table, dir) && !is_gone(&table, inner));
    table.release(file, 1, 0);
    assert!(is_gone(&table, file) && is_gone(&table, inner) && is_gone(&table, dir));
}

#[test]
fn a_node_that_moves_lets_its_old_directory_go() {
    let table = NodeTable::new(8);
    let old = table.intern(&found(1), descriptor(), Some(&place(NodeId::ROOT, "old")));
    let new = table.intern(&found(2), descriptor(), Some(&place(NodeId::ROOT, "new")));
    let file = table.intern(&found(3), descriptor(), Some(&place(old, "file")));
    table.moved(found(3).key, &place(new, "file"));
    table.moved(found(99).key, &place(new, "nobody knows this one"));
    table.release(old, 1, 0);
    table.release(new, 1, 0);
    assert!(is_gone(&table, old) && !is_gone(&table, new));
    table.intern(&found(3), descriptor(), Some(&place(new, "file")));
    table.release(file, 2, 0);
    assert!(is_gone(&table, file) && is_gone(&table, new));
}

#[test]
fn the_clock_spares_what_was_used_since_it_last_passed() {
    let table = NodeTable::new(8);
    let nodes: Vec<_> = (1..=3).map(|number| table.intern(&found(number), descriptor(), None)).collect();
    assert!(table.victim_anywhere().is_some(), "the second round finds one");
    table.access(nodes[0]);
    table.access(nodes[1]);
    let (shard, victim) = table.victim_anywhere().unwrap();
    assert!(table.retire(shard, &victim, Some(handle())));
    assert!(is_open(&table, nodes[0]) && is_open(&table, nodes[1]));
    assert!(!is_open(&table, nodes[2]));
}

#[test]
fn numbers_that_never_were_nodes_lead_nowhere() {
    let table = NodeTable::new(8);
    for number in [0, 1, 2, 99, u64::MAX] {
        assert!(is_gone(&table, NodeId(number)));
        table.release(NodeId(number), 1, 0);
    }
}

#[test]
fn a_shielded_node_keeps_its_descriptor_also_from_an_eviction_under_way() {
    let table = NodeTable::new(8);
    let node = table.intern(&found(5), descriptor(), None);
    let (shard, victim) = table.victim_anywhere().unwrap();
    assert_eq!(table.shield(found(5).key), Shield::Up(node));
    assert_eq!(
        table.shield(found(5).key),
        Shield::Up(node),
        "another of its names is taken at the same time"
    );
    table.let_go(node);
    assert!(!evict(&table, handle));
    table.let_go(node);
    assert!(!table.retire(shard, &victim, Some(handle())), "its name may be gone since it was picked");
    assert!(evict(&table, handle));
    assert_eq!(table.shield(found(5).key), Shield::Closed);
    assert_eq!(table.shield(found(6).key), Shield::Needless);
}
