//! Locks on ranges of files, and on whole files.

/// Who holds or wants a lock: processes that share an open file table, or an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockOwner(pub u64);

/// What a lock allows others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// Others may hold read locks on the range (`F_RDLCK`, `LOCK_SH`).
    Read,
    /// Nobody else may hold a lock on the range (`F_WRLCK`, `LOCK_EX`).
    Write,
    /// None is held (`F_UNLCK`, `LOCK_UN`).
    Unlock,
}

/// Which of the two families of locks is meant. They do not see each other (`flock(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockFamily {
    /// Locks on ranges of bytes (`fcntl(2)`).
    Range,
    /// Locks on whole files that belong to an open file (`flock(2)`).
    Flock,
}

/// The last byte of a range that reaches to the end of the file, however far it moves.
pub const LOCK_END: u64 = i64::MAX as u64;

/// A lock on a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileLock {
    /// What it allows others.
    pub kind: LockKind,
    /// The first byte.
    pub start: u64,
    /// The last byte, inclusive; [`LOCK_END`] for the end of the file, however far it moves.
    pub end: u64,
    /// The process that holds it, 0 if unknown.
    pub pid: u32,
}

/// A lock that is to be taken, changed or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SetLock {
    /// Who wants it.
    pub owner: LockOwner,
    /// The lock, for those on whole files with the whole range.
    pub lock: FileLock,
    /// Of which family it is.
    pub family: LockFamily,
    /// Wait until it can be taken.
    pub wait: bool,
}

impl SetLock {
    /// Returns what gives back every lock of one family that an owner has on a file.
    pub const fn unlock_all(owner: LockOwner, family: LockFamily) -> SetLock {
        let lock = FileLock { kind: LockKind::Unlock, start: 0, end: LOCK_END, pid: 0 };
        SetLock { owner, lock, family, wait: false }
    }
}
