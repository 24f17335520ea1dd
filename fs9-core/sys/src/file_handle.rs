//! File handles: names of inodes that cost no descriptor (`open_by_handle_at(2)`).
//!
//! Invariant: a [`FileHandleBytes`] is exactly what the kernel gave, so giving it back finds the same inode or none.

use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::io;

/// The longest handle that is kept, in bytes. ext4 and tmpfs need 8 or 12, xfs 12 to 16, btrfs 20; what needs more is
/// found by name instead.
pub const FILE_HANDLE_MAX: usize = 27;

/// The kernel's own limit (`MAX_HANDLE_SZ`).
const KERNEL_MAX: usize = 128;

/// A file handle, small enough to be kept for each of a million inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHandleBytes {
    kind: i32,
    length: u8,
    bytes: [u8; FILE_HANDLE_MAX],
}

/// `struct file_handle` with room for the longest handle.
#[repr(C)]
struct KernelHandle {
    length: u32,
    kind: i32,
    bytes: [u8; KERNEL_MAX],
}

const _: () = assert!(std::mem::offset_of!(KernelHandle, bytes) == size_of::<libc::file_handle>());

/// Returns the handle of an open file; an `O_PATH` descriptor will do.
///
/// # Errors
/// `EOPNOTSUPP` where the file system has none, `EOVERFLOW` for one that is too long to keep.
pub fn take_handle(file: impl AsFd) -> io::Result<FileHandleBytes> {
    let mut handle = KernelHandle { length: KERNEL_MAX as u32, kind: 0, bytes: [0; KERNEL_MAX] };
    let mut mount = 0;
    // SAFETY: the path is a C string, `handle` has room for `length` bytes, `mount` is ours.
    let result = unsafe {
        libc::name_to_handle_at(
            file.as_fd().as_raw_fd(),
            c"".as_ptr(),
            (&raw mut handle).cast(),
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let length = handle.length as usize;
    let Some(kept) = handle.bytes.get(..length).filter(|kept| kept.len() <= FILE_HANDLE_MAX) else {
        return Err(io::Error::from_raw_os_error(libc::EOVERFLOW));
    };
    let mut bytes = [0; FILE_HANDLE_MAX];
    bytes[..length].copy_from_slice(kept);
    Ok(FileHandleBytes { kind: handle.kind, length: length as u8, bytes })
}

/// Opens the inode of a handle with `O_PATH`. `mount` is any descriptor on the mount, but not an `O_PATH` one. Needs
/// `CAP_DAC_READ_SEARCH`.
///
/// # Errors
/// `ESTALE` if the inode is gone.
pub fn open_by_handle(mount: impl AsFd, handle: &FileHandleBytes) -> io::Result<OwnedFd> {
    let mut kernel =
        KernelHandle { length: u32::from(handle.length), kind: handle.kind, bytes: [0; KERNEL_MAX] };
    kernel.bytes[..FILE_HANDLE_MAX].copy_from_slice(&handle.bytes);
    let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: `kernel` is laid out as the kernel expects and outlives the call.
    let fd = unsafe { libc::open_by_handle_at(mount.as_fd().as_raw_fd(), (&raw mut kernel).cast(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::{open_by_handle, take_handle};
    use rustix::fs::{Mode, OFlags, fstat, open};
    use rustix::process::geteuid;

    #[test]
    fn a_handle_finds_the_inode_again_until_it_is_gone() {
        if !geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, b"x").unwrap();
        let mount = open(dir.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let file = open(&path, OFlags::PATH, Mode::empty()).unwrap();
        let ino = fstat(&file).unwrap().st_ino;

        let handle = take_handle(&file).unwrap();
        drop(file);
        let again = open_by_handle(&mount, &handle).unwrap();
        assert_eq!(fstat(&again).unwrap().st_ino, ino);

        drop(again);
        std::fs::remove_file(&path).unwrap();
        let gone = open_by_handle(&mount, &handle).unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ESTALE));
    }
}
