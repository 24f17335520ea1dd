//! Changes that the kernel's caches must learn of, carried out in order by one thread.
//!
//! The kernel takes locks of inodes when it is told to forget something, and a process can hold these locks while it
//! waits for an answer of ours. So a thread that answers requests never tells it.
//!
//! Invariants: the thread starts with the first event, uses no CPU without events, and ends with its frontend. Changes
//! that wait are bounded; beyond the bound they become one change of everything.
//! Lock order: `queue` alone; it is not held while the kernel or a provider is called.

use crate::frontend::Frontend;
use crate::inode::Ino;
use fs9_core::{ChangedEntry, Mount, OriginId};
use fs9_sdk::{Change, ChangeSink};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// Changes of providers that wait at most: some megabytes of names.
const CHANGES_MAX: usize = 1 << 16;

/// What tells the kernel to forget. What the kernel does not know is no error.
pub trait KernelCache: Send + Sync {
    /// Has every name looked up again before it is believed. Returns false if the kernel cannot do that at once.
    fn invalidate_all_entries(&self) -> bool {
        false
    }

    /// Forgets a name of a directory.
    fn invalidate_entry(&self, parent: Ino, name: &[u8]);

    /// Forgets the attributes of an inode, and with `data` also what was read of it.
    fn invalidate_inode(&self, ino: Ino, data: bool);
}

/// Something that the kernel must learn of.
pub(crate) enum Event {
    /// A provider reports a change.
    Provider(OriginId, Change),
    /// A mount appeared or vanished, and this entry shows it.
    Mounts(Arc<Mount>, Option<ChangedEntry>),
    /// An entry may have changed.
    Entry(Ino, Box<[u8]>),
    /// An inode may have changed.
    Inode(Ino),
    /// Attributes of an inode of a provider may have changed past the daemon.
    Written(OriginId, Ino),
    /// Everything before has been told; to be called.
    Then(Box<dyn FnOnce() + Send>),
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    /// How many of the events are changes of what providers have.
    changes: usize,
    thread_runs: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    submitted: AtomicU64,
}

/// Takes events from any thread.
#[derive(Default)]
pub(crate) struct Invalidator {
    shared: Arc<Shared>,
    frontend: OnceLock<Weak<Frontend>>,
}

impl Invalidator {
    /// Sets whose events these are. Before that, none is carried out.
    pub(crate) fn belongs_to(&self, frontend: Weak<Frontend>) {
        assert!(self.frontend.set(frontend).is_ok(), "an invalidator belongs to one frontend");
    }

    /// Returns how many changes of the mount table were submitted.
    pub(crate) fn submitted(&self) -> u64 {
        self.shared.submitted.load(Ordering::Acquire)
    }

    /// Calls `then` when everything submitted so far has been told to the kernel.
    pub(crate) fn after(&self, then: Box<dyn FnOnce() + Send>) {
        self.submit(Event::Then(then));
    }

    /// Adds an event.
    pub(crate) fn submit(&self, event: Event) {
        if matches!(event, Event::Mounts(..)) {
            self.shared.submitted.fetch_add(1, Ordering::AcqRel);
        }
        let mut queue = self.shared.queue.lock();
        queue.push(event);
        let start = !queue.thread_runs;
        queue.thread_runs = true;
        drop(queue);
        if start {
            self.start();
        } else {
            self.shared.wake.notify_one();
        }
    }

    fn start(&self) {
        let Some(frontend) = self.frontend.get().map(Weak::clone) else { return };
        let shared = Arc::clone(&self.shared);
        let started =
            std::thread::Builder::new().name("fs9-invalidate".into()).spawn(move || run(&shared, &frontend));
        if let Err(error) = started {
            tracing::error!(%error, "no thread to tell the kernel of changes");
            self.shared.queue.lock().thread_runs = false;
        }
    }
}

impl Drop for Invalidator {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.wake.notify_one();
    }
}

impl Queue {
    fn push(&mut self, event: Event) {
        let (Event::Provider(origin, _) | Event::Written(origin, _)) = event else {
            return self.events.push_back(event);
        };
        if self.changes < CHANGES_MAX {
            self.changes += 1;
            return self.events.push_back(event);
        }
        let is_lost =
            |event: &Event| matches!(event, Event::Provider(of, Change::Everything) if *of == origin);
        if !self.events.back().is_some_and(is_lost) {
            self.events.push_back(Event::Provider(origin, Change::Everything));
        }
    }
}

/// The life of the thread.
fn run(shared: &Shared, frontend: &Weak<Frontend>) {
    let mut queue = shared.queue.lock();
    while !queue.closed {
        if queue.events.is_empty() {
            shared.wake.wait(&mut queue);
            continue;
        }
        let batch: Vec<Event> = std::mem::take(&mut queue.events).into();
        queue.changes = 0;
        parking_lot::MutexGuard::unlocked(&mut queue, || {
            if let Some(frontend) = frontend.upgrade() {
                frontend.tell_kernel(batch);
            }
        });
    }
}

/// Takes the changes of one provider.
pub(crate) struct ProviderChanges {
    pub(crate) origin: OriginId,
    pub(crate) frontend: Weak<Frontend>,
}

impl ChangeSink for ProviderChanges {
    fn changed(&self, change: Change) {
        if let Some(frontend) = self.frontend.upgrade() {
            frontend.submit(Event::Provider(self.origin, change));
        }
    }
}
