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

/// A lock on a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileLock {
    /// What it allows others.
    pub kind: LockKind,
    /// The first byte.
    pub start: u64,
    /// The last byte, inclusive; `i64::MAX` for the end of the file, however far it moves.
    pub end: u64,
    /// The process that holds it, 0 if unknown.
    pub pid: u32,
}
