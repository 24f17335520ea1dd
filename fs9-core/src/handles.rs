//! The registry of open handles.
//!
//! Flat slots with indices, in shards that are locked one at a time. A handle's number is {generation, index, shard};
//! a slot's generation grows with each use, and a slot whose generations are used up is never used again.
//!
//! Invariant: a number that was removed reaches nothing, however long ago that was.
//! Lock order: one shard at a time; nothing is called and nothing is dropped under it.

use crate::sweeper::Wake;
use parking_lot::Mutex;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The number of an open handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandleId(pub u64);

/// Who opened a handle, as far as that decides about the handle's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerId(pub u64);

impl OwnerId {
    /// The kernel: it always releases what it opened, however late.
    pub const KERNEL: OwnerId = OwnerId(0);

    /// Returns whether the owner can vanish without releasing its handles.
    pub const fn can_vanish(self) -> bool {
        self.0 != OwnerId::KERNEL.0
    }
}

/// The number of shards, as a power of two.
const SHARD_BITS: u32 = 6;
/// The number of shards.
pub const SHARDS: usize = 1 << SHARD_BITS;
/// The slots of one shard, as a power of two: 67 million, more than memory holds open files.
const INDEX_BITS: u32 = 26;
/// Marks the end of the list of free slots.
const NONE: u32 = u32::MAX;

/// Room for one handle.
struct Slot<T> {
    value: Option<Arc<T>>,
    owner: OwnerId,
    /// The generation of the handle that is or will be here.
    generation: u32,
    /// The next free slot, while this one is free.
    next_free: u32,
}

/// Some of the slots. On lines of its own, so that shards do not share what their locks write.
#[repr(align(128))]
struct Shard<T> {
    slots: Mutex<Slots<T>>,
}

struct Slots<T> {
    slots: Vec<Slot<T>>,
    first_free: u32,
    /// Slots with a handle.
    open: usize,
}

/// Where a number points.
#[derive(Clone, Copy)]
struct Position {
    shard: usize,
    index: usize,
    generation: u32,
}

impl HandleId {
    const fn new(shard: usize, index: u32, generation: u32) -> HandleId {
        HandleId(((generation as u64) << 32) | ((index as u64) << SHARD_BITS) | shard as u64)
    }

    const fn position(self) -> Position {
        let low = self.0 as u32;
        Position {
            shard: low as usize & (SHARDS - 1),
            index: (low >> SHARD_BITS) as usize,
            generation: (self.0 >> 32) as u32,
        }
    }
}

/// Open handles by number.
pub struct HandleRegistry<T> {
    shards: Box<[Shard<T>]>,
    next_shard: AtomicUsize,
    /// Handles whose owner can vanish.
    mortal: AtomicUsize,
    sweeper: OnceLock<Arc<dyn Wake>>,
}

impl<T> Default for HandleRegistry<T> {
    fn default() -> HandleRegistry<T> {
        let shard = || Shard { slots: Mutex::new(Slots { slots: Vec::new(), first_free: NONE, open: 0 }) };
        HandleRegistry {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            next_shard: AtomicUsize::new(0),
            mortal: AtomicUsize::new(0),
            sweeper: OnceLock::new(),
        }
    }
}

impl<T> HandleRegistry<T> {
    /// Returns an empty registry.
    pub fn new() -> HandleRegistry<T> {
        HandleRegistry::default()
    }

    /// Adds a handle and returns its number, which is never 0.
    ///
    /// # Panics
    /// Beyond four billion open handles.
    pub fn insert(&self, owner: OwnerId, value: T) -> HandleId {
        let value = Arc::new(value);
        // Counted before it can be found, so that nobody takes off what was not yet added.
        if owner.can_vanish() && self.mortal.fetch_add(1, Ordering::AcqRel) == 0 {
            self.wake_sweeper();
        }
        let shard = self.next_shard.fetch_add(1, Ordering::Relaxed) & (SHARDS - 1);
        self.shards[shard].slots.lock().insert(shard, owner, value)
    }

    /// Returns what is open under that number.
    pub fn get(&self, id: HandleId) -> Option<Arc<T>> {
        let position = id.position();
        let mut slots = self.shards[position.shard].slots.lock();
        slots.slot(position)?.value.clone()
    }

    /// Removes a handle and returns what was open.
    pub fn remove(&self, id: HandleId) -> Option<Arc<T>> {
        let position = id.position();
        let (owner, value) = self.shards[position.shard].slots.lock().remove(position)?;
        if owner.can_vanish() {
            self.mortal.fetch_sub(1, Ordering::AcqRel);
        }
        Some(value)
    }

