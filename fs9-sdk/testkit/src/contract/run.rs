//! Runs cases, one or all, each with a provider of its own.

use super::cases::{CASES, Case};
use super::failure::{Failure, Outcome};
use super::session::Session;
use crate::{Profile, Subject};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

/// How long a case may take before it counts as hung: far beyond what the slowest takes on a busy machine.
const CASE_TIMEOUT: Duration = Duration::from_secs(60);

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The promise was kept.
    Kept,
    /// The profile lacks what the case needs.
    NotApplicable,
    /// The promise was broken.
    Broken(Failure),
}

/// How every case ended.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Name, promise and verdict of each case.
    pub verdicts: Vec<(&'static str, &'static str, Verdict)>,
}

impl Report {
    /// Returns the names of the cases that found a broken promise.
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = self.verdicts.iter().filter(|(_, _, verdict)| matches!(verdict, Verdict::Broken(_)));
        broken.map(|(name, _, _)| *name).collect()
    }

    /// Returns how many cases applied.
    pub fn applied(&self) -> usize {
        self.verdicts.iter().filter(|(_, _, verdict)| *verdict != Verdict::NotApplicable).count()
    }
}

impl fmt::Display for Report {
    /// Writes a line for each broken promise, and a sum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, promise, verdict) in &self.verdicts {
            if let Verdict::Broken(failure) = verdict {
                writeln!(f, "{name}: {promise} broken: {failure}")?;
            }
        }
        write!(
            f,
            "{} of {} cases applied, {} broken",
            self.applied(),
            self.verdicts.len(),
            self.broken().len()
        )
    }
}

/// Returns the names of all cases.
pub fn case_names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Runs the case of this name and returns how it ended, or `None` if there is no such case.
pub fn judge_case<S: Into<Subject>>(
    name: &str,
    profile: &Profile,
    factory: impl Fn() -> S,
) -> Option<Verdict> {
    let case = CASES.iter().find(|case| case.name == name)?;
    Some(judge(case, profile, &factory))
}

/// Runs every case, each with a provider from the factory.
pub fn run<S: Into<Subject>>(profile: &Profile, factory: impl Fn() -> S) -> Report {
    let verdict = |case: &'static Case| (case.name, case.promise, judge(case, profile, &factory));
    Report { verdicts: CASES.iter().map(verdict).collect() }
}

/// Runs the case of this name, for a test of the same name.
///
/// # Panics
/// If the promise is broken, or there is no such case.
pub fn run_case<S: Into<Subject>>(name: &str, profile: &Profile, factory: impl Fn() -> S) {
    let case = CASES.iter().find(|case| case.name == name);
    let Some(case) = case else { panic!("the contract suite has no case {name}") };
    if let Verdict::Broken(failure) = judge(case, profile, &factory) {
        panic!("{}: {} broken: {failure}", case.name, case.promise);
    }
}

fn judge<S: Into<Subject>>(case: &'static Case, profile: &Profile, factory: &impl Fn() -> S) -> Verdict {
    if !profile.has(case.needs) {
        return Verdict::NotApplicable;
    }
    match limited(case, profile.clone(), factory().into()) {
        Ok(()) => Verdict::Kept,
        Err(failure) => Verdict::Broken(failure),
    }
}

/// Runs a case on a thread of its own, so that one that hangs is noticed. Its thread is then left behind: there is
/// no way to end it.
fn limited(case: &'static Case, profile: Profile, subject: Subject) -> Outcome {
    let (done, outcome) = mpsc::sync_channel(1);
    let body = move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| (case.check)(&Session::new(&profile, &subject))));
        drop(subject);
        // The receiver is gone only when the time was up, and the verdict then stands.
        drop(done.send(outcome));
    };
    let thread = std::thread::Builder::new().name(case.name.to_owned()).spawn(body);
    if let Err(error) = thread {
        return Err(Failure::without_place(format!("cannot start a thread: {error}")));
    }
    match outcome.recv_timeout(CASE_TIMEOUT) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Failure::without_place("panicked (its message is above)")),
        Err(_) => Err(Failure::without_place(format!("did not end within {CASE_TIMEOUT:?}"))),
    }
}
