//! One shard of the node table: records, their index, and the ring from which a clock picks those to give up.
//!
//! Invariants: every record is in the index under its key, except one whose inode number now belongs to another
//! object; the ring holds exactly the records that have a descriptor and are neither held nor
//! spared.

use super::record::{Descriptor, Found, Key, NOT_IN_RING, Recall, Record};
use super::slab::Slab;
use crate::stat::mix;
use hashbrown::HashTable;
use rustix::fd::OwnedFd;
use std::sync::Arc;

/// Records the clock's hand passes at most in one go, so that a lock is held briefly.
const STEPS_MAX: usize = 64;

/// Entries of an index that is not worth shrinking.
const CAPACITY_KEPT: usize = 256;

/// A record whose descriptor is about to be given up.
pub(crate) struct Victim {
    /// Its number in the shard.
    pub(crate) slot: u32,
    /// The descriptor in question.
    pub(crate) descriptor: Descriptor,
    /// Whether a file handle is still to be taken.
    pub(crate) wants_handle: bool,
}

/// What became of looking for a record.
pub(crate) struct Interned {
    /// Its number in the shard.
    pub(crate) slot: u32,
    /// The descriptor that was offered and is not needed, to be closed without a lock.
    pub(crate) spare: Option<OwnedFd>,
}

/// One shard of the node table.
pub(crate) struct Shard {
    records: Slab<Record>,
    index: HashTable<u32>,
    ring: Vec<u32>,
    hand: usize,
    seed: u64,
}