    /// Returns the number of open handles.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.slots.lock().open).sum()
    }

    /// Returns whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all open handles, as of the moments at which each shard was looked at.
    pub fn snapshot(&self) -> Vec<(HandleId, OwnerId, Arc<T>)> {
        let mut all = Vec::new();
        for (shard, slots) in self.shards.iter().enumerate() {
            let slots = slots.slots.lock();
            all.extend(slots.occupied().map(|(index, slot, value)| {
                (HandleId::new(shard, index, slot.generation), slot.owner, Arc::clone(value))
            }));
        }
        all
    }

    /// Removes the handles whose owner is gone, and returns what was open. Handles of the kernel stay, however idle.
    /// `alive` is asked once for each owner and shard, without a lock.
    pub fn sweep(&self, alive: impl Fn(OwnerId) -> bool) -> Vec<Arc<T>> {
        let mut reaped = Vec::new();
        for (shard, slots) in self.shards.iter().enumerate() {
            let mortal: Vec<(HandleId, OwnerId)> = slots
                .slots
                .lock()
                .occupied()
                .filter(|(_, slot, _)| slot.owner.can_vanish())
                .map(|(index, slot, _)| (HandleId::new(shard, index, slot.generation), slot.owner))
                .collect();
            let mut owners: Vec<OwnerId> = mortal.iter().map(|&(_, owner)| owner).collect();
            owners.sort_unstable();
            owners.dedup();
            owners.retain(|&owner| !alive(owner));
            let gone = mortal.iter().filter(|(_, owner)| owners.binary_search(owner).is_ok());
            reaped.extend(gone.filter_map(|&(id, _)| self.remove(id)));
        }
        reaped
    }

    /// Returns the number of handles whose owner can vanish.
    pub fn mortal(&self) -> usize {
        self.mortal.load(Ordering::Acquire)
    }

    /// Remembers whom to wake when there is something to sweep. Only the first one counts.
    pub(crate) fn set_sweeper(&self, sweeper: Arc<dyn Wake>) -> bool {
        let is_first = self.sweeper.set(sweeper).is_ok();
        if is_first && self.mortal() > 0 {
            self.wake_sweeper();
        }
        is_first
    }

    fn wake_sweeper(&self) {
        if let Some(sweeper) = self.sweeper.get() {
            sweeper.wake();
        }
    }
}

impl<T> Slots<T> {
    fn insert(&mut self, shard: usize, owner: OwnerId, value: Arc<T>) -> HandleId {
        self.open += 1;
        let index = self.first_free;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            self.first_free = slot.next_free;
            slot.value = Some(value);
            slot.owner = owner;
            return HandleId::new(shard, index, slot.generation);
        }
        assert!(self.slots.len() < 1 << INDEX_BITS, "more than {} handles in a shard", 1 << INDEX_BITS);
        let index = self.slots.len() as u32;
        self.slots.push(Slot { value: Some(value), owner, generation: 1, next_free: NONE });
        HandleId::new(shard, index, 1)
    }

    fn slot(&mut self, position: Position) -> Option<&mut Slot<T>> {
        self.slots.get_mut(position.index).filter(|slot| slot.generation == position.generation)
    }

    fn remove(&mut self, position: Position) -> Option<(OwnerId, Arc<T>)> {
        let first_free = self.first_free;
        let slot = self.slot(position)?;
        let removed = (slot.owner, slot.value.take()?);
        // The last generation is not followed by the first again: such a slot stays empty for good.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            slot.next_free = first_free;
            self.first_free = position.index as u32;
        }
        self.open -= 1;
        Some(removed)
    }

    fn occupied(&self) -> impl Iterator<Item = (u32, &Slot<T>, &Arc<T>)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(index, slot)| Some((index as u32, slot, slot.value.as_ref()?)))
    }
}

impl<T> fmt::Debug for HandleRegistry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandleRegistry").field("len", &self.len()).field("mortal", &self.mortal()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{HandleId, OwnerId, Position, Slots};
    use std::sync::Arc;

    #[test]
    fn a_number_holds_its_three_parts_without_loss() {
        for (shard, index, generation) in [(0, 0, 1), (63, (1 << 26) - 1, u32::MAX), (5, 77, 1 << 31)] {
            let Position { shard: s, index: i, generation: g } =
                HandleId::new(shard, index, generation).position();
            assert_eq!((s, i, g), (shard, index as usize, generation));
        }
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_never_used_again() {
        let mut slots = Slots { slots: Vec::new(), first_free: super::NONE, open: 0 };
        slots.insert(0, OwnerId::KERNEL, Arc::new(()));
        slots.slots[0].generation = u32::MAX;
        let last = HandleId::new(0, 0, u32::MAX).position();
        assert!(slots.remove(last).is_some());
        let next = slots.insert(0, OwnerId::KERNEL, Arc::new(()));
        assert_eq!(next.position().index, 1);
        assert!(slots.remove(last).is_none());
        assert_eq!(slots.open, 1);
    }
}
