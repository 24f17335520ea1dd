//! Whether a mount point can be mounted on, asked before anything is done.

use crate::fault::{Fault, Outcome};
use crate::mountinfo;
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};

/// What systemd puts on a mount point with `x-systemd.automount`; we mount over it.
const AUTOMOUNT_TYPE: &str = "autofs";

/// Returns the mount point as the kernel names it.
///
/// # Errors
/// A fault if it is missing, no directory, or already a mount point. Nothing here waits for a mounted daemon longer
/// than the kernel does.
pub(crate) fn check(given: &Path) -> Outcome<PathBuf> {
    let place = given.display();
    let lines = mountinfo::read()
        .map_err(|error| Fault::mount(format!("mount: /proc/self/mountinfo: {error}: mount /proc first")))?;
    // Asked of the kernel's list first: a mount whose daemon is dead or hangs could not answer for itself.
    if let Some(path) = without_following(given) {
        refuse_mounted(&lines, &path)?;
    }
    let path = given.canonicalize().map_err(|error| Fault::mount(unreachable_words(given, &error)))?;
    refuse_mounted(&lines, &path)?;
    let metadata = path.symlink_metadata().map_err(|error| Fault::mount(unreachable_words(given, &error)))?;
    if !metadata.is_dir() {
        return Err(Fault::mount(format!(
            "mount: {place}: the mount point is not a directory: choose a directory"
        )));
    }
    assert!(path.is_absolute(), "the daemon will have another working directory");
    Ok(path)
}

/// Resolves the directory that holds a mount point, but not the mount point itself.
pub(crate) fn without_following(given: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(given).ok()?;
    let (parent, name) = (absolute.parent()?, absolute.file_name()?);
    Some(parent.canonicalize().ok()?.join(name))
}

/// Refuses a place where a file system is already mounted.
fn refuse_mounted(lines: &[mountinfo::MountLine], path: &Path) -> Outcome<()> {
    let place = path.display();
    match mountinfo::on_top(lines, path) {
        Some(line) if line.is_fs9() => Err(Fault::mount(format!(
            "mount: {place}: {} is already mounted there: unmount it first (fs9 umount {place})",
            line.source.display()
        ))),
        Some(line) if line.fs_type != AUTOMOUNT_TYPE => Err(Fault::mount(format!(
            "mount: {place}: the mount point is busy: a file system of type {} is mounted there: choose another directory",
            line.fs_type
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Says why a mount point cannot be reached.
fn unreachable_words(given: &Path, error: &io::Error) -> String {
    let place = given.display();
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => {
            format!("mount: {place}: the mount point does not exist: create the directory first")
        }
        Some(Errno::NOTDIR) => {
            format!("mount: {place}: the mount point is not a directory: choose a directory")
        }
        Some(Errno::ACCESS) => {
            format!("mount: {place}: permission denied: choose a mount point that you can reach")
        }
        Some(Errno::NOTCONN) => {
            format!("mount: {place}: a dead mount lies there: unmount it first (fs9 umount {place})")
        }
        _ => format!("mount: {place}: {error}: choose another mount point"),
    }
}

#[cfg(test)]
mod tests {
    use super::refuse_mounted;
    use crate::mountinfo::MountLine;
    use std::path::Path;

    fn mounted(fs_type: &str) -> MountLine {
        MountLine {
            id: 1,
            device: "0:1".into(),
            mountpoint: "/mnt".into(),
            options: "rw".into(),
            fs_type: fs_type.into(),
            source: "x".into(),
            super_options: "rw".into(),
        }
    }

    #[test]
    fn an_automount_point_is_free_until_something_is_mounted_on_it() {
        refuse_mounted(&[mounted("autofs")], Path::new("/mnt")).unwrap();
        for fs_type in ["fuse.fs9", "ext4"] {
            refuse_mounted(&[mounted("autofs"), mounted(fs_type)], Path::new("/mnt")).unwrap_err();
        }
        refuse_mounted(&[mounted("ext4")], Path::new("/mnt/below")).unwrap();
    }
}
