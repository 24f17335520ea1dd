//! The table of inodes: from the kernel's number to the provider's node, with the kernel's lookups counted.
//!
//! Invariants: a number stands for one object at a time; a record goes when its last lookup is taken back, and the
//! memory of a shard with it, when most of the shard is empty. All numbers that an object could get by collision lie
//! in one shard.
//! Lock order: one shard at a time, nothing else below it; no lock is held across a call of a provider.

use super::record::{Predecessor, Record, place_index};
use super::{Ino, Target, mix};
use crate::view::MountView;
use fs9_core::PlaceId;
use fs9_sdk::{Entry, FileType, NodeId, ObjectId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shards: far more than threads, so that two rarely want the same one.
const SHARDS: u64 = 256;

/// How many other numbers an object tries whose own one is taken. Eight 63-bit collisions in a row do not happen.
const COLLISIONS_MAX: u64 = 8;

/// A shard gives memory back when it holds less than this part of what it has room for.
const SHRINK_BELOW: usize = 4;

/// Room that a shard keeps, so that small tables do not breathe.
const SHARD_ROOM_MIN: usize = 64;

/// Numbers of inodes are spread by [`mix`] already or come from a file system; one multiplication spreads the rest.
#[derive(Default)]
struct InoHasher(u64);

impl Hasher for InoHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = mix(value);
    }
}

type Shard = HashMap<u64, Record, BuildHasherDefault<InoHasher>>;

/// Lookups that a provider is to be given back.
pub(crate) struct Forgotten {
    /// The mount.
    pub(crate) view: Arc<MountView>,
    /// The node.
    pub(crate) node: NodeId,
    /// How many lookups.
    pub(crate) count: u64,
}

/// A node as a lookup found it.
pub(crate) struct Found<'a> {
    /// The mount.
    pub(crate) view: &'a Arc<MountView>,
    /// The node and its attributes.
    pub(crate) entry: &'a Entry,
    /// The directory in which it was found.
    pub(crate) parent: Ino,
    /// Its place, if it is a mount point or an ancestor of one.
    pub(crate) place: Option<PlaceId>,
    /// The provider counted the lookup.
    pub(crate) counted: bool,
}

/// The inodes that the kernel knows.
pub(crate) struct InodeTable {
    shards: Box<[Mutex<Shard>]>,
    /// Objects that did not get the first number they could have. Almost always 0; else every insertion looks at all
    /// numbers that its object could have.
    displaced: AtomicU64,
}

impl InodeTable {
    /// Returns an empty table.
    pub(crate) fn new() -> InodeTable {
        InodeTable { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), displaced: AtomicU64::new(0) }
    }

    fn shard(&self, ino: Ino) -> &Mutex<Shard> {
        &self.shards[(ino.0 % SHARDS) as usize]
    }

    /// Returns an inode.
    pub(crate) fn get(&self, ino: Ino) -> Option<Target> {
        self.shard(ino).lock().get(&ino.0).map(|record| record.target(ino))
    }

    /// Remembers a node with one lookup more, and returns its number.
    pub(crate) fn remember(&self, found: &Found<'_>) -> Ino {
        let id = found.entry.attr.id;
        let first = found.view.numbering.ino(id);
        let mut shard = self.shard(first).lock();
        let ino = self.choose(&shard, first, |record| record.is(found.view, id));
        match shard.get_mut(&ino.0) {
            Some(record) => update(record, found),
            None => {
                if ino != first {
                    self.displaced.fetch_add(1, Ordering::Relaxed);
                }
                shard.insert(ino.0, new_record(found));
            }
        }
        ino
    }

    /// Remembers a synthetic directory with one lookup more, and returns its number.
    pub(crate) fn remember_synthetic(&self, place: PlaceId, parent: Ino) -> Ino {
        let first = synthetic_ino(place);
        let mut shard = self.shard(first).lock();
        let id = ObjectId { device: 0, number: place.0, generation: 0 };
        let ino = self.choose(&shard, first, |record| record.view.is_none() && record.id == id);
        let record = shard.entry(ino.0).or_insert_with(|| Record {
            view: None,
            node: NodeId(0),
            id,
            place: place_index(Some(place)),
            parent,
            lookups: 0,
            seen: 0,
            predecessors: None,
            kind: FileType::Directory,
            counted: false,
        });
        record.lookups += 1;
        ino
    }

    /// Returns the number for an object: that of its record, or else the first one that is free.
    fn choose(&self, shard: &Shard, first: Ino, is_it: impl Fn(&Record) -> bool) -> Ino {
        let mut free = None;
        for step in 0..COLLISIONS_MAX {
            let ino = Ino(first.0.wrapping_add(step * SHARDS));
            match shard.get(&ino.0) {
                Some(record) if is_it(record) => return ino,
                Some(_) => {}
                None => {
                    free = free.or(Some(ino));
                    if self.displaced.load(Ordering::Relaxed) == 0 {
                        break;
                    }
                }
            }
        }
        // With all numbers taken, the object shares the first one; each of both then looks like the other's
        // successor.
        free.unwrap_or(first)
    }

    /// Takes back lookups of an inode, and returns those that providers are to be given back.
    pub(crate) fn forget(&self, ino: Ino, count: u64) -> Vec<Forgotten> {
        let mut shard = self.shard(ino).lock();
        let Some(record) = shard.get_mut(&ino.0) else { return Vec::new() };
        let forgotten = take_back(record, count);
        if record.lookups == 0 && record.predecessors.is_none() {
            shard.remove(&ino.0);
            if shard.len() < shard.capacity() / SHRINK_BELOW && shard.capacity() > SHARD_ROOM_MIN {
                let room = (shard.len() * 2).max(SHARD_ROOM_MIN);
                shard.shrink_to(room);
            }
        }
        forgotten
    }

    /// Undoes one [`InodeTable::remember`] whose lookup the provider itself takes back.
    pub(crate) fn unremember(&self, ino: Ino) {
        let mut shard = self.shard(ino).lock();
        let Some(record) = shard.get_mut(&ino.0) else { return };
        record.lookups = record.lookups.saturating_sub(1);
        if record.lookups == 0 && !record.restore_predecessor() {
            shard.remove(&ino.0);
        }
    }

    /// Notes what the data of a file looks like now, and returns whether it looked so before.
    pub(crate) fn note_version(&self, ino: Ino, version: u64) -> bool {
        let mut shard = self.shard(ino).lock();
        shard.get_mut(&ino.0).is_some_and(|record| std::mem::replace(&mut record.seen, version) == version)
    }

    /// Sets the place of the directory that stands for this object, if the kernel knows it.
    pub(crate) fn set_place(&self, view: &MountView, id: ObjectId, place: Option<PlaceId>) -> Option<Ino> {
        let first = view.numbering.ino(id);
        let mut shard = self.shard(first).lock();
        let ino = self.choose(&shard, first, |record| record.is(view, id));
        let record = shard.get_mut(&ino.0).filter(|record| record.is(view, id))?;
        record.place = place_index(place);
        Some(ino)
    }

    /// Calls `visit` with mount, node, number and type of every inode of a provider. It is called under a lock.
    pub(crate) fn visit_nodes(&self, mut visit: impl FnMut(&Arc<MountView>, NodeId, Ino, FileType)) {
        for shard in &self.shards {
            for (&ino, record) in shard.lock().iter() {
                if let Some(view) = &record.view {
                    visit(view, record.node, Ino(ino), record.kind);
                }
            }
        }
    }

    /// Forgets everything, and returns what providers are to be given back.
    pub(crate) fn clear(&self) -> Vec<Forgotten> {
        let mut forgotten = Vec::new();
        for shard in &self.shards {
            let records = std::mem::take(&mut *shard.lock());
            for (_, mut record) in records {
                forgotten.extend(take_back(&mut record, u64::MAX));
            }
        }
        forgotten
    }

    /// Returns the number of inodes.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

