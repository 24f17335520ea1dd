//! Numbered places for values, in chunks that are given back to the allocator when they are empty.
//!
//! Invariant: a number stays with its value until that is removed; numbers of removed values are used again.

/// Values in one chunk, one bit each in its occupancy word.
const CHUNK: usize = 64;

/// A chunk of places.
struct Chunk<T> {
    occupied: u64,
    places: Box<[Option<T>]>,
}

/// Values under small numbers.
pub(crate) struct Slab<T> {
    chunks: Vec<Option<Chunk<T>>>,
    /// Chunks that have room, each exactly once.
    roomy: Vec<u32>,
}

impl<T> Slab<T> {
    /// Returns an empty slab.
    pub(crate) const fn new() -> Slab<T> {
        Slab { chunks: Vec::new(), roomy: Vec::new() }
    }

    /// Puts a value in and returns its number.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let number = match self.roomy.last() {
            Some(number) => *number,
            None => {
                let number = self.chunks.len() as u32;
                self.chunks.push(None);
                self.roomy.push(number);
                number
            }
        };
        let chunk = self.chunks[number as usize].get_or_insert_with(|| Chunk {
            occupied: 0,
            places: std::iter::repeat_with(|| None).take(CHUNK).collect(),
        });
        let place = chunk.occupied.trailing_ones();
        assert!((place as usize) < CHUNK, "a chunk that is noted to have room has it");
        chunk.occupied |= 1 << place;
        chunk.places[place as usize] = Some(value);
        if chunk.occupied == u64::MAX {
            self.roomy.pop();
        }
        number * CHUNK as u32 + place
    }

    /// Returns the value of a number.
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let chunk = self.chunks.get(number as usize / CHUNK)?.as_ref()?;
        chunk.places[number as usize % CHUNK].as_ref()
    }

    /// Returns the value of a number, to be changed.
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let chunk = self.chunks.get_mut(number as usize / CHUNK)?.as_mut()?;
        chunk.places[number as usize % CHUNK].as_mut()
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let at = number as usize / CHUNK;
        let slot = self.chunks.get_mut(at)?;
        let chunk = slot.as_mut()?;
        let value = chunk.places[number as usize % CHUNK].take()?;
        if chunk.occupied == u64::MAX {
            self.roomy.push(at as u32);
        }
        chunk.occupied &= !(1 << (number as usize % CHUNK));
        if chunk.occupied == 0 {
            *slot = None;
        }
        Some(value)
    }

    /// Returns how many chunks hold memory.
    #[cfg(test)]
    fn chunks_in_use(&self) -> usize {
        self.chunks.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Slab};

    #[test]
    fn numbers_lead_to_their_values_and_are_used_again() {
        let mut slab = Slab::new();
        let numbers: Vec<u32> = (0..1000).map(|value| slab.insert(value)).collect();
        for (value, number) in numbers.iter().enumerate() {
            assert_eq!(slab.get(*number), Some(&value));
        }
        for number in numbers.iter().step_by(2) {
            assert!(slab.remove(*number).is_some());
            assert_eq!(slab.remove(*number), None);
        }
        let again: Vec<u32> = (0..500).map(|value| slab.insert(value)).collect();
        assert!(again.iter().all(|number| *number < 1000_u32.next_multiple_of(CHUNK as u32)));
        assert_eq!(slab.get(numbers[1]), Some(&1));
    }

    #[test]
    fn memory_is_given_back() {
        let mut slab = Slab::new();
        let numbers: Vec<u32> = (0..10_000).map(|value| slab.insert(value)).collect();
        assert_eq!(slab.chunks_in_use(), 10_000_usize.div_ceil(CHUNK));
        for number in numbers {
            slab.remove(number);
        }
        assert_eq!(slab.chunks_in_use(), 0);
        assert_eq!(slab.get(5), None);
        assert_eq!(slab.get(u32::MAX), None);
    }
}
