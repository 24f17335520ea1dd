//! Mounting and unmounting by system call, or with the help of `fusermount3` for ordinary users.

use crate::options::FuseOptions;
use rustix::fs::{AtFlags, CWD, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, move_mount,
};
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
///
/// Invariant: only this mount is ever unmounted, never another one that came to the same path later. (Device numbers
/// are given to the next mount at once, mount numbers of the unique kind never.)
pub(crate) struct MountPoint {
    path: PathBuf,
    identity: Identity,
}

/// What tells one mount from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    /// The number of the mount: unique for ever since Linux 6.8, before that until it is gone.
    mount: u64,
    /// The minor device number of the mounted file system, which is also the number of its connection.
    connection: u32,
}

/// Asks for a mount number that is never used again (`STATX_MNT_ID_UNIQUE`, Linux 6.8; `statx(2)`). Older kernels ignore
/// it and give the other kind if that is asked for too.
const MOUNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// A file system that was made.
pub(crate) struct Made {
    /// The descriptor to talk with the kernel.
    pub(crate) device: OwnedFd,
    /// The mount.
    pub(crate) detached: Detached,
}

/// A mount that is not attached anywhere. Dropped, it is gone without having been seen.
pub(crate) struct Detached(OwnedFd);

/// Makes a file system for a path, or returns `None` without the right to.
///
/// # Errors
/// Those of opening the device, of `fsconfig(2)` and of `fsmount(2)`.
pub(crate) fn make(path: &Path, options: &FuseOptions) -> io::Result<Option<Made>> {
    let metadata = std::fs::metadata(path)?;
    let device: OwnedFd = match std::fs::File::options().read(true).write(true).open(DEVICE) {
        Ok(device) => device.into(),
        // The helper says it in its words.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        Err(error) => return Err(error),
    };
    let context = match rustix::mount::fsopen("fuse", FsOpenFlags::FSOPEN_CLOEXEC) {
        Ok(context) => context,
        Err(Errno::PERM) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let parameters = [
        ("source", options.fsname.clone()),
        ("subtype", options.subtype.clone()),
        ("fd", device.as_raw_fd().to_string()),
        ("rootmode", format!("{:o}", metadata.mode())),
        ("user_id", owner.0.to_string()),
        ("group_id", owner.1.to_string()),
    ];
    for (name, value) in parameters {
        fsconfig_set_string(&context, name, value)?;
    }
    fsconfig_set_flag(&context, "default_permissions")?;
    if options.allow_other {
        fsconfig_set_flag(&context, "allow_other")?;
    }
    if options.read_only {
        fsconfig_set_flag(&context, "ro")?;
    }
    match fsconfig_create(&context) {
        Ok(()) => {}
        Err(Errno::PERM) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes(options))?;
    Ok(Some(Made { device, detached: Detached(mount) }))
}

impl Detached {
    /// Attaches the file system at a path, where everybody sees it.
    ///
    /// # Errors
    /// Those of `move_mount(2)`.
    pub(crate) fn attach(self, path: &Path) -> io::Result<()> {
        Ok(move_mount(self.0, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
    }
}

fn attributes(options: &FuseOptions) -> MountAttrFlags {
    let mut attributes = MountAttrFlags::empty();
    attributes.set(MountAttrFlags::MOUNT_ATTR_RDONLY, options.read_only);
    attributes.set(MountAttrFlags::MOUNT_ATTR_NOSUID, !options.suid);
    attributes.set(MountAttrFlags::MOUNT_ATTR_NODEV, !options.dev);
    attributes.set(MountAttrFlags::MOUNT_ATTR_NOEXEC, !options.exec);
    attributes.set(MountAttrFlags::MOUNT_ATTR_NOATIME, options.noatime);
    attributes
}

impl MountPoint {
    /// Returns what is mounted at a path now.
    pub(crate) fn of(path: &Path) -> io::Result<MountPoint> {
        Ok(MountPoint { path: path.to_owned(), identity: identity_at(path)? })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn connection(&self) -> u32 {
        self.identity.connection
    }

    /// Returns whether this mount is still at its path, with nothing mounted over it.
    pub(crate) fn is_in_place(&self) -> bool {
        identity_at(&self.path).is_ok_and(|identity| identity == self.identity)
    }

    /// Lets the kernel read ahead as far as one request reaches, where we may say so.
    pub(crate) fn raise_read_ahead(&self) {
        let setting = format!("/sys/class/bdi/0:{}/read_ahead_kb", self.connection());
        if let Err(error) = std::fs::write(setting, READ_AHEAD_KIB) {
            tracing::debug!(%error, "the kernel's read-ahead stays as it is");
        }
    }

    /// Unmounts. What is at the path now and is not this mount stays, and the answer is `EINVAL`.
    pub(crate) fn unmount(&self, lazy: bool) -> io::Result<()> {
        if !self.is_in_place() {
            return Err(Errno::INVAL.into());
        }
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
        if self.is_in_place() { self.unmount(true) } else { Ok(()) }
    }

    /// Ends the connection with the kernel.
    pub(crate) fn abort(&self) -> io::Result<()> {
        let control = format!("/sys/fs/fuse/connections/{}/abort", self.connection());
        match std::fs::write(control, "1") {
            Ok(()) => Ok(()),
            Err(_) if !self.is_in_place() => Err(Errno::INVAL.into()),
            // The control file system need not be mounted.
            Err(_) => Ok(rustix::mount::unmount(&self.path, UnmountFlags::FORCE | UnmountFlags::DETACH)?),
        }
    }
}

/// Returns what is mounted at a path, without asking the file system that is mounted there.
fn identity_at(path: &Path) -> io::Result<Identity> {
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    // Asking for both kinds gives the unique one where there is one.
    let found = rustix::fs::statx(CWD, path, flags, StatxFlags::MNT_ID | MOUNT_ID_UNIQUE)?;
    Ok(Identity { mount: found.stx_mnt_id, connection: found.stx_dev_minor })
}
