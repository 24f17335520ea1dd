//! What ends a command early: one line for people, one number for scripts.
//!
//! The line is `fs9: WHAT: WHERE: WHAT IS WRONG AND WHAT TO DO`. The numbers are those of `mount(8)`, "EXIT STATUS".

use std::fmt;
use std::process::ExitCode;

/// The result of a command.
pub(crate) type Outcome<T> = std::result::Result<T, Fault>;

/// An exit status of `mount(8)`; its numbers may be added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    /// Wrong invocation or no permission.
    Usage = 1,
    /// The system refused something that is no mount: memory, a fork, a pipe.
    System = 2,
    /// A bug in fs9.
    Internal = 4,
    /// The user interrupted.
    Interrupted = 8,
    /// Nothing was mounted, or nothing was unmounted.
    MountFailed = 32,
    /// Some of several succeeded.
    SomeSucceeded = 64,
}

impl Status {
    /// Returns the status with this number.
    pub(crate) fn from_number(number: u8) -> Option<Status> {
        use Status::{Internal, Interrupted, MountFailed, SomeSucceeded, System, Usage};
        [Usage, System, Internal, Interrupted, MountFailed, SomeSucceeded]
            .into_iter()
            .find(|s| *s as u8 == number)
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Fault {
    status: Status,
    message: String,
    is_told: bool,
}

impl Fault {
    /// Returns a fault with a message of the form `what: where: what is wrong and what to do`.
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Fault {
        Fault { status, message: message.into(), is_told: false }
    }

    /// Returns a fault of the invocation.
    pub(crate) fn usage(message: impl Into<String>) -> Fault {
        Fault::new(Status::Usage, message)
    }

    /// Returns a fault that left nothing mounted, or left mounted what should go.
    pub(crate) fn mount(message: impl Into<String>) -> Fault {
        Fault::new(Status::MountFailed, message)
    }

    /// Returns a fault that another process has already told the user.
    pub(crate) fn told(status: Status) -> Fault {
        Fault { status, message: String::new(), is_told: true }
    }

    /// Returns the exit status.
    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// Writes the line to standard error, unless it was told before, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.is_told {
            tell(&self.message);
        }
        ExitCode::from(self.status as u8)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Writes one line to standard error, with our name before it. Control characters in names cannot forge a second.
pub(crate) fn tell(message: &str) {
    use std::io::Write as _;
    // Standard error may be closed, and there is nobody else to tell.
    let _ignored = writeln!(std::io::stderr(), "fs9: {}", without_numbers(&one_line(message)));
}

/// Returns the message without the ` (os error 2)` that Rust adds to what the system says.
fn without_numbers(message: &str) -> String {
    let mut parts = message.split(" (os error ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(')'));
    }
    plain
}

/// Returns the message with its control characters escaped.
pub(crate) fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Status, one_line, without_numbers};

    #[test]
    fn a_name_cannot_forge_a_second_line() {
        assert_eq!(one_line("mount: a\nfs9: all is well"), "mount: a\\nfs9: all is well");
    }

    #[test]
    fn numbers_of_the_system_are_left_out() {
        assert_eq!(without_numbers("a: gone (os error 2): b (os error 13)"), "a: gone: b");
        assert_eq!(without_numbers("all is well"), "all is well");
    }

    #[test]
    fn a_status_survives_the_pipe_as_a_number() {
        assert_eq!(Status::from_number(Status::MountFailed as u8), Some(Status::MountFailed));
        assert_eq!(Status::from_number(3), None);
    }
}
