//! The known inodes of a provider.
//!
//! A node is known from the lookup that returns it until as many lookups are forgotten. While known it keeps an
//! `O_PATH` descriptor, but only so many in all: the longest unused give theirs up and are found again by file handle,
//! or, where there are none, by name. What nothing else leads to (an unlinked inode) keeps its descriptor.
//!
//! Invariants: one inode has one node; a record lives while it has lookups or pins; no system call runs and nothing is
//! closed with a shard locked. Lock order: one shard at a time.

use super::Whereabouts;
use super::record::{Descriptor, Found, Key, Recall, Record};
use super::shard::{Shard, Victim, hash_of};
use crate::freed::Freed;
use fs9_sdk::{FileType, NodeId};
use fs9_sys::FileHandleBytes;
use parking_lot::Mutex;
use rustix::fd::OwnedFd;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most shards.
const SHARDS_MAX: usize = 64;

/// The fewest descriptors that make a shard worthwhile.
const SHARD_DESCRIPTORS_MIN: usize = 8;

/// Node ids below this are not the table's: 0 is nobody's and 1 is the root.
const FIRST_ID: u64 = 2;

/// A node to work with.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its descriptor, usually `O_PATH`.
    pub(crate) descriptor: Descriptor,
    /// Its type.
    pub(crate) kind: FileType,
    /// Index of its device.
    pub(crate) device: u32,
    /// Whether it had set-user-ID or set-group-ID when last seen.
    pub(crate) privileged: bool,
}

/// How to get at a node.
#[derive(Debug)]
pub(crate) enum Access {
    /// It is open.
    Open(Node),
    /// By this file handle.
    Handle(Found, FileHandleBytes),
    /// By looking there again.
    Place(Found, Whereabouts),
    /// Not at all: there is no such node.
    Gone,
}

/// Whether a node may lose its name without getting lost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shield {
    /// It is not known.
    Needless,
    /// There is nothing of that name.
    Free,
    /// It keeps its descriptor until it is let go.
    Up(NodeId),
    /// It has no descriptor and is found again by file handle.
    Closed,
    /// Its place is all that leads to it once its descriptor is given up.
    ByName,
}

/// The known inodes.
pub(crate) struct NodeTable {
    shards: Box<[Mutex<Shard>]>,
    shard_bits: u32,
    evictable_max: usize,
    seed: u64,
    next_relief: AtomicUsize,
    freed: Freed,
}

impl NodeTable {
    /// Returns an empty table that keeps about so many descriptors.
    pub(crate) fn new(descriptors: usize) -> NodeTable {
        let shards = (descriptors / SHARD_DESCRIPTORS_MIN).clamp(1, SHARDS_MAX);
        let shard_bits = shards.ilog2();
        let shards = 1 << shard_bits;
        let seed = RandomState::new().hash_one(descriptors);
        NodeTable {
            shards: std::iter::repeat_with(|| Mutex::new(Shard::new(seed))).take(shards).collect(),
            shard_bits,
            evictable_max: (descriptors / shards).max(1),
            seed,
            next_relief: AtomicUsize::new(0),
            freed: Freed::default(),
        }
    }

    /// Finds or makes the node of an inode and counts one lookup. `place` is where it was found, and given only where
    /// nodes are to be found again by name.
    pub(crate) fn intern(&self, found: &Found, fd: OwnedFd, place: Option<&Whereabouts>) -> NodeId {
        if let Some(place) = place {
            self.pin(place.parent);
        }
        let hash = self.hash(found.key);
        let shard = self.shard_of(hash);
        let mut stale_pin = None;
        let (slot, spare);
        {
            let mut locked = self.shards[shard].lock();
            if let Some(known) = locked.find(found.key, hash)
                && locked.get(known).is_some_and(|record| is_another(record, found))
            {
                locked.disown(known, hash);
            }
            let interned = locked.intern(found, fd, hash);
            (slot, spare) = (interned.slot, interned.spare);
            if let Some(place) = place {
                stale_pin = remember_place(&mut locked, slot, place);
            }
        }
        drop(spare);
        if let Some(parent) = stale_pin {
            self.release(parent, 0, 1);
        }
        self.id(shard, slot)
    }

    /// Counts one more lookup of a known node.
    pub(crate) fn look_again(&self, node: NodeId) {
        self.with(node, |record| record.lookups += 1);
    }

