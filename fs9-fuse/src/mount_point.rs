//! Mounting and unmounting by system call, or with the help of `fusermount3` for ordinary users.

use crate::options::FuseOptions;
use rustix::fs::{AtFlags, CWD, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kernel's device.
const DEVICE: &str = "/dev/fuse";

/// What ordinary users mount and unmount with.
const HELPER: &str = "fusermount3";

/// How far the kernel reads ahead: the longest read in one request. (Its default, 128 KiB, makes eight requests of it;
/// `FUSE_INIT` can lower that but not raise it.)
const READ_AHEAD_KIB: &str = "1024";

/// Where something is mounted, and what.
pub(crate) struct MountPoint {
    path: PathBuf,
    /// The minor device number of the mounted file system, which is also the number of its connection.
    connection: u32,
}

/// Mounts at a path and returns the descriptor to talk with the kernel, or `None` without the right to mount.
pub(crate) fn mount(path: &Path, options: &FuseOptions) -> io::Result<Option<OwnedFd>> {
    let metadata = std::fs::metadata(path)?;
    let device: OwnedFd = match std::fs::File::options().read(true).write(true).open(DEVICE) {
        Ok(device) => device.into(),
        // Where only root may open it, the helper still can.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut data = format!(
        "fd={},rootmode={:o},user_id={},group_id={},default_permissions",
        device.as_raw_fd(),
        metadata.mode(),
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    if options.allow_other {
        data.push_str(",allow_other");
    }
    let data = CString::new(data)?;
    let kind = format!("fuse.{}", options.subtype);
    match rustix::mount::mount(
        options.fsname.as_str(),
        path,
        kind.as_str(),
        flags(options),
        Some(data.as_c_str()),
    ) {
        Ok(()) => Ok(Some(device)),
        Err(Errno::PERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn flags(options: &FuseOptions) -> MountFlags {
    let mut flags = MountFlags::empty();
    flags.set(MountFlags::RDONLY, options.read_only);
    flags.set(MountFlags::NOSUID, !options.suid);
    flags.set(MountFlags::NODEV, !options.dev);
    flags.set(MountFlags::NOEXEC, !options.exec);
    flags.set(MountFlags::NOATIME, options.noatime);
    flags
}

impl MountPoint {
    /// Returns what is mounted at a path now.
    pub(crate) fn of(path: &Path) -> io::Result<MountPoint> {
        Ok(MountPoint { path: path.to_owned(), connection: device_at(path)? })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn connection(&self) -> u32 {
        self.connection
    }

    /// Lets the kernel read ahead as far as one request reaches, where we may say so.
    pub(crate) fn raise_read_ahead(&self) {
        let setting = format!("/sys/class/bdi/0:{}/read_ahead_kb", self.connection);
        if let Err(error) = std::fs::write(setting, READ_AHEAD_KIB) {
            tracing::debug!(%error, "the kernel's read-ahead stays as it is");
        }
    }

    /// Unmounts what is at the path.
    pub(crate) fn unmount(&self, lazy: bool) -> io::Result<()> {
        let flags = if lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
        match rustix::mount::unmount(&self.path, flags | UnmountFlags::NOFOLLOW) {
            Err(Errno::PERM) => self.unmount_by_helper(lazy),
            result => Ok(result?),
        }
    }

    fn unmount_by_helper(&self, lazy: bool) -> io::Result<()> {
        let arguments: &[&str] = if lazy { &["-u", "-z", "--"] } else { &["-u", "--"] };
        let output = Command::new(HELPER).args(arguments).arg(&self.path).output()?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        // The helper tells the errno only in words.
        if message.contains("busy") {
            return Err(Errno::BUSY.into());
        }
        Err(io::Error::other(message))
    }

    /// Detaches the mount if it is still at the path.
    pub(crate) fn unmount_if_ours(&self) -> io::Result<()> {
        match device_at(&self.path) {
            Ok(device) if device == self.connection => self.unmount(true),
            _ => Ok(()),
        }
    }

    /// Ends the connection with the kernel.
    pub(crate) fn abort(&self) -> io::Result<()> {
        let control = format!("/sys/fs/fuse/connections/{}/abort", self.connection);
        match std::fs::write(control, "1") {
            Ok(()) => Ok(()),
            // The control file system need not be mounted.
            Err(_) => Ok(rustix::mount::unmount(&self.path, UnmountFlags::FORCE | UnmountFlags::DETACH)?),
        }
    }
}

/// Returns the minor number of the device at a path, without asking the file system that is mounted there.
fn device_at(path: &Path) -> io::Result<u32> {
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    Ok(rustix::fs::statx(CWD, path, flags, StatxFlags::empty())?.stx_dev_minor)
}
