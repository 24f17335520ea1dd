//! What `/dev/fuse` does beyond reading and writing (`include/uapi/linux/fuse.h`).
//!
//! Invariant: each command is issued with a buffer of exactly the size that it is defined with.

use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use std::io;

/// `FUSE_DEV_IOC_CLONE`, of a `u32`.
const CLONE: u32 = 0x8004_e500;
/// `FUSE_DEV_IOC_BACKING_OPEN`, of a `struct fuse_backing_map`: descriptor, flags, padding.
const BACKING_OPEN: u32 = 0x4010_e501;
/// `FUSE_DEV_IOC_BACKING_CLOSE`, of a `u32`.
const BACKING_CLOSE: u32 = 0x4004_e502;

/// Connects a freshly opened `/dev/fuse` to the connection of another one.
///
/// # Errors
/// `EINVAL` if `connected` is not connected, or `fresh` is already.
pub fn clone_device(fresh: impl AsFd, connected: impl AsFd) -> io::Result<()> {
    issue(fresh, CLONE, &mut connected.as_fd().as_raw_fd().to_ne_bytes()).map(drop)
}

/// Registers a file with a connection, so that the kernel reads and writes it by itself, and returns its number.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN` or without passthrough, `EOPNOTSUPP` for what cannot be read and written so, `ELOOP`
/// where file systems are stacked too deep, `ENOTTY` before Linux 6.9.
pub fn register_backing(device: impl AsFd, file: BorrowedFd<'_>) -> io::Result<u32> {
    let mut map = [0; 16];
    map[..4].copy_from_slice(&file.as_raw_fd().to_ne_bytes());
    issue(device, BACKING_OPEN, &mut map)
}

/// Takes a registration back. Files that were opened with it keep it.
///
/// # Errors
/// `ENOENT` for a number that is not registered.
pub fn unregister_backing(device: impl AsFd, number: u32) -> io::Result<()> {
    issue(device, BACKING_CLOSE, &mut number.to_ne_bytes()).map(drop)
}

/// Issues a command and returns what the kernel returns, which is never negative.
fn issue<const N: usize>(device: impl AsFd, command: u32, buffer: &mut [u8; N]) -> io::Result<u32> {
    let device = device.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open, and the buffer is as large as the command says (the module's invariant).
    let result = unsafe { libc::ioctl(device, libc::c_ulong::from(command), buffer.as_mut_ptr()) };
    u32::try_from(result).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::{clone_device, register_backing, unregister_backing};
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn a_device_without_a_mount_refuses_everything() {
        let open = || File::options().read(true).write(true).open("/dev/fuse");
        // Only root may open it everywhere.
        let (Ok(one), Ok(other)) = (open(), open()) else { return };
        assert!(clone_device(&one, &other).is_err());
        assert!(register_backing(&one, other.as_fd()).is_err());
        assert!(unregister_backing(&one, 1).is_err());
    }
}
