//! The inode ioctls that file systems share (`ioctl_iflags(2)`, `linux/fs.h`).
//!
//! Invariant: each command is issued with a buffer of exactly the size that it is defined with.

use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// `struct fsxattr` as bytes: flags, extent size, extents, project id, copy-on-write extent size, padding.
pub type ExtendedFlags = [u8; 28];

/// `FS_IOC_FSGETXATTR`.
const GET_EXTENDED: u32 = 0x801c_581f;
/// `FS_IOC_FSSETXATTR`.
const SET_EXTENDED: u32 = 0x401c_5820;
/// `FS_IOC_GETFLAGS`: defined with a long, but all file systems read and write an int.
const GET_FLAGS: u32 = libc::FS_IOC_GETFLAGS as u32;
/// `FS_IOC_SETFLAGS`.
const SET_FLAGS: u32 = libc::FS_IOC_SETFLAGS as u32;
/// `FS_IOC_GETVERSION`.
const GET_VERSION: u32 = libc::FS_IOC_GETVERSION as u32;

/// Returns the inode flags (`FS_*_FL`).
///
/// # Errors
/// `ENOTTY` where the file system has none.
pub fn inode_flags(file: impl AsFd) -> io::Result<u32> {
    let mut buffer = [0; 8];
    issue(file, GET_FLAGS, &mut buffer)?;
    Ok(first_word(buffer))
}

/// Sets the inode flags.
///
/// # Errors
/// `EPERM`, `EOPNOTSUPP`, `ENOTTY`.
pub fn set_inode_flags(file: impl AsFd, flags: u32) -> io::Result<()> {
    let mut buffer = [0; 8];
    buffer[..4].copy_from_slice(&flags.to_ne_bytes());
    issue(file, SET_FLAGS, &mut buffer)
}

/// Returns the inode's generation number.
///
/// # Errors
/// `ENOTTY` where the file system has none.
pub fn inode_version(file: impl AsFd) -> io::Result<u32> {
    let mut buffer = [0; 8];
    issue(file, GET_VERSION, &mut buffer)?;
    Ok(first_word(buffer))
}

/// Returns the extended inode flags and the project id.
///
/// # Errors
/// `ENOTTY` where the file system has none.
pub fn extended_flags(file: impl AsFd) -> io::Result<ExtendedFlags> {
    let mut buffer = ExtendedFlags::default();
    issue(file, GET_EXTENDED, &mut buffer)?;
    Ok(buffer)
}

/// Sets the extended inode flags and the project id.
///
/// # Errors
/// `EPERM`, `EINVAL`, `EOPNOTSUPP`, `ENOTTY`.
pub fn set_extended_flags(file: impl AsFd, flags: &ExtendedFlags) -> io::Result<()> {
    let mut buffer = *flags;
    issue(file, SET_EXTENDED, &mut buffer)
}

fn first_word(buffer: [u8; 8]) -> u32 {
    let [a, b, c, d, ..] = buffer;
    u32::from_ne_bytes([a, b, c, d])
}

/// Issues one of the commands above, whose buffer its caller has sized.
fn issue(file: impl AsFd, command: u32, buffer: &mut [u8]) -> io::Result<()> {
    // SAFETY: each command of this file reads and writes at most the bytes that its caller provides.
    let result = unsafe { libc::ioctl(file.as_fd().as_raw_fd(), command as _, buffer.as_mut_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{inode_flags, inode_version};

    #[test]
    fn a_file_tells_its_flags_and_version_or_that_it_has_none() {
        let file = tempfile::tempfile().unwrap();
        for result in [inode_flags(&file), inode_version(&file)] {
            if let Err(error) = result {
                assert!(matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EOPNOTSUPP)), "{error}");
            }
        }
    }
}
