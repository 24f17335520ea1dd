//! Whole programs at work in a mount: git, cargo, databases, tar and rsync, and fsx.
#![forbid(unsafe_code)]

use fs9_tests::{Mounted, run_script};

/// The seed of fsx: some others make it ask for an allocation of no bytes, which no file system grants.
const SEED: &str = "1";

/// Runs a workload on the mount as users have it by default, open to all (a database runs as a user of its own).
fn on_local(workload: &str) {
    let mount = Mounted::local("allow_other");
    run_script(&format!("workloads/{workload}"), [mount.path("")]);
}

/// Runs a workload on a mount whose data goes through the daemon.
fn on_local_without_passthrough(workload: &str) {
    let mount = Mounted::local("allow_other,passthrough=off");
    run_script(&format!("workloads/{workload}"), [mount.path("")]);
}

#[test]
fn git_commits_clones_packs_and_verifies() {
    on_local("git");
}

#[test]
fn cargo_builds_with_its_target_directory_on_the_mount() {
    on_local("cargo");
}

#[test]
fn sqlite_in_wal_mode_loses_nothing() {
    on_local("sqlite");
}

#[test]
fn sqlite_in_wal_mode_loses_nothing_without_passthrough() {
    on_local_without_passthrough("sqlite");
}

#[test]
fn postgresql_survives_pgbench_and_a_crash() {
    on_local("postgres");
}

#[test]
fn tar_and_rsync_find_every_byte_and_time_again() {
    on_local("copies");
}

#[test]
fn fsx_finds_no_difference_on_local() {
    let mount = Mounted::local("");
    run_script("fsx", [mount.path("").as_os_str(), "20000".as_ref(), SEED.as_ref()]);
}

#[test]
fn fsx_finds_no_difference_on_local_without_passthrough() {
    let mount = Mounted::local("passthrough=off");
    run_script("fsx", [mount.path("").as_os_str(), "20000".as_ref(), SEED.as_ref()]);
}

#[test]
fn fsx_finds_no_difference_on_memory() {
    let mount = Mounted::memory("");
    run_script("fsx", [mount.path("").as_os_str(), "20000".as_ref(), SEED.as_ref()]);
}
