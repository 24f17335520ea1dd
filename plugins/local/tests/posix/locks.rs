//! Locks through the provider and locks of processes that use the source itself: each keeps the other out.

use crate::ground::{Ground, ROOT, kind as kind_of, root};
use fs9_local::{DescriptorBudget, LocalOptions};
use fs9_sdk::LockKind::{self, Read, Unlock, Write};
use fs9_sdk::{
    Call, Cancellation, Deadline, ErrorKind, FileLock, LOCK_END, LockFamily, LockOwner, OpenFlags, OpenNode,
    Provider, Result, SetLock,
};
use fs9_sys::{RangeLock, RangeLockKind, get_ofd_lock, set_ofd_lock};
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use std::fs::File;
use std::time::{Duration, Instant};

const OWNER: LockOwner = LockOwner(7);

fn set(ground: &Ground, file: OpenNode, kind: LockKind, family: LockFamily) -> Result<()> {
    let lock = FileLock { kind, start: 0, end: LOCK_END, pid: 1 };
    ground.provider.setlk(&root(), file, SetLock { owner: OWNER, lock, family, wait: false })
}

fn outside(ground: &Ground) -> File {
    File::options().read(true).write(true).open(ground.path("f")).unwrap()
}

fn range(kind: RangeLockKind) -> RangeLock {
    RangeLock { kind, start: 10, end: 19 }
}

fn busy(result: Result<()>) {
    assert_eq!(kind_of(result), Some(ErrorKind::WouldBlock));
}

#[test]
fn a_lock_through_the_provider_keeps_out_who_uses_the_source() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "f", 0o644).unwrap();
    let outside = outside(&ground);
    set(&ground, file, Write, LockFamily::Range).unwrap();
    assert!(set_ofd_lock(&outside, &range(RangeLockKind::Read)).is_err());
    // The ordinary locks of processes are kept out as well, also those of this very process.
    assert!(fcntl_lock(&outside, FlockOperation::NonBlockingLockShared).is_err());
    set(&ground, file, Read, LockFamily::Range).unwrap();
    set_ofd_lock(&outside, &range(RangeLockKind::Read)).unwrap();
    set_ofd_lock(&outside, &range(RangeLockKind::Unlock)).unwrap();
    set(&ground, file, Unlock, LockFamily::Range).unwrap();
    set_ofd_lock(&outside, &range(RangeLockKind::Write)).unwrap();

    set(&ground, file, Write, LockFamily::Flock).unwrap();
    assert!(flock(&outside, FlockOperation::NonBlockingLockShared).is_err());
    set(&ground, file, Unlock, LockFamily::Flock).unwrap();
    flock(&outside, FlockOperation::NonBlockingLockExclusive).unwrap();
}

#[test]
fn a_lock_on_the_source_keeps_out_who_uses_the_provider() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "f", 0o644).unwrap();
    let outside = outside(&ground);
    set_ofd_lock(&outside, &range(RangeLockKind::Read)).unwrap();
    flock(&outside, FlockOperation::NonBlockingLockExclusive).unwrap();
    busy(set(&ground, file, Write, LockFamily::Range));
    busy(set(&ground, file, Read, LockFamily::Flock));
    let wanted = FileLock { kind: Write, start: 0, end: LOCK_END, pid: 1 };
    let found = ground.provider.getlk(&root(), file, OWNER, wanted).unwrap();
    assert_eq!(found, FileLock { kind: Read, start: 10, end: 19, pid: 0 });
    set(&ground, file, Read, LockFamily::Range).unwrap();
    drop(outside);
    set(&ground, file, Write, LockFamily::Range).unwrap();
    set(&ground, file, Read, LockFamily::Flock).unwrap();
}

#[test]
fn a_wait_ends_when_a_process_outside_gives_its_lock_back() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "f", 0o644).unwrap();
    let outside = outside(&ground);
    set_ofd_lock(&outside, &range(RangeLockKind::Write)).unwrap();
    let lock = FileLock { kind: Write, start: 0, end: LOCK_END, pid: 1 };
    let change = SetLock { owner: OWNER, lock, family: LockFamily::Range, wait: true };
    let waiting = Call { deadline: Deadline::Wait, cancellation: Cancellation::new(), ..root() };
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| ground.provider.setlk(&waiting, file, change));
        std::thread::sleep(Duration::from_millis(30));
        assert!(!waiter.is_finished());
        let begin = Instant::now();
        drop(outside);
        waiter.join().unwrap().unwrap();
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    });
}

#[test]
fn what_a_reader_has_locked_is_never_free_while_it_becomes_a_writer() {
    let ground = Ground::new(LocalOptions::default());
    let writer = ground.create(&root(), ROOT, "f", 0o644).unwrap();
    let reader = ground.open(&root(), writer.node, OpenFlags::empty()).unwrap();
    let outside = outside(&ground);
    let part = |kind, start, end| {
        let lock = FileLock { kind, start, end, pid: 1 };
        SetLock { owner: OWNER, lock, family: LockFamily::Range, wait: false }
    };
    ground.provider.setlk(&root(), reader, part(Read, 0, 99)).unwrap();
    ground.provider.setlk(&root(), reader, part(Read, 200, 299)).unwrap();
    ground.provider.setlk(&root(), writer, part(Write, 50, 59)).unwrap();
    let seen = |start, end| {
        let wanted = RangeLock { kind: RangeLockKind::Write, start, end };
        get_ofd_lock(&outside, &wanted).unwrap().map(|(lock, _)| (lock.kind, lock.start, lock.end))
    };
    assert_eq!(seen(0, 49), Some((RangeLockKind::Read, 0, 49)));
    assert_eq!(seen(50, 50), Some((RangeLockKind::Write, 50, 59)));
    assert_eq!(seen(60, 199), Some((RangeLockKind::Read, 60, 99)));
    assert_eq!(seen(200, 999), Some((RangeLockKind::Read, 200, 299)));
}

#[test]
fn locks_count_as_open_files_and_give_them_back() {
    let descriptors = Some(DescriptorBudget { nodes: 8, open: 3 });
    let ground = Ground::new(LocalOptions { descriptors, ..LocalOptions::default() });
    let file = ground.create(&root(), ROOT, "f", 0o644).unwrap();
    let by = |owner, kind| {
        let lock = FileLock { kind, start: owner, end: owner, pid: 1 };
        let change = SetLock { owner: LockOwner(owner), lock, family: LockFamily::Range, wait: false };
        ground.provider.setlk(&root(), file, change)
    };
    for _ in 0..3 {
        by(1, Write).unwrap();
        by(2, Write).unwrap();
        assert_eq!(kind_of(by(3, Write)), Some(ErrorKind::NoLocks));
        by(1, Unlock).unwrap();
        by(3, Write).unwrap();
        by(3, Unlock).unwrap();
        by(2, Unlock).unwrap();
    }
}
