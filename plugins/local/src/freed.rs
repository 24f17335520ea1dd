//! Gives memory back to the system after many nodes were forgotten.
//!
//! Records are small allocations, which glibc keeps in its heaps: without this, a process that knew a million inodes
//! stays as large as it was. Invariant: at most one return runs at a time, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Forgotten nodes that are worth it: about 8 MiB here, and as much again in whoever counted their lookups.
const NODES_MIN: usize = 65_536;

/// What was freed since memory was last given back.
#[derive(Default)]
pub(crate) struct Freed {
    nodes: AtomicUsize,
    running: Arc<AtomicBool>,
}

impl Freed {
    /// Counts a forgotten node and gives memory back when enough has come together.
    pub(crate) fn note_node(&self) {
        if self.nodes.fetch_add(1, Ordering::Relaxed) + 1 < NODES_MIN {
            return;
        }
        if self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        self.nodes.store(0, Ordering::Relaxed);
        let running = Arc::clone(&self.running);
        let thread = std::thread::Builder::new().name("fs9-local-freed".to_owned()).spawn(move || {
            fs9_sys::return_free_memory();
            running.store(false, Ordering::Release);
        });
        if thread.is_err() {
            // No thread to be had: some nodes later there may be.
            self.running.store(false, Ordering::Release);
        }
    }
}
