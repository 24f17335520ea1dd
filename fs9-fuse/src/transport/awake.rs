//! Keeping idle processors awake while requests come quickly.
//!
//! A client sleeps while its request is answered, and its processor with it. On a virtual machine, waking that processor
//! again takes longer than all the rest of a small request. While the kernel is asked for a wake-up without latency
//! (`Documentation/power/pm_qos_interface.rst`), idle processors look for work instead of sleeping.
//!
//! Invariants: nothing is asked for unless requests come quickly; what was asked for is taken back within a few ticks
//! after the last one, and by the kernel itself when the process ends, however it ends.

use crate::options::LowLatency;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};

/// Where the kernel is asked; the request lives as long as the file is open.
const DEVICE: &str = "/dev/cpu_dma_latency";

/// Where the kernel lists the processors that are in use.
const PROCESSORS: &str = "/sys/devices/system/cpu/online";

/// The most processors that are kept awake without being told to. All of them are, so on a large machine it would cost
/// much for one client; on a small one client and daemon occupy half of it or more as it is.
const PROCESSORS_AUTO_MAX: usize = 4;

/// Requests within a tick from which on it pays: at this pace, waking up takes a tenth of the time.
const REQUESTS_MIN: u64 = 8;

/// Ticks with fewer requests after which processors may sleep again.
const SLOW_TICKS: u32 = 3;

/// The latency that is asked for, in microseconds: none.
const NO_LATENCY: i32 = 0;

/// Takes a request back (`PM_QOS_DEFAULT_VALUE`).
const ANY_LATENCY: i32 = -1;

/// How processors are kept awake, if at all.
#[derive(Default)]
pub(crate) struct Awake {
    device: Option<File>,
}

impl Awake {
    /// Prepares what is wanted. Nothing is asked of the kernel yet.
    ///
    /// # Errors
    /// Those of opening the device, where it was asked for by name.
    pub(crate) fn new(wanted: LowLatency) -> io::Result<Awake> {
        let device = match wanted {
            LowLatency::Off => None,
            LowLatency::Auto if processors() > PROCESSORS_AUTO_MAX => None,
            // As an ordinary user, and where the kernel does not have it, it is done without.
            LowLatency::Auto => open().ok(),
            LowLatency::On => Some(open().map_err(|error| {
                let text = format!(
                    "low_latency=on: cannot open {DEVICE}: {error} (it takes root; leave the option out)"
                );
                io::Error::new(error.kind(), text)
            })?),
        };
        Ok(Awake { device })
    }

    /// Asks a file instead of the kernel.
    #[cfg(test)]
    pub(super) fn by(device: File) -> Awake {
        Awake { device: Some(device) }
    }

    /// Returns whether processors can be kept awake, and are to be.
    pub(super) fn is_possible(&self) -> bool {
        self.device.is_some()
    }

    /// Keeps processors awake from now on, or lets them sleep.
    pub(super) fn keep(&self, awake: bool) {
        self.ask(if awake { NO_LATENCY } else { ANY_LATENCY });
    }

    /// Begins to look at the pace of requests.
    pub(super) fn keeper(&self) -> Keeper<'_> {
        Keeper { awake: self, asked: false, slow_ticks: 0 }
    }

    fn ask(&self, latency: i32) {
        let Some(mut device) = self.device.as_ref() else { return };
        if let Err(error) = device.write_all(&latency.to_ne_bytes()) {
            tracing::debug!(%error, "the kernel was not told which latency is wanted");
        }
    }
}

/// Asks the kernel as the pace demands, and takes it back when dropped.
pub(super) struct Keeper<'a> {
    awake: &'a Awake,
    asked: bool,
    slow_ticks: u32,
}

impl Keeper<'_> {
    /// Notes how many requests came within the last tick.
    pub(super) fn tick(&mut self, requests: u64) {
        if requests >= REQUESTS_MIN {
            self.slow_ticks = 0;
            if !std::mem::replace(&mut self.asked, true) {
                self.awake.keep(true);
            }
        } else {
            self.slow_ticks = self.slow_ticks.saturating_add(1);
            if self.slow_ticks >= SLOW_TICKS {
                self.take_back();
            }
        }
    }

    /// Lets processors sleep.
    pub(super) fn take_back(&mut self) {
        if std::mem::take(&mut self.asked) {
            self.awake.keep(false);
        }
    }
}

impl Drop for Keeper<'_> {
    fn drop(&mut self) {
        self.take_back();
    }
}

fn open() -> io::Result<File> {
    OpenOptions::new().write(true).open(DEVICE)
}

/// Returns the number of processors in use; where it cannot be told, more than are ever kept awake unasked.
fn processors() -> usize {
    std::fs::read_to_string(PROCESSORS)
        .ok()
        .and_then(|list| super::processors::count(list.trim()))
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{ANY_LATENCY, Awake, NO_LATENCY, REQUESTS_MIN, SLOW_TICKS};
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    /// Runs `f` with a device of which it can be read what was asked, and returns that.
    fn asked_by(f: impl FnOnce(&Awake)) -> Vec<i32> {
        let (mut told, device) = std::io::pipe().unwrap();
        let awake = Awake::by(File::from(OwnedFd::from(device)));
        f(&awake);
        drop(awake);
        let mut bytes = Vec::new();
        told.read_to_end(&mut bytes).unwrap();
        bytes.chunks(4).map(|bytes| i32::from_ne_bytes(bytes.try_into().unwrap())).collect()
    }

    #[test]
    fn a_quick_pace_is_asked_for_once_and_taken_back_when_it_ends() {
        let asked = asked_by(|awake| {
            let mut keeper = awake.keeper();
            (0..100).for_each(|_| keeper.tick(REQUESTS_MIN));
            (1..SLOW_TICKS).for_each(|_| keeper.tick(0));
            keeper.tick(REQUESTS_MIN);
            (0..100).for_each(|_| keeper.tick(REQUESTS_MIN - 1));
        });
        assert_eq!(asked, [NO_LATENCY, ANY_LATENCY]);
    }

    #[test]
    fn whoever_stops_looking_takes_it_back() {
        assert_eq!(asked_by(|awake| awake.keeper().tick(REQUESTS_MIN)), [NO_LATENCY, ANY_LATENCY]);
    }

    #[test]
    fn a_slow_pace_asks_for_nothing() {
        let asked = asked_by(|awake| {
            let mut keeper = awake.keeper();
            (0..100).for_each(|_| keeper.tick(REQUESTS_MIN - 1));
        });
        assert_eq!(asked, []);
    }
}
