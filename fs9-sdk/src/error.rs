//! What went wrong: kind, operation, place and cause.
//!
//! Invariant: an error of which only the kind is known costs no allocation, since a missing name is an everyday
//! answer.

use crate::ErrorKind;
use std::fmt;

/// The result of every operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Anything that can stand as the cause of an error.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error with an errno, and as much of its story as is known.
pub struct Error {
    kind: ErrorKind,
    story: Option<Box<Story>>,
}

/// The part of an error that people read.
#[derive(Default)]
struct Story {
    operation: Option<&'static str>,
    place: Option<String>,
    cause: Option<Cause>,
}

impl Error {
    /// Returns an error of this kind without a story.
    pub const fn new(kind: ErrorKind) -> Error {
        Error { kind, story: None }
    }

    /// Returns the error of a positive errno number; numbers that Linux does not define become `EIO`.
    pub fn from_errno(errno: i32) -> Error {
        Error::new(ErrorKind::from_errno(errno).unwrap_or(ErrorKind::Io))
    }

    /// Adds what was being done, as in "open" or "read configuration".
    #[must_use]
    pub fn during(mut self, operation: &'static str) -> Error {
        self.story_mut().operation = Some(operation);
        self
    }

    /// Adds where it happened: a path, a name, a key.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Error {
        self.story_mut().place = Some(place.to_string());
        self
    }

    /// Adds what caused it: another error, or a sentence.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Cause>) -> Error {
        self.story_mut().cause = Some(cause.into());
        self
    }

    /// Returns the kind.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns where it happened, if that is known.
    pub fn place(&self) -> Option<&str> {
        self.story.as_ref()?.place.as_deref()
    }

    /// Returns the positive errno number.
    pub const fn errno(&self) -> i32 {
        self.kind.errno()
    }

    fn story_mut(&mut self) -> &mut Story {
        self.story.get_or_insert_default()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Error {
        Error::new(kind)
    }
}

impl From<std::io::Error> for Error {
    fn from(cause: std::io::Error) -> Error {
        match cause.raw_os_error() {
            Some(errno) => Error::from_errno(errno),
            None => Error::new(kind_of(&cause)).because(cause),
        }
    }
}

/// Returns the nearest errno of an I/O error that did not come from the system.
fn kind_of(error: &std::io::Error) -> ErrorKind {
    match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
        std::io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        std::io::ErrorKind::InvalidInput => ErrorKind::InvalidArgument,
        std::io::ErrorKind::TimedOut => ErrorKind::TimedOut,
        std::io::ErrorKind::Interrupted => ErrorKind::Interrupted,
        std::io::ErrorKind::WouldBlock => ErrorKind::WouldBlock,
        std::io::ErrorKind::Unsupported => ErrorKind::NotSupported,
        std::io::ErrorKind::OutOfMemory => ErrorKind::OutOfMemory,
        _ => ErrorKind::Io,
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> std::io::Error {
        std::io::Error::from_raw_os_error(error.errno())
    }
}

impl fmt::Display for Error {
    /// Writes `operation place: what went wrong: cause`, leaving out what is unknown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(story) = &self.story else {
            return self.kind.fmt(f);
        };
        match (story.operation, &story.place) {
            (Some(operation), Some(place)) => write!(f, "{operation} {place}: ")?,
            (Some(operation), None) => write!(f, "{operation}: ")?,
            (None, Some(place)) => write!(f, "{place}: ")?,
            (None, None) => {}
        }
        self.kind.fmt(f)?;
        match &story.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let cause = self.story.as_ref()?.cause.as_ref()?;
        Some(cause.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::Error;
    use crate::ErrorKind;

    #[test]
    fn an_error_tells_operation_place_kind_and_cause() {
        let error = Error::new(ErrorKind::NotFound).during("open").at("/etc/x").because("no such backing");
        assert_eq!(error.place(), Some("/etc/x"));
        assert_eq!(error.to_string(), "open /etc/x: no such file or directory (ENOENT): no such backing");
        assert_eq!(Error::new(ErrorKind::Busy).to_string(), "device or resource busy (EBUSY)");
    }

    #[test]
    fn an_unknown_errno_becomes_an_io_error() {
        assert_eq!(Error::from_errno(99_999).kind(), ErrorKind::Io);
        assert_eq!(Error::from_errno(-2).kind(), ErrorKind::Io);
    }

    #[test]
    fn the_errno_of_a_system_error_is_kept() {
        let error: Error = std::io::Error::from_raw_os_error(28).into();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
    }

    #[test]
    fn an_error_is_no_larger_than_two_words() {
        assert!(size_of::<Error>() <= 2 * size_of::<usize>());
    }
}
