//! Files that the kernel reads and writes by itself.

use super::device::Device;
use crate::reply::Backing;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// A file that is registered with a connection until this is dropped. What is open with it goes on.
pub(super) struct Registration {
    device: Arc<Device>,
    number: u32,
}

/// Registers a file.
///
/// # Errors
/// Those of [`fs9_sys::fuse_device::register_backing`].
pub(super) fn register(device: &Arc<Device>, file: BorrowedFd<'_>) -> io::Result<Backing> {
    let number = fs9_sys::fuse_device::register_backing(&**device, file)?;
    Ok(Backing::new(Registration { device: Arc::clone(device), number }))
}

/// Returns the number by which the kernel knows a file.
pub(super) fn number_of(backing: &Backing) -> Option<i32> {
    backing.registration::<Registration>().and_then(|registration| registration.number.try_into().ok())
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Err(error) = fs9_sys::fuse_device::unregister_backing(&*self.device, self.number) {
            // The kernel forgets them all when the mount is gone.
            tracing::debug!(%error, "a backing file stays registered");
        }
    }
}
