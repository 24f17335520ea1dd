//! Closing a descriptor and hearing how it went: remote file systems report failed writes there (`close(2)`).

use rustix::fd::{IntoRawFd, OwnedFd};
use std::io;

/// Closes a descriptor. It is gone also if this fails.
///
/// # Errors
/// Those of earlier writes.
pub fn close(descriptor: OwnedFd) -> io::Result<()> {
    let raw = descriptor.into_raw_fd();
    // SAFETY: ownership was just taken from the `OwnedFd`, so nobody else uses or closes this number.
    match unsafe { libc::close(raw) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_closed_pipe_has_no_other_end() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        super::close(writer).unwrap();
        assert_eq!(rustix::io::read(&reader, &mut [0]).unwrap(), 0);
    }
}
