//! What is asked of the kernel so that requests are answered quickly.

use crate::support::{Mounted, memory};
use fs9_fuse::{FuseOptions, IoUring, LowLatency};
use std::fs::{self, File};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The kernel's device for wishes about wake-ups; reading it tells the least latency that anybody wishes.
const DEVICE: &str = "/dev/cpu_dma_latency";

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

fn wished_latency() -> i32 {
    let mut value = [0; 4];
    File::open(DEVICE).unwrap().read_exact(&mut value).unwrap();
    i32::from_ne_bytes(value)
}

// That the wish is taken back is shown next to the code: other mounts of this machine may wish the same.
#[test]
fn processors_stay_awake_while_requests_come_quickly() {
    if File::options().write(true).open(DEVICE).is_err() {
        eprintln!("skipped: {DEVICE} cannot be opened");
        return;
    }
    let none = Some(Duration::ZERO);
    let options = FuseOptions {
        attr_lifetime: none,
        entry_lifetime: none,
        low_latency: LowLatency::On,
        // By rings it is asked for only while a processor has nothing else to do.
        io_uring: IoUring::Off,
        ..FuseOptions::default()
    };
    let mounted = Mounted::with(memory(), options);
    let file = mounted.path().join("file");
    fs::write(&file, b"x").unwrap();
    let over = AtomicBool::new(false);
    let wished = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                fs::metadata(&file).unwrap();
            }
        });
        let deadline = Instant::now() + PATIENCE;
        let mut wished = wished_latency();
        while wished != 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
            wished = wished_latency();
        }
        over.store(true, Ordering::Relaxed);
        wished
    });
    assert_eq!(wished, 0);
}
