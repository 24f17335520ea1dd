//! What `fs9 status` knows of a mount; its JSON form is what scripts rely on: fields are added, not changed.

use crate::mountinfo::MountLine;
use serde::{Deserialize, Serialize};

/// The whole answer.
#[derive(Debug, Serialize)]
pub(crate) struct StatusRecord {
    /// The version of this command.
    pub(crate) version: &'static str,
    pub(crate) mounts: Vec<MountRecord>,
}

/// Whether a mount's daemon answers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// It does.
    Serving,
    /// It does, but the mount was made with `nocontrol`.
    WithoutControl,
    /// It is another user's.
    Closed,
    /// It is gone; the mount point gives ENOTCONN.
    Dead,
    /// It does not answer in time.
    Silent,
}

/// One mount.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct MountRecord {
    pub(crate) mountpoint: String,
    pub(crate) source: String,
    pub(crate) state: State,
    /// As in `/proc/self/mountinfo`.
    pub(crate) options: String,
    /// The user who mounted it.
    pub(crate) uid: Option<u32>,
    /// The version of the daemon.
    pub(crate) version: Option<String>,
    /// How many files and directories are open.
    pub(crate) handles: Option<usize>,
    pub(crate) mounts: Vec<PathRecord>,
    pub(crate) providers: Vec<ProviderRecord>,
}

impl MountRecord {
    /// Returns what the kernel alone knows.
    pub(crate) fn new(line: &MountLine, state: State) -> MountRecord {
        MountRecord {
            mountpoint: line.mountpoint.display().to_string(),
            source: line.source.display().to_string(),
            state,
            options: format!("{},{}", line.options, line.super_options),
            uid: line.owner(),
            version: None,
            handles: None,
            mounts: Vec::new(),
            providers: Vec::new(),
        }
    }
}

/// One path of a mount: a provider's tree or a bind of it. Names are escaped as in `/proc/mounts`.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct PathRecord {
    pub(crate) path: String,
    pub(crate) origin: u64,
    pub(crate) provider: String,
    pub(crate) source: String,
    pub(crate) read_only: bool,
    /// How many files are open.
    pub(crate) uses: u64,
    /// The layer or option that keeps reads and writes from passing the daemon by.
    pub(crate) passthrough_withdrawn_by: Option<String>,
}

/// One provider.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct ProviderRecord {
    pub(crate) origin: u64,
    pub(crate) provider: String,
    pub(crate) source: String,
    pub(crate) execution: String,
    pub(crate) threads: u64,
    pub(crate) queued: u64,
    pub(crate) slow: u64,
    pub(crate) timed_out: u64,
    /// Calls that were refused because the queue was full.
    pub(crate) refused: u64,
    pub(crate) operations: Vec<OperationRecord>,
}

/// One operation of a provider; latencies are nanoseconds.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct OperationRecord {
    pub(crate) operation: String,
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) mean_ns: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p90_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
    /// All calls together; 0 if the daemon is too old to tell.
    pub(crate) total_ns: u64,
}

/// Returns a field that may be empty, which is written as `-`.
fn optional(field: &str) -> Option<String> {
    (field != "-").then(|| field.to_owned())
}

/// Returns a number that an older daemon does not tell.
fn later(row: &[&str], index: usize) -> u64 {
    row.get(index).and_then(|field| field.parse().ok()).unwrap_or_default()
}

/// Reads a line of `.fs9/mounts`. Later versions add fields at its end.
pub(crate) fn path_of(row: &[&str]) -> Option<PathRecord> {
    let [_, origin, path, provider, source, access, uses, withdrawn, ..] = row else { return None };
    Some(PathRecord {
        path: (*path).to_owned(),
        origin: origin.parse().ok()?,
        provider: (*provider).to_owned(),
        source: (*source).to_owned(),
        read_only: *access == "ro",
        uses: uses.parse().ok()?,
        passthrough_withdrawn_by: optional(withdrawn),
    })
}

impl ProviderRecord {
    /// Reads a line of `.fs9/providers`.
    pub(crate) fn parse(row: &[&str]) -> Option<ProviderRecord> {
        let [origin, provider, source, execution, threads, queued, slow, timed_out, ..] = row else {
            return None;
        };
        Some(ProviderRecord {
            origin: origin.parse().ok()?,
            provider: (*provider).to_owned(),
            source: (*source).to_owned(),
            execution: (*execution).to_owned(),
            threads: threads.parse().ok()?,
            queued: queued.parse().ok()?,
            slow: slow.parse().ok()?,
            timed_out: timed_out.parse().ok()?,
            refused: later(row, 8),
            operations: Vec::new(),
        })
    }
}

/// Reads a line of `.fs9/stats`: whose it is, and what it counts.
pub(crate) fn operation_of(row: &[&str]) -> Option<(u64, OperationRecord)> {
    let [origin, operation, calls, errors, mean, p50, p90, p99, p999, max, ..] = row else { return None };
    let record = OperationRecord {
        operation: (*operation).to_owned(),
        calls: calls.parse().ok()?,
        errors: errors.parse().ok()?,
        mean_ns: mean.parse().ok()?,
        p50_ns: p50.parse().ok()?,
        p90_ns: p90.parse().ok()?,
        p99_ns: p99.parse().ok()?,
        p999_ns: p999.parse().ok()?,
        max_ns: max.parse().ok()?,
        total_ns: later(row, 10),
    };
    Some((origin.parse().ok()?, record))
}

#[cfg(test)]
mod tests {
    use super::{ProviderRecord, operation_of, path_of};

    fn row(line: &str) -> Vec<&str> {
        line.split('\t').collect()
    }

    #[test]
    fn lines_of_the_control_directory_are_read_also_with_later_fields() {
        let path = path_of(&row("3\t1\t/a\\040b\tmemory\t-\tro\t2\tquota\tlater")).unwrap();
        assert_eq!((path.path.as_str(), path.read_only, path.uses), ("/a\\040b", true, 2));
        assert_eq!(path.passthrough_withdrawn_by.as_deref(), Some("quota"));
        let provider = ProviderRecord::parse(&row("1\tlocal\t/srv\tinline\t0\t0\t1\t2\t3\tlater")).unwrap();
        assert_eq!((provider.slow, provider.timed_out, provider.refused), (1, 2, 3));
        let (origin, operation) = operation_of(&row("1\tread\t10\t2\t5\t4\t6\t8\t9\t11\t50\tlater")).unwrap();
        assert_eq!((origin, operation.p99_ns, operation.max_ns, operation.total_ns), (1, 8, 11, 50));
    }

    #[test]
    fn what_an_older_daemon_does_not_tell_is_nothing() {
        let provider = ProviderRecord::parse(&row("1\tlocal\t/srv\tinline\t0\t0\t1\t2")).unwrap();
        let (_, operation) = operation_of(&row("1\tread\t10\t2\t5\t4\t6\t8\t9\t11")).unwrap();
        assert_eq!((provider.refused, operation.total_ns), (0, 0));
    }

    #[test]
    fn a_line_that_is_too_short_is_left_out() {
        assert_eq!(path_of(&row("3\t1\t/")), None);
        assert_eq!(operation_of(&row("")), None);
    }
}
