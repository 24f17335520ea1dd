//! Requests by io_uring (Linux 6.14): a queue for each processor, several entries in it, a thread for each entry.
//!
//! The kernel puts a request into the queue of the processor on which it is made, and gives it to the entry of that queue
//! that was answered last. The entry's thread runs on that processor, so that nobody is woken elsewhere. An entry holds
//! one request at a time: while a thread is busy, or waits for a provider, the next request goes to another one, and when
//! none is free any more, one is added, within a budget of memory.
//!
//! Invariants: the rings are in place before the kernel is told that they are wanted, and registered before they are
//! trusted; in each queue, one entry never waits for a provider that may block, so that all others are served.

use super::asked::Asked;
use super::device::Device;
use super::handshake::WRITE_MAX;
use super::ring_reply::{RingReply, Slot};
use super::server::{Server, log};
use crate::options::IoUring;
use crate::protocol::decode_parts;
use fs9_sys::FuseRingEntry;
use parking_lot::{Condvar, Mutex};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

/// Where the kernel lists the processors that can ever be there. Each has a queue, or nothing is sent by rings.
const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// Memory for payloads. It is taken as payloads are used: small requests touch a page.
const BUDGET: usize = 64 << 20;

/// Entries of a queue at the beginning: one in hand, and one free.
const ENTRIES_MIN: usize = 2;

/// Entries of a queue at most: threads that do requests of one processor.
const ENTRIES_MAX: usize = 32;

/// Payloads are at least as long as the longest attribute and its name.
const PAYLOAD_MIN: usize = 128 << 10;

/// Where the kernel is set up for rings, for the whole machine.
const PARAMETER: &str = "/sys/module/fuse/parameters/enable_uring";

/// Returns whether the kernel is set up for rings; if they were asked for by name, it is set up now.
///
/// # Errors
/// Those of setting it up, with what to do.
pub(super) fn is_enabled(wanted: IoUring) -> io::Result<bool> {
    let value = std::fs::read_to_string(PARAMETER).unwrap_or_default();
    if value.trim() == "Y" || wanted != IoUring::On {
        return Ok(value.trim() == "Y");
    }
    std::fs::write(PARAMETER, "1").map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::NotFound => "the kernel does not have it (Linux 6.14 or later does)".to_owned(),
            _ => format!("cannot write 1 to {PARAMETER}: {error} (it takes root)"),
        };
        io::Error::new(error.kind(), what)
    })?;
    tracing::warn!("{PARAMETER} is on now, for all FUSE mounts of this machine");
    Ok(true)
}

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

#[derive(Default)]
struct Queue {
    /// Entries that exist or are being made.
    entries: AtomicUsize,
    /// Entries that wait for a request.
    free: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Closed,
    Open,
    /// The rings are not wanted after all.
    Abandoned,
}

struct Shared {
    device: OwnedFd,
    layout: Layout,
    queues: Box<[Queue]>,
    server: OnceLock<Server>,
    gate: Mutex<Gate>,
    opened: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The rings of a mount.
pub(super) struct Rings {
    shared: Arc<Shared>,
    reports: Receiver<(usize, io::Result<()>)>,
}

impl Rings {
    /// Makes all that is needed before the kernel is told.
    ///
    /// # Errors
    /// Those of making rings, buffers and threads.
    pub(super) fn prepare(device: &Device) -> io::Result<Rings> {
        let possible = std::fs::read_to_string(POSSIBLE)?;
        let queues = super::processors::last(possible.trim()).map_or(1, |last| last + 1);
        let layout = Layout::new(queues, WRITE_MAX as usize);
        let shared = Arc::new(Shared {
            device: device.as_fd().try_clone_to_owned()?,
            layout,
            queues: (0..queues).map(|_| Queue::default()).collect(),
            server: OnceLock::new(),
            gate: Mutex::new(Gate::Closed),
            opened: Condvar::new(),
            threads: Mutex::default(),
        });
        let count = queues * ENTRIES_MIN;
        let (report, reports) = sync_channel(count);
        let rings = Rings { shared, reports };
        for queue in (0..queues).cycle().take(count) {
            rings.shared.start(queue, Some(report.clone()))?;
        }
        drop(report);
        rings.collect(count)?;
        Ok(rings)
    }

    /// Returns the longest payload that fits.
    pub(super) fn payload_max(&self) -> usize {
        self.shared.layout.payload_max
    }

    /// Registers the rings with the kernel, which sends all requests by them from then on.
    ///
    /// # Errors
    /// Those of the kernel; it then sends requests by the device.
    pub(super) fn register(&self, server: Server) -> io::Result<()> {
        self.shared.server.set(server).ok();
        self.shared.set_gate(Gate::Open);
        self.collect(self.shared.layout.queues * ENTRIES_MIN)
    }

