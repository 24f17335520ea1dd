//! How many entries there are, and how large.

/// Memory for payloads. It is taken as payloads are used: small requests touch a page.
const BUDGET: usize = 64 << 20;

/// Main threads of a queue at most, with one entry each: a call that hangs, such as one to a backing that is frozen, holds up
/// nobody else while one of them is left.
const MAINS_MAX: usize = 4;

/// Main threads of all queues, where there are many: each has a ring, with two descriptors and 8 KiB of locked memory.
const MAINS_OF_ALL: usize = 128;

/// A main thread more for so many descriptors that the daemon may have: its own two are a small part of them.
const DESCRIPTORS_OF_MAIN: u64 = 64;

/// Entries of a spare thread at most: of a crowd of clients, so many wait behind a slow call.
const ENTRIES_OF_SPARE: usize = 8;

/// Entries of a queue at least: as many as a processor has clients that are busy at the same time.
const ENTRIES_MIN: usize = 9;

/// Entries of a queue at most.
const ENTRIES_MAX: usize = 32;

/// Payloads are at least as long as the longest attribute and its name.
const PAYLOAD_MIN: usize = 128 << 10;

/// How queues and memory are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) queues: usize,
    /// Entries of each queue.
    pub(super) entries: usize,
    /// Main threads of each queue.
    pub(super) mains: usize,
    /// The longest payload of a request or answer, in bytes.
    pub(super) payload_max: usize,
}

impl Layout {
    /// Divides the budget: where there are many processors, payloads become shorter before entries become fewer.
    pub(super) fn new(queues: usize, payload_wanted: usize, descriptors: u64) -> Layout {
        let queues = queues.max(1);
        let share = BUDGET / queues;
        let largest = (share / ENTRIES_MIN).checked_ilog2().map_or(0, |bits| 1 << bits);
        let payload_max = largest.clamp(PAYLOAD_MIN, payload_wanted.max(PAYLOAD_MIN));
        let entries = (share / payload_max).clamp(ENTRIES_MIN, ENTRIES_MAX);
        let affordable = usize::try_from(descriptors / DESCRIPTORS_OF_MAIN).unwrap_or(usize::MAX);
        let mains = (MAINS_OF_ALL.min(affordable) / queues).clamp(1, MAINS_MAX);
        Layout { queues, entries, mains, payload_max }
    }

    /// Returns how many entries each spare thread of a queue has.
    pub(super) fn entries_of_spares(&self) -> Vec<usize> {
        let beside_mains = self.entries.saturating_sub(self.mains);
        let begins = (0..beside_mains).step_by(ENTRIES_OF_SPARE);
        begins.map(|begin| (beside_mains - begin).min(ENTRIES_OF_SPARE)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{BUDGET, ENTRIES_MAX, ENTRIES_MIN, ENTRIES_OF_SPARE, Layout, MAINS_MAX, PAYLOAD_MIN};

    #[test]
    fn payloads_become_shorter_before_entries_become_fewer_and_memory_is_bounded() {
        let wanted = 1 << 20;
        for queues in 1..=256 {
            let layout = Layout::new(queues, wanted, u64::MAX);
            assert!(layout.entries >= ENTRIES_MIN && layout.entries <= ENTRIES_MAX);
            assert!(layout.payload_max >= PAYLOAD_MIN && layout.payload_max <= wanted);
            let spares = layout.entries_of_spares();
            assert!(layout.mains >= 1 && layout.mains <= MAINS_MAX && !spares.is_empty());
            assert_eq!(spares.iter().sum::<usize>() + layout.mains, layout.entries);
            assert!(spares.iter().all(|&entries| entries > 0 && entries <= ENTRIES_OF_SPARE));
            if layout.payload_max > PAYLOAD_MIN {
                assert!(queues * layout.entries * layout.payload_max <= BUDGET, "{layout:?}");
            }
        }
        assert_eq!(
            Layout::new(2, wanted, 1024),
            Layout { queues: 2, entries: 32, mains: 4, payload_max: wanted }
        );
        assert_eq!(Layout::new(2, wanted, 64).mains, 1);
        assert_eq!(
            Layout::new(64, wanted, u64::MAX),
            Layout { queues: 64, entries: 9, mains: 2, payload_max: 128 << 10 }
        );
    }
}
