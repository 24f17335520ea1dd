//! Descriptors are bounded whatever is known and open, and nothing that is known gets lost for it.

use crate::ground::{Ground, ROOT, kind, name, root};
use fs9_local::{DescriptorBudget, LocalOptions};
use fs9_sdk::{ErrorKind, NodeId, OpenFlags, OpenNode, Provider};
use std::collections::HashSet;

const NODES: usize = 64;

fn options(file_handles: bool) -> LocalOptions {
    let descriptors = Some(DescriptorBudget { nodes: NODES, open: 16 });
    LocalOptions { descriptors, file_handles, ..LocalOptions::default() }
}

/// Returns how many descriptors lead below a directory.
fn descriptors_below(ground: &Ground) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.starts_with(ground.dir.path())).count()
}

/// Makes files in directories of 100, looks all up, and returns their nodes.
fn populate(ground: &Ground, count: usize) -> Vec<(NodeId, u64)> {
    let mut known = Vec::with_capacity(count);
    for directory in 0..count / 100 {
        let dir = ground.provider.mkdir(&root(), ROOT, name(&format!("d{directory}")), 0o755).unwrap();
        for file in 0..100 {
            std::fs::write(ground.path(&format!("d{directory}/f{file}")), format!("{directory}/{file}"))
                .unwrap();
            let entry = ground.lookup(dir.node, &format!("f{file}")).unwrap();
            known.push((entry.node, entry.attr.id.number));
        }
    }
    known
}

fn known_nodes_outlive_their_descriptors(file_handles: bool, count: usize) {
    let ground = Ground::new(options(file_handles));
    let known = populate(&ground, count);
    assert_eq!(known.iter().map(|(node, _)| node).collect::<HashSet<_>>().len(), count);
    assert!(descriptors_below(&ground) <= NODES + 4, "{} descriptors", descriptors_below(&ground));

    for (at, (node, number)) in known.iter().enumerate() {
        assert_eq!(ground.getattr(*node).unwrap().id.number, *number);
        if at % 97 == 0 {
            assert_eq!(ground.content(*node).unwrap(), format!("{}/{}", at / 100, at % 100).as_bytes());
        }
    }
    let again = ground.lookup(ground.lookup(ROOT, "d3").unwrap().node, "f7").unwrap();
    assert_eq!(again.node, known[307].0, "one inode, one node");
    assert!(descriptors_below(&ground) <= NODES + 4);

    for (node, _) in &known {
        ground.provider.forget(*node, 1);
    }
    assert_eq!(kind(ground.getattr(known[0].0)), Some(ErrorKind::Stale));
    assert_eq!(ground.getattr(known[307].0).unwrap().id.number, known[307].1, "one lookup is left");
}

#[test]
fn twenty_thousand_nodes_are_known_with_64_descriptors() {
    known_nodes_outlive_their_descriptors(true, 20_000);
}

#[test]
fn nodes_are_found_again_by_name_where_there_are_no_file_handles() {
    known_nodes_outlive_their_descriptors(false, 2_000);
}

#[test]
fn names_that_move_are_followed_without_file_handles() {
    let ground = Ground::new(options(false));
    let known = populate(&ground, 400);
    let rename = |from: &str, to: &str| {
        let place = |text| fs9_sdk::Place { parent: ROOT, name: name(text) };
        let flags = fs9_sdk::RenameFlags::empty();
        ground.provider.rename(&root(), place(from), place(to), flags).unwrap();
    };
    rename("d0", "moved");
    rename("d1", "d0");
    for (at, (node, _)) in known.iter().enumerate() {
        assert_eq!(ground.content(*node).unwrap(), format!("{}/{}", at / 100, at % 100).as_bytes());
    }
}

