//! Whether this process may use io_uring (`io_uring_setup(2)`).

use rustix::fd::{FromRawFd as _, OwnedFd};
use std::io;

/// `struct io_uring_params`, in words: all zero asks for nothing.
type Parameters = [u32; 30];

/// Sets up the smallest ring and gives it back at once.
///
/// # Errors
/// `ENOSYS` where the kernel has no io_uring, `EPERM` where a setting or a filter of system calls forbids it, `ENOMEM`
/// at the limit of locked memory.
pub fn try_io_uring() -> io::Result<()> {
    let mut parameters = Parameters::default();
    // SAFETY: one entry and a structure of the documented size, which the kernel fills and which lives across the call.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1_u32, parameters.as_mut_ptr()) };
    let descriptor = i32::try_from(ring).ok().filter(|&descriptor| descriptor >= 0);
    let Some(descriptor) = descriptor else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_ring_is_set_up_and_given_back_or_the_refusal_is_told() {
        let is_ring = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_link(entry.unwrap().path())
                .is_ok_and(|link| link.ends_with("anon_inode:[io_uring]"))
        };
        let rings =
            || std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|e| is_ring(e).then_some(())).count();
        match super::try_io_uring() {
            Ok(()) => assert_eq!(rings(), 0),
            Err(error) => assert!(error.raw_os_error().is_some(), "{error}"),
        }
    }
}