    /// Returns how to get at a node.
    pub(crate) fn access(&self, node: NodeId) -> Access {
        let accessed = self.with(node, |record| {
            record.referenced = true;
            match (&record.descriptor, &record.recall) {
                (Some(descriptor), _) => Access::Open(node_of(&record.found, descriptor)),
                (None, Recall::Handle(handle)) => Access::Handle(record.found, *handle),
                (None, Recall::Place(place)) => Access::Place(record.found, (**place).clone()),
                (None, Recall::Descriptor) => Access::Gone,
            }
        });
        accessed.unwrap_or(Access::Gone)
    }

    /// Gives a node that was found again its descriptor.
    pub(crate) fn adopt(&self, node: NodeId, found: &Found, fd: OwnedFd) -> Option<Node> {
        let (shard, slot) = self.parts(node)?;
        let descriptor = self.shards[shard].lock().adopt(slot, Arc::new(fd))?;
        Some(node_of(found, &descriptor))
    }

    /// Returns whether a node was privileged when last seen.
    pub(crate) fn is_privileged(&self, node: NodeId) -> bool {
        self.with(node, |record| record.found.privileged).unwrap_or(false)
    }

    /// Notes whether a node is privileged.
    pub(crate) fn set_privileged(&self, node: NodeId, privileged: bool) {
        self.with(node, |record| record.found.privileged = privileged);
    }

    /// Keeps the descriptor of an inode if its node is known, since nothing else will lead to it; a node without one
    /// gets this. Returns the node.
    pub(crate) fn hold(&self, found: &Found, descriptor: &Descriptor) -> Option<NodeId> {
        let hash = self.hash(found.key);
        let shard = self.shard_of(hash);
        let mut locked = self.shards[shard].lock();
        let slot = locked.find(found.key, hash)?;
        if locked.get(slot).is_some_and(|record| is_another(record, found)) {
            return None;
        }
        let kept = locked.adopt(slot, Arc::clone(descriptor));
        locked.hold(slot);
        // Not the last reference: the caller has one, so nothing is closed under the lock.
        drop(kept);
        Some(self.id(shard, slot))
    }

    /// Makes sure that the node of an inode keeps its descriptor until it is let go, if that is known and open. An
    /// eviction that is under way does not take it either: it finds the node used.
    pub(crate) fn shield(&self, key: Key) -> Shield {
        let hash = self.hash(key);
        let shard = self.shard_of(hash);
        let mut locked = self.shards[shard].lock();
        let Some(slot) = locked.find(key, hash) else { return Shield::Needless };
        let Some(record) = locked.get_mut(slot) else { return Shield::Needless };
        if record.descriptor.is_none() {
            return Shield::Closed;
        }
        record.referenced = true;
        locked.hold(slot);
        Shield::Up(self.id(shard, slot))
    }

    /// Ends [`Shield::Up`]. What has lost its last name meanwhile is noticed by the next eviction.
    pub(crate) fn let_go(&self, node: NodeId) {
        if let Some((shard, slot)) = self.parts(node) {
            self.shards[shard].lock().let_go(slot);
        }
    }

    /// Ends what [`NodeTable::spare`] began: something leads to the inode now. `place` is given only where nodes are to be
    /// found again by name; one that has a place already keeps it.
    pub(crate) fn named(&self, node: NodeId, place: Option<&Whereabouts>) {
        let Some((shard, slot)) = self.parts(node) else { return };
        let Some(place) = place else { return self.shards[shard].lock().unspare(slot) };
        self.pin(place.parent);
        let mut locked = self.shards[shard].lock();
        let is_lost = locked.get(slot).is_some_and(|record| matches!(record.recall, Recall::Descriptor));
        let stale = if is_lost { remember_place(&mut locked, slot, place) } else { Some(place.parent) };
        drop(locked);
        if let Some(parent) = stale {
            self.release(parent, 0, 1);
        }
    }

    /// Notes the place of an inode if its node is known.
    pub(crate) fn moved(&self, key: Key, place: &Whereabouts) {
        self.pin(place.parent);
        let hash = self.hash(key);
        let mut locked = self.shards[self.shard_of(hash)].lock();
        let slot = locked.find(key, hash);
        let stale = match slot {
            Some(slot) => remember_place(&mut locked, slot, place),
            None => Some(place.parent),
        };
        drop(locked);
        if let Some(parent) = stale {
            self.release(parent, 0, 1);
        }
    }

