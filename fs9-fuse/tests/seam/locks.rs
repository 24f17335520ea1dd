//! Locks that the provider keeps: waits hold nobody up, and every lock ends with its owner.

use crate::kernel::{Kernel, local, memory};
use crate::requests::{File, Wanted, serve, wait_until};
use crate::slow::{Hangs, slow};
use fs9_core::MountOptions;
use fs9_core::layers::{Intent, Interceptor, Layered};
use fs9_fuse::{Answer, FuseOptions, Locks, Operation};
use fs9_sdk::LockFamily::{Flock, Range};
use fs9_sdk::LockKind::{Read, Unlock, Write};
use fs9_sdk::{
    Call, ErrorKind, FileLock, LOCK_END, LockOwner, OpenTraits, Operation as Kind, Provider, Result,
};
use std::sync::Arc;

const WRITE: Wanted = (Write, Range, false);
const WRITE_WAIT: Wanted = (Write, Range, true);
const UNLOCK: Wanted = (Unlock, Range, false);

fn kernel_of(provider: Arc<dyn Provider>) -> Kernel {
    let options = FuseOptions { locks: Locks::Provider, ..FuseOptions::default() };
    serve(provider, MountOptions::default(), options)
}

fn ready() -> (Kernel, File) {
    let kernel = kernel_of(memory());
    let (file, _) = kernel.create_open("f");
    (kernel, file)
}

/// Returns whether an owner could have a lock, and leaves things as they were.
fn is_free(kernel: &Kernel, file: File, owner: u64, (kind, family, _): Wanted) -> bool {
    let free = kernel.lock(file, owner, (kind, family, false)).answer().is_ok();
    if free {
        assert!(kernel.lock(file, owner, (Unlock, family, false)).is_done());
    }
    free
}

#[test]
fn a_wait_does_not_hold_up_the_thread_that_brings_requests() {
    let (kernel, file) = ready();
    assert!(kernel.lock(file, 1, WRITE_WAIT).is_done());
    assert_eq!(kernel.frontend.requests_in_flight(), 0);
    let waits: Vec<_> = (2..10).map(|owner| (owner, kernel.lock(file, owner, WRITE_WAIT))).collect();
    assert!(kernel.reading(file).answer().is_ok());
    assert_eq!(kernel.lock(file, 99, WRITE).refusal(), Some(ErrorKind::WouldBlock));
    assert!(waits.iter().all(|(_, wait)| wait.waits()));
    assert_eq!(kernel.frontend.requests_in_flight(), 8);
    kernel.flushing(file, 1).answer().unwrap();
    // Each has it in its turn, and no other before it is given back.
    let left = std::cell::RefCell::new(waits);
    wait_until(|| {
        left.borrow_mut().retain(|(owner, wait)| {
            let waits = wait.waits();
            if !waits {
                assert!(!is_free(&kernel, file, 99, WRITE));
                assert!(kernel.lock(file, *owner, UNLOCK).is_done());
            }
            waits
        });
        left.borrow().is_empty()
    });
    assert!(is_free(&kernel, file, 99, WRITE));
}

#[test]
fn an_interrupted_wait_is_eintr_and_has_taken_nothing() {
    let (kernel, file) = ready();
    for family in [Range, Flock] {
        assert!(kernel.lock(file, 1, (Read, family, false)).is_done());
        let wait = kernel.lock(file, 2, (Write, family, true));
        assert!(wait.waits());
        kernel.frontend.interrupt(wait.id);
        assert_eq!(wait.refusal(), Some(ErrorKind::Interrupted));
        assert!(kernel.lock(file, 1, (Unlock, family, false)).is_done());
        kernel.settle();
        assert!(is_free(&kernel, file, 3, (Write, family, false)));
    }
}

