//! Open files and directories, and how many there may be.
//!
//! Invariants: a handle's number tells whether it is a file or a directory; every open one has a permit, which it
//! returns when it is closed; the answer beyond the budget is `EMFILE`, with descriptors left for everything else.

use crate::handles::Handles;
use crate::listing::Listing;
use fs9_sdk::{ErrorKind, FileHandle, NodeId, Result};
use parking_lot::Mutex;
use rustix::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An open file.
pub(crate) struct OpenFile {
    pub(crate) descriptor: OwnedFd,
    pub(crate) node: NodeId,
    /// Index of its device.
    pub(crate) device: u32,
    pub(crate) writable: bool,
    pub(crate) _permit: Permit,
}

/// An open directory. Its listing is locked for a whole `readdir`, system calls included: it is one stream with one
/// position, and whoever shares it has to wait.
pub(crate) struct OpenDirectory {
    pub(crate) descriptor: OwnedFd,
    /// Index of its device.
    pub(crate) device: u32,
    pub(crate) listing: Mutex<Listing>,
    pub(crate) _permit: Permit,
}

/// The right to keep one file open.
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The open files and directories of a provider.
pub(crate) struct OpenFiles {
    files: Handles<OpenFile>,
    directories: Handles<OpenDirectory>,
    permits: Arc<AtomicUsize>,
}

impl OpenFiles {
    /// Returns an empty table for so many handles.
    pub(crate) fn new(open_max: usize) -> OpenFiles {
        OpenFiles {
            files: Handles::new(),
            directories: Handles::new(),
            permits: Arc::new(AtomicUsize::new(open_max)),
        }
    }

    /// Returns a permit, or `EMFILE`.
    pub(crate) fn permit(&self) -> Result<Permit> {
        let taken =
            self.permits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match taken {
            Ok(_) => Ok(Permit(Arc::clone(&self.permits))),
            Err(_) => Err(ErrorKind::TooManyOpenFiles.into()),
        }
    }

    pub(crate) fn insert(&self, file: OpenFile) -> FileHandle {
        FileHandle(self.files.insert(Arc::new(file)) << 1)
    }

    pub(crate) fn insert_directory(&self, directory: OpenDirectory) -> FileHandle {
        FileHandle(self.directories.insert(Arc::new(directory)) << 1 | 1)
    }

    /// Returns an open file; a directory is none.
    pub(crate) fn get(&self, handle: FileHandle) -> Option<Arc<OpenFile>> {
        if handle.0 & 1 == 0 { self.files.get(handle.0 >> 1) } else { None }
    }

    pub(crate) fn directory(&self, handle: FileHandle) -> Result<Arc<OpenDirectory>> {
        let directory = if handle.0 & 1 == 1 { self.directories.get(handle.0 >> 1) } else { None };
        directory.ok_or(ErrorKind::BadDescriptor.into())
    }

    pub(crate) fn file(&self, handle: FileHandle) -> Result<Arc<OpenFile>> {
        self.get(handle).ok_or(ErrorKind::BadDescriptor.into())
    }

    pub(crate) fn close(&self, handle: FileHandle) {
        if handle.0 & 1 == 0 {
            drop(self.files.remove(handle.0 >> 1));
        } else {
            drop(self.directories.remove(handle.0 >> 1));
        }
    }
}
