//! What `fs9 status` knows, for people.

use super::record::{MountRecord, OperationRecord, State, StatusRecord};
use crate::fault::one_line;

/// How many operations of a provider are shown, the most frequent first; JSON has all.
const OPERATIONS_MAX: usize = 12;

/// Returns the whole page.
pub(super) fn page(record: &StatusRecord) -> String {
    if record.mounts.is_empty() {
        return "no mounts\n".to_owned();
    }
    record.mounts.iter().map(paragraph).collect::<Vec<_>>().join("\n")
}

/// Returns the lines of one mount.
fn paragraph(mount: &MountRecord) -> String {
    let mut lines = vec![format!("{}: {}, {}", mount.mountpoint, mount.source, state_words(mount))];
    for path in &mount.mounts {
        let access = if path.read_only { "ro" } else { "rw" };
        let passthrough = match path.passthrough_withdrawn_by.as_deref() {
            None => ", passthrough".to_owned(),
            // A provider without files below it has nothing to pass through, which is no news.
            Some("provider") => String::new(),
            Some(reason) => format!(", no passthrough: {reason}"),
        };
        lines.push(format!(
            "  {}: {} ({}, {access}, {} open{passthrough})",
            path.path, path.source, path.provider, path.uses
        ));
    }
    for provider in &mount.providers {
        lines.push(format!(
            "  provider {} ({}): {} calls over 10 s, {} timed out",
            provider.source, provider.provider, provider.slow, provider.timed_out
        ));
        let mut operations: Vec<&OperationRecord> = provider.operations.iter().collect();
        operations.sort_by_key(|operation| std::cmp::Reverse(operation.calls));
        lines.extend(operations.into_iter().take(OPERATIONS_MAX).map(operation_line));
    }
    lines.iter().map(|line| one_line(line) + "\n").collect()
}

/// Returns how a mount is, in words.
fn state_words(mount: &MountRecord) -> String {
    match mount.state {
        State::Serving => format!("serving, {} open", mount.handles.unwrap_or_default()),
        State::WithoutControl => "serving, without control directory".into(),
        State::Closed => match mount.uid {
            Some(uid) => format!("of user {uid}: no permission to look"),
            None => "no permission to look".into(),
        },
        State::Dead => format!("dead: its daemon is gone: fs9 umount {}", mount.mountpoint),
        State::Silent => "not answering".into(),
    }
}

/// Returns the line of one operation.
fn operation_line(operation: &OperationRecord) -> String {
    format!(
        "    {:<16} {:>10} calls {:>8} errors   p50 {:>9}   p99 {:>9}",
        operation.operation,
        operation.calls,
        operation.errors,
        duration(operation.p50_ns),
        duration(operation.p99_ns)
    )
}

/// Returns nanoseconds in the unit that fits.
pub(crate) fn duration(ns: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    match UNITS.iter().find(|(unit, _)| ns >= *unit) {
        // Tenths are plenty for people: JSON has the exact number.
        Some((unit, name)) => format!("{}.{} {name}", ns / unit, ns % unit * 10 / unit),
        None => format!("{ns} ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_shown_in_the_unit_that_fits() {
        assert_eq!(duration(999), "999 ns");
        assert_eq!(duration(1_250), "1.2 µs");
        assert_eq!(duration(41_990_000), "41.9 ms");
        assert_eq!(duration(2_000_000_000), "2.0 s");
    }
}
