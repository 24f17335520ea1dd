//! The documentation of `getlk` and `setlk`: whom locks keep out, how ranges split and merge, and how waits end.

use super::failure::{Outcome, ensure, ensure_eq, refused};
use super::session::{ROOT, Session};
use fs9_sdk::LockKind::{self, Read, Unlock, Write};
use fs9_sdk::{
    Call, Cancellation, Deadline, ErrorKind, FileLock, LOCK_END, LockFamily, LockOwner, OpenFlags, OpenNode,
    Result, SetLock,
};
use std::time::{Duration, Instant};

const ONE: LockOwner = LockOwner(0x1111_1111_1111_1111);
const TWO: LockOwner = LockOwner(0x2222_2222_2222_2222);
const THREE: LockOwner = LockOwner(u64::MAX);

/// Who is kept out is told this.
const BUSY: &[ErrorKind] = &[ErrorKind::WouldBlock];

/// Enough for a thread to begin to wait. If it has not, the case checks less, and fails no less rightly.
const SETTLE: Duration = Duration::from_millis(20);

/// How long the end of a wait may take: far more than it does, less than a case may take.
const WAIT_END_MAX: Duration = Duration::from_secs(5);

/// A range of bytes, or a whole file.
type Span = (u64, u64);

const ALL: Span = (0, LOCK_END);

fn lock(kind: LockKind, (start, end): Span) -> FileLock {
    FileLock { kind, start, end, pid: std::process::id() }
}

fn change(owner: LockOwner, kind: LockKind, span: Span, family: LockFamily) -> SetLock {
    SetLock { owner, lock: lock(kind, span), family, wait: false }
}

/// Returns the lock on a whole file that the waiting owner wants.
fn wait_for(family: LockFamily) -> SetLock {
    SetLock { wait: true, ..change(TWO, Write, ALL, family) }
}

fn set(s: &Session<'_>, file: OpenNode, owner: LockOwner, kind: LockKind, span: Span) -> Result<()> {
    s.provider.setlk(&s.call, file, change(owner, kind, span, LockFamily::Range))
}

fn flock(s: &Session<'_>, file: OpenNode, owner: LockOwner, kind: LockKind) -> Result<()> {
    s.provider.setlk(&s.call, file, change(owner, kind, ALL, LockFamily::Flock))
}

/// Returns kind and range of what keeps an owner from a write lock.
fn in_the_way(s: &Session<'_>, file: OpenNode, owner: LockOwner, span: Span) -> Result<(LockKind, u64, u64)> {
    let found = s.provider.getlk(&s.call, file, owner, lock(Write, span))?;
    Ok((found.kind, found.start, found.end))
}

fn open(s: &Session<'_>) -> Result<OpenNode> {
    Ok(s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?.1)
}

/// Gives everything back, as the end of a case, so that nothing of it is left in the system.
fn end(s: &Session<'_>, file: OpenNode) -> Outcome {
    for owner in [ONE, TWO, THREE] {
        for family in [LockFamily::Range, LockFamily::Flock] {
            s.provider.setlk(&s.call, file, SetLock::unlock_all(owner, family))?;
        }
    }
    s.release(file);
    Ok(())
}

pub(super) fn write_locks_keep_others_out_and_read_locks_are_shared(s: &Session<'_>) -> Outcome {
    ensure!(s.provider.capabilities().locks, "locks are kept, but the capabilities do not say so");
    let file = open(s)?;
    set(s, file, ONE, Write, (10, 19))?;
    refused(set(s, file, TWO, Write, (19, 19)), BUSY, "write lock of a byte that is write-locked")?;
    refused(set(s, file, TWO, Read, (0, LOCK_END)), BUSY, "read lock over a write lock")?;
    set(s, file, TWO, Write, (0, 9))?;
    set(s, file, TWO, Read, (20, LOCK_END))?;
    set(s, file, ONE, Read, (100, 100))?;
    set(s, file, THREE, Read, (50, 200))?;
    refused(set(s, file, ONE, Write, (100, 100)), BUSY, "write lock of a byte that others share")?;
    end(s, file)
}

