//! What the tree may use and what it uses: bytes and inodes.
//!
//! Invariants: used never exceeds the limit; whoever takes gives back the same amount when the page, attribute, name
//! or inode is gone, so that an empty tree uses nothing but its root. No locks: each count is one atomic.

use crate::pages::PAGE_BYTES;
use fs9_sdk::{ErrorKind, Result, StatFs};
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that never passes its limit.
struct Budget {
    used: AtomicU64,
    limit: u64,
}

impl Budget {
    const fn new(limit: u64) -> Budget {
        Budget { used: AtomicU64::new(0), limit }
    }

    /// Takes `amount` or nothing.
    fn take(&self, amount: u64) -> Result<()> {
        let step = |used: u64| used.checked_add(amount).filter(|&sum| sum <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(_) => Ok(()),
            Err(_) => Err(ErrorKind::NoSpace.into()),
        }
    }

    /// Takes as many units as there are, `wanted` at most, and returns their number.
    fn take_units(&self, wanted: u64, unit: u64) -> u64 {
        if wanted == 0 {
            return 0;
        }
        let available = |used: u64| (self.limit.saturating_sub(used) / unit).min(wanted);
        let step = |used: u64| Some(used + available(used) * unit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).map_or(0, available)
    }

    fn give_back(&self, amount: u64) {
        let before = self.used.fetch_sub(amount, Ordering::Relaxed);
        assert!(before >= amount, "gave back {amount}, of which only {before} were taken");
    }

    fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }
}

/// The limits of a tree and what is used of them.
pub(crate) struct Space {
    bytes: Budget,
    inodes: Budget,
}

impl Space {
    /// Returns an unused space with these limits.
    pub(crate) const fn new(bytes_max: u64, inodes_max: u64) -> Space {
        Space { bytes: Budget::new(bytes_max), inodes: Budget::new(inodes_max) }
    }

    /// Takes up to `wanted` pages and returns how many there were.
    pub(crate) fn take_pages_up_to(&self, wanted: u64) -> u64 {
        self.bytes.take_units(wanted, PAGE_BYTES as u64)
    }

    /// Takes exactly so many pages, or `ENOSPC`.
    pub(crate) fn take_pages(&self, count: u64) -> Result<()> {
        self.bytes.take(count.saturating_mul(PAGE_BYTES as u64))
    }

    /// Gives pages back.
    pub(crate) fn give_back_pages(&self, count: u64) {
        self.bytes.give_back(count * PAGE_BYTES as u64);
    }

    /// Takes bytes for attributes and targets, or `ENOSPC`.
    pub(crate) fn take_bytes(&self, count: u64) -> Result<()> {
        self.bytes.take(count)
    }

    /// Gives bytes back.
    pub(crate) fn give_back_bytes(&self, count: u64) {
        self.bytes.give_back(count);
    }

    /// Takes one inode (or one more name of a file, which costs memory as well), or `ENOSPC`.
    pub(crate) fn take_inode(&self) -> Result<()> {
        self.inodes.take(1)
    }

    /// Gives one inode or further name back.
    pub(crate) fn give_back_inode(&self) {
        self.inodes.give_back(1);
    }

    /// Returns the space as `statfs(2)` tells it.
    pub(crate) fn statfs(&self) -> StatFs {
        let page = PAGE_BYTES as u64;
        let free = self.bytes.free() / page;
        StatFs {
            blocks: self.bytes.limit / page,
            blocks_free: free,
            blocks_available: free,
            files: self.inodes.limit,
            files_free: self.inodes.free(),
            block_size: PAGE_BYTES as u32,
            name_max: fs9_sdk::NAME_MAX as u32,
            fragment_size: PAGE_BYTES as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Space;
    use fs9_sdk::ErrorKind;

    #[test]
    fn no_more_than_the_limit_can_be_taken() {
        let space = Space::new(4 * 4096 + 100, 1);
        assert_eq!(space.take_pages_up_to(3), 3);
        assert_eq!(space.take_pages(2).unwrap_err().kind(), ErrorKind::NoSpace);
        assert_eq!(space.take_pages_up_to(3), 1);
        assert_eq!(space.take_pages_up_to(3), 0);
        space.take_bytes(100).unwrap();
        assert_eq!(space.take_bytes(1).unwrap_err().kind(), ErrorKind::NoSpace);
        space.take_inode().unwrap();
        assert_eq!(space.take_inode().unwrap_err().kind(), ErrorKind::NoSpace);
        space.give_back_pages(4);
        space.give_back_bytes(100);
        assert_eq!(space.statfs().blocks_free, 4);
    }

    #[test]
    fn absurd_amounts_do_not_overflow() {
        let space = Space::new(u64::MAX, u64::MAX);
        space.take_pages_up_to(1);
        assert_eq!(space.take_pages(u64::MAX).unwrap_err().kind(), ErrorKind::NoSpace);
        assert_eq!(space.take_bytes(u64::MAX).unwrap_err().kind(), ErrorKind::NoSpace);
    }
}
