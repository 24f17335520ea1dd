//! What a namespace promises: resolution, places, unmounting, listeners.

use crate::support::Tree;
use fs9_core::{ChangedEntry, Mount, MountOptions, MountTable, Namespace, NamespaceChange, PlaceId, VfsPath};
use fs9_sdk::{ErrorKind, Execution, Name};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

fn path(text: &str) -> VfsPath {
    VfsPath::parse(text.as_bytes()).unwrap()
}

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).unwrap()
}

fn mount(namespace: &Namespace, at: &str) -> Arc<Mount> {
    let options = MountOptions { source: at.to_owned(), ..MountOptions::default() };
    namespace.mount(&path(at), Tree::new(Execution::Inline, &[]), options).unwrap()
}

/// Returns where a path resolves to: the path of the mount, and the rest.
fn resolved(table: &MountTable, at: &str) -> Option<(String, String)> {
    let at = path(at);
    let (mount, rest) = table.resolve(&at)?;
    Some((mount.path().to_string(), String::from_utf8(rest.as_bytes().to_vec()).unwrap()))
}

#[test]
fn the_deepest_mount_above_a_path_serves_it() {
    let namespace = Namespace::new();
    assert_eq!(resolved(&namespace.table(), "/x"), None);
    for at in ["/a/b/c", "/", "/a"] {
        mount(&namespace, at);
    }
    let table = namespace.table();
    for (at, mount, rest) in [
        ("/", "/", ""),
        ("/x/y", "/", "x/y"),
        ("/a", "/a", ""),
        ("/ab", "/", "ab"),
        ("/a/b", "/a", "b"),
        ("/a/b/x", "/a", "b/x"),
        ("/a/b/c", "/a/b/c", ""),
        ("/a/b/c/d/e", "/a/b/c", "d/e"),
        ("/a/b/cd", "/a", "b/cd"),
    ] {
        assert_eq!(resolved(&table, at), Some((mount.into(), rest.into())), "{at}");
    }
}

#[test]
fn thousands_of_siblings_each_resolve_to_themselves_and_go_again() {
    let namespace = Namespace::new();
    mount(&namespace, "/");
    const SIBLINGS: usize = 3_000;
    for index in 0..SIBLINGS {
        mount(&namespace, &format!("/m/{index}"));
    }
    let table = namespace.table();
    for index in 0..SIBLINGS {
        let at = format!("/m/{index}");
        assert_eq!(resolved(&table, &format!("{at}/x")), Some((at, "x".into())));
    }
    assert_eq!(resolved(&table, "/m/none"), Some(("/".into(), "m/none".into())));
    let parent = table.place(&path("/m")).unwrap();
    assert_eq!((table.children(parent).count(), table.mounts().count()), (SIBLINGS, SIBLINGS + 1));
    for index in 0..SIBLINGS {
        namespace.unmount(&path(&format!("/m/{index}")), false).unwrap();
    }
    assert_eq!(namespace.table().children(PlaceId::ROOT).count(), 0);
    assert_eq!(table.children(parent).count(), SIBLINGS);
}

