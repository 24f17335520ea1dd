//! Tells the owner when much memory was freed, so that it goes back to the system.
//!
//! Pages are small allocations. glibc keeps freed ones in its heaps: without this, a process that held 1 GiB and
//! deleted it stays at 1 GiB.
//!
//! Invariant: at most one report runs at a time. No locks; it is called without any.

use crate::pages::PAGE_BYTES;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Pages that are worth a report: returning them takes about 10 ms, and little more than these lie idle.
const PAGES_MIN: u64 = (64 << 20) / PAGE_BYTES as u64;

/// What was freed since the last report.
pub(crate) struct Freed {
    pages: AtomicU64,
    report: Option<fn()>,
    running: Arc<AtomicBool>,
}

impl Freed {
    /// Returns a count from which `report` is called.
    pub(crate) fn new(report: Option<fn()>) -> Freed {
        Freed { pages: AtomicU64::new(0), report, running: Arc::default() }
    }

    /// Counts freed pages.
    pub(crate) fn note(&self, pages: u64) {
        if pages > 0 {
            self.pages.fetch_add(pages, Ordering::Relaxed);
        }
    }

    /// Reports if enough has come together.
    pub(crate) fn report_if_much(&self) {
        let Some(report) = self.report else { return };
        if self.pages.load(Ordering::Relaxed) < PAGES_MIN || self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        self.pages.store(0, Ordering::Relaxed);
        let running = Arc::clone(&self.running);
        let thread = std::thread::Builder::new().name("fs9-memory-freed".to_owned()).spawn(move || {
            report();
            running.store(false, Ordering::Release);
        });
        if thread.is_err() {
            // No thread to be had: the next 64 MiB try again.
            self.running.store(false, Ordering::Release);
        }
    }
}
