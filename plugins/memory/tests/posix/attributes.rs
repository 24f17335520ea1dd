//! Ownership, permissions, privileges and times.

use crate::session::{ROOT, Session, name};
use fs9_memory::MemoryOptions;
use fs9_sdk::{
    Attr, Call, Caller, FallocateMode, NodeId, OpenFlags, Place, Provider, RenameFlags, SetAttr, SetTime,
    Timestamp, WriteOptions, XattrFlags,
};

const LONG_AGO: Timestamp = Timestamp { seconds: 1_000_000, nanoseconds: 123_456_789 };

/// Sets all three times back and returns the attributes; only ctime cannot be chosen.
fn age(s: &Session, node: NodeId) -> Attr {
    let then = Some(SetTime::At(LONG_AGO));
    s.set(node, SetAttr { atime: then, mtime: then, ..SetAttr::default() })
}

/// Which of mtime and ctime an action moves on, as the letters `m` and `c`.
fn moved_by(s: &Session, node: NodeId, action: impl FnOnce()) -> String {
    let before = age(s, node);
    action();
    let after = s.attr(node);
    let letter = |moved: bool, letter: &str| if moved { letter.to_owned() } else { String::new() };
    letter(after.mtime != before.mtime, "m") + &letter(after.ctime != before.ctime, "c")
}

#[test]
fn new_objects_belong_to_their_maker_and_obey_the_umask() {
    let s = Session::new();
    let file = s.attr(s.touch(ROOT, "f"));
    assert_eq!((file.uid, file.gid, file.permissions, file.nlink), (1000, 1000, 0o644, 1));
    let dir = s.attr(s.mkdir(ROOT, "d"));
    assert_eq!((dir.uid, dir.gid, dir.permissions, dir.nlink), (1000, 1000, 0o755, 2));
    assert_eq!(s.attr(ROOT).nlink, 3);
}

#[test]
fn the_root_is_as_the_options_say() {
    let options =
        MemoryOptions { root_permissions: 0o1777, root_uid: 5, root_gid: 6, ..MemoryOptions::default() };
    let root = Session::with(options).attr(ROOT);
    assert_eq!((root.permissions, root.uid, root.gid), (0o1777, 5, 6));
}

#[test]
fn a_setgid_directory_passes_on_its_group() {
    let s = Session::new();
    let dir = s.mkdir(ROOT, "d");
    s.set(dir, SetAttr { gid: Some(50), permissions: Some(0o2775), ..SetAttr::default() });
    let sub = s.attr(s.mkdir(dir, "sub"));
    assert_eq!((sub.gid, sub.permissions), (50, 0o2755));
    let place = Place { parent: dir, name: name("f") };
    let (file, _) = s.provider.create(&s.call, place, 0o2775, OpenFlags::READ_WRITE).unwrap();
    assert_eq!((file.attr.gid, file.attr.permissions), (50, 0o755), "setgid for a foreign group");
    let member = Call::by(Caller { gid: 50, ..s.call.caller });
    let place = Place { parent: dir, name: name("g") };
    let (file, _) = s.provider.create(&member, place, 0o2775, OpenFlags::READ_WRITE).unwrap();
    assert_eq!(file.attr.permissions, 0o2755);
    let told = Call::by(Caller { parent_group: Some(50), ..s.call.caller });
    let place = Place { parent: dir, name: name("h") };
    let (file, _) = s.provider.create(&told, place, 0o2775, OpenFlags::READ_WRITE).unwrap();
    assert_eq!(file.attr.permissions, 0o2755, "the kernel told that the caller is a member");
}

#[test]
fn changes_of_attributes_move_ctime_only() {
    let s = Session::new();
    let file = s.touch(ROOT, "f");
    assert_eq!(moved_by(&s, file, || s.chmod(file, 0o600)), "c");
    let owner = SetAttr { uid: Some(7), gid: Some(8), ..SetAttr::default() };
    assert_eq!(
        moved_by(&s, file, || {
            s.set(file, owner);
        }),
        "c"
    );
    let set = || s.provider.setxattr(&s.call, file, b"user.a", b"1", XattrFlags::empty()).unwrap();
    assert_eq!(moved_by(&s, file, set), "c");
    let remove = || s.provider.removexattr(&s.call, file, b"user.a").unwrap();
    assert_eq!(moved_by(&s, file, remove), "c");
    assert_eq!(
        moved_by(&s, file, || {
            s.set(file, SetAttr::default());
        }),
        ""
    );
}

