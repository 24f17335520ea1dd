//! Messages that the kernel did not ask for: what it has to forget, and whom it has to wake.

use super::device::Device;
use crate::protocol::{Dialect, Notification};
use crate::{Ino, KernelCache};
use rustix::io::Errno;
use std::sync::Arc;

/// Tells the kernel through the device, also where requests come by rings.
pub(super) struct DeviceCache {
    pub(super) device: Arc<Device>,
    pub(super) dialect: Dialect,
}

impl KernelCache for DeviceCache {
    fn invalidate_all_entries(&self) -> bool {
        let all = Notification::IncrementEpoch;
        all.is_known(self.dialect) && tell(&self.device, self.dialect, all)
    }

    fn invalidate_entry(&self, parent: Ino, name: &[u8]) {
        tell(&self.device, self.dialect, Notification::InvalidateEntry { parent, name, expire: false });
    }

    fn invalidate_inode(&self, ino: Ino, data: bool) {
        // A negative offset leaves the data alone, and length 0 means to its end (`fuse_reverse_inval_inode`).
        let offset = if data { 0 } else { -1 };
        tell(&self.device, self.dialect, Notification::InvalidateInode { ino, offset, length: 0 });
    }
}

/// Wakes whoever polls a file.
pub(super) fn wake_poll(device: &Device, dialect: Dialect, kernel: u64) {
    tell(device, dialect, Notification::Poll { kernel });
}

/// Returns whether the kernel took it.
fn tell(device: &Device, dialect: Dialect, notification: Notification<'_>) -> bool {
    let mut message = Vec::new();
    notification.encode(dialect, &mut message);
    match device.notify(&message) {
        Ok(()) => true,
        // It did not know that anyway.
        Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => false,
        Err(error) => {
            tracing::debug!(%error, ?notification, "the kernel was not told of a change");
            false
        }
    }
}
