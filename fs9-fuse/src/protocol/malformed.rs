//! Messages that cannot be carried out, and why.

use crate::RequestId;
use fs9_sdk::ErrorKind;
use std::fmt;

/// A message of the kernel that does not lead to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Who waits for an answer; `None` if nobody does, or if that cannot be read.
    pub(crate) id: Option<RequestId>,
    /// What to answer: `ENOSYS` where the operation is not offered, so that the kernel does not ask again; `EIO` where the
    /// lengths are wrong; else what the system call itself would give.
    pub(crate) errno: ErrorKind,
    /// What is wrong with it.
    pub(crate) what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.errno.name())
    }
}

impl std::error::Error for Malformed {}

/// What is wrong, before it is known whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) errno: ErrorKind,
    pub(super) what: &'static str,
}

impl Fault {
    /// A length that is wrong.
    pub(super) const fn length(what: &'static str) -> Fault {
        Fault { errno: ErrorKind::Io, what }
    }

    /// A value that means nothing.
    pub(super) const fn value(what: &'static str) -> Fault {
        Fault { errno: ErrorKind::InvalidArgument, what }
    }

    /// An operation that is not offered.
    pub(super) const fn unsupported(what: &'static str) -> Fault {
        Fault { errno: ErrorKind::NotImplemented, what }
    }
}
