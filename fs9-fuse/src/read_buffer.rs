//! Buffers for reads, kept by each thread, because zeroing a fresh mebibyte costs more than filling it.

use std::cell::Cell;

/// What a thread keeps at most: the largest read of the kernel.
const KEPT_MAX: usize = 1 << 20;

thread_local! {
    static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes that were read; the memory goes back to the thread when they are sent.
pub struct ReadBuffer {
    memory: Vec<u8>,
    filled: usize,
}

impl ReadBuffer {
    /// Has `read` fill a buffer of this length; it returns how many bytes it filled.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn fill<E>(length: usize, read: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<ReadBuffer, E> {
        let mut buffer = ReadBuffer { memory: KEPT.take(), filled: 0 };
        if buffer.memory.len() < length {
            buffer.memory.resize(length, 0);
        }
        let room = buffer.memory.get_mut(..length).unwrap_or_default();
        // A provider that claims more than there was room for is not believed.
        buffer.filled = read(room)?.min(length);
        Ok(buffer)
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        if self.memory.len() <= KEPT_MAX {
            KEPT.set(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReadBuffer;

    #[test]
    fn only_what_was_filled_is_sent() {
        for length in [8, 4, 16] {
            let read = |room: &mut [u8]| -> Result<usize, ()> {
                assert_eq!(room.len(), length);
                room.fill(7);
                Ok(length - 1)
            };
            let buffer = ReadBuffer::fill(length, read).unwrap();
            assert_eq!(buffer.bytes(), vec![7; length - 1]);
        }
    }

    #[test]
    fn a_claim_beyond_the_room_is_cut() {
        let buffer = ReadBuffer::fill(4, |_| Ok::<_, ()>(9)).unwrap();
        assert_eq!(buffer.bytes().len(), 4);
    }
}
