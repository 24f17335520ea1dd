//! `fs9 umount`: as `umount(8)`, and it says who keeps a mount busy.

use crate::command::UmountArgs;
use crate::fault::{Fault, Outcome, Status, tell};
use crate::holders;
use crate::mountinfo::{self, MountLine};
use crate::mountpoint::without_following;
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Unmounts mount points.
///
/// # Errors
/// A fault of status 32, or 64 if others were unmounted.
pub(crate) fn run(arguments: &UmountArgs) -> Outcome<()> {
    let unmount = |mountpoint: &PathBuf| one(mountpoint, arguments.lazy);
    let faults: Vec<Fault> = arguments.mountpoints.iter().map(unmount).filter_map(Result::err).collect();
    let status =
        if faults.len() < arguments.mountpoints.len() { Status::SomeSucceeded } else { Status::MountFailed };
    faults.iter().for_each(|fault| tell(&fault.to_string()));
    if faults.is_empty() { Ok(()) } else { Err(Fault::told(status)) }
}

/// Unmounts one mount point.
///
/// # Errors
/// A fault if it is no mount of ours or busy; then it names the processes that hold it.
fn one(given: &Path, is_lazy: bool) -> Outcome<()> {
    let mount = find("umount", given)?;
    let place = mount.mountpoint.display();
    let done = if rustix::process::geteuid().is_root() {
        as_root(&mount.mountpoint, is_lazy)
    } else {
        as_user(&mount.mountpoint, is_lazy)
    };
    match done {
        Ok(()) => Ok(()),
        Err(Refusal::Busy) => {
            let names = holders::in_words(&holders::of_mount(&mount));
            Err(Fault::mount(format!(
                "umount: {place}: busy: held by {names}: end them, or detach with fs9 umount -l"
            )))
        }
        Err(Refusal::Other(why)) => Err(Fault::mount(format!("umount: {place}: {why}"))),
    }
}

/// Finds our mount at a place for a command, without a request to its daemon where that can be helped.
///
/// # Errors
/// A fault if there is none.
pub(crate) fn find(what: &str, given: &Path) -> Outcome<MountLine> {
    let lines = mountinfo::read()
        .map_err(|error| Fault::mount(format!("{what}: /proc/self/mountinfo: {error}: mount /proc first")))?;
    let named = without_following(given).and_then(|path| mountinfo::on_top(&lines, &path));
    let followed = || mountinfo::on_top(&lines, &given.canonicalize().ok()?);
    let found = named.or_else(followed).filter(|line| line.is_fs9());
    found.cloned().ok_or_else(|| {
        Fault::mount(format!("{what}: {}: not a mount of fs9: fs9 status lists them", given.display()))
    })
}

/// Why a mount was not taken away.
enum Refusal {
    Busy,
    Other(String),
}

/// Unmounts by the system call.
fn as_root(mountpoint: &Path, is_lazy: bool) -> Result<(), Refusal> {
    let flags = if is_lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    rustix::mount::unmount(mountpoint, flags | UnmountFlags::NOFOLLOW).map_err(|errno| match errno {
        Errno::BUSY => Refusal::Busy,
        other => Refusal::Other(other.to_string()),
    })
}

/// Unmounts by `fusermount3(1)`, which may what a user may not.
fn as_user(mountpoint: &Path, is_lazy: bool) -> Result<(), Refusal> {
    let mut command = Command::new("fusermount3");
    command.arg("-u").env("LC_ALL", "C");
    if is_lazy {
        command.arg("-z");
    }
    let output = command.arg("--").arg(mountpoint).output();
    let output = output.map_err(|error| Refusal::Other(format!("fusermount3: {error}: install fuse3")))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    if words.contains("busy") {
        return Err(Refusal::Busy);
    }
    Err(Refusal::Other(words.trim_end().to_owned()))
}