#[test]
fn a_process_that_closes_any_descriptor_of_a_file_loses_its_locks_on_it() {
    let (kernel, file) = ready();
    let other = kernel.open_again(file);
    let part = |kind, start, end| FileLock { kind, start, end, pid: 4711 };
    assert!(kernel.lock_range(file, 1, part(Write, 0, 9), (Range, false)).is_done());
    assert!(kernel.lock_range(file, 2, part(Read, 20, 29), (Range, false)).is_done());
    assert!(kernel.lock(file, 1, (Write, Flock, false)).is_done());
    kernel.flushing(other, 1).answer().unwrap();
    let probe = |start, end| {
        let (owner, lock) = (LockOwner(3), part(Write, start, end));
        match kernel.root(file.ino, Operation::Getlk { handle: file.handle, owner, lock }) {
            Ok(Answer::Lock(lock)) => (lock.kind, lock.start, lock.end, lock.pid),
            other => panic!("getlk: {:?}", other.err()),
        }
    };
    assert_eq!(probe(0, 9), (Unlock, 0, 9, 4711));
    assert_eq!(probe(0, LOCK_END), (Read, 20, 29, 4711));
    assert!(!is_free(&kernel, file, 3, (Read, Flock, false)));
}

#[test]
fn locks_of_an_open_file_end_with_it() {
    let (kernel, file) = ready();
    let (other, third) = (kernel.open_again(file), kernel.open_again(file));
    // As `F_OFD_SETLK` does: the owner is the open file, and no flush comes for it.
    assert!(kernel.lock(other, 77, WRITE).is_done());
    assert!(kernel.lock(third, 78, (Write, Flock, false)).is_done());
    kernel.flushing(other, 1).answer().unwrap();
    assert!(!is_free(&kernel, file, 2, WRITE));
    kernel.close(other, None);
    assert!(is_free(&kernel, file, 2, WRITE));
    assert!(!is_free(&kernel, file, 2, (Read, Flock, false)));
    kernel.close(third, Some(78));
    assert!(is_free(&kernel, file, 2, (Write, Flock, false)));
}

#[test]
fn a_lock_taken_through_a_second_descriptor_outlives_the_release_of_the_first() {
    let (kernel, file) = ready();
    let first = kernel.open_again(file);
    assert!(kernel.lock(first, 1, WRITE).is_done());
    kernel.flushing(first, 1).answer().unwrap();
    let second = kernel.open_again(file);
    assert!(kernel.lock(second, 1, WRITE).is_done());
    kernel.close(first, None);
    assert!(!is_free(&kernel, file, 2, WRITE));
}

#[test]
fn an_unlock_never_waits() {
    let (kernel, file) = ready();
    assert!(kernel.lock(file, 1, (Write, Flock, false)).is_done());
    // `flock(fd, LOCK_UN)` comes with the wish to wait.
    assert!(kernel.lock(file, 2, (Unlock, Flock, true)).is_done());
    assert!(kernel.lock(file, 1, (Unlock, Flock, true)).is_done());
    assert!(is_free(&kernel, file, 2, (Write, Flock, false)));
    assert_eq!(kernel.frontend.requests_in_flight(), 0);
}

#[test]
fn impossible_ranges_are_einval() {
    let (kernel, file) = ready();
    for (start, end) in [(1, 0), (0, LOCK_END + 1), (u64::MAX, u64::MAX)] {
        let lock = FileLock { kind: Write, start, end, pid: 1 };
        for wait in [false, true] {
            let refused = kernel.lock_range(file, 1, lock, (Range, wait)).refusal();
            assert_eq!(refused, Some(ErrorKind::InvalidArgument));
        }
    }
}

#[test]
fn the_end_of_the_mount_ends_all_waits() {
    let (provider, gate) = slow(memory(), Kind::Setlk, Hangs::Before);
    let kernel = kernel_of(provider);
    let (file, _) = kernel.create_open("f");
    assert!(kernel.lock(file, 1, WRITE).is_done());
    let waits: Vec<_> = (2..6).map(|owner| kernel.lock(file, owner, WRITE_WAIT)).collect();
    // One that comes to its thread after the end finds no open file there.
    wait_until(|| gate.0.begun() == 5);
    kernel.frontend.tear_down();
    assert!(waits.iter().all(|wait| wait.refusal() == Some(ErrorKind::Interrupted)));
    kernel.settle();
}