#[test]
fn changes_of_data_move_both_times() {
    let s = Session::new();
    let file = s.create(ROOT, "f");
    let node = file.node;
    assert_eq!(
        moved_by(&s, node, || {
            s.write(file, 0, b"x").unwrap();
        }),
        "mc"
    );
    assert_eq!(
        moved_by(&s, node, || {
            s.write(file, 0, b"").unwrap();
        }),
        ""
    );
    let size = |size| SetAttr { size: Some(size), ..SetAttr::default() };
    assert_eq!(
        moved_by(&s, node, || {
            s.set(node, size(9));
        }),
        "mc"
    );
    assert_eq!(
        moved_by(&s, node, || {
            s.set(node, size(9));
        }),
        ""
    );
    let open = || {
        s.open(node, OpenFlags::READ_WRITE | OpenFlags::TRUNCATE);
    };
    assert_eq!(moved_by(&s, node, open), "mc");
    let reserve = || s.provider.fallocate(&s.call, file, FallocateMode::empty(), 0, 9).unwrap();
    assert_eq!(moved_by(&s, node, reserve), "mc");
    assert_eq!(
        moved_by(&s, node, || {
            s.create(ROOT, "f");
        }),
        ""
    );
}

#[test]
fn changes_of_entries_move_the_times_of_their_directory() {
    let s = Session::new();
    let (dir, other) = (s.mkdir(ROOT, "d"), s.mkdir(ROOT, "o"));
    let file = s.touch(ROOT, "f");
    let moves = |action: &dyn Fn()| moved_by(&s, dir, action);
    assert_eq!(
        moves(&|| {
            s.touch(dir, "a");
        }),
        "mc"
    );
    assert_eq!(
        moves(&|| {
            s.mkdir(dir, "b");
        }),
        "mc"
    );
    assert_eq!(
        moves(&|| {
            s.provider.symlink(&s.call, dir, name("c"), b"t").unwrap();
        }),
        "mc"
    );
    assert_eq!(
        moves(&|| {
            s.provider.link(&s.call, file, dir, name("l")).unwrap();
        }),
        "mc"
    );
    assert_eq!(moves(&|| s.unlink(dir, "l").unwrap()), "mc");
    assert_eq!(moves(&|| s.rmdir(dir, "b").unwrap()), "mc");
    assert_eq!(moves(&|| s.rename((dir, "a"), (other, "a"), RenameFlags::empty()).unwrap()), "mc");
    assert_eq!(moves(&|| s.rename((other, "a"), (dir, "a"), RenameFlags::empty()).unwrap()), "mc");
    assert_eq!(moves(&|| assert!(s.unlink(dir, "absent").is_err())), "");
}

#[test]
fn changes_of_names_move_ctime_of_the_object() {
    let s = Session::new();
    let (file, victim, dir) = (s.touch(ROOT, "f"), s.touch(ROOT, "v"), s.mkdir(ROOT, "d"));
    let rename = |from, to| s.rename((ROOT, from), (ROOT, to), RenameFlags::empty()).unwrap();
    assert_eq!(
        moved_by(&s, file, || {
            s.provider.link(&s.call, file, ROOT, name("l")).unwrap();
        }),
        "c"
    );
    assert_eq!(moved_by(&s, file, || s.unlink(ROOT, "l").unwrap()), "c");
    assert_eq!(moved_by(&s, victim, || rename("f", "v")), "c");
    assert_eq!(moved_by(&s, file, || rename("v", "w")), "c");
    assert_eq!(moved_by(&s, dir, || rename("d", "e")), "c");
    assert_eq!(moved_by(&s, dir, || s.rmdir(ROOT, "e").unwrap()), "c");
}

#[test]
fn reading_moves_atime_as_relatime_does() {
    let s = Session::new();
    let file = s.create(ROOT, "f");
    s.write(file, 0, b"x").unwrap();
    let fresh = |node| s.attr(node).atime;
    age(&s, file.node);
    s.read(file, 0, 1);
    let first = fresh(file.node);
    assert_ne!(first, LONG_AGO);
    s.read(file, 0, 1);
    assert_eq!(fresh(file.node), first, "a second read within a day leaves it");
    age(&s, file.node);
    s.read(s.open(file.node, OpenFlags::NOATIME), 0, 1);
    assert_eq!(fresh(file.node), LONG_AGO);
    let link = s.provider.symlink(&s.call, ROOT, name("l"), b"t").unwrap().node;
    age(&s, link);
    s.provider.readlink(&s.call, link).unwrap();
    assert_ne!(fresh(link), LONG_AGO);
    age(&s, ROOT);
    s.names(ROOT);
    assert_ne!(fresh(ROOT), LONG_AGO);
}

