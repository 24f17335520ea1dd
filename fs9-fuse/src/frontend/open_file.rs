//! What a handle of the kernel stands for.

use super::flushes::Flushes;
use crate::inode::Ino;
use crate::view::MountView;
use fs9_core::control::OpenFor;
use fs9_core::{MountUse, PlaceId};
use fs9_sdk::{ErrorKind, LockFamily, LockOwner, OpenNode, Result};
use parking_lot::Mutex;
use std::sync::Arc;

/// A name that the mount table adds to a directory.
pub(super) struct PlaceName {
    pub(super) name: Box<[u8]>,
    pub(super) place: PlaceId,
    /// Reachable, but not listed.
    pub(super) hidden: bool,
}

/// An open file or directory.
pub(crate) struct OpenFile {
    /// Its inode.
    pub(super) ino: Ino,
    /// Mount, node and handle of the provider; `None` for a synthetic directory.
    pub(super) backend: Option<Backend>,
    /// Its inode's I/O mode counts this open.
    pub(super) has_io_mode: bool,
    /// It is open for execution.
    pub(super) is_execution: bool,
    /// For a directory: the names that the mount table adds, as of the beginning of the listing, in the order of
    /// their bytes.
    pub(super) places: Mutex<Arc<[PlaceName]>>,
    /// Who took locks through it that may still be held.
    pub(super) lock_owners: Mutex<Vec<(LockOwner, LockFamily)>>,
    /// Its flushes that a provider that may block has not done yet.
    pub(super) flushes: Mutex<Flushes>,
}

/// The provider's side of a handle.
pub(super) struct Backend {
    pub(super) view: Arc<MountView>,
    pub(super) open: OpenNode,
    pub(super) is_directory: bool,
    /// What it is open for, and by which process, as `.fs9/handles` tells.
    pub(super) purpose: OpenFor,
    pub(super) pid: u32,
    /// Keeps the mount busy.
    pub(super) _mount_use: MountUse,
}

impl OpenFile {
    /// Returns an open file or directory through which nobody has locked anything.
    pub(super) fn new(ino: Ino, backend: Option<Backend>) -> OpenFile {
        let (places, lock_owners) = (Mutex::new(Arc::from([])), Mutex::default());
        let (has_io_mode, is_execution, flushes) = (false, false, Mutex::default());
        OpenFile { ino, backend, has_io_mode, is_execution, places, lock_owners, flushes }
    }

    /// Notes that an owner may hold locks from now on.
    pub(super) fn note_lock_owner(&self, owner: LockOwner, family: LockFamily) {
        let mut owners = self.lock_owners.lock();
        if !owners.contains(&(owner, family)) {
            owners.push((owner, family));
        }
    }

    /// Forgets an owner, whose locks are given back by somebody else.
    pub(super) fn take_lock_owner(&self, owner: LockOwner, family: LockFamily) {
        self.lock_owners.lock().retain(|&noted| noted != (owner, family));
    }

    /// Returns all owners that may hold locks, and forgets them.
    pub(super) fn take_lock_owners(&self) -> Vec<(LockOwner, LockFamily)> {
        std::mem::take(&mut *self.lock_owners.lock())
    }

    /// Returns the provider's side.
    pub(super) fn backend(&self) -> Result<&Backend> {
        self.backend.as_ref().ok_or_else(|| ErrorKind::BadDescriptor.into())
    }
}
