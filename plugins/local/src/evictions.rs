//! Whether removing a name has to care for the node behind it.
//!
//! As long as every known node has its descriptor, unlinking one loses nothing, and one system call does it. Once
//! descriptors are given up, whoever removes a name first opens what is behind it, unless no node is known there. One
//! that becomes known meanwhile must then keep its descriptor until the name is gone. The two meet here.
//!
//! Invariant: no descriptor is given up while a removal runs that did not care (Dekker's handshake: each side writes
//! its own word before it reads the other's, all sequentially consistent).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The handshake between removals and evictions.
#[derive(Default)]
pub(crate) struct Evictions {
    begun: AtomicBool,
    /// Removals that do not care.
    careless: AtomicUsize,
    /// Removals that care, and want no eviction nevertheless.
    suspending: AtomicUsize,
}

/// A removal during which no descriptor is given up.
pub(crate) struct Careless<'a>(&'a AtomicUsize);

impl Evictions {
    /// Announces an eviction and returns whether it may go on; if not, it is tried again some time later.
    pub(crate) fn begin(&self) -> bool {
        if !self.begun.load(Ordering::SeqCst) {
            self.begun.store(true, Ordering::SeqCst);
        }
        self.careless.load(Ordering::SeqCst) == 0 && self.suspending.load(Ordering::SeqCst) == 0
    }

    /// Begins a removal that does not care for nodes without a descriptor, since there are none, or returns `None` if it has to.
    pub(crate) fn careless(&self) -> Option<Careless<'_>> {
        // Not even for a moment does one count that has to care.
        if self.begun.load(Ordering::SeqCst) {
            return None;
        }
        let removal = Careless::count(&self.careless);
        if self.begun.load(Ordering::SeqCst) { None } else { Some(removal) }
    }

    /// Returns whether removals that do not care are still under way since before the first eviction was announced, so
    /// that there was none yet.
    pub(crate) fn has_careless(&self) -> bool {
        self.careless.load(Ordering::SeqCst) != 0
    }

    /// Lets no eviction begin until the removal ends. One that began before knows its node already, so that whoever
    /// looks for the node from now on finds it.
    pub(crate) fn suspend(&self) -> Careless<'_> {
        Careless::count(&self.suspending)
    }
}

impl Careless<'_> {
    fn count(counter: &AtomicUsize) -> Careless<'_> {
        counter.fetch_add(1, Ordering::SeqCst);
        Careless(counter)
    }
}

impl Drop for Careless<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::Evictions;

    #[test]
    fn an_eviction_waits_for_careless_removals_and_ends_them_for_good() {
        let evictions = Evictions::default();
        let removal = evictions.careless().unwrap();
        assert!(!evictions.begin());
        assert!(evictions.careless().is_none());
        assert!(evictions.has_careless());
        drop(removal);
        assert!(evictions.begin() && !evictions.has_careless());
    }

    #[test]
    fn an_eviction_waits_for_a_removal_that_found_no_node() {
        let evictions = Evictions::default();
        assert!(evictions.begin());
        let removal = evictions.suspend();
        assert!(!evictions.begin() && !evictions.has_careless());
        drop(removal);
        assert!(evictions.begin());
    }
}