#[test]
fn noatime_leaves_access_times() {
    let s = Session::with(MemoryOptions { noatime: true, ..MemoryOptions::default() });
    let file = s.create(ROOT, "f");
    s.write(file, 0, b"x").unwrap();
    age(&s, file.node);
    s.read(file, 0, 1);
    assert_eq!(s.attr(file.node).atime, LONG_AGO);
}

#[test]
fn times_are_kept_to_the_nanosecond_far_from_now() {
    let s = Session::new();
    let file = s.touch(ROOT, "f");
    for seconds in [-1 << 40, -1, 0, 1 << 33, 1 << 40] {
        let atime = Timestamp { seconds, nanoseconds: 1 };
        let mtime = Timestamp { seconds, nanoseconds: 999_999_999 };
        let changes = SetAttr {
            atime: Some(SetTime::At(atime)),
            mtime: Some(SetTime::At(mtime)),
            ..SetAttr::default()
        };
        let attr = s.set(file, changes);
        assert_eq!((attr.atime, attr.mtime), (atime, mtime));
    }
    let now = SetAttr { mtime: Some(SetTime::Now), ..SetAttr::default() };
    let attr = s.set(file, now);
    assert_eq!(attr.mtime, attr.ctime);
    assert!(attr.btime.unwrap() <= attr.ctime);
}

#[test]
fn an_ordinary_write_strips_privileges() {
    let s = Session::new();
    let file = s.create(ROOT, "f");
    let kill = WriteOptions { kill_privileges: true, ..WriteOptions::default() };
    for (before, after) in [(0o6777, 0o777), (0o6767, 0o2767), (0o4755, 0o755), (0o1644, 0o1644)] {
        s.chmod(file.node, before);
        s.write(file, 0, b"x").unwrap();
        assert_eq!(s.attr(file.node).permissions, before, "a privileged write");
        s.provider.write(&s.call, file, 0, b"x", kill).unwrap();
        assert_eq!(s.attr(file.node).permissions, after);
    }
}

#[test]
fn truncation_and_a_new_owner_strip_privileges_if_asked() {
    let s = Session::new();
    let file = s.touch(ROOT, "f");
    let kill = SetAttr { kill_privileges: true, ..SetAttr::default() };
    for changes in [SetAttr { size: Some(0), ..kill }, SetAttr { uid: Some(9), ..kill }] {
        s.chmod(file, 0o6777);
        assert_eq!(s.set(file, changes).permissions, 0o777);
    }
    let chosen = SetAttr { uid: Some(9), permissions: Some(0o4711), ..kill };
    assert_eq!(s.set(file, chosen).permissions, 0o4711, "permissions come after the owner");
    s.chmod(file, 0o6777);
    s.open(file, OpenFlags::READ_WRITE | OpenFlags::TRUNCATE);
    assert_eq!(s.attr(file).permissions, 0o6777);
    s.open(file, OpenFlags::READ_WRITE | OpenFlags::TRUNCATE | OpenFlags::KILL_PRIVILEGES);
    assert_eq!(s.attr(file).permissions, 0o777);
    let dir = s.mkdir(ROOT, "d");
    s.chmod(dir, 0o2775);
    assert_eq!(s.set(dir, SetAttr { gid: Some(3), ..kill }).permissions, 0o2775);
}

#[test]
fn file_capabilities_do_not_survive_a_write() {
    let s = Session::new();
    let file = s.create(ROOT, "f");
    let set = || s.provider.setxattr(&s.call, file.node, b"security.capability", b"c", XattrFlags::empty());
    let left = || s.provider.getxattr(&s.call, file.node, b"security.capability").is_ok();
    let actions: [&dyn Fn(); 3] = [
        &|| {
            s.write(file, 0, b"x").unwrap();
        },
        &|| {
            s.set(file.node, SetAttr { uid: Some(1), ..SetAttr::default() });
        },
        &|| {
            s.set(file.node, SetAttr { size: Some(0), ..SetAttr::default() });
        },
    ];
    for action in actions {
        set().unwrap();
        assert!(left());
        action();
        assert!(!left());
    }
}
