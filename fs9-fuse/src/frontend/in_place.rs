//! What waits for the disk, and whether the thread that brings it may make the call.

use super::{Frontend, on};
use crate::operation::{Operation, RequestHeader};
use crate::pace::DiskWork;
use crate::view::MountView;
use fs9_sdk::{Call, Provider, Result};

/// Calls a provider for what waits for its disk, and notes how long that took.
pub(super) fn on_disk<T>(
    view: &MountView,
    work: DiskWork,
    f: impl FnOnce(&dyn Provider) -> Result<T>,
) -> Result<T> {
    view.paces.time(work, || on(view, f))
}

impl Frontend {
    /// Returns whether an operation may take so long that whoever brought it should have it done by another thread:
    /// it waits for the disk, and the disk is not quick at present or has much to do. Of a provider that may block it is
    /// never true: it has threads of its own.
    pub(crate) fn takes_long(&self, header: &RequestHeader, operation: &Operation<'_>) -> bool {
        use Operation as O;
        let Some(work) = DiskWork::of(operation) else { return false };
        let handle = match operation {
            O::Fsync { handle, .. } | O::Fsyncdir { handle, .. } | O::Fallocate { handle, .. } => *handle,
            O::CopyFileRange { target: (handle, _), .. } => *handle,
            _ => return false,
        };
        // Without a provider nothing waits.
        let Ok(file) = self.open_file(handle) else { return false };
        let Some(backend) = &file.backend else { return false };
        if backend.view.mount.pool().is_some() {
            return false;
        }
        if !backend.view.paces.are_quick(work) {
            return true;
        }
        let bytes = match operation {
            O::Fallocate { length, .. } | O::CopyFileRange { length, .. } => *length,
            // Nobody counts what the kernel writes by itself, and all of a file can be dirty.
            O::Fsync { .. } => {
                let (call, open) = (Call::by(header.caller), backend.open);
                let attr =
                    on(&backend.view, |provider| provider.getattr(&call, open.node, Some(open.handle)));
                attr.map_or(u64::MAX, |attr| attr.size)
            }
            _ => 0,
        };
        bytes > work.bytes_max()
    }
}
