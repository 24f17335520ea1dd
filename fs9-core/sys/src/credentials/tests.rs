//! The identity of a thread, seen by what the kernel makes of it. Each test runs on a thread of its own, since an
//! identity stays with its thread.

use super::{Identity, act_as, can_switch, prepare_request_thread, with_fsetid};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

fn on_a_thread_of_its_own(test: impl FnOnce(&Path) + Send + 'static) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    std::thread::spawn(move || test(&path)).join().unwrap();
}

fn user(uid: u32) -> Identity<'static> {
    Identity { uid, gid: uid + 1, groups: None, umask: Some(0o027) }
}

fn make(path: &Path) -> std::fs::Metadata {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o666)
        .open(path)
        .unwrap()
        .metadata()
        .unwrap()
}

#[test]
fn what_is_made_belongs_to_the_one_acted_for_under_their_umask() {
    on_a_thread_of_its_own(|dir| {
        let made = act_as(&user(1234), || make(&dir.join("a"))).unwrap();
        assert_eq!(made.mode() & 0o777, 0o640);
        if can_switch() {
            assert_eq!((made.uid(), made.gid()), (1234, 1235));
            // The directory is root's and 0700: capabilities outlive the switch.
            prepare_request_thread().unwrap();
            let mine = make(&dir.join("b"));
            assert_eq!((mine.uid(), mine.gid(), mine.mode() & 0o777), (0, 0, 0o600));
        }
    });
}

#[test]
fn a_panic_leaves_an_identity_that_the_next_request_replaces() {
    on_a_thread_of_its_own(|dir| {
        let caught = std::panic::catch_unwind(|| act_as(&user(7), || panic!("as asked for")));
        assert!(caught.is_err());
        let made = act_as(&user(8), || make(&dir.join("a"))).unwrap();
        assert!(!can_switch() || (made.uid(), made.gid()) == (8, 9));
    });
}

#[test]
fn other_threads_keep_their_identity_and_umask() {
    on_a_thread_of_its_own(|dir| {
        act_as(&user(99), || {
            let other = dir.join("other");
            let made = std::thread::spawn(move || {
                prepare_request_thread().unwrap();
                make(&other)
            });
            let made = made.join().unwrap();
            assert_eq!(made.mode() & 0o777, 0o600);
            assert_ne!(made.uid(), 99);
        })
        .unwrap();
    });
}

#[test]
fn a_write_strips_privileges_unless_they_are_to_be_kept() {
    on_a_thread_of_its_own(|dir| {
        if !can_switch() {
            return;
        }
        prepare_request_thread().unwrap();
        let path = dir.join("suid");
        std::fs::write(&path, b"x").unwrap();
        let mode = || std::fs::metadata(&path).unwrap().mode() & 0o7777;
        let set = || std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o6755)).unwrap();
        set();
        with_fsetid(|| std::fs::write(&path, b"y")).unwrap().unwrap();
        assert_eq!(mode(), 0o6755);
        std::fs::write(&path, b"y").unwrap();
        assert_eq!(mode(), 0o755);

        set();
        let caught = std::panic::catch_unwind(|| with_fsetid(|| panic!("as asked for")));
        assert!(caught.is_err());
        std::fs::write(&path, b"z").unwrap();
        assert_eq!(mode(), 0o755, "the capability is gone after a panic");
    });
}

#[test]
fn supplementary_groups_last_for_one_call() {
    on_a_thread_of_its_own(|_| {
        if !can_switch() {
            return;
        }
        let groups = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap().to_owned();
            line.split_whitespace().map(|group| group.parse().unwrap()).collect::<Vec<u32>>()
        };
        let member = Identity { groups: Some(&[5, 6]), ..user(1) };
        assert_eq!(act_as(&member, groups).unwrap(), [5, 6]);
        assert_eq!(act_as(&user(1), groups).unwrap(), []);
    });
}

#[test]
fn an_identity_that_nobody_has_is_refused_before_anything_runs() {
    on_a_thread_of_its_own(|_| {
        if can_switch() {
            let last = Identity { gid: 1, ..user(u32::MAX - 1) };
            assert!(act_as(&last, || ()).is_ok());
            let nobody = Identity { uid: u32::MAX, ..last };
            let refused: std::io::Result<()> = act_as(&nobody, || panic!("must not run"));
            assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EPERM));
        }
    });
}
