//! Many calls that hang, on one processor, and those beside them that must not notice.
//!
//! All clients of a test run on one processor, where requests by rings share one queue with few entries.

use crate::commands::MountsAtWrite;
use crate::slow::{Hangs, slow};
use crate::support::{Mounted, memory, wait_until};
use fs9_core::layers::Layered;
use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_fuse::FuseOptions;
use fs9_sdk::{Operation, Provider};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Programs that hang at once: more than a queue has entries.
const CROWD: usize = 40;

/// Far above what a healthy call takes, and nothing that hangs is done within it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns a processor on which this test may run.
pub(crate) fn processor() -> usize {
    let allowed = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).find(|&number| allowed.is_set(number)).unwrap()
}

/// Runs `deed` on a thread of one processor. Panics if it takes too long; the mount is then aborted, so that it ends.
pub(crate) fn on_processor<T: Send>(number: usize, mounted: &Mounted, deed: impl FnOnce() -> T + Send) -> T {
    let (done, result) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut only = CpuSet::new();
            only.set(number);
            sched_setaffinity(None, &only).unwrap();
            done.send(deed()).unwrap();
        });
        result.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            mounted.session.abort().unwrap();
            panic!("healthy calls are not done: {error}")
        })
    })
}

fn cat_on(processor: usize, path: &Path) -> Child {
    let mut command = Command::new("taskset");
    command.args(["-c", &processor.to_string(), "cat"]).arg(path);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Does a bit of everything that a healthy provider answers.
fn live(directory: &Path, round: usize) {
    let path = directory.join(format!("healthy-{round}"));
    fs::write(&path, b"healthy").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"healthy");
    assert_eq!(fs::metadata(&path).unwrap().len(), 7);
    File::open(&path).unwrap().sync_all().unwrap();
    assert!(fs::read_dir(directory).unwrap().count() > 0);
    fs::remove_file(&path).unwrap();
}

/// Mounts memory, a provider at `/slow`, and at `/control` what mounts something at each write.
fn mounted_beside(slow: Arc<dyn Provider>) -> (Mounted, Arc<fs9_core::Mount>) {
    let namespace = Namespace::new();
    let at = |path: &str| VfsPath::parse(path.as_bytes()).unwrap();
    namespace.mount(&at("/"), memory(), MountOptions::default()).unwrap();
    let mount = namespace.mount(&at("/slow"), slow, MountOptions::default()).unwrap();
    let control = Layered::new(memory(), MountsAtWrite::new(&namespace));
    namespace.mount(&at("/control"), Arc::new(control), MountOptions::default()).unwrap();
    (Mounted::namespace(namespace, FuseOptions::default()), mount)
}

#[test]
fn a_crowd_that_hangs_on_one_processor_stops_nobody_else_there() {
    let processor = processor();
    let (provider, gate) = slow(memory(), Operation::Open, Hangs::Before);
    let (mounted, mount) = mounted_beside(provider);
    let file = mounted.path().join("slow/f");
    fs::write(&file, b"x").unwrap();
    gate.0.close();
    let mut crowd: Vec<Child> = (0..CROWD).map(|_| cat_on(processor, &file)).collect();
    let threads = MountOptions::default().threads_max;
    gate.0.wait_for(threads);
    let pool = mount.pool().unwrap();
    let mut refused = 0;
    wait_until("all of the crowd hang or are refused", || {
        refused = crowd.iter_mut().filter_map(|child| child.try_wait().unwrap()).count();
        pool.load().queued + threads + refused == CROWD
    });
    on_processor(processor, &mounted, || {
        (0..10).for_each(|round| live(mounted.path(), round));
        for number in 0..3 {
            fs::write(mounted.path().join("control/ctl"), "mount").unwrap();
            live(&mounted.path().join(format!("new-{number}")), 0);
        }
    });
    gate.0.open();
    let ended: Vec<_> = crowd.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let failed: Vec<_> = ended.iter().filter(|output| !output.status.success()).collect();
    assert_eq!(failed.len(), refused, "who hung is served");
    for output in failed {
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("Resource temporarily unavailable"), "{message}");
    }
    on_processor(processor, &mounted, || {
        (0..2 * CROWD).for_each(|_| assert_eq!(fs::read(&file).unwrap(), b"x"));
        live(&mounted.path().join("slow"), 0);
    });
}
