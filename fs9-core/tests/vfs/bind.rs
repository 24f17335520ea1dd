//! What a bind promises.

use crate::support::Tree;
use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_sdk::{ErrorKind, Execution, NodeId};
use std::sync::Arc;
use std::time::Duration;

const PATHS: &[&str] = &["dir/", "dir/sub/", "dir/sub/deep/", "file"];

fn path(text: &str) -> VfsPath {
    VfsPath::parse(text.as_bytes()).unwrap()
}

fn tree_at_src(execution: Execution, call_timeout: Duration) -> (Arc<Namespace>, Arc<Tree>) {
    let (namespace, tree) = (Namespace::new(), Tree::new(execution, PATHS));
    let options = MountOptions { call_timeout, ..MountOptions::default() };
    namespace.mount(&path("/src"), Arc::clone(&tree) as _, options).unwrap();
    (namespace, tree)
}

const PATIENT: Duration = Duration::from_secs(60);

#[test]
fn a_bind_shows_the_directory_and_holds_it_until_it_is_gone() {
    for execution in [Execution::Inline, Execution::MayBlock] {
        let (namespace, tree) = tree_at_src(execution, PATIENT);
        let bound = namespace.bind(&path("/src/dir/sub"), &path("/dst")).unwrap();
        assert_eq!(bound.root(), NodeId(3));
        let table = namespace.table();
        let origin = Arc::clone(table.resolve(&path("/src")).unwrap().0);
        assert_eq!(bound.origin(), origin.origin());
        assert_ne!(bound.id(), origin.id());
        assert!(Arc::ptr_eq(bound.statistics(), origin.statistics()));
        tree.wait_until(|_, lookups| lookups == 1);
        drop((table, origin));
        namespace.unmount(&path("/src"), false).unwrap();
        let in_use = bound.begin_use().unwrap();
        drop((namespace.unmount(&path("/dst"), true).unwrap(), bound));
        assert_eq!(tree.lookups(), 1);
        drop(in_use);
        tree.wait_until(|_, lookups| lookups == 0);
    }
}

#[test]
fn a_bind_of_a_bind_starts_where_that_one_shows() {
    let (namespace, tree) = tree_at_src(Execution::Inline, PATIENT);
    namespace.bind(&path("/src/dir"), &path("/one")).unwrap();
    let deep = namespace.bind(&path("/one/sub/deep"), &path("/two")).unwrap();
    let same = namespace.bind(&path("/one"), &path("/three")).unwrap();
    assert_eq!((deep.root(), same.root()), (NodeId(4), NodeId(2)));
    namespace.unmount(&path("/one"), false).unwrap();
    // `same` still shows the node that the bind it was made from looked up.
    assert!(tree.lookups() >= 2);
    drop((deep, same));
    namespace.unmount(&path("/two"), false).unwrap();
    namespace.unmount(&path("/three"), false).unwrap();
    assert_eq!(tree.lookups(), 0);
}

#[test]
fn a_bind_of_the_root_of_a_mount_needs_no_lookup() {
    let (namespace, tree) = tree_at_src(Execution::Inline, PATIENT);
    let bound = namespace.bind(&path("/src"), &path("/dst")).unwrap();
    assert_eq!((bound.root(), tree.lookups()), (NodeId::ROOT, 0));
}

#[test]
fn what_is_no_directory_of_a_mount_is_not_bound_and_leaves_no_lookup() {
    let (namespace, tree) = tree_at_src(Execution::Inline, PATIENT);
    for (source, kind) in [
        ("/nowhere", ErrorKind::NotFound),
        ("/src/none", ErrorKind::NotFound),
        ("/src/dir/sub/none", ErrorKind::NotFound),
        ("/src/file", ErrorKind::NotADirectory),
        ("/src/file/x", ErrorKind::NotADirectory),
    ] {
        let refused = namespace.bind(&path(source), &path("/dst")).unwrap_err();
        assert_eq!(refused.kind(), kind, "{source}: {refused}");
    }
    assert_eq!(tree.lookups(), 0);
    assert_eq!(namespace.table().place(&path("/dst")), None);
}

#[test]
fn a_provider_that_hangs_times_out_and_its_late_lookup_is_forgotten() {
    let (namespace, tree) = tree_at_src(Execution::MayBlock, Duration::from_millis(30));
    tree.hang(true);
    let refused = namespace.bind(&path("/src/dir"), &path("/dst")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TimedOut);
    // Nothing is locked meanwhile: others mount and unmount.
    namespace.mount(&path("/other"), Tree::new(Execution::Inline, &[]), MountOptions::default()).unwrap();
    namespace.unmount(&path("/other"), false).unwrap();
    tree.wait_until(|waiting, _| waiting == 1);
    tree.hang(false);
    tree.wait_until(|waiting, lookups| waiting == 0 && lookups == 0);
    namespace.bind(&path("/src/dir"), &path("/dst")).unwrap();
}
