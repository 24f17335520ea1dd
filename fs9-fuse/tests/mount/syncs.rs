//! Syncs and writes that take long and those beside them that must not notice; syncs that do not are made where they come.
//!
//! All clients of a test run on one processor, where requests by rings share one queue.

use crate::crowds::{on_processor, processor};
use crate::support::{Mounted, memory, wait_until};
use fs9_core::layers::{Intent, Interceptor, Layered};
use fs9_fuse::FuseOptions;
use fs9_sdk::{Call, Capabilities, Execution, Operation, Result};
use parking_lot::{Condvar, Mutex};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Far above what a healthy call takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a sync takes that others shall not wait for.
const LONG: Duration = Duration::from_millis(300);

/// More than what is synced where it comes, in bytes, however quick the last syncs were.
const LARGE: u64 = (16 << 20) + 1;

#[derive(Default)]
struct State {
    is_slow: bool,
    under_way: usize,
    /// The name of the thread that made the last call.
    thread: String,
}

/// A disk that is quick or takes long for one operation.
struct Disk {
    operation: Operation,
    state: Mutex<State>,
    begun: Condvar,
}

impl Disk {
    fn wait_for_one(&self) {
        let mut state = self.state.lock();
        while state.under_way == 0 {
            assert!(!self.begun.wait_for(&mut state, PATIENCE).timed_out(), "no call comes");
        }
    }

    /// Returns whether the last call was made by the thread that took its request from a ring.
    fn was_in_place(&self) -> bool {
        self.state.lock().thread.starts_with("fs9-ring")
    }
}

struct OnDisk(Arc<Disk>);

impl Interceptor for OnDisk {
    fn call<T>(&self, intent: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        if intent.operation != self.0.operation {
            return forward();
        }
        let mut state = self.0.state.lock();
        state.under_way += 1;
        state.thread = std::thread::current().name().unwrap_or_default().to_owned();
        let is_slow = state.is_slow;
        drop(state);
        self.0.begun.notify_all();
        if is_slow {
            std::thread::sleep(LONG);
        }
        self.0.state.lock().under_way -= 1;
        forward()
    }

    fn capabilities(&self, inner: Capabilities) -> Capabilities {
        Capabilities { execution: Execution::Inline, ..inner }
    }
}

/// A mount on a disk, with a few files, all of whose users run on one processor.
struct OnOneProcessor {
    processor: usize,
    disk: Arc<Disk>,
    mounted: Mounted,
}

impl OnOneProcessor {
    fn new(operation: Operation) -> OnOneProcessor {
        let disk = Arc::new(Disk { operation, state: Mutex::default(), begun: Condvar::new() });
        let none = Some(Duration::ZERO);
        let options = FuseOptions { attr_lifetime: none, entry_lifetime: none, ..FuseOptions::default() };
        let mounted = Mounted::with(Arc::new(Layered::new(memory(), OnDisk(Arc::clone(&disk)))), options);
        (0..3).for_each(|number| fs::write(mounted.path().join(format!("f{number}")), b"x").unwrap());
        OnOneProcessor { processor: processor(), disk, mounted }
    }

    fn open(&self, number: usize) -> File {
        File::options().read(true).write(true).open(self.mounted.path().join(format!("f{number}"))).unwrap()
    }

    fn sync(&self, file: &File) {
        on_processor(self.processor, &self.mounted, || file.sync_all().unwrap());
    }

    /// Syncs until that is done where it comes, which a busy machine delays.
    fn sync_until_in_place(&self, file: &File) {
        wait_until("syncs are made where they come", || {
            self.sync(file);
            self.disk.was_in_place() || !self.mounted.session.has_rings()
        });
    }

    /// Has several files do what takes long and returns how long others waited meanwhile, at best: on a busy machine a
    /// single wait may be long.
    fn longest_wait_beside(&self, deed: fn(&File)) -> Duration {
        let waits = (0..5).map(|_| {
            let start = |number| {
                let (file, processor) = (self.open(number), self.processor);
                std::thread::spawn(move || {
                    let mut only = CpuSet::new();
                    only.set(processor);
                    sched_setaffinity(None, &only).unwrap();
                    deed(&file);
                })
            };
            let busy: Vec<_> = (0..3).map(start).collect();
            self.disk.wait_for_one();
            let longest = on_processor(self.processor, &self.mounted, || {
                let one = |_| {
                    let begin = Instant::now();
                    fs::metadata(self.mounted.path().join("f0")).unwrap();
                    begin.elapsed()
                };
                (0..20).map(one).max().unwrap()
            });
            busy.into_iter().for_each(|thread| thread.join().unwrap());
            longest
        });
        waits.min().unwrap()
    }
}

#[test]
fn a_sync_that_takes_long_holds_up_nobody_else() {
    let mount = OnOneProcessor::new(Operation::Fsync);
    mount.disk.state.lock().is_slow = true;
    let wait = mount.longest_wait_beside(|file| file.sync_all().unwrap());
    assert!(wait < LONG / 3, "{wait:?}");
}

#[test]
fn after_quick_syncs_a_slow_one_holds_up_others_once_at_most() {
    let mount = OnOneProcessor::new(Operation::Fsync);
    let file = mount.open(0);
    mount.sync_until_in_place(&file);
    mount.disk.state.lock().is_slow = true;
    mount.sync(&file);
    let wait = mount.longest_wait_beside(|file| file.sync_all().unwrap());
    assert!(wait < LONG / 3, "{wait:?}");
    assert!(!mount.disk.was_in_place());
}

#[test]
fn a_large_file_is_synced_elsewhere_however_quick_the_last_syncs_were() {
    let mount = OnOneProcessor::new(Operation::Fsync);
    let (file, large) = (mount.open(0), mount.open(1));
    large.set_len(LARGE).unwrap();
    for _ in 0..20 {
        mount.sync_until_in_place(&file);
        mount.sync(&large);
        assert!(!mount.disk.was_in_place());
    }
}

/// Symptom: while one program wrote to a directory that was frozen (`fsfreeze`), by io_uring all others on its processor hung
/// as well, and two mounts that lead through each other waited for each other for good. Cause: a thread that is in a call
/// had seven more entries of its queue, which the kernel uses first. Fix: the threads that it uses first have one each.
#[test]
fn writes_that_hang_on_one_processor_hold_up_nobody_else_there() {
    let mount = OnOneProcessor::new(Operation::Write);
    mount.disk.state.lock().is_slow = true;
    let wait = mount.longest_wait_beside(|file| assert_eq!(file.write_at(b"y", 0).unwrap(), 1));
    assert!(wait < LONG / 3, "{wait:?}");
}
