//! Requests by io_uring (Linux 6.14): a queue for each processor, and threads that have entries in it.
//!
//! The kernel puts a request into the queue of the processor on which it is made, and gives it to the entry of that queue
//! that was answered last. *Main* threads run on that processor, so that nobody is woken elsewhere. A request that was
//! given to a thread waits until the thread is out of its call, however long that takes, and nobody else can do it; so
//! main threads have one entry each. *Spare* threads have several entries behind those, as many as a budget of memory
//! allows. All are there from the beginning: what is in a queue when an entry is registered is not given to it, but to
//! the next one that is answered, and if all others wait for providers there is none.
//!
//! Calls of providers that may block are made by their own threads, and what takes as long as the disk needs by threads
//! kept for that, unless the last such calls were quick ([`pace`](crate::pace)); then one thread of each queue makes them
//! in place.
//!
//! Invariants: the rings are in place before the kernel is told that they are wanted, and registered before they are
//! trusted; in each queue, one entry never waits for a provider that may block, so that all others are served.

mod layout;
mod loans;
mod polling;
mod worker;

use super::awake::Awake;
use super::device::Device;
use super::handshake::WRITE_MAX;
use super::server::Server;
use crate::options::IoUring;
use crate::pace::Place;
use fs9_core::CallPool;
use fs9_sys::FuseRing;
use layout::Layout;
use parking_lot::{Condvar, Mutex};
use polling::{Poller, Polling};
use rustix::process::{Resource, getrlimit};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use worker::Worker;

/// Where the kernel lists the processors that can ever be there. Each has a queue, or nothing is sent by rings.
const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// Threads for requests that take as long as the disk needs: as many as keep a disk busy.
const SLOW_THREADS_MAX: usize = 8;

/// Such requests that wait for a thread; beyond that they are done where they came.
const SLOW_QUEUE_MAX: usize = 64;

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

/// On a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Queue {
    /// Entries that have no request, as far as their threads have looked.
    vacant: AtomicUsize,
    /// Where its threads make calls that wait for the disk.
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Main,
    Spare,
}

impl Role {
    /// Returns while what a thread does not register.
    const fn waits_to_register(self) -> &'static [Gate] {
        match self {
            Role::Main => &[Gate::Closed, Gate::SparesRegister],
            Role::Spare => &[Gate::Closed],
        }
    }
}

type Report = SyncSender<(usize, io::Result<()>)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Closed,
    /// Spare threads register first, so that the kernel gives requests to main threads first.
    SparesRegister,
    AllRegister,
    /// Requests are taken.
    Open,
    /// The rings are not wanted after all.
    Abandoned,
}

struct Shared {
    device: OwnedFd,
    layout: Layout,
    queues: Box<[Queue]>,
    server: OnceLock<Server>,
    polling: OnceLock<Polling>,
    gate: Mutex<Gate>,
    opened: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
    slow: Arc<CallPool>,
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
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let layout = Layout::new(queues, WRITE_MAX as usize, descriptors);
        let shared = Arc::new(Shared {
            device: device.as_fd().try_clone_to_owned()?,
            layout,
            queues: (0..queues).map(|_| Queue::default()).collect(),
            server: OnceLock::new(),
            polling: OnceLock::new(),
            gate: Mutex::new(Gate::Closed),
            opened: Condvar::new(),
            threads: Mutex::default(),
            slow: CallPool::new("fs9-slow", SLOW_THREADS_MAX, SLOW_QUEUE_MAX),
        });
        let spares = layout.entries_of_spares();
        let (report, reports) = sync_channel(queues * (spares.len() + layout.mains));
        let rings = Rings { shared, reports };
        for queue in 0..queues {
            for _ in 0..layout.mains {
                rings.shared.start(queue, (Role::Main, 1), report.clone())?;
            }
            for &entries in &spares {
                rings.shared.start(queue, (Role::Spare, entries), report.clone())?;
            }
        }
        drop(report);
        // Who has no ring says nothing more, so that all are needed to go on.
        let threads = queues * (spares.len() + layout.mains);
        rings.reports.iter().take(threads).try_for_each(|(_, made)| made)?;
        Ok(rings)
    }

    /// Returns the longest payload that fits.
    pub(super) fn payload_max(&self) -> usize {
        self.shared.layout.payload_max
    }

    /// Registers the rings with the kernel, which sends all requests by them from then on. They wait until [`Rings::open`].
    ///
    /// # Errors
    /// Those of the kernel; it then sends requests by the device.
    pub(super) fn register(&self, server: Server) -> io::Result<()> {
        self.shared.server.set(server).ok();
        self.shared.set_gate(Gate::SparesRegister);
        let spares = self.collect(self.shared.layout.entries_of_spares().len());
        self.shared.set_gate(Gate::AllRegister);
        let mains = self.collect(self.shared.layout.mains);
        // One of the two is enough to serve a queue.
        spares.or(mains)
    }

    /// Waits for one word of each of so many threads of a queue, and returns the error of a queue that none of them serves.
    fn collect(&self, threads: usize) -> io::Result<()> {
        let count = self.shared.layout.queues * threads;
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

    /// Lets threads poll where processors can be kept awake.
    pub(super) fn poll_with(&self, awake: Awake) {
        self.shared.polling.set(Polling::new(awake)).ok();
    }

    /// Lets requests be taken from now on.
    pub(super) fn open(&self) {
        self.shared.set_gate(Gate::Open);
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
        if *self.shared.gate.lock() != Gate::Open {
            self.shared.set_gate(Gate::Abandoned);
        }
    }
}