    /// Takes back lookups and pins of a node, and removes it when none are left.
    pub(crate) fn release(&self, node: NodeId, lookups: u64, pins: u32) {
        let (mut node, mut lookups, mut pins) = (node, lookups, pins);
        // Removing a node unpins the directory that it is found through, which may remove that in turn.
        while let Some(record) = self.release_one(node, lookups, pins) {
            let Recall::Place(place) = &record.recall else { return };
            (node, lookups, pins) = (place.parent, 0, 1);
        }
    }

    fn release_one(&self, node: NodeId, lookups: u64, pins: u32) -> Option<Record> {
        let (shard, slot) = self.parts(node)?;
        let mut locked = self.shards[shard].lock();
        let record = locked.get_mut(slot)?;
        record.lookups = record.lookups.saturating_sub(lookups);
        record.pins = record.pins.saturating_sub(pins);
        if record.lookups != 0 || record.pins != 0 {
            return None;
        }
        let hash = self.hash(record.found.key);
        let removed = locked.remove(slot, hash);
        drop(locked);
        self.freed.note_node();
        removed
    }

    fn pin(&self, node: NodeId) {
        self.with(node, |record| record.pins += 1);
    }

    /// Returns a node whose descriptor may be given up if the shard of `near` has too many of them.
    pub(crate) fn victim_near(&self, near: NodeId) -> Option<(usize, Victim)> {
        let (shard, _) = self.parts(near)?;
        let mut locked = self.shards[shard].lock();
        if locked.evictable() <= self.evictable_max {
            return None;
        }
        Some((shard, locked.pick_victim()?))
    }

    /// Returns any node whose descriptor may be given up.
    pub(crate) fn victim_anywhere(&self) -> Option<(usize, Victim)> {
        (0..self.shards.len()).find_map(|_| {
            let shard = self.next_relief.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            Some((shard, self.shards[shard].lock().pick_victim()?))
        })
    }

    /// Gives up the descriptor of a victim if nothing has changed, and returns whether it was.
    pub(crate) fn retire(&self, shard: usize, victim: &Victim, recall: Option<Recall>) -> bool {
        let descriptor = self.shards[shard].lock().retire(victim, recall);
        descriptor.is_some()
    }

    /// Keeps a victim's descriptor after all: nothing else leads to it.
    pub(crate) fn spare(&self, shard: usize, victim: &Victim) {
        self.shards[shard].lock().spare(victim);
    }

    fn with<T>(&self, node: NodeId, f: impl FnOnce(&mut Record) -> T) -> Option<T> {
        let (shard, slot) = self.parts(node)?;
        self.shards[shard].lock().get_mut(slot).map(f)
    }

    fn hash(&self, key: Key) -> u64 {
        hash_of(key, self.seed)
    }

    /// Uses bits that the index does not (it takes the lowest and the highest seven).
    fn shard_of(&self, hash: u64) -> usize {
        (hash >> 40) as usize & (self.shards.len() - 1)
    }

    fn id(&self, shard: usize, slot: u32) -> NodeId {
        NodeId((u64::from(slot) << self.shard_bits | shard as u64) + FIRST_ID)
    }

    fn parts(&self, node: NodeId) -> Option<(usize, u32)> {
        let number = node.0.checked_sub(FIRST_ID)?;
        let slot = u32::try_from(number >> self.shard_bits).ok()?;
        Some((number as usize & (self.shards.len() - 1), slot))
    }
}

/// Returns whether a record stands for an earlier inode of the same number. While its descriptor is open that cannot
/// be, whatever the file system says of birth times.
fn is_another(record: &Record, found: &Found) -> bool {
    record.descriptor.is_none()
        && (record.found.generation != found.generation || record.found.kind != found.kind)
}

/// Notes the place of a record, whose parent is already pinned for it. Returns the directory to unpin.
fn remember_place(shard: &mut Shard, slot: u32, place: &Whereabouts) -> Option<NodeId> {
    // It has a name, so a descriptor that was kept for want of one may go.
    shard.free(slot);
    let Some(record) = shard.get_mut(slot) else { return Some(place.parent) };
    match &mut record.recall {
        Recall::Place(known) if **known == *place => Some(place.parent),
        Recall::Place(known) => Some(std::mem::replace(&mut **known, place.clone()).parent),
        recall => {
            *recall = Recall::Place(Box::new(place.clone()));
            None
        }
    }
}

fn node_of(found: &Found, descriptor: &Descriptor) -> Node {
    Node {
        descriptor: Arc::clone(descriptor),
        kind: found.kind,
        device: found.key.device,
        privileged: found.privileged,
    }
}
