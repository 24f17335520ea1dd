//! What an operation answers, in a form in which two file systems can be compared.

use fs9_sdk::{ErrorKind, FileType};

/// Times up to this second were set by an operation; later ones come from the clock (2005-03-18).
const SET_UNTIL: i64 = 1_111_111_111;

/// The attributes that two file systems must agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) kind: FileType,
    pub(super) permissions: u16,
    pub(super) nlink: u32,
    pub(super) owner: (u32, u32),
    /// `None` for directories, whose size is the file system's affair.
    pub(super) size: Option<u64>,
    /// The modification time if an operation set it, else that it comes from the clock.
    pub(super) mtime: Option<(i64, u32)>,
    /// Device and inode number; not compared as such, but as a pattern of equal ones.
    pub(super) id: Id,
}

/// An identity that compares as equal to every other: the numbers of two file systems differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id(pub(super) u64, pub(super) u64);

impl PartialEq for Id {
    fn eq(&self, _: &Id) -> bool {
        true
    }
}

impl Eq for Id {}

/// Returns a modification time in the form in which it is compared.
pub(super) fn comparable_time(seconds: i64, nanoseconds: u32) -> Option<(i64, u32)> {
    (seconds <= SET_UNTIL).then_some((seconds, nanoseconds))
}

/// What an operation answers.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Count(u64),
    Bytes(Vec<u8>),
    Stat(Stat),
    /// Both times, as they were just set; `None` for now.
    Times(Option<(i64, u32)>, Option<(i64, u32)>),
    Names(Vec<(Vec<u8>, FileType)>),
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Done => f.write_str("done"),
            Answer::Count(count) => write!(f, "{count}"),
            Answer::Bytes(bytes) => write!(f, "{}", Runs(bytes)),
            Answer::Stat(stat) => stat.fmt(f),
            Answer::Times(atime, mtime) => write!(f, "atime {atime:?}, mtime {mtime:?}"),
            Answer::Names(names) => {
                let shown = names.iter().map(|(name, kind)| (name.escape_ascii().to_string(), kind));
                f.debug_list().entries(shown).finish()
            }
        }
    }
}

/// Bytes, written as runs of equal ones: contents are long and regular.
pub(super) struct Runs<'a>(pub(super) &'a [u8]);

impl std::fmt::Display for Runs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes:", self.0.len())?;
        for run in self.0.chunk_by(|a, b| a == b).take(20) {
            write!(f, " {}x{:02x}", run.len(), run[0])?;
        }
        Ok(())
    }
}

/// The result of an operation: an answer or an errno.
pub(super) type Outcome = Result<Answer, ErrorKind>;

/// One object of a tree that is compared at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The path, with its names escaped.
    pub(super) path: String,
    pub(super) stat: Stat,
    /// Content of a file or target of a link.
    pub(super) content: Answer,
    /// Extended attributes by name.
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Returns the error with which opening what is no regular file is refused, so that both sides agree on it
/// without trying: opening a pipe may wait, a device may answer anything.
pub(super) const fn refusal_to_open(kind: FileType) -> Option<ErrorKind> {
    match kind {
        FileType::Regular => None,
        FileType::Directory => Some(ErrorKind::IsADirectory),
        FileType::Symlink => Some(ErrorKind::TooManySymlinks),
        _ => Some(ErrorKind::NoSuchDeviceOrAddress),
    }
}

/// Returns the errors of changes that a system call refuses by type before a file system is asked.
pub(super) const fn refusal_to_truncate(kind: FileType) -> Option<ErrorKind> {
    match kind {
        FileType::Regular => None,
        FileType::Directory => Some(ErrorKind::IsADirectory),
        _ => Some(ErrorKind::InvalidArgument),
    }
}

/// Returns the attribute name of a number.
pub(super) fn xattr_name(number: u8) -> Vec<u8> {
    format!("user.model-{number}").into_bytes()
}

/// One of two file systems that do the same.
pub(super) trait Driver {
    /// Does one operation.
    fn apply(&mut self, operation: &super::operation::Operation) -> Outcome;

    /// Returns the whole tree, sorted by path.
    fn tree(&mut self) -> Result<Vec<Item>, ErrorKind>;
}
