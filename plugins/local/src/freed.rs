//! Gives memory back to the system after many nodes were forgotten.
//!
//! Records are small allocations, which glibc keeps in its heaps: without this, a process that knew a million inodes
//! stays as large as it was. Nodes are forgotten in no order, so that whole pages become free only when nearly all are
//! gone: it waits until it is quiet.
//!
//! Invariant: at most one return is under way, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Forgotten nodes that are worth it: about 2 MiB here, and as much again in whoever counted their lookups.
const NODES_MIN: usize = 16_384;

/// How long no node must be forgotten before memory is given back.
const QUIET: Duration = Duration::from_millis(500);

/// How often it is looked whether it is quiet, before memory is given back all the same.
const LOOKS_MAX: usize = 20;

/// What was freed since memory was last given back.
#[derive(Default)]
pub(crate) struct Freed(Arc<State>);

#[derive(Default)]
struct State {
    nodes: AtomicUsize,
    running: AtomicBool,
}

impl Freed {
    /// Counts a forgotten node and gives memory back when enough has come together.
    pub(crate) fn note_node(&self) {
        let enough = self.0.nodes.fetch_add(1, Ordering::Relaxed) + 1 >= NODES_MIN;
        if !enough || self.0.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let state = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("fs9-local-freed".to_owned());
        if thread.spawn(move || state.give_back()).is_err() {
            // No thread to be had: some nodes later there may be.
            self.0.nodes.store(0, Ordering::Relaxed);
            self.0.running.store(false, Ordering::Release);
        }
    }
}

impl State {
    fn give_back(&self) {
        for _ in 0..LOOKS_MAX {
            let before = self.nodes.load(Ordering::Relaxed);
            std::thread::sleep(QUIET);
            if self.nodes.load(Ordering::Relaxed) == before {
                break;
            }
        }
        self.nodes.store(0, Ordering::Relaxed);
        fs9_sys::return_free_memory();
        self.running.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::{Freed, LOOKS_MAX, NODES_MIN, QUIET};
    use std::sync::atomic::Ordering;
    use std::time::Instant;

    #[test]
    fn many_forgotten_nodes_make_one_return_and_it_ends() {
        let freed = Freed::default();
        (1..NODES_MIN).for_each(|_| freed.note_node());
        assert!(!freed.0.running.load(Ordering::Acquire));
        freed.note_node();
        assert!(freed.0.running.load(Ordering::Acquire));
        freed.note_node();
        let deadline = Instant::now() + QUIET * LOOKS_MAX as u32 * 2;
        while freed.0.running.load(Ordering::Acquire) {
            assert!(Instant::now() < deadline, "memory was not given back");
            std::thread::sleep(QUIET / 10);
        }
        assert_eq!(freed.0.nodes.load(Ordering::Relaxed), 0);
    }
}
