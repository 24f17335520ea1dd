//! `fs9 status`: all our mounts, as `.fs9` of each tells it.
//!
//! A request to a daemon that hangs cannot be interrupted, not even by `SIGKILL` once the daemon has it. So each mount is
//! asked by a child process, which is left behind at the deadline and ends when its request does.
//!
//! Invariant: a mount whose daemon is dead or hangs costs [`PATIENCE`] at most, and all of them wait together.

mod record;
mod text;

#[cfg(test)]
pub(crate) use record::PathRecord;
pub(crate) use record::{MountRecord, OperationRecord, ProviderRecord, State};
pub(crate) use text::duration;

use crate::command::StatusArgs;
use crate::fault::{Fault, Outcome, Status};
use crate::manual::print;
use crate::mountinfo::{self, MountLine};
use crate::umount;
use record::StatusRecord;
use rustix::io::Errno;
use serde::Serialize;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long to wait for the answers of all mounts together.
const PATIENCE: Duration = Duration::from_secs(2);

/// Shows all mounts, or the one that was asked for.
///
/// # Errors
/// A fault if the one that was asked for is none, or nobody takes the output.
pub(crate) fn run(arguments: &StatusArgs) -> Outcome<()> {
    if let Some(place) = &arguments.ask {
        let record = record_of(&umount::find("status", place)?);
        return print(json_of(&record)?.as_bytes());
    }
    let lines = match &arguments.mountpoint {
        Some(place) => vec![umount::find("status", place)?],
        None => all_mounts()?,
    };
    let record = StatusRecord { version: env!("CARGO_PKG_VERSION"), mounts: ask(lines) };
    if !arguments.json {
        return print(text::page(&record).as_bytes());
    }
    print(json_of(&record)?.as_bytes())
}

fn json_of(record: &impl Serialize) -> Outcome<String> {
    let json = serde_json::to_string_pretty(record)
        .map_err(|error| Fault::new(Status::Internal, format!("status: {error}")))?;
    Ok(json + "\n")
}

/// Returns our mounts that can be seen: not those that another one covers.
fn all_mounts() -> Outcome<Vec<MountLine>> {
    let lines = mountinfo::read()
        .map_err(|error| Fault::new(Status::System, format!("status: /proc/self/mountinfo: {error}")))?;
    Ok(mountinfo::visible_of_fs9(&lines))
}

/// Asks all mounts at the same time.
fn ask(lines: Vec<MountLine>) -> Vec<MountRecord> {
    let (answers, inbox) = mpsc::channel();
    for (index, line) in lines.iter().cloned().enumerate() {
        let answers = answers.clone();
        std::thread::spawn(move || {
            // Who answers too late finds nobody; what cannot be understood is no answer.
            let Ok(json) = ask_apart(&line) else { return };
            let Ok(record) = serde_json::from_slice(&json) else { return };
            let _late = answers.send((index, record));
        });
    }
    drop(answers);
    let deadline = Instant::now() + PATIENCE;
    let mut arrived = HashMap::new();
    while let Ok((index, record)) = inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        arrived.insert(index, record);
    }
    let answer =
        |(index, line)| arrived.remove(&index).unwrap_or_else(|| MountRecord::new(line, State::Silent));
    lines.iter().enumerate().map(answer).collect()
}

/// Has a process of its own ask one mount, and returns what it writes.
fn ask_apart(line: &MountLine) -> io::Result<Vec<u8>> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["status", "--ask"]).arg(&line.mountpoint);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    Ok(command.output()?.stdout)
}

/// Reads what one mount tells.
fn record_of(line: &MountLine) -> MountRecord {
    let control = line.mountpoint.join(".fs9");
    let mut record = MountRecord::new(line, State::Serving);
    match fill(&mut record, &control) {
        Ok(()) => {}
        Err(error) => record.state = state_of(&error, line),
    }
    record
}

/// Tells from an error what is the matter with a mount.
fn state_of(error: &io::Error, line: &MountLine) -> State {
    match Errno::from_io_error(error) {
        // The last one by io_uring, in the moment in which the daemon ends.
        Some(Errno::NOTCONN | Errno::CONNABORTED | Errno::CANCELED) => State::Dead,
        Some(Errno::ACCESS | Errno::PERM) => State::Closed,
        // Without `.fs9` a mount still shows whether it answers.
        Some(Errno::NOENT) if line.mountpoint.symlink_metadata().is_ok() => State::WithoutControl,
        _ => State::Silent,
    }
}

/// Reads the files of the control directory.
fn fill(record: &mut MountRecord, control: &Path) -> io::Result<()> {
    let read = |file: &str| std::fs::read_to_string(control.join(file));
    record.version = Some(read("version")?.trim_end().to_owned());
    record.mounts = rows(&read("mounts")?).filter_map(|row| record::path_of(&row)).collect();
    record.handles = Some(rows(&read("handles")?).count());
    record.providers = rows(&read("providers")?).filter_map(|row| ProviderRecord::parse(&row)).collect();
    for row in rows(&read("stats")?) {
        if let Some((origin, operation)) = record::operation_of(&row)
            && let Some(provider) = record.providers.iter_mut().find(|provider| provider.origin == origin)
        {
            provider.operations.push(operation);
        }
    }
    Ok(())
}

/// Cuts a file of the control directory into lines and fields.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split('\t').collect())
}

#[cfg(test)]
mod tests {
    use super::{State, state_of};
    use crate::mountinfo::MountLine;
    use rustix::io::Errno;

    /// Symptom: right after a daemon was killed, its mount was sometimes shown as one that does not answer. Cause: by io_uring,
    /// the kernel answers ECANCELED while it takes the rings apart. Fix: that says that the daemon is gone, too.
    #[test]
    fn what_a_dying_connection_answers_says_that_the_daemon_is_gone() {
        let line = MountLine {
            id: 1,
            device: "0:39".into(),
            mountpoint: "/mnt/x".into(),
            options: "rw".into(),
            fs_type: "fuse.fs9".into(),
            source: "x".into(),
            super_options: "rw".into(),
        };
        for errno in [Errno::NOTCONN, Errno::CONNABORTED, Errno::CANCELED] {
            assert_eq!(state_of(&errno.into(), &line), State::Dead, "{errno}");
        }
        assert_eq!(state_of(&Errno::IO.into(), &line), State::Silent);
    }
}