#[test]
fn whatever_is_interrupted_when_no_lock_is_lost_and_none_is_left() {
    let (kernel, file) = ready();
    let held = std::sync::atomic::AtomicU32::new(0);
    let order = std::sync::atomic::Ordering::SeqCst;
    let outcomes = std::thread::scope(|scope| {
        let process = |owner: u64| {
            let (kernel, held) = (&kernel, &held);
            move || {
                let (mut had, mut interrupted) = (0, 0);
                for round in 0..150 {
                    let wait = kernel.lock(file, owner, WRITE_WAIT);
                    for _ in 0..(owner * 37 + round * 11) % 200 {
                        std::hint::spin_loop();
                    }
                    if (owner + round).is_multiple_of(2) {
                        kernel.frontend.interrupt(wait.id);
                    }
                    match wait.refusal() {
                        None => {
                            assert_eq!(held.fetch_add(1, order), 0, "two have the lock");
                            held.fetch_sub(1, order);
                            had += 1;
                            assert!(kernel.lock(file, owner, UNLOCK).is_done());
                        }
                        Some(ErrorKind::Interrupted) => interrupted += 1,
                        Some(other) => panic!("{other:?}"),
                    }
                }
                (had, interrupted)
            }
        };
        let processes: Vec<_> = (1..=6).map(|owner| scope.spawn(process(owner))).collect();
        processes.into_iter().map(|process| process.join().unwrap()).collect::<Vec<(u32, u32)>>()
    });
    assert!(outcomes.iter().all(|&(had, interrupted)| had >= 75 && had + interrupted == 150), "{outcomes:?}");
    kernel.settle();
    assert!(is_free(&kernel, file, 99, WRITE));
}

#[test]
fn waits_for_a_provider_that_may_block_leave_its_threads_to_others() {
    let (provider, gate) = slow(memory(), Kind::Readlink, Hangs::Before);
    let options = FuseOptions { locks: Locks::Provider, ..FuseOptions::default() };
    let mount = MountOptions { threads_max: 1, ..MountOptions::default() };
    let kernel = serve(provider, mount, options);
    let (file, _) = kernel.create_open("f");
    assert!(kernel.lock(file, 1, WRITE).is_done());
    let waits: Vec<_> = (2..20).map(|owner| kernel.lock(file, owner, WRITE_WAIT)).collect();
    assert!(kernel.reading(file).answer().is_ok());
    waits.iter().for_each(|wait| kernel.frontend.interrupt(wait.id));
    assert!(waits.iter().all(|wait| wait.refusal() == Some(ErrorKind::Interrupted)));
    kernel.flushing(file, 1).answer().unwrap();
    assert!(is_free(&kernel, file, 99, WRITE));
    drop(gate);
}

#[test]
fn a_lock_that_was_granted_when_nobody_waited_any_more_is_given_back() {
    let (provider, gate) = slow(memory(), Kind::Setlk, Hangs::After);
    let kernel = kernel_of(provider);
    let (file, _) = kernel.create_open("f");
    gate.0.close();
    let taken = kernel.lock(file, 1, WRITE);
    gate.0.wait_for(1);
    kernel.frontend.interrupt(taken.id);
    assert_eq!(taken.refusal(), Some(ErrorKind::Interrupted));
    gate.0.open();
    wait_until(|| is_free(&kernel, file, 2, WRITE));
}

/// A provider that keeps no locks.
struct Lockless;

impl Interceptor for Lockless {
    fn call<T>(&self, intent: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        match intent.operation {
            Kind::Getlk | Kind::Setlk => Err(ErrorKind::NotImplemented.into()),
            _ => forward(),
        }
    }
}

#[test]
fn a_provider_without_locks_has_none_to_give() {
    let kernel = kernel_of(Arc::new(Layered::new(memory(), Lockless)));
    let (file, _) = kernel.create_open("f");
    for family in [Range, Flock] {
        for wait in [false, true] {
            let refused = kernel.lock(file, 1, (Write, family, wait)).refusal();
            assert_eq!(refused, Some(ErrorKind::NoLocks));
        }
    }
    kernel.flushing(file, 1).answer().unwrap();
    kernel.close(file, Some(1));
}

#[test]
fn files_are_flushed_when_locks_end_with_it() {
    for locks in [Locks::Kernel, Locks::Provider] {
        let place = tempfile::tempdir().unwrap();
        let options = FuseOptions { locks, ..FuseOptions::default() };
        let kernel = serve(local(place.path()), MountOptions::default(), options);
        let (_, opened) = kernel.create_open("f");
        assert_eq!(opened.traits.contains(OpenTraits::NO_FLUSH), locks == Locks::Kernel);
    }
}
