//! How many entries there are, and how large.

/// Memory for payloads. It is taken as payloads are used: small requests touch a page.
const BUDGET: usize = 64 << 20;

/// Entries of a main thread: so many clients of one processor are served at once; more would wait behind a slow call.
pub(super) const ENTRIES_OF_MAIN: usize = 8;

/// Entries of a queue at the beginning: those of its main thread, and one of a spare.
const ENTRIES_MIN: usize = ENTRIES_OF_MAIN + 1;

/// Entries of a queue at most.
const ENTRIES_MAX: usize = 32;

/// Payloads are at least as long as the longest attribute and its name.
const PAYLOAD_MIN: usize = 128 << 10;

/// How queues and memory are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) queues: usize,
    pub(super) entries_max: usize,
    /// The longest payload of a request or answer, in bytes.
    pub(super) payload_max: usize,
}

impl Layout {
    /// Divides the budget: where there are many processors, payloads become shorter before entries become fewer.
    pub(super) fn new(queues: usize, payload_wanted: usize) -> Layout {
        let queues = queues.max(1);
        let share = BUDGET / queues;
        let largest = (share / ENTRIES_MIN).checked_ilog2().map_or(0, |bits| 1 << bits);
        let payload_max = largest.clamp(PAYLOAD_MIN, payload_wanted.max(PAYLOAD_MIN));
        let entries_max = (share / payload_max).clamp(ENTRIES_MIN, ENTRIES_MAX);
        Layout { queues, entries_max, payload_max }
    }
}

#[cfg(test)]
mod tests {
    use super::{BUDGET, ENTRIES_MAX, ENTRIES_MIN, Layout, PAYLOAD_MIN};

    #[test]
    fn payloads_become_shorter_before_entries_become_fewer_and_memory_is_bounded() {
        let wanted = 1 << 20;
        for queues in 1..=256 {
            let layout = Layout::new(queues, wanted);
            assert!(layout.entries_max >= ENTRIES_MIN && layout.entries_max <= ENTRIES_MAX);
            assert!(layout.payload_max >= PAYLOAD_MIN && layout.payload_max <= wanted);
            if layout.payload_max > PAYLOAD_MIN {
                assert!(queues * layout.entries_max * layout.payload_max <= BUDGET, "{layout:?}");
            }
        }
        assert_eq!(Layout::new(2, wanted), Layout { queues: 2, entries_max: 32, payload_max: wanted });
        assert_eq!(Layout::new(64, wanted), Layout { queues: 64, entries_max: 9, payload_max: 128 << 10 });
    }
}
