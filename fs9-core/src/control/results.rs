//! The last result of each user's commands.
//!
//! Invariants: a command that ended is not told otherwise later; at most [`USERS_MAX`] users are remembered; the one whose last command is longest ago is forgotten first.

use fs9_sdk::{Error, ErrorKind};
use std::collections::VecDeque;

/// Users whose results are kept. Only the daemon's own user and root may write commands, so that this is plenty.
const USERS_MAX: usize = 16;

/// Tells a command from others. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Command(u64);

/// What a user's last command gave.
#[derive(Debug)]
struct Last {
    uid: u32,
    command: Command,
    has_ended: bool,
    line: Vec<u8>,
}

/// The last result of each user, the latest first.
#[derive(Debug, Default)]
pub(super) struct Results {
    last: VecDeque<Last>,
    begun: u64,
}

impl Results {
    /// Notes that a user's command begins. Until it ends or its writer is let go, `ctl` says what it said before.
    pub(super) fn begin(&mut self, uid: u32) -> Command {
        self.begun += 1;
        let command = Command(self.begun);
        let known = self.last.iter().position(|last| last.uid == uid).and_then(|at| self.last.remove(at));
        let line = known.map(|last| last.line).unwrap_or_default();
        self.last.truncate(USERS_MAX - 1);
        self.last.push_front(Last { uid, command, has_ended: false, line });
        command
    }

    /// Notes that the writer of a command that has not ended was told this.
    pub(super) fn let_go(&mut self, command: Command, told: ErrorKind) {
        if let Some(last) = self.last_of(command) {
            let why = "the command goes on: what becomes of it is told here";
            last.line = line_of(&Err(Error::new(told).because(why)));
        }
    }

    /// Notes how a command ended, unless its user has given another one since. `told` is what its writer was told before.
    pub(super) fn end(&mut self, command: Command, result: &Result<String, Error>, told: Option<ErrorKind>) {
        let Some(last) = self.last_of(command) else { return };
        last.has_ended = true;
        last.line = match (result, told) {
            (Ok(text), Some(told)) => {
                line_of(&Ok(format!("{text}, after the writer was told {}", told.name())))
            }
            _ => line_of(result),
        };
    }

    fn last_of(&mut self, command: Command) -> Option<&mut Last> {
        self.last.iter_mut().find(|last| last.command == command && !last.has_ended)
    }

    /// Returns what a user's last command gave, as reading `ctl` tells it.
    pub(super) fn of(&self, uid: u32) -> &[u8] {
        self.last.iter().find(|last| last.uid == uid).map_or(&[], |last| &last.line)
    }
}

fn line_of(result: &Result<String, Error>) -> Vec<u8> {
    let (status, text) = match result {
        Ok(text) => ("ok", text.clone()),
        Err(error) => (error.kind().name(), error.to_string()),
    };
    // The answer is a sentence, not a name: its spaces stay, and only what would break the line is changed.
    let text = text.trim_end().replace(['\n', '\t'], " ");
    let field = if text.is_empty() { "-" } else { &text };
    format!("{status}\t{field}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Results, USERS_MAX};
    use fs9_sdk::{Error, ErrorKind, Result};

    fn run(results: &mut Results, uid: u32, result: Result<String>) {
        let command = results.begin(uid);
        results.end(command, &result, None);
    }

    #[test]
    fn each_user_sees_the_own_last_result() {
        let mut results = Results::default();
        run(&mut results, 1, Ok("mounted".into()));
        run(&mut results, 2, Err(Error::new(ErrorKind::Busy).during("mount").at("/a\nb")));
        run(&mut results, 1, Ok(String::new()));
        assert_eq!(results.of(1), b"ok\t-\n");
        assert_eq!(results.of(2), b"EBUSY\tmount /a b: device or resource busy (EBUSY)\n");
        assert_eq!(results.of(3), b"");
    }

    #[test]
    fn the_users_that_are_remembered_are_bounded() {
        let mut results = Results::default();
        (0..100).for_each(|uid| run(&mut results, uid, Ok("x".into())));
        assert_eq!(results.last.len(), USERS_MAX);
        assert!(results.of(0).is_empty() && !results.of(99).is_empty());
    }

    #[test]
    fn what_ends_late_does_not_replace_the_result_of_a_later_command() {
        let mut results = Results::default();
        let late = results.begin(1);
        results.let_go(late, ErrorKind::Interrupted);
        run(&mut results, 1, Ok("second".into()));
        results.end(late, &Ok("first".into()), Some(ErrorKind::Interrupted));
        assert_eq!(results.of(1), b"ok\tsecond\n");
        let quick = results.begin(1);
        results.end(quick, &Ok("third".into()), None);
        results.let_go(quick, ErrorKind::Interrupted);
        assert_eq!(results.of(1), b"ok\tthird\n", "it had ended by then");
    }
}
