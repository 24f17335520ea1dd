//! Limits of the machine and of this process that bound a mount.

use super::finding::Finding;
use super::machine::Machine;

/// Fewer open files than this are soon used up: each file that is open through a mount is open in its daemon.
const OPEN_FILES_MIN: u64 = 4096;

/// What rings and their buffers of a mount may lock in memory, in bytes.
const LOCKED_BYTES_MIN: u64 = 64 << 20;

/// `CAP_IPC_LOCK` of `capabilities(7)`, to which no such limit applies.
const CAP_IPC_LOCK: u32 = 14;

/// Pages of a request where the kernel has no setting for it (`FUSE_MAX_MAX_PAGES`).
const REQUEST_PAGES: u64 = 256;

/// Returns what is found about limits.
pub(super) fn findings(machine: &Machine, page_bytes: u64) -> Vec<Finding> {
    let mut findings = vec![open_files(machine), locked_memory(machine), request_size(machine, page_bytes)];
    findings.extend(request_timeout(machine));
    findings.extend(background(machine));
    findings
}

fn open_files(machine: &Machine) -> Finding {
    const TOPIC: &str = "open-files";
    match machine.hard_limit("Max open files") {
        None => Finding::ok(TOPIC, "no limit for a daemon"),
        Some(limit) if limit >= OPEN_FILES_MIN => {
            Finding::ok(TOPIC, format!("at most {limit} through one mount (hard limit of this process)"))
        }
        Some(limit) => Finding::off(
            TOPIC,
            format!("only {limit} through one mount (hard limit of this process)"),
        )
        .advise("raise it: ulimit -Hn as root, /etc/security/limits.conf, or LimitNOFILE= of a systemd unit"),
    }
}

fn locked_memory(machine: &Machine) -> Finding {
    const TOPIC: &str = "locked-memory";
    match machine.hard_limit("Max locked memory") {
        None => Finding::ok(TOPIC, "no limit"),
        Some(_) if machine.is_capable(CAP_IPC_LOCK) => {
            Finding::ok(TOPIC, "the limit does not apply to this process (CAP_IPC_LOCK)")
        }
        Some(limit) if limit >= LOCKED_BYTES_MIN => {
            Finding::ok(TOPIC, format!("at most {}", mebibytes(limit)))
        }
        Some(limit) => Finding::off(
            TOPIC,
            format!("at most {}, which may be too little for io_uring", mebibytes(limit)),
        )
        .advise(
            "raise it: ulimit -Hl as root, /etc/security/limits.conf, or LimitMEMLOCK= of a systemd unit",
        ),
    }
}

fn request_size(machine: &Machine, page_bytes: u64) -> Finding {
    const TOPIC: &str = "request-size";
    let (pages, source) = match machine.number("/proc/sys/fs/fuse/max_pages_limit") {
        Some(pages) => (pages, "fs.fuse.max_pages_limit"),
        None => (REQUEST_PAGES, "fixed in this kernel"),
    };
    let found = format!("at most {} ({source})", mebibytes(pages.saturating_mul(page_bytes)));
    if pages < REQUEST_PAGES {
        return Finding::off(TOPIC, found).advise(format!(
            "sysctl -w fs.fuse.max_pages_limit={REQUEST_PAGES} makes large reads and writes cheaper"
        ));
    }
    Finding::ok(TOPIC, found)
}

/// Looks at the time after which the kernel takes a daemon for dead.
fn request_timeout(machine: &Machine) -> Option<Finding> {
    const TOPIC: &str = "request-timeout";
    let setting = |name: &str| machine.number(&format!("/proc/sys/fs/fuse/{name}"));
    let (default, most) = (setting("default_request_timeout")?, setting("max_request_timeout")?);
    let name = if default > 0 { "default_request_timeout" } else { "max_request_timeout" };
    let seconds = [default, most].into_iter().filter(|&seconds| seconds > 0).min();
    Some(match seconds {
        None => Finding::ok(TOPIC, "none: a slow provider costs no mount"),
        Some(seconds) => Finding::problem(
            TOPIC,
            format!(
                "the kernel aborts a whole mount when one request takes {seconds} s, also one that only waits"
            ),
        )
        .advise(format!("sysctl -w fs.fuse.{name}=0")),
    })
}

/// Tells how many requests of a user's mount the kernel lets be under way in the background.
fn background(machine: &Machine) -> Option<Finding> {
    if machine.is_root {
        return None;
    }
    let most = machine.number("/sys/module/fuse/parameters/max_user_bgreq")?;
    Some(Finding::ok(
        "background",
        format!("at most {most} requests of read-ahead and write-back (max_user_bgreq)"),
    ))
}

/// Returns bytes as mebibytes or kibibytes, rounded down.
fn mebibytes(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}

#[cfg(test)]
mod tests {
    use super::{findings, locked_memory, open_files, request_size, request_timeout};
    use crate::doctor::finding::State;
    use crate::doctor::fixture::Fixture;

    fn with_limits(files: &str, locked: &str) -> Fixture {
        let fixture = Fixture::new(false);
        let limits = format!("Max open files  1  {files}  files\nMax locked memory  1  {locked}  bytes\n");
        fixture.file("proc/self/limits", &limits);
        fixture
    }

    #[test]
    fn low_limits_are_told_with_where_to_raise_them() {
        let low = with_limits("1024", "8388608");
        assert!(open_files(&low.machine).line().contains("only 1024 through one mount"));
        assert!(locked_memory(&low.machine).line().contains("at most 8 MiB, which may be too little"));
        let high = with_limits("4096", "unlimited");
        assert_eq!(open_files(&high.machine).state, State::Ok);
        assert_eq!(locked_memory(&high.machine).line(), "ok       locked-memory: no limit");
    }

    #[test]
    fn a_process_that_may_lock_memory_has_no_limit_of_it() {
        let low = with_limits("1024", "65536");
        low.file("proc/self/status", "CapEff:\t0000000000004000\n");
        assert_eq!(locked_memory(&low.machine).state, State::Ok);
    }

    #[test]
    fn the_largest_request_follows_the_setting_where_there_is_one() {
        let fixture = Fixture::new(true);
        assert!(request_size(&fixture.machine, 4096).text.starts_with("at most 1 MiB (fixed"));
        fixture.file("proc/sys/fs/fuse/max_pages_limit", "16\n");
        let small = request_size(&fixture.machine, 4096);
        assert!(small.state == State::Off && small.text.starts_with("at most 64 KiB"), "{}", small.line());
    }

    #[test]
    fn a_request_timeout_of_the_whole_machine_is_a_problem() {
        let fixture = Fixture::new(true);
        assert_eq!(request_timeout(&fixture.machine), None, "older kernels have none");
        fixture.file("proc/sys/fs/fuse/default_request_timeout", "0\n");
        fixture.file("proc/sys/fs/fuse/max_request_timeout", "0\n");
        assert_eq!(request_timeout(&fixture.machine).unwrap().state, State::Ok);
        fixture.file("proc/sys/fs/fuse/max_request_timeout", "60\n");
        let line = request_timeout(&fixture.machine).unwrap().line();
        assert!(line.contains("takes 60 s") && line.ends_with("fs.fuse.max_request_timeout=0"), "{line}");
        fixture.file("proc/sys/fs/fuse/default_request_timeout", "90\n");
        assert!(
            request_timeout(&fixture.machine).unwrap().text.contains("takes 60 s"),
            "the smaller one holds"
        );
        assert!(findings(&fixture.machine, 4096).iter().all(|finding| !finding.stops_mounting));
    }
}
