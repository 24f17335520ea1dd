//! `/dev/fuse`: one message a read, one answer a write.

use crate::RequestId;
use crate::protocol::Encoded;
use rustix::io::Errno;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use zerocopy::IntoBytes;

/// Where clones of a connection come from.
const PATH: &str = "/dev/fuse";

/// A descriptor of `/dev/fuse` that is connected to a mount.
pub(super) struct Device(OwnedFd);

/// What came of a read.
pub(super) enum Received {
    /// A message of so many bytes.
    Message(usize),
    /// Nothing this time.
    Nothing,
    /// The mount is gone.
    Gone,
}

impl Device {
    /// Wraps a connected descriptor.
    pub(super) fn new(device: OwnedFd) -> Device {
        Device(device)
    }

    /// Returns another descriptor of the same connection, with a queue of its own for what it read.
    ///
    /// # Errors
    /// Those of opening the device.
    pub(super) fn another(&self) -> io::Result<Device> {
        let fresh = std::fs::File::options().read(true).write(true).open(PATH)?;
        fs9_sys::fuse_device::clone_device(&fresh, &self.0)?;
        Ok(Device(fresh.into()))
    }

    /// Returns the descriptor once more.
    ///
    /// # Errors
    /// Those of `dup(2)`.
    pub(super) fn try_clone(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// What reading the device says other than that the mount is gone.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        match rustix::io::read(&self.0, buffer) {
            Ok(length) => Ok(Received::Message(length)),
            // The request was taken back before it was read.
            Err(Errno::NOENT | Errno::INTR | Errno::AGAIN) => Ok(Received::Nothing),
            // Unmounted; aborted.
            Err(Errno::NODEV | Errno::CONNABORTED) => Ok(Received::Gone),
            Err(error) => Err(error.into()),
        }
    }

    /// Answers a request, in one write as the kernel wants it.
    ///
    /// # Errors
    /// `ENOENT` if nobody waits for it any more, `ENODEV` if the mount is gone, `EINVAL` if the kernel refuses it.
    pub(super) fn answer(&self, id: RequestId, encoded: &Encoded<'_>) -> io::Result<()> {
        let header = encoded.header(id);
        let parts = [header.as_bytes(), encoded.fixed(), encoded.data()].map(IoSlice::new);
        rustix::io::writev(&self.0, &parts)?;
        Ok(())
    }

    /// Sends a message that nobody asked for.
    ///
    /// # Errors
    /// `ENOENT` if the kernel does not know what it is about; those of [`Device::answer`].
    pub(super) fn notify(&self, message: &[u8]) -> io::Result<()> {
        rustix::io::write(&self.0, message)?;
        Ok(())
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