#[test]
fn what_moved_behind_our_back_is_stale_and_never_another_file() {
    let ground = Ground::new(options(false));
    let known = populate(&ground, 400);
    std::fs::rename(ground.path("d0"), ground.path("gone")).unwrap();
    std::fs::rename(ground.path("d1"), ground.path("d0")).unwrap();
    for (at, (node, number)) in known.iter().enumerate().take(200) {
        match ground.getattr(*node) {
            Ok(attr) => assert_eq!(attr.id.number, *number, "node {at}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Stale),
        }
    }
    let back = ground.lookup(ROOT, "gone").unwrap();
    let found = ground.lookup(back.node, "f0").unwrap();
    assert_eq!(found.node, known[0].0, "looking it up again revives the node");
    assert_eq!(ground.content(known[0].0).unwrap(), b"0/0");
}

#[test]
fn unlinked_nodes_stay_readable_however_many_others_are_used() {
    for file_handles in [true, false] {
        let ground = Ground::new(options(file_handles));
        let known = populate(&ground, 300);
        let first = ground.lookup(ROOT, "d0").unwrap();
        let second = ground.lookup(ROOT, "d1").unwrap();
        let replace = fs9_sdk::RenameFlags::empty();
        for file in 0..20 {
            let text = format!("f{file}");
            let place = |parent| fs9_sdk::Place { parent, name: name(&text) };
            ground.provider.unlink(&root(), first.node, name(&text)).unwrap();
            // Replaces the second directory's file, which is known as well.
            let third = ground.lookup(ROOT, "d2").unwrap();
            ground.provider.rename(&root(), place(third.node), place(second.node), replace).unwrap();
        }
        for (node, number) in &known {
            assert_eq!(ground.getattr(*node).unwrap().id.number, *number);
        }
        for file in 0..20 {
            assert_eq!(ground.content(known[file].0).unwrap(), format!("0/{file}").as_bytes());
            assert_eq!(ground.content(known[100 + file].0).unwrap(), format!("1/{file}").as_bytes());
            assert_eq!(ground.content(known[200 + file].0).unwrap(), format!("2/{file}").as_bytes());
        }
    }
}

#[test]
fn opens_beyond_the_budget_are_refused_and_nothing_else_is() {
    let ground = Ground::new(options(true));
    let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
    let open: Vec<_> =
        (1..16).map(|_| ground.open(&root(), file.node, OpenFlags::empty()).unwrap()).collect();
    assert_eq!(kind(ground.open(&root(), file.node, OpenFlags::empty())), Some(ErrorKind::TooManyOpenFiles));
    assert_eq!(kind(ground.create(&root(), ROOT, "other", 0o644)), Some(ErrorKind::TooManyOpenFiles));
    assert_eq!(kind(ground.provider.opendir(&root(), ROOT)), Some(ErrorKind::TooManyOpenFiles));
    assert_eq!(
        kind(ground.lookup(ROOT, "other")),
        Some(ErrorKind::NotFound),
        "a refused create makes nothing"
    );
    ground.provider.mkdir(&root(), ROOT, name("dir"), 0o755).unwrap();

    ground.provider.release(open[0]);
    let again = ground.open(&root(), file.node, OpenFlags::empty()).unwrap();
    ground.provider.release(again);
}

/// Makes so many files without a name, and returns their nodes.
fn unnamed(ground: &Ground, count: usize) -> Vec<NodeId> {
    let make = |number: usize| {
        let (entry, opened) = ground.provider.tmpfile(&root(), ROOT, 0o600, OpenFlags::READ_WRITE).unwrap();
        let file = OpenNode { node: entry.node, handle: opened.handle };
        ground.write(&root(), file, number.to_string().as_bytes()).unwrap();
        ground.provider.release(file);
        entry.node
    };
    (0..count).map(make).collect()
}

fn unnamed_files_outlive_pressure_and_are_like_others_once_they_have_a_name(file_handles: bool) {
    const COUNT: usize = 3 * NODES;
    let ground = Ground::new(options(file_handles));
    let nodes = unnamed(&ground, COUNT);
    populate(&ground, 400);
    for (number, node) in nodes.iter().enumerate() {
        assert_eq!(ground.content(*node).unwrap(), number.to_string().as_bytes());
    }
    for (number, node) in nodes.iter().enumerate() {
        ground.provider.link(&root(), *node, ROOT, name(&format!("u{number}"))).unwrap();
    }
    populate_again(&ground);
    assert!(descriptors_below(&ground) <= NODES + 4, "{} descriptors", descriptors_below(&ground));
    for (number, node) in nodes.iter().enumerate() {
        assert_eq!(ground.content(*node).unwrap(), number.to_string().as_bytes());
    }
}

/// Looks up what [`populate`] made, so that other descriptors are given up.
fn populate_again(ground: &Ground) {
    for directory in 0..4 {
        let dir = ground.lookup(ROOT, &format!("d{directory}")).unwrap();
        (0..100).for_each(|file| assert!(ground.lookup(dir.node, &format!("f{file}")).is_ok()));
    }
}

#[test]
fn unnamed_files_keep_their_descriptors_until_they_have_a_name() {
    unnamed_files_outlive_pressure_and_are_like_others_once_they_have_a_name(true);
}

#[test]
fn unnamed_files_are_found_by_their_first_name_where_there_are_no_file_handles() {
    unnamed_files_outlive_pressure_and_are_like_others_once_they_have_a_name(false);
}