impl Shared {
    fn set_gate(&self, gate: Gate) {
        *self.gate.lock() = gate;
        self.opened.notify_all();
    }

    /// Waits as long as the gate is in one of these states, and returns whether the rings are wanted.
    fn pass_gate(&self, closed: &[Gate]) -> bool {
        let mut gate = self.gate.lock();
        while closed.contains(&*gate) {
            self.opened.wait(&mut gate);
        }
        *gate != Gate::Abandoned
    }

    /// Starts a thread with entries of its own. It tells `report` once that its ring is there, and once that the kernel
    /// knows it.
    fn start(
        self: &Arc<Self>,
        queue: usize,
        (role, entries): (Role, usize),
        report: Report,
    ) -> io::Result<()> {
        let shared = Arc::clone(self);
        let run = move || shared.run(queue, (role, entries), &report);
        let thread = std::thread::Builder::new().name(format!("fs9-ring-{queue}")).spawn(run)?;
        self.threads.lock().push(thread);
        Ok(())
    }

    fn count(&self, queue: usize) -> &Queue {
        // A queue beyond the last one is never asked for.
        &self.queues[queue % self.queues.len()]
    }

    /// The life of a thread.
    fn run(self: Arc<Self>, queue: usize, (role, entries): (Role, usize), report: &Report) {
        let tell = |result: io::Result<()>| report.send((queue, result)).is_ok();
        let poller = (role == Role::Main).then(|| Poller::settle(&self.polling, queue));
        let mut ring = match FuseRing::new(&self.device, queue as u16, entries) {
            Ok(ring) if tell(Ok(())) && self.pass_gate(role.waits_to_register()) => ring,
            Ok(_) => return,
            Err(error) => {
                tell(Err(error));
                return;
            }
        };
        let Some(server) = self.server.get() else { return };
        let registered = (0..entries).try_for_each(|_| ring.register(self.layout.payload_max));
        let is_registered = registered.is_ok();
        if is_registered {
            self.count(queue).vacant.fetch_add(entries, Ordering::AcqRel);
        }
        if let Err(error) = &registered {
            tracing::debug!(queue, %error, "an entry was not registered");
        }
        tell(registered);
        if is_registered && self.pass_gate(&[Gate::SparesRegister, Gate::AllRegister]) {
            Worker::new(&self, server, queue, (ring, poller)).work();
        }
    }

    /// Notes that a thread of a queue took a request, and returns whether it may be one that waits for a provider: whoever
    /// takes the last entry answers at once, so that the kernel gives it the next request.
    fn take_one(&self, queue: usize) -> bool {
        self.count(queue).vacant.fetch_sub(1, Ordering::AcqRel) > 1
    }

    /// Notes that a request is about to be answered.
    fn give_one(&self, queue: usize) {
        self.count(queue).vacant.fetch_add(1, Ordering::AcqRel);
    }
}
