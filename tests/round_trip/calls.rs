//! The calls: clients that ask for attributes, each for those of its own file.
//!
//! Invariants: all clients run before the clock is read first, and have ended when it is read again; a client that
//! fails keeps its error until then, so that no other waits for it at a barrier.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use fs9_tests::{Clock, Sample};
use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};

use crate::latencies::Latencies;

/// Makes one file for each client and returns them, opened without asking the daemon.
pub(crate) fn files(directory: &Path, clients: usize) -> io::Result<Vec<OwnedFd>> {
    (0..clients)
        .map(|number| {
            let path = directory.join(format!("client-{number}"));
            std::fs::write(&path, b"")?;
            Ok(rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
        })
        .collect()
}

/// What each client does, and for how long.
pub(crate) struct Plan {
    pub(crate) call: fn(&OwnedFd) -> io::Result<()>,
    /// Time before the clock is read; nobody looks at these calls.
    pub(crate) warm_up: Duration,
    /// Time between the two readings.
    pub(crate) measured: Duration,
}

impl Plan {
    /// Lets a client for each file call, all of them at once.
    pub(crate) fn run(&self, files: &[OwnedFd], clock: &Clock) -> io::Result<(Sample, Latencies)> {
        let (warm, start) = (Barrier::new(files.len() + 1), Barrier::new(files.len() + 1));
        let run_client = |file: &OwnedFd| -> io::Result<Latencies> {
            let mut latencies = Latencies::new();
            let warmed = self.repeat(file, self.warm_up, &mut latencies);
            latencies.clear();
            warm.wait();
            start.wait();
            warmed?;
            self.repeat(file, self.measured, &mut latencies)?;
            Ok(latencies)
        };
        thread::scope(|scope| {
            let clients: Vec<_> = files.iter().map(|file| scope.spawn(|| run_client(file))).collect();
            warm.wait();
            let mut ended = Vec::new();
            let sample = clock.time(|| {
                start.wait();
                for client in clients {
                    ended.push(client.join().map_err(|_| io::Error::other("a client panicked"))??);
                }
                Ok(ended.iter().map(Latencies::count).sum())
            })?;
            Ok((sample, Latencies::merged(ended)))
        })
    }

    /// Calls for so long. A call's time lasts from the end of the one before to its own.
    fn repeat(&self, file: &OwnedFd, time: Duration, latencies: &mut Latencies) -> io::Result<()> {
        let started = Instant::now();
        let mut before = started;
        while before.duration_since(started) < time {
            (self.call)(file)?;
            let now = Instant::now();
            latencies.push(now.duration_since(before));
            before = now;
        }
        Ok(())
    }
}

/// Makes the kernel ask the daemon although it knows: AT_STATX_FORCE_SYNC (statx(2)). The birth time is not asked
/// for, because Linux gets it by another request, FUSE_STATX.
pub(crate) fn get_attributes(file: &OwnedFd) -> io::Result<()> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_FORCE_SYNC;
    rustix::fs::statx(file, c"", flags, StatxFlags::BASIC_STATS)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(call: fn(&OwnedFd) -> io::Result<()>) -> Plan {
        Plan { call, warm_up: Duration::from_millis(5), measured: Duration::from_millis(50) }
    }

    #[test]
    fn every_call_of_every_client_is_counted_and_timed() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let files = files(directory.path(), 3).expect("a file for each client");
        let plan = plan(get_attributes);
        let (sample, latencies) =
            plan.run(&files, &Clock::new(std::process::id())).expect("attributes of three files");
        assert!(sample.operations >= 3, "{} operations", sample.operations);
        assert_eq!(latencies.count(), sample.operations);
        assert!(sample.elapsed >= plan.measured, "{:?}", sample.elapsed);
        assert!((1..=latencies.percentile(99)).contains(&latencies.percentile(50)));
    }

    #[test]
    fn a_client_that_fails_fails_the_run_and_holds_up_no_other() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let files = files(directory.path(), 2).expect("a file for each client");
        let plan = plan(|_| Err(io::ErrorKind::NotConnected.into()));
        let error = plan.run(&files, &Clock::new(0)).map(drop).expect_err("no client succeeds");
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    }
}
