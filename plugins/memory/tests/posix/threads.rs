//! Many threads at once.

use crate::session::{ROOT, Session, kind, name};
use fs9_sdk::{ErrorKind, NodeId, OpenFlags, Place, Provider, RenameFlags};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const ROUNDS: usize = 5000;

/// Runs an action again and again on another thread while `main` runs.
fn meanwhile(action: impl Fn() + Sync, main: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (done, action) = (&done, &action);
        scope.spawn(move || {
            while !done.load(Ordering::Acquire) {
                action();
            }
        });
        main();
        done.store(true, Ordering::Release);
    });
}

#[test]
fn a_lookup_of_the_new_name_always_finds_the_old_or_the_new_object() {
    let s = Session::new();
    let dir = s.mkdir(ROOT, "d");
    s.touch(ROOT, "target");
    s.touch(dir, "other");
    let look = || {
        let found = s.lookup(ROOT, "target").expect("the name vanished for a moment");
        s.provider.forget(found.node, 1);
    };
    meanwhile(look, || {
        for _ in 0..ROUNDS {
            s.rename((dir, "other"), (ROOT, "target"), RenameFlags::EXCHANGE).unwrap();
            let new = s.touch(dir, "new");
            s.rename((dir, "new"), (ROOT, "target"), RenameFlags::empty()).unwrap();
            s.provider.forget(new, 1);
        }
    });
    s.unlink(ROOT, "target").unwrap();
    assert_eq!(kind(s.lookup(ROOT, "target")), ErrorKind::NotFound);
}

#[test]
fn directories_that_move_into_each_other_never_form_a_loop() {
    let s = Session::new();
    let (a, b) = (s.mkdir(ROOT, "a"), s.mkdir(ROOT, "b"));
    let swing = |from: (NodeId, &str), into: NodeId| {
        if s.rename(from, (into, "in"), RenameFlags::empty()).is_ok() {
            s.rename((into, "in"), from, RenameFlags::empty()).unwrap();
        }
    };
    meanwhile(
        || swing((ROOT, "a"), b),
        || {
            for _ in 0..ROUNDS {
                swing((ROOT, "b"), a);
            }
        },
    );
    assert_eq!(s.names(ROOT).len(), 2);
    assert_eq!([s.attr(ROOT).nlink, s.attr(a).nlink, s.attr(b).nlink], [4, 2, 2]);
}

#[test]
fn crossing_renames_of_files_do_not_deadlock_or_lose_a_file() {
    let s = Session::new();
    let (a, b) = (s.mkdir(ROOT, "a"), s.mkdir(ROOT, "b"));
    s.touch(a, "x");
    s.touch(b, "y");
    let swing = |from: (NodeId, &str), into: NodeId| {
        s.rename(from, (into, "moved"), RenameFlags::NOREPLACE).is_ok()
            && s.rename((into, "moved"), from, RenameFlags::NOREPLACE).is_ok()
    };
    meanwhile(|| assert!(swing((a, "x"), b)), || (0..ROUNDS).for_each(|_| assert!(swing((b, "y"), a))));
    assert_eq!((s.names(a), s.names(b)), (vec!["x".to_owned()], vec!["y".to_owned()]));
}

#[test]
fn parallel_creates_in_one_directory_all_succeed_once() {
    let s = Session::new();
    let won = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let s = &s;
                scope.spawn(move || {
                    let mut won = 0;
                    for i in 0..1000 {
                        s.touch(ROOT, &format!("{thread}-{i}"));
                        let place = Place { parent: ROOT, name: name("contested") };
                        let flags = OpenFlags::READ_WRITE | OpenFlags::EXCLUSIVE;
                        let made = s.provider.create(&s.call, place, 0o600, flags);
                        won += u32::from(made.is_ok());
                    }
                    won
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u32>()
    });
    assert_eq!(won, 1);
    let names: HashSet<String> = s.names(ROOT).into_iter().collect();
    assert_eq!(names.len(), 4001);
    assert_eq!(s.used().1, 4002);
}

#[test]
fn a_directory_is_never_removed_with_an_entry_in_it() {
    let s = Session::new();
    let make = || {
        if let Ok(dir) = s.lookup(ROOT, "d") {
            if s.provider.mkdir(&s.call, dir.node, name("in"), 0o700).is_ok() {
                s.rmdir(dir.node, "in").expect("an entry vanished with its directory");
            }
            s.provider.forget(dir.node, 1);
        }
    };
    meanwhile(make, || {
        for _ in 0..ROUNDS {
            let dir = s.mkdir(ROOT, "d");
            while s.rmdir(ROOT, "d").is_err() {}
            s.provider.forget(dir, 1);
        }
    });
}

#[test]
fn readers_see_each_write_whole() {
    let s = Session::new();
    let file = s.create(ROOT, "f");
    s.write(file, 0, &[0; 20_000]).unwrap();
    let look = || {
        let read = s.read(file, 0, 20_000);
        assert_eq!(read.len(), 20_000);
        assert!(read.iter().all(|&byte| byte == read[0]), "a write was seen in part");
    };
    meanwhile(look, || {
        for round in 0..ROUNDS {
            s.write(file, 0, &[round as u8; 20_000]).unwrap();
        }
    });
}

#[test]
fn unlink_and_forget_from_many_threads_give_everything_back() {
    let s = Session::new();
    thread::scope(|scope| {
        for thread in 0..4u64 {
            let s = &s;
            scope.spawn(move || {
                for i in 0..1000 {
                    let at = format!("{}", i % 7);
                    let place = Place { parent: ROOT, name: name(&at) };
                    let made = s.provider.create(&s.call, place, 0o600, OpenFlags::READ_WRITE);
                    let (entry, opened) = made.unwrap();
                    let file = fs9_sdk::OpenNode { node: entry.node, handle: opened.handle };
                    s.write(file, thread * 5000, b"data").unwrap();
                    s.unlink(ROOT, &at).ok();
                    s.provider.forget(entry.node, 1);
                    s.provider.release(file);
                }
            });
        }
    });
    for at in s.names(ROOT) {
        s.unlink(ROOT, &at).unwrap();
    }
    assert_eq!(s.used(), (0, 1));
}
