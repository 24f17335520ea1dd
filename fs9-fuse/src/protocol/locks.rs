//! Locks as the protocol carries them: the fields of `fcntl(2)`, with the last byte instead of a length.

use super::malformed::Fault;
use super::wire::WireLock;
use fs9_sdk::{FileLock, LockKind};

/// Each kind with its number in `fcntl(2)`: `F_RDLCK`, `F_WRLCK`, `F_UNLCK`.
const KINDS: [(LockKind, u32); 3] = [(LockKind::Read, 0), (LockKind::Write, 1), (LockKind::Unlock, 2)];

/// Reads a lock.
pub(super) fn from_wire(lock: WireLock) -> Result<FileLock, Fault> {
    let WireLock { start, end, kind, pid } = lock;
    if start > end {
        return Err(Fault::value("the lock ends before it begins"));
    }
    let kind = KINDS.iter().find(|(_, number)| *number == kind).map(|(kind, _)| *kind);
    Ok(FileLock { kind: kind.ok_or(Fault::value("the lock is of no kind"))?, start, end, pid })
}

/// Writes a lock. The kernel takes a lock beyond the largest offset for an error of the file system.
pub(super) fn to_wire(lock: &FileLock) -> WireLock {
    let last = i64::MAX as u64;
    let end = lock.end.min(last);
    let kind = KINDS.iter().find(|(kind, _)| *kind == lock.kind).map_or(0, |(_, number)| *number);
    WireLock { start: lock.start.min(end), end, kind, pid: lock.pid }
}
