//! Does operations on two file systems and compares what they answer.

use super::answer::{Driver, Item};
use super::operation::Operation;
use crate::{Features, Profile};
use std::collections::HashMap;

/// Does the operations on both sides, compares each answer, and the trees at the end.
pub(super) fn both(
    subject: &mut dyn Driver,
    native: &mut dyn Driver,
    profile: &Profile,
    operations: &[Operation],
) -> Result<(), String> {
    for (number, operation) in operations.iter().enumerate() {
        let operation = &fitting(operation, profile);
        let (got, expected) = (subject.apply(operation), native.apply(operation));
        if got != expected {
            return Err(format!(
                "operation {number}, {operation:?}: got {got:?}, the native file system has {expected:?}"
            ));
        }
    }
    let got = subject.tree().map_err(|error| format!("the tree cannot be read: {error}"))?;
    let expected = native.tree().map_err(|error| format!("the native tree cannot be read: {error}"))?;
    same_trees(&got, &expected)
}

/// Returns an operation without mode bits that the two sides need not treat alike: an ordinary user's own writes
/// strip set-user-ID bits at moments that only the kernel knows.
fn fitting(operation: &Operation, profile: &Profile) -> Operation {
    let strict = profile.has(Features::PRIVILEGES) && rustix::process::geteuid().is_root();
    let mut operation = operation.clone();
    if let Operation::Chmod { mode, .. }
    | Operation::Create { mode, .. }
    | Operation::Mkfifo { mode, .. }
    | Operation::Mkdir { mode, .. } = &mut operation
        && !strict
    {
        *mode &= 0o1777;
    }
    operation
}

fn same_trees(got: &[Item], expected: &[Item]) -> Result<(), String> {
    let paths = |items: &[Item]| items.iter().map(|item| item.path.clone()).collect::<Vec<_>>();
    if paths(got) != paths(expected) {
        let (got, expected) = (paths(got), paths(expected));
        return Err(format!("the trees differ at the end: got {got:?}, expected {expected:?}"));
    }
    for (one, other) in got.iter().zip(expected) {
        if one != other {
            return Err(format!("an object differs at the end: got {one:?}, expected {other:?}"));
        }
    }
    let (got, expected) = (links(got), links(expected));
    if got != expected {
        return Err(format!("hard links differ at the end: got {got:?}, expected {expected:?}"));
    }
    Ok(())
}

/// Returns for each object the position of the first one with the same identity.
fn links(items: &[Item]) -> Vec<usize> {
    let mut first = HashMap::new();
    let id = |item: &Item| (item.stat.id.0, item.stat.id.1);
    items.iter().enumerate().map(|(position, item)| *first.entry(id(item)).or_insert(position)).collect()
}
