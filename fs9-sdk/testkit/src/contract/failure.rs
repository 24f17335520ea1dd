//! What a case of the suite answers when a promise is broken.

use std::fmt;
use std::panic::Location;

/// The result of a case.
pub(crate) type Outcome = Result<(), Failure>;

/// A broken promise: what was seen, and where in the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    location: Option<&'static Location<'static>>,
}

impl Failure {
    /// Returns a failure of this line of the suite.
    #[track_caller]
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), location: Some(Location::caller()) }
    }

    /// Returns a failure that has no line: a panic, a case that does not end.
    pub(crate) fn without_place(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), location: None }
    }
}

impl From<fs9_sdk::Error> for Failure {
    #[track_caller]
    fn from(error: fs9_sdk::Error) -> Failure {
        Failure::new(format!("unexpected error: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location {
            Some(place) => write!(f, "{} ({}:{})", self.message, place.file(), place.line()),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Failure {}

/// Ends a case with a failure unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::contract::Failure::new(format!($($message)+)));
        }
    };
}

/// Ends a case with a failure unless two values are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($message:tt)+) => {{
        let (left, right) = (&$left, &$right);
        if left != right {
            let message = format!($($message)+);
            return Err($crate::contract::Failure::new(format!("{message}: got {left:?}, expected {right:?}")));
        }
    }};
}

pub(crate) use {ensure, ensure_eq};

/// Fails unless a result is an error of one of these kinds.
#[track_caller]
pub(crate) fn refused<T>(
    result: fs9_sdk::Result<T>,
    kinds: &[fs9_sdk::ErrorKind],
    what: &str,
) -> Result<(), Failure> {
    let expected = || kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ");
    match result {
        Ok(_) => Err(Failure::new(format!("{what}: succeeded, expected {}", expected()))),
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        Err(error) => Err(Failure::new(format!("{what}: got {error}, expected {}", expected()))),
    }
}
