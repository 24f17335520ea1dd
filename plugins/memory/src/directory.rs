//! The entries of one directory: found by name in O(1), listed by cookie in the order in which they came.
//!
//! Slots stand in a vector in rising order of their cookies; a hash table maps names to slots. Removing leaves a
//! tombstone, and when more than half of the slots are tombstones the vector is packed, so that every operation costs
//! O(1) on average and a listing goes on by binary search.
//!
//! Invariants: cookies rise strictly and are never used for a second name; `head` is the first slot that is not a
//! tombstone; `population` is the number of entries, or [`REMOVED`] from the moment of removal, so that nothing is
//! ever made in a directory that is gone.
//! Lock order: `entries` of the directory with the smaller number first; then file pages and attributes.

use crate::node::Node;
use fs9_sdk::{Error, ErrorKind, Name, Result};
use hashbrown::HashTable;
use parking_lot::RwLock;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The population of a directory that was removed.
const REMOVED: u64 = u64::MAX;
/// Tombstones that are never worth packing.
const TOMBSTONES_MIN: usize = 32;

/// The body of a directory.
pub(crate) struct Directory {
    /// The entries by name and by cookie.
    pub(crate) entries: RwLock<Entries>,
    population: AtomicU64,
    /// The number of the directory that holds this one; it changes only under the tree's rename lock.
    parent: AtomicU64,
}

impl Directory {
    /// Returns an empty directory that is held by the directory with this number.
    pub(crate) fn new(parent: u64) -> Directory {
        let entries = RwLock::new(Entries::default());
        Directory { entries, population: AtomicU64::new(0), parent: AtomicU64::new(parent) }
    }

    /// Returns the number of the directory that holds this one.
    pub(crate) fn parent(&self) -> u64 {
        self.parent.load(Ordering::Acquire)
    }

    /// Notes that it has moved.
    pub(crate) fn set_parent(&self, number: u64) {
        self.parent.store(number, Ordering::Release);
    }

    /// Returns the number of entries.
    pub(crate) fn population(&self) -> u64 {
        let population = self.population.load(Ordering::Acquire);
        if population == REMOVED { 0 } else { population }
    }

    /// Announces an entry to be added.
    ///
    /// # Errors
    /// `ENOENT` if the directory is removed.
    pub(crate) fn admit(&self) -> Result<()> {
        let step = |population: u64| (population != REMOVED).then(|| population + 1);
        let admitted = self.population.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        admitted.map(drop).map_err(|_| Error::new(ErrorKind::NotFound))
    }

    /// Takes back an announcement, or tells that an entry is gone.
    pub(crate) fn dismiss(&self) {
        let before = self.population.fetch_sub(1, Ordering::AcqRel);
        assert!(before != 0 && before != REMOVED, "dismissed an entry of a directory that has none");
    }

    /// Marks the directory as removed.
    ///
    /// # Errors
    /// `ENOTEMPTY` if it has entries.
    pub(crate) fn seal(&self) -> Result<()> {
        let sealed = self.population.compare_exchange(0, REMOVED, Ordering::AcqRel, Ordering::Acquire);
        sealed.map(drop).map_err(|_| Error::new(ErrorKind::DirectoryNotEmpty))
    }
}

/// One entry, or the tombstone of one.
pub(crate) struct Slot {
    /// Its place in the order of the listing.
    pub(crate) cookie: u64,
    name: Box<[u8]>,
    node: Option<Arc<Node>>,
}

impl Slot {
    /// Returns name and node, unless this is a tombstone.
    pub(crate) fn live(&self) -> Option<(&[u8], &Arc<Node>)> {
        self.node.as_ref().map(|node| (&*self.name, node))
    }
}

/// Where the entry of a name stands. The hash is kept so that a growing table touches no names.
#[derive(Clone, Copy)]
struct Indexed {
    slot: u32,
    hash: u32,
}

impl Indexed {
    fn stands_for(&self, slots: &[Slot], name: Name<'_>, hash: u32) -> bool {
        self.hash == hash && *slots[self.slot as usize].name == *name.as_bytes()
    }
}

