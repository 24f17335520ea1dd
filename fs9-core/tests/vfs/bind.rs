//! What a bind promises.

use crate::support::Tree;
use fs9_core::{ChangedEntry, MountOptions, Namespace, NamespaceChange, VfsPath};
use fs9_sdk::{Call, Caller, ErrorKind, Execution, Name, NodeId};
use std::sync::{Arc, Mutex};
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

/// A root, and below its missing directory `/way` the mounts `/way/a` with one in it, `/way/to/b`, and a hidden one.
fn ways() -> Arc<Namespace> {
    let namespace = Namespace::new();
    for (at, hidden) in [
        ("/", false),
        ("/way/a", false),
        ("/way/a/dir/inner", false),
        ("/way/to/b", false),
        ("/way/.hidden", true),
    ] {
        let options = MountOptions { hidden, ..MountOptions::default() };
        namespace.mount(&path(at), Tree::new(Execution::Inline, PATHS), options).unwrap();
    }
    namespace
}

#[test]
fn a_bind_of_a_way_to_mounts_shows_each_of_them_below_the_target() {
    let namespace = ways();
    let bound = namespace.bind(&path("/way"), &path("/dst")).unwrap();
    assert_eq!((bound.path(), bound.options().source.as_str()), (&path("/dst"), "/way"));
    let table = namespace.table();
    for (origin, shown) in
        [("/way/a", "/dst/a"), ("/way/a/dir/inner", "/dst/a/dir/inner"), ("/way/to/b", "/dst/to/b")]
    {
        let [origin, shown] = [origin, shown].map(path).map(|at| table.place(&at).unwrap());
        let (origin, shown) = (table.mount_at(origin).unwrap(), table.mount_at(shown).unwrap());
        assert_eq!((origin.origin(), origin.root()), (shown.origin(), shown.root()));
        assert_ne!(origin.id(), shown.id(), "a mount of its own, so that EXDEV and EBUSY are decided for it");
    }
    assert_eq!(table.place(&path("/dst/.hidden")), None);
    assert!(table.mount_at(table.place(&path("/dst/to")).unwrap()).is_none(), "it is but a way again");
}

#[test]
fn the_directory_that_stands_for_a_way_is_empty_and_read_only() {
    let namespace = ways();
    let bound = namespace.bind(&path("/way"), &path("/dst")).unwrap();
    let (provider, call) = (bound.provider(), Call::by(Caller::ROOT));
    let attr = provider.getattr(&call, bound.root(), None).unwrap();
    assert_eq!((attr.kind, attr.permissions), (fs9_sdk::FileType::Directory, 0o555));
    let name = Name::new(b"a").unwrap();
    assert_eq!(provider.lookup(&call, bound.root(), name).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(provider.mkdir(&call, bound.root(), name, 0o777).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert!(bound.capabilities().read_only);
}

#[test]
fn a_bind_of_a_way_goes_as_it_came_and_leaves_its_source() {
    let namespace = ways();
    let before = namespace.table().mounts().count();
    namespace.bind(&path("/way"), &path("/dst")).unwrap();
    assert_eq!(namespace.unmount(&path("/dst"), false).unwrap_err().kind(), ErrorKind::Busy);
    namespace.unmount(&path("/dst"), true).unwrap();
    assert_eq!((namespace.table().mounts().count(), namespace.table().place(&path("/dst"))), (before, None));
}

#[test]
fn a_bind_of_a_way_may_lie_in_it_and_be_bound_again() {
    let namespace = ways();
    namespace.bind(&path("/way"), &path("/way/again")).unwrap();
    namespace.bind(&path("/way/to"), &path("/way/again/more")).unwrap();
    let table = namespace.table();
    for at in ["/way/again/to/b", "/way/again/a/dir/inner", "/way/again/more/b"] {
        assert!(table.place(&path(at)).is_some_and(|place| table.mount_at(place).is_some()), "{at}");
    }
    assert_eq!(table.place(&path("/way/again/again")), None);
}

#[test]
fn a_bind_of_a_way_appears_whole_or_not_at_all() {
    let namespace = ways();
    namespace.mount(&path("/dst/to/b"), Tree::new(Execution::Inline, &[]), MountOptions::default()).unwrap();
    let before = namespace.table().mounts().count();
    let refused = namespace.bind(&path("/way"), &path("/dst")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert!(refused.to_string().contains("/dst/to/b"), "{refused}");
    assert_eq!(namespace.table().mounts().count(), before);
}

#[test]
fn listeners_are_told_of_each_mount_of_a_bind_with_the_entry_that_shows_it() {
    let (namespace, told) = (ways(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&told);
    namespace.on_change(Box::new(move |change| {
        if let NamespaceChange::Mounted { mount, entry: Some(ChangedEntry { name, .. }) } = change {
            log.lock().unwrap().push((mount.path().to_string(), String::from_utf8(name.clone()).unwrap()));
        }
    }));
    namespace.bind(&path("/way"), &path("/dst")).unwrap();
    let mut told = told.lock().unwrap().clone();
    told.sort();
    let expected = [("/dst", "dst"), ("/dst/a", "a"), ("/dst/a/dir/inner", "dir"), ("/dst/to/b", "to")];
    assert_eq!(told, expected.map(|(at, name)| (at.to_owned(), name.to_owned())));
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

#[test]
fn what_is_hidden_is_not_shown_by_a_bind() {
    let namespace = ways();
    let error = namespace.bind(&path("/way/.hidden"), &path("/dst")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPermitted);
    assert!(namespace.table().place(&path("/dst")).is_none());
}

/// Symptom: a few binds of a way into itself filled the memory. Cause: each shows again all that the ones before show,
/// so that the number of mounts doubles, without a bound. Fix: a namespace has at most so many mounts.
#[test]
fn binds_of_a_way_into_itself_end_at_the_bound_and_leave_what_is_there() {
    let namespace = ways();
    let bind = |index: usize| namespace.bind(&path("/way"), &path(&format!("/way/again{index}")));
    let refused = (0..17).find_map(|index| bind(index).err()).unwrap();
    assert_eq!(refused.kind(), ErrorKind::NoSpace, "{refused}");
    let before = namespace.table().mounts().count();
    assert!(before <= 1 << 17, "{before}");
    bind(99).unwrap_err();
    assert_eq!(namespace.table().mounts().count(), before);
    let tree = Tree::new(Execution::Inline, &[]);
    namespace.mount(&path("/other"), tree, MountOptions::default()).unwrap();
}