impl Shard {
    /// Returns an empty shard; `seed` is that of the table.
    pub(crate) const fn new(seed: u64) -> Shard {
        Shard { records: Slab::new(), index: HashTable::new(), ring: Vec::new(), hand: 0, seed }
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Record> {
        self.records.get(slot)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Record> {
        self.records.get_mut(slot)
    }

    /// Returns how many descriptors could be given up.
    pub(crate) fn evictable(&self) -> usize {
        self.ring.len()
    }

    /// Returns the record of an inode.
    pub(crate) fn find(&self, key: Key, hash: u64) -> Option<u32> {
        let is_it = |slot: &u32| self.records.get(*slot).is_some_and(|record| record.found.key == key);
        self.index.find(hash, is_it).copied()
    }

    /// Finds or makes the record of an inode, counts one lookup, and gives it the descriptor if it has none.
    pub(crate) fn intern(&mut self, found: &Found, fd: OwnedFd, hash: u64) -> Interned {
        if let Some(slot) = self.find(found.key, hash)
            && let Some(record) = self.records.get_mut(slot)
        {
            record.lookups += 1;
            record.found.privileged = found.privileged;
            record.referenced = true;
            if record.descriptor.is_some() {
                return Interned { slot, spare: Some(fd) };
            }
            record.descriptor = Some(Arc::new(fd));
            self.enter_ring(slot);
            return Interned { slot, spare: None };
        }
        let record = Record {
            found: *found,
            lookups: 1,
            pins: 0,
            descriptor: Some(Arc::new(fd)),
            recall: Recall::Descriptor,
            ring: NOT_IN_RING,
            referenced: true,
            holds: 0,
            spared: false,
        };
        let slot = self.records.insert(record);
        let rehash = hasher(&self.records, self.seed);
        self.index.insert_unique(hash, slot, rehash);
        self.enter_ring(slot);
        Interned { slot, spare: None }
    }

    /// Takes a record whose inode is gone out of the index, since its number belongs to another object now.
    pub(crate) fn disown(&mut self, slot: u32, hash: u64) {
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
    }

    /// Removes a record and returns it, its descriptor to be closed without a lock.
    pub(crate) fn remove(&mut self, slot: u32, hash: u64) -> Option<Record> {
        self.leave_ring(slot);
        self.disown(slot, hash);
        let record = self.records.remove(slot);
        let len = self.index.len();
        if self.index.capacity() > CAPACITY_KEPT.max(len * 8) {
            self.index.shrink_to(len * 2, hasher(&self.records, self.seed));
            self.ring.shrink_to(self.ring.len() * 2);
        }
        record
    }

    /// Gives a record a descriptor, unless another thread was faster, and returns the one to be used.
    pub(crate) fn adopt(&mut self, slot: u32, descriptor: Descriptor) -> Option<Descriptor> {
        let record = self.records.get_mut(slot)?;
        if let Some(present) = &record.descriptor {
            return Some(Arc::clone(present));
        }
        record.descriptor = Some(Arc::clone(&descriptor));
        record.referenced = true;
        self.enter_ring(slot);
        Some(descriptor)
    }

    /// Keeps the clock from a record until it is let go as often.
    pub(crate) fn hold(&mut self, slot: u32) {
        let Some(record) = self.records.get_mut(slot) else { return };
        record.holds += 1;
        self.leave_ring(slot);
    }

    /// Takes back one hold.
    pub(crate) fn let_go(&mut self, slot: u32) {
        let Some(record) = self.records.get_mut(slot) else { return };
        record.holds = record.holds.saturating_sub(1);
        self.enter_ring(slot);
    }

    /// Takes back all holds: something else leads to the inode now.
    pub(crate) fn free(&mut self, slot: u32) {
        let Some(record) = self.records.get_mut(slot) else { return };
        record.holds = 0;
        record.spared = false;
        self.enter_ring(slot);
    }

    /// Picks the next record whose descriptor may be given up.
    pub(crate) fn pick_victim(&mut self) -> Option<Victim> {
        for _ in 0..STEPS_MAX.min(2 * self.ring.len()) {
            self.hand = (self.hand + 1) % self.ring.len();
            let slot = self.ring[self.hand];
            let record = self.records.get_mut(slot)?;
            if std::mem::take(&mut record.referenced) {
                continue;
            }
            let descriptor = Arc::clone(record.descriptor.as_ref()?);
            let wants_handle = matches!(record.recall, Recall::Descriptor);
            return Some(Victim { slot, descriptor, wants_handle });
        }
        None
    }

    /// Takes the descriptor from a victim if nothing has changed since it was picked, and returns it.
    pub(crate) fn retire(&mut self, victim: &Victim, recall: Option<Recall>) -> Option<Descriptor> {
        let record = self.victim(victim)?;
        // Whoever used it since may rely on its being open.
        if record.holds > 0 || record.spared || record.referenced {
            return None;
        }
        if let Some(recall) = recall {
            record.recall = recall;
        }
        let descriptor = record.descriptor.take();
        self.leave_ring(victim.slot);
        descriptor
    }

    /// Keeps the clock from a victim until something else leads to it.
    pub(crate) fn spare(&mut self, victim: &Victim) {
        if let Some(record) = self.victim(victim) {
            record.spared = true;
            self.leave_ring(victim.slot);
        }
    }

    /// Lets the clock see a record again that was spared.
    pub(crate) fn unspare(&mut self, slot: u32) {
        let Some(record) = self.records.get_mut(slot) else { return };
        record.spared = false;
        self.enter_ring(slot);
    }

    /// Returns the record of a victim, unless it got another descriptor or its number is another record's by now.
    fn victim(&mut self, victim: &Victim) -> Option<&mut Record> {
        let is_it = |record: &&mut Record| {
            record.descriptor.as_ref().is_some_and(|now| Arc::ptr_eq(now, &victim.descriptor))
        };
        self.records.get_mut(victim.slot).filter(is_it)
    }

    fn enter_ring(&mut self, slot: u32) {
        let Some(record) = self.records.get_mut(slot) else { return };
        let free = record.holds == 0 && !record.spared;
        if record.ring == NOT_IN_RING && free && record.descriptor.is_some() {
            record.ring = self.ring.len() as u32;
            self.ring.push(slot);
        }
    }

    fn leave_ring(&mut self, slot: u32) {
        let Some(record) = self.records.get_mut(slot) else { return };
        let at = std::mem::replace(&mut record.ring, NOT_IN_RING);
        if at == NOT_IN_RING {
            return;
        }
        self.ring.swap_remove(at as usize);
        let moved = self.ring.get(at as usize).copied();
        if let Some(moved) = moved.and_then(|moved| self.records.get_mut(moved)) {
            moved.ring = at;
        }
    }
}

/// Returns the hash of a key, which `seed` makes hard to foresee.
pub(crate) const fn hash_of(key: Key, seed: u64) -> u64 {
    mix(key.number ^ mix(key.device as u64 ^ seed))
}

fn hasher(records: &Slab<Record>, seed: u64) -> impl Fn(&u32) -> u64 + '_ {
    move |slot| records.get(*slot).map_or(0, |record| hash_of(record.found.key, seed))
}