#[test]
fn a_path_that_has_a_mount_is_busy() {
    let namespace = Namespace::new();
    mount(&namespace, "/a");
    let again = namespace.mount(&path("/a"), Tree::new(Execution::Inline, &[]), MountOptions::default());
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(namespace.bind(&path("/a"), &path("/a")).unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(namespace.table().mounts().count(), 1);
}

#[test]
fn a_mount_hides_nothing_but_directories() {
    for execution in [Execution::Inline, Execution::MayBlock] {
        let (namespace, tree) = (Namespace::new(), Tree::new(execution, &["dir/", "dir/file", "file"]));
        namespace.mount(&path("/"), Arc::clone(&tree) as _, MountOptions::default()).unwrap();
        let mount_at = |at: &str, hidden| {
            let options = MountOptions { hidden, ..MountOptions::default() };
            namespace.mount(&path(at), Tree::new(Execution::Inline, &[]), options).map(drop)
        };
        for (at, obstacle) in [
            ("/file", "/file"),
            ("/file/x/y", "/file"),
            ("/dir/file", "/dir/file"),
            ("/dir/file/x", "/dir/file"),
        ] {
            let why = format!(
                "mount at {at}: not a directory (ENOTDIR): {obstacle} is a regular file: choose a directory or a path \
                 that does not exist"
            );
            assert_eq!(mount_at(at, false).unwrap_err().to_string(), why);
            let bound = namespace.bind(&path("/dir"), &path(at));
            assert_eq!(bound.unwrap_err().kind(), ErrorKind::NotADirectory);
        }
        tree.wait_until(|_, lookups| lookups == 0);
        for at in ["/dir", "/new/deep", "/other"] {
            mount_at(at, false).unwrap();
        }
        mount_at("/file", true).unwrap();
        tree.wait_until(|_, lookups| lookups == 0);
    }
}

#[test]
fn a_provider_that_fails_does_not_keep_others_from_being_mounted_below_it() {
    let (namespace, tree) = (Namespace::new(), Tree::new(Execution::MayBlock, &["file"]));
    let call_timeout = std::time::Duration::from_millis(30);
    let options = MountOptions { call_timeout, ..MountOptions::default() };
    namespace.mount(&path("/"), Arc::clone(&tree) as _, options).unwrap();
    tree.hang(true);
    mount(&namespace, "/new");
    tree.hang(false);
    tree.wait_until(|waiting, lookups| waiting == 0 && lookups == 0);
}

#[test]
fn every_ancestor_of_a_mount_is_a_place_with_a_name_and_a_parent() {
    let namespace = Namespace::new();
    let deep = mount(&namespace, "/a/b/c");
    let table = namespace.table();
    let mut place = table.root_place();
    for step in ["a", "b", "c"] {
        assert!(table.mount_at(place).is_none());
        let child = table.child(place, name(step)).unwrap();
        assert_eq!((table.parent(child), table.name(child)), (Some(place), Some(step.as_bytes())));
        assert_eq!(table.children(place).collect::<Vec<_>>(), [(step.as_bytes(), child)]);
        place = child;
    }
    assert_eq!(table.mount_at(place).unwrap().id(), deep.id());
    assert_eq!((table.parent(PlaceId::ROOT), table.name(PlaceId::ROOT)), (None, None));
    assert_eq!(table.child(PlaceId::ROOT, name("b")), None);
}

#[test]
fn a_place_keeps_its_number_while_it_exists_and_nobody_gets_it_afterwards() {
    let namespace = Namespace::new();
    mount(&namespace, "/a/b");
    let place = |at: &str| namespace.table().place(&path(at));
    let (a, b) = (place("/a").unwrap(), place("/a/b").unwrap());
    mount(&namespace, "/a/c");
    namespace.unmount(&path("/a/b"), false).unwrap();
    assert_eq!((place("/a"), place("/a/b")), (Some(a), None));
    namespace.unmount(&path("/a/c"), false).unwrap();
    assert_eq!(place("/a"), None);
    mount(&namespace, "/a/b");
    assert!(place("/a").unwrap() > b && place("/a/b").unwrap() > b);
    assert!(!namespace.table().contains(a) && !namespace.table().contains(b));
}

#[test]
fn a_listing_that_goes_on_over_changes_shows_what_stays_exactly_once() {
    let namespace = Namespace::new();
    for at in ["/a", "/b", "/c", "/d"] {
        mount(&namespace, at);
    }
    let first_two: Vec<_> = {
        let table = namespace.table();
        table.children(PlaceId::ROOT).take(2).map(|(name, place)| (name.to_vec(), place)).collect()
    };
    assert_eq!(first_two.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(), [b"a", b"b"]);
    namespace.unmount(&path("/a"), false).unwrap();
    namespace.unmount(&path("/b"), false).unwrap();
    mount(&namespace, "/b");
    mount(&namespace, "/0");
    let table = namespace.table();
    let rest: Vec<_> = table.children_after(PlaceId::ROOT, first_two[1].1).map(|(name, _)| name).collect();
    // The second /b is another mount point than the one that was listed.
    assert_eq!(rest, [b"c", b"d", b"b", b"0"]);
}

#[test]
fn a_table_that_was_taken_before_a_change_stays_as_it_was() {
    let namespace = Namespace::new();
    mount(&namespace, "/a");
    let before = namespace.table();
    namespace.unmount(&path("/a"), false).unwrap();
    mount(&namespace, "/b");
    assert_eq!(resolved(&before, "/a/x"), Some(("/a".into(), "x".into())));
    assert_eq!(resolved(&before, "/b"), None);
    assert_eq!(resolved(&namespace.table(), "/a/x"), None);
}

#[test]
fn unmounting_what_is_not_mounted_is_invalid() {
    let namespace = Namespace::new();
    mount(&namespace, "/a/b");
    for at in ["/", "/a", "/a/b/c", "/x"] {
        assert_eq!(
            namespace.unmount(&path(at), true).unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{at}"
        );
    }
}

#[test]
fn a_mount_in_use_or_with_mounts_below_is_busy_until_they_end() {
    let namespace = Namespace::new();
    let outer = mount(&namespace, "/a");
    mount(&namespace, "/a/x/b");
    let busy = || namespace.unmount(&path("/a"), false).unwrap_err().kind();
    assert_eq!(busy(), ErrorKind::Busy);
    namespace.unmount(&path("/a/x/b"), false).unwrap();
    let open = outer.begin_use().unwrap();
    assert_eq!(busy(), ErrorKind::Busy);
    assert!(!outer.is_detached());
    drop(open);
    assert_eq!(namespace.unmount(&path("/a"), false).unwrap().id(), outer.id());
    assert!(outer.is_detached());
}

#[test]
fn a_lazy_unmount_takes_everything_away_at_once_and_lets_uses_drain() {
    let namespace = Namespace::new();
    mount(&namespace, "/");
    let outer = mount(&namespace, "/a");
    let inner = mount(&namespace, "/a/b");
    let open = inner.begin_use().unwrap();
    namespace.unmount(&path("/a"), true).unwrap();
    assert_eq!(resolved(&namespace.table(), "/a/b"), Some(("/".into(), "a/b".into())));
    assert_eq!(namespace.table().place(&path("/a")), None);
    assert!(outer.is_detached() && inner.is_detached());
    assert_eq!(inner.begin_use().unwrap_err().kind(), ErrorKind::NoSuchDevice);
    assert_eq!((inner.uses(), open.mount().id()), (1, inner.id()));
    drop(open);
    assert_eq!(inner.uses(), 0);
    mount(&namespace, "/a");
}

#[test]
fn a_use_never_begins_on_a_mount_that_was_unmounted_as_unused() {
    for _ in 0..200 {
        let namespace = Namespace::new();
        let mounted = mount(&namespace, "/a");
        let (used, unmounted) = std::thread::scope(|scope| {
            let user = scope.spawn(|| mounted.begin_use());
            let unmounted = namespace.unmount(&path("/a"), false);
            (user.join().unwrap(), unmounted)
        });
        assert!(used.is_ok() != unmounted.is_ok(), "{used:?} {unmounted:?}");
    }
}

#[test]
fn readers_always_see_a_whole_table_while_mounts_come_and_go() {
    let namespace = Namespace::new();
    mount(&namespace, "/");
    mount(&namespace, "/stays/here");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut looks = 0_u32;
                while !done.load(Ordering::Relaxed) || looks == 0 {
                    let table = namespace.table();
                    let stays = Some(("/stays/here".into(), "x".into()));
                    assert_eq!(resolved(&table, "/stays/here/x"), stays);
                    // Both are mounted and unmounted inner last and inner first.
                    if table.place(&path("/stays/outer/inner")).is_some() {
                        assert!(table.mount_at(table.place(&path("/stays/outer")).unwrap()).is_some());
                    }
                    let parent = table.place(&path("/stays")).unwrap();
                    assert!(table.children(parent).all(|(_, place)| table.parent(place) == Some(parent)));
                    looks += 1;
                }
            });
        }
        for round in 0..2_000 {
            mount(&namespace, "/stays/outer");
            mount(&namespace, "/stays/outer/inner");
            if round % 2 == 0 {
                namespace.unmount(&path("/stays/outer/inner"), false).unwrap();
            }
            namespace.unmount(&path("/stays/outer"), true).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(namespace.table().mounts().count(), 2);
}