    /// Waits for one word of each thread, and returns the error of a queue without any entry.
    fn collect(&self, count: usize) -> io::Result<()> {
        let mut served = vec![false; self.shared.layout.queues];
        let mut failed = None;
        for (queue, result) in self.reports.iter().take(count) {
            match result {
                Ok(()) => served[queue] = true,
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if !served.iter().all(|&is_served| is_served) => Err(error),
            _ => Ok(()),
        }
    }

    /// Waits until all threads have ended, which they do when the mount is gone.
    pub(super) fn join(&self) {
        loop {
            let Some(thread) = self.shared.threads.lock().pop() else { return };
            if thread.join().is_err() {
                tracing::error!("a thread of a ring panicked");
            }
        }
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        if self.shared.server.get().is_none() {
            self.shared.set_gate(Gate::Abandoned);
        }
    }
}

impl Shared {
    fn set_gate(&self, gate: Gate) {
        *self.gate.lock() = gate;
        self.opened.notify_all();
    }

    /// Waits at the gate, and returns whether it was opened.
    fn pass_gate(&self) -> bool {
        let mut gate = self.gate.lock();
        while *gate == Gate::Closed {
            self.opened.wait(&mut gate);
        }
        *gate == Gate::Open
    }

    /// Starts a thread with an entry of its own. It tells `report` once that its ring is there, and once that the kernel
    /// knows it.
    fn start(self: &Arc<Self>, queue: usize, report: Option<Report>) -> io::Result<()> {
        self.count(queue).entries.fetch_add(1, Ordering::AcqRel);
        let shared = Arc::clone(self);
        let name = format!("fs9-ring-{queue}");
        let started =
            std::thread::Builder::new().name(name).spawn(move || shared.run(queue, report.as_ref()));
        match started {
            Ok(thread) => self.threads.lock().push(thread),
            Err(error) => {
                self.count(queue).entries.fetch_sub(1, Ordering::AcqRel);
                return Err(error);
            }
        }
        Ok(())
    }

    fn count(&self, queue: usize) -> &Queue {
        // A queue beyond the last one is never asked for.
        &self.queues[queue % self.queues.len()]
    }

    /// The life of a thread.
    fn run(self: Arc<Self>, queue: usize, report: Option<&Report>) {
        let tell = |result: io::Result<()>| report.is_none_or(|report| report.send((queue, result)).is_ok());
        run_on_processor(queue);
        let made = self
            .device
            .try_clone()
            .and_then(|device| FuseRingEntry::new(device, queue as u16, self.layout.payload_max));
        let mut entry = match made {
            Ok(entry) if tell(Ok(())) && self.pass_gate() => entry,
            Ok(_) => return,
            Err(error) => {
                tell(Err(error));
                return;
            }
        };
        let Some(server) = self.server.get() else { return };
        self.count(queue).free.fetch_add(1, Ordering::AcqRel);
        let registered = entry.register();
        let is_registered = registered.is_ok();
        if let Err(error) = &registered {
            tracing::debug!(queue, %error, "an entry was not registered");
        }
        tell(registered);
        if is_registered {
            self.take_requests(queue, &mut entry, server);
        }
    }

    /// Takes requests until the mount is gone.
    fn take_requests(self: &Arc<Self>, queue: usize, entry: &mut FuseRingEntry, server: &Server) {
        let slot = Arc::new(Slot::default());
        let count = self.count(queue);
        while let Ok(()) = entry.wait() {
            let free = count.free.fetch_sub(1, Ordering::AcqRel).saturating_sub(1);
            let may_grow = count.entries.load(Ordering::Relaxed) < self.layout.entries_max;
            if free == 0
                && may_grow
                && let Err(error) = self.start(queue, None)
            {
                tracing::debug!(queue, %error, "no thread for another entry");
            }
            let answered = serve(server, entry, &slot, free > 0 || may_grow);
            count.free.fetch_add(1, Ordering::AcqRel);
            if let Err(error) = answered {
                tracing::error!(queue, %error, "an answer did not get on its way");
                return;
            }
        }
    }
}

type Report = SyncSender<(usize, io::Result<()>)>;

/// Does the request in hand and lays its answer down.
fn serve(server: &Server, entry: &mut FuseRingEntry, slot: &Arc<Slot>, may_wait: bool) -> io::Result<()> {
    let Some(request) = entry.request() else { return Err(io::ErrorKind::InvalidData.into()) };
    let decoded = decode_parts(request.header, request.operation, request.payload, server.dialect);
    let message = match decoded {
        Ok(message) => message,
        Err(malformed) => {
            log(&malformed);
            return entry.answer(|_| Err(-malformed.errno.errno()));
        }
    };
    let asked = Asked::by(&message);
    server.serve(message, || RingReply::new(slot, &server.device, asked, may_wait));
    let answered = slot.wait();
    entry.answer(|room| answered.lay_down(&asked, server.dialect, room))
}

/// Binds this thread to a processor. Where that is not allowed, it runs wherever there is room.
fn run_on_processor(number: usize) {
    let mut processors = CpuSet::new();
    if number < CpuSet::MAX_CPU {
        processors.set(number);
        if let Err(error) = sched_setaffinity(None, &processors) {
            tracing::debug!(number, %error, "a thread is not bound to its processor");
        }
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
        assert_eq!(Layout::new(64, wanted), Layout { queues: 64, entries_max: 2, payload_max: 512 << 10 });
    }
}
