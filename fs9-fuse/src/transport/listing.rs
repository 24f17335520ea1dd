//! Memory for listings, kept by each thread.

use crate::protocol::DirBuffer;
use crate::reply::{ListedEntry, Listing};
use std::cell::Cell;

/// What a thread keeps at most: what the kernel asks for when a program lists by itself, 128 KiB, and more.
const KEPT_MAX: usize = 1 << 20;

thread_local! {
    static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Collects a listing for as long as its request lives, on whatever thread; the memory goes back to a thread with it.
pub(super) struct OwnListing {
    memory: Vec<u8>,
    room: usize,
    filled: usize,
    attributes: bool,
}

impl OwnListing {
    /// Returns an empty listing of `room` bytes at most.
    pub(super) fn new(room: usize, attributes: bool) -> OwnListing {
        let mut memory = KEPT.take();
        if memory.len() < room {
            memory.resize(room, 0);
        }
        OwnListing { memory, room, filled: 0, attributes }
    }

    /// Returns the records.
    pub(super) fn bytes(&self) -> &[u8] {
        self.memory.get(..self.filled).unwrap_or_default()
    }
}

impl Listing for OwnListing {
    fn push(&mut self, entry: ListedEntry<'_>) -> bool {
        let room = self.memory.get_mut(self.filled..self.room).unwrap_or_default();
        let mut rest = DirBuffer::new(room, self.attributes);
        let taken = rest.push(entry);
        self.filled += rest.filled();
        taken
    }
}

impl Drop for OwnListing {
    fn drop(&mut self) {
        if self.memory.len() <= KEPT_MAX {
            KEPT.set(std::mem::take(&mut self.memory));
        }
    }
}