#[test]
fn of_two_that_mount_at_one_path_one_is_told_that_it_is_busy() {
    let namespace = Namespace::new();
    for round in 0..200 {
        let at = path(&format!("/{round}"));
        let attempt = || namespace.mount(&at, Tree::new(Execution::Inline, &[]), MountOptions::default());
        let results = std::thread::scope(|scope| {
            let other = scope.spawn(attempt);
            [attempt(), other.join().unwrap()]
        });
        let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        assert_eq!(refused.iter().map(|error| error.kind()).collect::<Vec<_>>(), [ErrorKind::Busy]);
    }
}

#[test]
fn listeners_learn_of_each_change_and_of_the_uppermost_entry_that_changed() {
    let namespace = Namespace::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    namespace.on_change(Box::new(move |change| {
        let text = |entry: &Option<ChangedEntry>| {
            entry.as_ref().map_or("/".to_owned(), |entry| String::from_utf8(entry.name.clone()).unwrap())
        };
        log.lock().unwrap().push(match change {
            NamespaceChange::Mounting(mount) => format!("mounting {}", mount.path()),
            NamespaceChange::Mounted { mount, entry } => {
                format!("mounted {} by {}", mount.path(), text(entry))
            }
            NamespaceChange::Unmounted { mount, entry } => {
                format!("unmounted {} by {}", mount.path(), text(entry))
            }
        });
    }));
    mount(&namespace, "/a/b/c");
    mount(&namespace, "/a/b");
    mount(&namespace, "/");
    namespace.unmount(&path("/a/b"), true).unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "mounting /a/b/c",
            "mounted /a/b/c by a",
            "mounting /a/b",
            "mounted /a/b by b",
            "mounting /",
            "mounted / by /",
            "unmounted /a/b by a",
            "unmounted /a/b/c by a",
        ]
    );
}

#[test]
fn a_listener_may_use_the_namespace_that_calls_it() {
    let namespace = Namespace::new();
    let weak = Arc::downgrade(&namespace);
    namespace.on_change(Box::new(move |change| {
        let namespace = weak.upgrade().unwrap();
        if let NamespaceChange::Mounted { mount: mounted, .. } = change
            && mounted.path().is_root()
        {
            mount(&namespace, "/inner");
        }
    }));
    mount(&namespace, "/");
    assert!(namespace.table().place(&path("/inner")).is_some());
}

#[test]
fn options_decide_about_layers_and_threads() {
    let namespace = Namespace::new();
    let inline = mount(&namespace, "/inline");
    assert!(inline.pool().is_none() && !inline.capabilities().read_only);
    let options = MountOptions { read_only: true, ..MountOptions::default() };
    let provider = Tree::new(Execution::MayBlock, &[]);
    let blocking = namespace.mount(&path("/blocking"), provider, options).unwrap();
    assert!(blocking.pool().is_some() && blocking.capabilities().read_only);
    assert_eq!(blocking.backing_withdrawn_by(), None);
    assert_ne!(inline.origin(), blocking.origin());
}