/// Returns the number of a synthetic directory, before collisions.
pub(crate) fn synthetic_ino(place: PlaceId) -> Ino {
    const SALT: u64 = 0x5f73_796e_7468_6574;
    Ino(mix(SALT ^ mix(place.0)) | 1 << 63)
}

fn new_record(found: &Found<'_>) -> Record {
    Record {
        view: Some(Arc::clone(found.view)),
        node: found.entry.node,
        id: found.entry.attr.id,
        place: place_index(found.place),
        parent: found.parent,
        lookups: 1,
        seen: 0,
        predecessors: None,
        kind: found.entry.attr.kind,
        counted: found.counted,
    }
}

/// Counts one lookup more of a number that is known. If another object has it now, the lookups so far stay with the
/// one that had it: the kernel takes them back by the same number.
fn update(record: &mut Record, found: &Found<'_>) {
    let entry = found.entry;
    let same_node = record.node == entry.node && record.is(found.view, entry.attr.id);
    if !same_node || record.id.generation != entry.attr.id.generation {
        let fresh = new_record(found);
        let old = std::mem::replace(record, fresh);
        let mut predecessors = old.predecessors.unwrap_or_default();
        if let (Some(view), true) = (old.view, old.counted) {
            predecessors.all.push(Predecessor { view, node: old.node, lookups: old.lookups });
        } else {
            // Lookups of a node that needs none are still taken back by number.
            record.lookups += old.lookups;
        }
        record.predecessors = (!predecessors.all.is_empty()).then_some(predecessors);
        return;
    }
    record.lookups += 1;
    record.place = place_index(found.place);
    record.parent = found.parent;
    record.kind = entry.attr.kind;
}

/// Takes back lookups, the oldest object's first.
fn take_back(record: &mut Record, mut count: u64) -> Vec<Forgotten> {
    let mut forgotten = Vec::new();
    if let Some(predecessors) = &mut record.predecessors {
        for old in predecessors.all.iter_mut() {
            let taken = old.lookups.min(count);
            old.lookups -= taken;
            count -= taken;
            forgotten.push(Forgotten { view: Arc::clone(&old.view), node: old.node, count: taken });
        }
        predecessors.all.retain(|old| old.lookups > 0);
        if predecessors.all.is_empty() {
            record.predecessors = None;
        }
    }
    let taken = record.lookups.min(count);
    record.lookups -= taken;
    if let (Some(view), true) = (&record.view, record.counted && taken > 0) {
        forgotten.push(Forgotten { view: Arc::clone(view), node: record.node, count: taken });
    }
    forgotten
}

#[cfg(test)]
mod tests;
