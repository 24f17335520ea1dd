//! Who keeps a mount busy, found in `/proc`.
//!
//! Nothing here touches the mount itself: links are read, not followed, and descriptors are told apart by the mount's
//! number in `fdinfo`. So it works on a mount whose daemon hangs.

use crate::mountinfo::MountLine;
use std::fmt;
use std::fs;
use std::path::Path;

/// A process that keeps a mount busy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its number.
    pub(crate) pid: u32,
    /// Its name.
    name: String,
    /// What it holds, such as `cwd` or `fd 3`.
    holds: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.pid, self.name, self.holds)
    }
}

/// Returns the processes that keep the mount busy, each with the first reason found. Those of other users are only
/// seen by root.
pub(crate) fn of_mount(mount: &MountLine) -> Vec<Holder> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter_map(|pid| holder(pid, mount)).collect()
}

/// Names holders in one phrase, the first few in full.
pub(crate) fn in_words(holders: &[Holder]) -> String {
    const NAMED_MAX: usize = 8;
    let mut names: Vec<String> = holders.iter().take(NAMED_MAX).map(Holder::to_string).collect();
    if holders.len() > NAMED_MAX {
        names.push(format!("and {} more", holders.len() - NAMED_MAX));
    }
    if names.is_empty() {
        "mounts below it, requests that wait for an answer, or processes of other users".into()
    } else {
        names.join(", ")
    }
}

/// Looks at one process.
fn holder(pid: u32, mount: &MountLine) -> Option<Holder> {
    let process = Path::new("/proc").join(pid.to_string());
    let holds = held_link(&process, mount)
        .or_else(|| held_fd(&process, mount))
        .or_else(|| held_map(&process, mount))?;
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default().trim_end().to_owned();
    Some(Holder { pid, name, holds })
}

/// Finds a working directory, root or program on the mount.
fn held_link(process: &Path, mount: &MountLine) -> Option<String> {
    let is_inside = |link: &&str| {
        fs::read_link(process.join(*link)).is_ok_and(|target| target.starts_with(&mount.mountpoint))
    };
    ["cwd", "root", "exe"].into_iter().find(is_inside).map(str::to_owned)
}

/// Finds an open descriptor on the mount.
fn held_fd(process: &Path, mount: &MountLine) -> Option<String> {
    let entries = fs::read_dir(process.join("fdinfo")).ok()?.flatten();
    let wanted = mount.id.to_string();
    let mut held = entries.filter(|entry| {
        let info = fs::read_to_string(entry.path()).unwrap_or_default();
        info.lines().any(|line| line.strip_prefix("mnt_id:").is_some_and(|id| id.trim() == wanted))
    });
    held.next().map(|entry| format!("fd {}", entry.file_name().display()))
}

/// Finds a mapped file of the mount's device.
fn held_map(process: &Path, mount: &MountLine) -> Option<String> {
    let (major, minor) = mount.device.split_once(':')?;
    let device = format!("{:02x}:{:02x}", major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?);
    let maps = fs::read(process.join("maps")).ok()?;
    // Fields: range, permissions, offset, device, inode, path; a name can only confuse what comes after it.
    let mapped = |line: &[u8]| line.split(|b| b.is_ascii_whitespace()).nth(3) == Some(device.as_bytes());
    maps.split(|b| *b == b'\n').any(mapped).then(|| "mmap".to_owned())
}
