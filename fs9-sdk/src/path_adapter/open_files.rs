//! Open files and open directories of the adapter.
//!
//! Invariants: a handle number is never reused. The provider's handle is released when the last user of it is gone:
//! an open file, or the remains of a node.
//! Lock order: `files` and `directories` are taken alone, and not held across a call of the provider.

use super::listing::OpenListing;
use crate::{Error, ErrorKind, FileHandle, OpenFlags, PathProvider, Result};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A handle of the provider, released when it is dropped.
pub(super) struct Backing {
    pub(super) handle: FileHandle,
    provider: Arc<dyn PathProvider>,
}

impl Backing {
    pub(super) fn new(provider: Arc<dyn PathProvider>, handle: FileHandle) -> Arc<Backing> {
        Arc::new(Backing { handle, provider })
    }
}

impl Drop for Backing {
    fn drop(&mut self) {
        self.provider.release(self.handle);
    }
}

/// An open file: a handle of the provider, and what it was opened for.
#[derive(Clone)]
pub(super) struct OpenFile {
    pub(super) backing: Arc<Backing>,
    pub(super) flags: OpenFlags,
    /// The provider's handle was opened without these flags, so that appending is the adapter's work.
    pub(super) borrowed: bool,
}

impl OpenFile {
    /// Returns the provider's handle for reading.
    ///
    /// # Errors
    /// `EBADF` if the file was not opened for reading.
    pub(super) fn for_reading(&self) -> Result<FileHandle> {
        if self.flags.readable() { Ok(self.backing.handle) } else { Err(bad_handle()) }
    }

    /// Returns the provider's handle for writing.
    ///
    /// # Errors
    /// `EBADF` if the file was not opened for writing.
    pub(super) fn for_writing(&self) -> Result<FileHandle> {
        if self.flags.writable() { Ok(self.backing.handle) } else { Err(bad_handle()) }
    }
}

fn bad_handle() -> Error {
    ErrorKind::BadDescriptor.into()
}

/// All that is open.
#[derive(Default)]
pub(super) struct OpenFiles {
    files: RwLock<HashMap<FileHandle, OpenFile>>,
    directories: RwLock<HashMap<FileHandle, Arc<Mutex<OpenListing>>>>,
    last: AtomicU64,
}

impl OpenFiles {
    fn next(&self) -> FileHandle {
        FileHandle(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn insert(&self, file: OpenFile) -> FileHandle {
        let handle = self.next();
        self.files.write().insert(handle, file);
        handle
    }

    /// Returns an open file.
    ///
    /// # Errors
    /// `EBADF` for a handle that is not open.
    pub(super) fn get(&self, handle: FileHandle) -> Result<OpenFile> {
        self.files.read().get(&handle).cloned().ok_or_else(bad_handle)
    }

    pub(super) fn remove(&self, handle: FileHandle) {
        // Bound to a name so that the provider's release runs after the lock is gone.
        let file = self.files.write().remove(&handle);
        drop(file);
    }

    pub(super) fn insert_directory(&self) -> FileHandle {
        let handle = self.next();
        self.directories.write().insert(handle, Arc::default());
        handle
    }

    /// Returns an open directory.
    ///
    /// # Errors
    /// `EBADF` for a handle that is not open.
    pub(super) fn directory(&self, handle: FileHandle) -> Result<Arc<Mutex<OpenListing>>> {
        self.directories.read().get(&handle).cloned().ok_or_else(bad_handle)
    }

    pub(super) fn remove_directory(&self, handle: FileHandle) {
        self.directories.write().remove(&handle);
    }
}