pub(super) fn getlk_tells_the_first_lock_in_the_way(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    ensure_eq!(in_the_way(s, file, ONE, (5, 9))?, (Unlock, 5, 9), "a lock that could be taken");
    set(s, file, ONE, Read, (10, 19))?;
    set(s, file, ONE, Write, (40, LOCK_END))?;
    ensure_eq!(in_the_way(s, file, ONE, ALL)?.0, Unlock, "own locks in the own way");
    ensure_eq!(in_the_way(s, file, TWO, ALL)?, (Read, 10, 19), "the first lock in the way");
    ensure_eq!(in_the_way(s, file, TWO, (20, 60))?, (Write, 40, LOCK_END), "a lock to the end");
    ensure_eq!(in_the_way(s, file, TWO, (20, 39))?.0, Unlock, "a gap");
    let found = s.provider.getlk(&s.call, file, TWO, lock(Read, ALL))?;
    ensure_eq!((found.kind, found.start), (Write, 40), "what keeps a reader out");
    ensure_eq!(found.pid, std::process::id(), "the process that holds it");
    end(s, file)
}

pub(super) fn an_unlock_of_a_part_leaves_the_rest(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    set(s, file, ONE, Write, ALL)?;
    set(s, file, ONE, Unlock, (100, 199))?;
    ensure_eq!(in_the_way(s, file, TWO, ALL)?, (Write, 0, 99), "what is left before the gap");
    ensure_eq!(in_the_way(s, file, TWO, (100, LOCK_END))?, (Write, 200, LOCK_END), "what is left behind");
    set(s, file, TWO, Write, (100, 199))?;
    refused(set(s, file, TWO, Write, (99, 99)), BUSY, "the byte before the gap")?;
    refused(set(s, file, TWO, Write, (200, 200)), BUSY, "the byte behind the gap")?;
    set(s, file, TWO, Unlock, ALL)?;
    set(s, file, ONE, Write, (100, 199))?;
    ensure_eq!(in_the_way(s, file, TWO, ALL)?, (Write, 0, LOCK_END), "what has merged again");
    end(s, file)
}

pub(super) fn an_owner_changes_the_kind_of_its_locks(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    set(s, file, ONE, Read, (0, 99))?;
    set(s, file, ONE, Write, (0, 99))?;
    refused(set(s, file, TWO, Read, (50, 50)), BUSY, "read lock of what became write-locked")?;
    set(s, file, ONE, Read, (40, 59))?;
    set(s, file, TWO, Read, (50, 50))?;
    refused(set(s, file, TWO, Read, (39, 39)), BUSY, "what stayed write-locked")?;
    refused(set(s, file, ONE, Write, (40, 59)), BUSY, "back to a write lock, though somebody reads")?;
    refused(set(s, file, TWO, Write, (59, 59)), BUSY, "a refused change lost the read lock")?;
    set(s, file, TWO, Unlock, ALL)?;
    set(s, file, ONE, Write, (40, 59))?;
    ensure_eq!(in_the_way(s, file, TWO, ALL)?, (Write, 0, 99), "what has merged");
    end(s, file)
}

pub(super) fn a_lock_belongs_to_its_owner_through_whichever_handle(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    let other = s.open(file.node, OpenFlags::READ_WRITE)?;
    set(s, file, ONE, Write, (0, 9))?;
    set(s, other, ONE, Write, (5, 14))?;
    refused(set(s, file, TWO, Write, (14, 14)), BUSY, "another owner, through the handle of the first")?;
    let reader = s.open(file.node, OpenFlags::empty())?;
    set(s, reader, ONE, Read, (20, 29))?;
    set(s, other, ONE, Write, (25, 25))?;
    refused(set(s, file, TWO, Read, (25, 25)), BUSY, "what a reader's owner locked through a writer")?;
    refused(set(s, file, TWO, Write, (29, 29)), BUSY, "what was locked through a reader")?;
    s.release(reader);
    set(s, other, ONE, Unlock, (0, 9))?;
    set(s, file, TWO, Write, (0, 9))?;
    refused(set(s, file, TWO, Write, (10, 14)), BUSY, "what was not given back")?;
    s.release(other);
    end(s, file)
}

pub(super) fn giving_everything_back_ends_the_locks_of_one_owner(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    set(s, file, ONE, Write, (0, 9))?;
    set(s, file, ONE, Read, (20, 29))?;
    set(s, file, TWO, Write, (40, 49))?;
    flock(s, file, ONE, Write)?;
    for _ in 0..2 {
        s.provider.setlk(&s.call, file, SetLock::unlock_all(ONE, LockFamily::Range))?;
    }
    set(s, file, THREE, Write, (0, 39))?;
    refused(set(s, file, THREE, Write, (40, 40)), BUSY, "the lock of another owner")?;
    refused(flock(s, file, THREE, Read), BUSY, "the lock of the other family")?;
    end(s, file)
}