/// Widens a kept hash to what the table takes its bucket from the low and its tag from the high bits of.
fn widen(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// The entries of a directory.
#[derive(Default)]
pub(crate) struct Entries {
    slots: Vec<Slot>,
    index: HashTable<Indexed>,
    hasher: RandomState,
    head: usize,
    last_cookie: u64,
}

impl Entries {
    /// Returns the node of this name.
    pub(crate) fn get(&self, name: Name<'_>) -> Option<&Arc<Node>> {
        self.slots[self.slot_of(name)?].node.as_ref()
    }

    /// Makes sure that one more entry has room.
    ///
    /// # Errors
    /// `ENOSPC` beyond 2^32 slots.
    pub(crate) fn check_room(&self) -> Result<()> {
        if self.slots.len() < u32::MAX as usize { Ok(()) } else { Err(ErrorKind::NoSpace.into()) }
    }

    /// Adds an entry whose name is new and for which [`Entries::check_room`] found room.
    pub(crate) fn insert(&mut self, name: Name<'_>, node: Arc<Node>) {
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let hash = self.hash_of(name);
        self.last_cookie += 1;
        self.slots.push(Slot { cookie: self.last_cookie, name: name.as_bytes().into(), node: Some(node) });
        self.index.insert_unique(widen(hash), Indexed { slot, hash }, |entry| widen(entry.hash));
    }

    /// Puts another node under a name that exists, at its place in the listing, and returns the former one.
    pub(crate) fn replace(&mut self, name: Name<'_>, node: Arc<Node>) -> Option<Arc<Node>> {
        let slot = self.slot_of(name)?;
        self.slots[slot].node.replace(node)
    }

    /// Removes an entry and returns its node.
    pub(crate) fn remove(&mut self, name: Name<'_>) -> Option<Arc<Node>> {
        let hash = self.hash_of(name);
        let slots = &self.slots;
        let found = self.index.find_entry(widen(hash), |entry| entry.stands_for(slots, name, hash));
        let slot = found.ok()?.remove().0.slot as usize;
        self.slots[slot].name = Box::default();
        let node = self.slots[slot].node.take();
        while self.slots.get(self.head).is_some_and(|slot| slot.node.is_none()) {
            self.head += 1;
        }
        self.pack_if_sparse();
        node
    }

    /// Returns the slots behind a cookie, tombstones included, in the order of the listing.
    pub(crate) fn after(&self, cookie: u64) -> &[Slot] {
        let live = &self.slots[self.head..];
        &live[live.partition_point(|slot| slot.cookie <= cookie)..]
    }

    /// Drops all entries.
    pub(crate) fn clear(&mut self) {
        *self = Entries { last_cookie: self.last_cookie, ..Entries::default() };
    }

    fn hash_of(&self, name: Name<'_>) -> u32 {
        (self.hasher.hash_one(name.as_bytes()) >> 32) as u32
    }

    fn slot_of(&self, name: Name<'_>) -> Option<usize> {
        let hash = self.hash_of(name);
        let found = self.index.find(widen(hash), |entry| entry.stands_for(&self.slots, name, hash));
        found.map(|entry| entry.slot as usize)
    }

    fn pack_if_sparse(&mut self) {
        let tombstones = self.slots.len() - self.index.len();
        if tombstones < TOMBSTONES_MIN.max(self.slots.len() / 2) {
            return;
        }
        self.slots.retain(|slot| slot.node.is_some());
        self.slots.shrink_to(self.slots.len() * 2);
        self.head = 0;
        let mut index = HashTable::with_capacity(self.slots.len());
        for (slot, hash) in (0u32..).zip(self.slots.iter().map(|slot| self.hasher.hash_one(&*slot.name))) {
            let hash = (hash >> 32) as u32;
            index.insert_unique(widen(hash), Indexed { slot, hash }, |entry| widen(entry.hash));
        }
        self.index = index;
        assert_eq!(self.index.len(), self.slots.len(), "packing a directory lost entries");
    }
}
