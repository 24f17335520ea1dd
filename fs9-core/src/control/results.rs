//! The last result of each user's commands.
//!
//! Invariant: at most [`USERS_MAX`] users are remembered; the one whose last command is longest ago is forgotten first.

use fs9_sdk::Error;
use std::collections::VecDeque;

/// Users whose results are kept. Only the daemon's own user and root may write commands, so that this is plenty.
const USERS_MAX: usize = 16;

/// The last result of each user, the latest first.
#[derive(Debug, Default)]
pub(super) struct Results(VecDeque<(u32, Vec<u8>)>);

impl Results {
    /// Remembers the result of a user's command.
    pub(super) fn remember(&mut self, uid: u32, result: &Result<String, Error>) {
        self.0.retain(|(user, _)| *user != uid);
        self.0.truncate(USERS_MAX - 1);
        self.0.push_front((uid, line_of(result)));
    }

    /// Returns what a user's last command gave, as reading `ctl` tells it.
    pub(super) fn of(&self, uid: u32) -> &[u8] {
        self.0.iter().find(|(user, _)| *user == uid).map_or(&[], |(_, line)| line)
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
    use fs9_sdk::{Error, ErrorKind};

    #[test]
    fn each_user_sees_the_own_last_result() {
        let mut results = Results::default();
        results.remember(1, &Ok("mounted".into()));
        results.remember(2, &Err(Error::new(ErrorKind::Busy).during("mount").at("/a\nb")));
        results.remember(1, &Ok(String::new()));
        assert_eq!(results.of(1), b"ok\t-\n");
        assert_eq!(results.of(2), b"EBUSY\tmount /a b: device or resource busy (EBUSY)\n");
        assert_eq!(results.of(3), b"");
    }

    #[test]
    fn the_users_that_are_remembered_are_bounded() {
        let mut results = Results::default();
        for uid in 0..100 {
            results.remember(uid, &Ok("x".into()));
        }
        assert_eq!(results.0.len(), USERS_MAX);
        assert!(results.of(0).is_empty() && !results.of(99).is_empty());
    }
}
