//! What the doctor found: one fact a line, with what to do about it. The JSON form is what scripts rely on: fields are
//! added, not changed.

use crate::fault::one_line;
use serde::Serialize;

/// How a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Something that would help is not there or not turned on; mounts work without it.
    Off,
    /// Something is wrong.
    Problem,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) state: State,
    /// What it is about, in one word.
    pub(super) topic: &'static str,
    /// What was found, and how it is known where there are several ways.
    pub(super) text: String,
    /// What to do.
    pub(super) advice: Option<String>,
    /// Nothing can be mounted because of it.
    pub(super) stops_mounting: bool,
}

impl Finding {
    fn new(state: State, topic: &'static str, text: impl Into<String>) -> Finding {
        Finding { state, topic, text: text.into(), advice: None, stops_mounting: false }
    }

    /// Returns a fact that is as it should be.
    pub(super) fn ok(topic: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(State::Ok, topic, text)
    }

    /// Returns a fact that leaves something out.
    pub(super) fn off(topic: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(State::Off, topic, text)
    }

    /// Returns a fact that is wrong, but stops no mount.
    pub(super) fn problem(topic: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(State::Problem, topic, text)
    }

    /// Returns a fact that stops every mount.
    pub(super) fn stopper(topic: &'static str, text: impl Into<String>) -> Finding {
        Finding { stops_mounting: true, ..Finding::problem(topic, text) }
    }

    /// Adds what to do.
    pub(super) fn advise(self, advice: impl Into<String>) -> Finding {
        Finding { advice: Some(advice.into()), ..self }
    }

    /// Returns the line for people.
    pub(super) fn line(&self) -> String {
        let state = match self.state {
            State::Ok => "ok",
            State::Off => "off",
            State::Problem => "problem",
        };
        let advice = self.advice.as_ref().map(|advice| format!(": {advice}")).unwrap_or_default();
        one_line(&format!("{state:<8} {}: {}{advice}", self.topic, self.text))
    }
}

/// All that was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The version of this command.
    pub(super) version: &'static str,
    /// Whether nothing that was found stops a mount.
    pub(super) can_mount: bool,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    /// Returns what these findings amount to.
    pub(super) fn of(findings: Vec<Finding>) -> Report {
        let can_mount = !findings.iter().any(|finding| finding.stops_mounting);
        Report { version: env!("CARGO_PKG_VERSION"), can_mount, findings }
    }

    /// Returns the page for people.
    pub(super) fn page(&self) -> String {
        let lines: String = self.findings.iter().map(|finding| finding.line() + "\n").collect();
        let stoppers: Vec<&str> =
            self.findings.iter().filter(|it| it.stops_mounting).map(|finding| finding.topic).collect();
        match stoppers.as_slice() {
            [] => lines + "a mount would work\n",
            topics => lines + &format!("no mount would work: {}\n", topics.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Report};

    #[test]
    fn a_finding_is_one_line_with_what_to_do() {
        let finding = Finding::off("fuse-io-uring", "turned\noff").advise("turn it on");
        assert_eq!(finding.line(), "off      fuse-io-uring: turned\\noff: turn it on");
        assert_eq!(Finding::ok("kernel", "Linux").line(), "ok       kernel: Linux");
    }

    #[test]
    fn only_what_stops_a_mount_makes_the_answer_no() {
        let (stale, device) = (Finding::problem("mount", "dead"), Finding::stopper("device", "missing"));
        let report = Report::of(vec![stale.clone(), Finding::off("passthrough", "x")]);
        assert!(report.can_mount && report.page().ends_with("\na mount would work\n"));
        let report = Report::of(vec![stale, device]);
        assert!(!report.can_mount && report.page().ends_with("\nno mount would work: device\n"));
    }
}