pub(super) fn files_are_locked_one_by_one(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    let (_, other) = s.create(ROOT, "g", 0o644, OpenFlags::READ_WRITE)?;
    set(s, file, ONE, Write, ALL)?;
    flock(s, file, ONE, Write)?;
    set(s, other, TWO, Write, ALL)?;
    flock(s, other, TWO, Write)?;
    refused(set(s, other, ONE, Read, (0, 0)), BUSY, "the first owner in the second file")?;
    end(s, other)?;
    refused(set(s, file, TWO, Read, (0, 0)), BUSY, "the second owner in the first file")?;
    end(s, file)
}

pub(super) fn locks_on_whole_files_keep_others_out_and_can_be_changed(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    let other = s.open(file.node, OpenFlags::empty())?;
    flock(s, file, ONE, Write)?;
    refused(flock(s, other, TWO, Read), BUSY, "shared beside exclusive")?;
    flock(s, file, ONE, Read)?;
    flock(s, other, TWO, Read)?;
    refused(flock(s, other, TWO, Write), BUSY, "exclusive beside shared")?;
    flock(s, other, TWO, Unlock)?;
    flock(s, file, ONE, Write)?;
    flock(s, file, ONE, Unlock)?;
    flock(s, other, TWO, Write)?;
    s.release(other);
    end(s, file)
}

pub(super) fn the_two_families_do_not_see_each_other(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    set(s, file, ONE, Write, ALL)?;
    flock(s, file, TWO, Write)?;
    ensure_eq!(in_the_way(s, file, ONE, ALL)?.0, Unlock, "a lock on the file in the way of a range");
    refused(flock(s, file, ONE, Read), BUSY, "the own range is no lock on the file")?;
    refused(set(s, file, TWO, Read, (0, 0)), BUSY, "the own lock on the file is none on a range")?;
    flock(s, file, TWO, Unlock)?;
    refused(set(s, file, TWO, Read, (0, 0)), BUSY, "the range after the lock on the file is gone")?;
    end(s, file)
}

/// Waits for a lock on another thread while `meanwhile` is done, and returns how that ended. It fails if it does not.
fn wait_during(
    s: &Session<'_>,
    file: OpenNode,
    (family, call): (LockFamily, &Call),
    meanwhile: impl FnOnce() -> Result<()>,
) -> std::result::Result<Result<()>, super::failure::Failure> {
    let provider = s.provider;
    std::thread::scope(|scope| {
        let waiter = scope.spawn(move || provider.setlk(call, file, wait_for(family)));
        std::thread::sleep(SETTLE);
        ensure!(!waiter.is_finished(), "a wait has ended though the lock is held");
        let begin = Instant::now();
        meanwhile()?;
        let ended = waiter.join();
        ensure!(begin.elapsed() < WAIT_END_MAX, "a wait went on for {:?}", begin.elapsed());
        ended.map_err(|_| super::failure::Failure::new("the wait panicked"))
    })
}

fn waiting(s: &Session<'_>) -> Call {
    Call { deadline: Deadline::Wait, cancellation: Cancellation::new(), ..s.call.clone() }
}

pub(super) fn a_wait_ends_when_the_lock_is_free(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    for family in [LockFamily::Range, LockFamily::Flock] {
        let first = |kind| s.provider.setlk(&s.call, file, change(ONE, kind, ALL, family));
        first(Write)?;
        let give_back = || first(Unlock);
        wait_during(s, file, (family, &waiting(s)), give_back)??;
        refused(first(Read), BUSY, "a lock that somebody has waited for")?;
        s.provider.setlk(&s.call, file, SetLock::unlock_all(TWO, family))?;
    }
    // Without anything to wait for.
    s.provider.setlk(&waiting(s), file, wait_for(LockFamily::Range))?;
    end(s, file)
}

pub(super) fn a_cancelled_wait_is_eintr_and_takes_nothing(s: &Session<'_>) -> Outcome {
    let file = open(s)?;
    for family in [LockFamily::Range, LockFamily::Flock] {
        let by = |owner, kind| s.provider.setlk(&s.call, file, change(owner, kind, ALL, family));
        by(ONE, Read)?;
        let call = waiting(s);
        let cancel = || {
            call.cancellation.cancel();
            Ok(())
        };
        let ended = wait_during(s, file, (family, &call), cancel)?;
        refused(ended, &[ErrorKind::Interrupted], "a cancelled wait")?;
        let again = s.provider.setlk(&call, file, wait_for(family));
        refused(again, &[ErrorKind::Interrupted], "a wait that was cancelled before")?;
        by(THREE, Read)?;
        by(ONE, Unlock)?;
        by(THREE, Write)?;
        by(THREE, Unlock)?;
    }
    end(s, file)
}
