//! A reference model driven by random operations: the native file system of the machine.
//!
//! Each case does the same operations on a provider and on a real directory, and compares every answer, every errno
//! and, at the end, the whole trees. [`run_provider`] calls the provider in the process; [`run_directory`] does the
//! same through a directory of a mounted file system, so that one model serves both.
//!
//! `FS9_MODEL_CASES` and `FS9_MODEL_OPERATIONS` set the number of cases and of operations in each (512 and 50 in
//! full runs). What fails is shrunk, printed with its seed, and kept in a `.proptest-regressions` file beside the
//! test, which is tried first from then on.

mod answer;
mod compare;
mod directory;
mod in_process;
mod operation;
mod worker;

use crate::{Features, Profile, Subject};
use answer::Driver;
use directory::Directory;
use operation::Operation;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};
use std::path::Path;
use worker::Worker;

/// Cases where the environment does not say otherwise: a few seconds' worth.
const CASES: u32 = 64;
/// Operations of a case where the environment does not say otherwise.
const OPERATIONS: usize = 50;
/// Simplifications of a failing case that are tried: enough for 50 operations, a few seconds' worth.
const SHRINKS_MAX: u32 = 20_000;

/// Compares a provider with the native file system, in the process.
///
/// `source_file` is the caller's `file!()`; regressions are kept beside it. The profile says which operations are
/// left out.
///
/// # Panics
/// If an answer or a tree differs.
pub fn run_provider<S: Into<Subject>>(source_file: &'static str, profile: &Profile, factory: impl Fn() -> S) {
    let umask = process_umask();
    run(source_file, profile, |operations| {
        let mut subject = Worker::start(factory().into(), umask);
        compare_with_native(&mut subject, profile, operations)
    });
}

/// Compares a directory, usually below a mount point, with the native file system. Each case works in an empty
/// directory of its own in there, which is removed afterwards.
///
/// # Panics
/// If an answer or a tree differs, or the directory cannot be used.
pub fn run_directory(source_file: &'static str, profile: &Profile, path: &Path) {
    run(source_file, profile, |operations| {
        let place =
            tempfile::tempdir_in(path).map_err(|error| format!("no directory for the case: {error}"))?;
        let mut subject = Directory::open(place.path()).map_err(|error| error.to_string())?;
        compare_with_native(&mut subject, profile, operations)
    });
}

fn run(
    source_file: &'static str,
    profile: &Profile,
    case: impl Fn(&[Operation]) -> std::result::Result<(), String>,
) {
    let config = Config {
        cases: from_environment("FS9_MODEL_CASES", CASES),
        max_shrink_iters: SHRINKS_MAX,
        source_file: Some(source_file),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..Config::default()
    };
    let operations = from_environment("FS9_MODEL_OPERATIONS", OPERATIONS);
    let outcome = TestRunner::new(config).run(&operation::sequences(operations), |operations| {
        let usable: Vec<_> = operations.into_iter().filter(|operation| applies(operation, profile)).collect();
        case(&usable).map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, operations)) => {
            let steps = operations.iter().filter(|operation| applies(operation, profile)).enumerate();
            let steps: Vec<_> = steps.map(|(number, step)| format!("  {number}: {step:?}")).collect();
            panic!("{reason}\nafter these operations:\n{}", steps.join("\n"));
        }
        Err(TestError::Abort(reason)) => panic!("the model gave up: {reason}"),
    }
}

/// Does the operations on both sides and compares them.
fn compare_with_native(
    subject: &mut dyn Driver,
    profile: &Profile,
    operations: &[Operation],
) -> std::result::Result<(), String> {
    let place = tempfile::tempdir().map_err(|error| format!("no directory for the model: {error}"))?;
    let mut native = Directory::open(place.path()).map_err(|error| error.to_string())?;
    compare::both(subject, &mut native, profile, operations)
}

/// Returns whether the profile offers what an operation needs.
fn applies(operation: &Operation, profile: &Profile) -> bool {
    let needs = match operation {
        Operation::Symlink { .. } => Features::SYMLINKS,
        Operation::Link { .. } => Features::HARD_LINKS,
        Operation::Mkfifo { .. } => Features::SPECIAL_FILES,
        Operation::Rename { flags, .. } => {
            let mut needs = Features::empty();
            needs.set(Features::RENAME_NOREPLACE, flags & 1 != 0);
            needs.set(Features::RENAME_EXCHANGE, flags & 2 != 0);
            needs.set(Features::RENAME_WHITEOUT, flags & 4 != 0);
            needs
        }
        Operation::Chmod { .. } => Features::PERMISSIONS,
        Operation::SetTimes { .. } => Features::TIMES,
        Operation::SetXattr { .. }
        | Operation::GetXattr { .. }
        | Operation::RemoveXattr { .. }
        | Operation::ListXattr { .. } => Features::XATTRS,
        Operation::Fallocate { mode, .. } => match mode & !1 {
            0x02 => Features::PUNCH_HOLE,
            0x10 => Features::ZERO_RANGE,
            _ => Features::FALLOCATE,
        },
        Operation::Copy { .. } => Features::COPY_RANGE,
        Operation::Fsync { .. } => Features::FSYNC,
        _ => Features::empty(),
    };
    *operation != Operation::Nothing && profile.has(needs)
}

fn from_environment<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Returns the umask of this process, which the native side applies (`proc_pid_status(5)`).
fn process_umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok()).unwrap_or(0o022)
}
