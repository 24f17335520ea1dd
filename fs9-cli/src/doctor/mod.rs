//! `fs9 doctor`: what this machine offers to a mount, what is off and how to turn it on, and what stops a mount.
//!
//! Invariant: it changes nothing. Each probe is a function from the files of a [`Machine`], and from what the kernel
//! answered, to findings; whatever asks the kernel or a daemon stands apart ([`offer`], [`answers`]).

mod answers;
mod finding;
#[cfg(test)]
mod fixture;
mod kernel;
mod limits;
mod machine;
mod offer;
mod permissions;
mod ring;

use crate::command::DoctorArgs;
use crate::fault::{Fault, Outcome, Status};
use crate::manual::print;
use crate::mountinfo::{self, MountLine};
use finding::Report;
use machine::Machine;
use offer::Offer;
use std::path::Path;
use std::process::ExitCode;

/// Looks at the machine and tells what was found. The exit status is 0 if a mount would work, else 1.
///
/// # Errors
/// A fault if nobody takes the output.
pub(crate) fn run(arguments: &DoctorArgs) -> Outcome<ExitCode> {
    if let Some(mountpoint) = &arguments.ask {
        return Ok(answers::ask_here(mountpoint));
    }
    let report = report();
    if arguments.json {
        let mut json = serde_json::to_string_pretty(&report)
            .map_err(|error| Fault::new(Status::Internal, format!("doctor: {error}")))?;
        json.push('\n');
        print(json.as_bytes())?;
    } else {
        print(report.page().as_bytes())?;
    }
    Ok(if report.can_mount { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Collects all findings.
fn report() -> Report {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let is_root = rustix::process::geteuid().is_root();
    let machine = Machine::new(Path::new("/"), is_root, std::env::split_paths(&search).collect());
    // Who may not mount cannot ask; the findings say how each is known.
    let offer = Offer::ask().ok();
    let config = machine.config();
    let mut findings = kernel::findings(&machine, config.as_ref(), offer.as_ref());
    findings.extend(ring::findings(&machine, config.as_ref(), offer.as_ref(), fs9_sys::try_io_uring()));
    findings.extend(limits::findings(&machine, rustix::param::page_size() as u64));
    findings.extend(permissions::findings(&machine));
    let mounts = our_mounts();
    findings.extend(answers::findings(&mounts, &answers::ask(&mounts)));
    Report::of(findings)
}

/// Returns our mounts that can be seen: not those that another one covers.
fn our_mounts() -> Vec<MountLine> {
    // Without /proc the kernel's version is missing as well, which is told.
    let lines = mountinfo::read().unwrap_or_default();
    mountinfo::visible_of_fs9(&lines)
}
