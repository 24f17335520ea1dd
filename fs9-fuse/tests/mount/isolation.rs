//! Providers that hang, panic or lack operations, beside healthy ones.

use crate::slow::{Hangs, OpenAtEnd, slow};
use crate::support::{Mounted, memory, names, wait_until};
use fs9_core::MountOptions;
use fs9_core::layers::{Intent, Interceptor, Layered};
use fs9_sdk::{Call, ErrorKind, Operation, Result};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Fails in its own way at one operation.
struct FaultyAt(Operation, fn() -> Result<()>);

impl Interceptor for FaultyAt {
    fn call<T>(&self, intent: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        if intent.operation == self.0 {
            (self.1)()?;
        }
        forward()
    }
}

/// Mounts memory, and at `/slow` a provider that hangs when it has done an operation.
fn slow_mount(operation: Operation, timeout: Duration) -> (Mounted, OpenAtEnd) {
    let (slow, gate) = slow(memory(), operation, Hangs::After);
    let options = MountOptions { call_timeout: timeout, ..MountOptions::default() };
    (Mounted::beside_memory(slow, options), gate)
}

#[test]
fn a_provider_that_may_block_works_like_any_other() {
    let (mounted, _gate) = slow_mount(Operation::Poll, Duration::from_secs(30));
    let slow = mounted.path().join("slow");
    fs::create_dir(slow.join("d")).unwrap();
    for index in 0..300 {
        fs::write(slow.join(format!("d/file-{index:03}")), format!("{index}")).unwrap();
    }
    assert_eq!(names(&slow.join("d")).len(), 300);
    assert_eq!(
        fs::read_dir(slow.join("d")).unwrap().filter(|e| e.as_ref().unwrap().metadata().is_ok()).count(),
        300
    );
    assert_eq!(fs::read(slow.join("d/file-123")).unwrap(), b"123");
    fs::remove_dir_all(slow.join("d")).unwrap();
    assert_eq!(names(&slow), [""; 0]);
}

#[test]
fn a_provider_that_hangs_delays_no_other_and_its_callers_get_etimedout() {
    let (mounted, gate) = slow_mount(Operation::Create, Duration::from_millis(300));
    gate.0.close();
    let path = mounted.path().to_owned();
    std::thread::scope(|scope| {
        let hung: Vec<_> = (0..4)
            .map(|index| {
                let file = path.join(format!("slow/f{index}"));
                scope.spawn(move || fs::write(file, b"1").unwrap_err().raw_os_error())
            })
            .collect();
        let begin = Instant::now();
        for index in 0..20 {
            fs::write(path.join(format!("healthy-{index}")), b"1").unwrap();
        }
        let healthy = begin.elapsed();
        for caller in hung {
            assert_eq!(caller.join().unwrap(), Some(110));
        }
        assert!(healthy < Duration::from_millis(300), "{healthy:?}");
    });
}

#[test]
fn a_root_that_hangs_keeps_no_lock_of_the_directory_above() {
    let (mounted, gate) = slow_mount(Operation::Getattr, Duration::from_millis(2000));
    let path = mounted.path().to_owned();
    // The frontend has asked for the root by itself; the kernel has not heard of it.
    wait_until("it has asked", || gate.0.begun() > 0);
    gate.0.close();
    std::thread::scope(|scope| {
        let (ready, begun) = std::sync::mpsc::channel();
        let hung: Vec<_> = (0..3)
            .map(|_| {
                let (slow, ready) = (path.join("slow"), ready.clone());
                scope.spawn(move || {
                    ready.send(()).unwrap();
                    fs::metadata(slow).is_ok()
                })
            })
            .collect();
        (0..3).for_each(|_| begun.recv().unwrap());
        let begin = Instant::now();
        for index in 0..50 {
            fs::create_dir(path.join(format!("d{index}"))).unwrap();
        }
        let healthy = begin.elapsed();
        gate.0.open();
        for caller in hung {
            caller.join().unwrap();
        }
        assert!(healthy < Duration::from_millis(2000), "{healthy:?}");
    });
}

#[test]
fn a_late_create_is_released_and_seen_afterwards() {
    let (mounted, gate) = slow_mount(Operation::Create, Duration::from_millis(100));
    let file = mounted.path().join("slow/f");
    assert!(fs::metadata(&file).is_err());
    gate.0.close();
    assert_eq!(fs::write(&file, b"1").unwrap_err().raw_os_error(), Some(110));
    gate.0.open();
    let begin = Instant::now();
    while fs::metadata(&file).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(10), "the file stays invisible");
        std::thread::yield_now();
    }
    assert!(mounted.session.drain(Duration::from_secs(10)), "the handle of the late create stays open");
}

#[test]
fn a_panic_is_eio_and_the_mount_goes_on() {
    let panics = || -> Result<()> { panic!("a test's provider panics") };
    let faulty = Arc::new(Layered::new(memory(), FaultyAt(Operation::Mkdir, panics)));
    let mounted = Mounted::of(faulty);
    for _ in 0..8 {
        assert_eq!(fs::create_dir(mounted.path().join("d")).unwrap_err().raw_os_error(), Some(5));
    }
    fs::write(mounted.path().join("f"), b"alive").unwrap();
    assert_eq!(fs::read(mounted.path().join("f")).unwrap(), b"alive");
}

#[test]
fn a_missing_operation_of_one_provider_does_not_switch_it_off_for_another() {
    for operation in [
        Operation::Create,
        Operation::Fsync,
        Operation::Setxattr,
        Operation::Getxattr,
        Operation::Lseek,
        Operation::Fallocate,
        Operation::CopyFileRange,
        Operation::Rename,
        Operation::Opendir,
    ] {
        let missing = || Err(ErrorKind::NotImplemented.into());
        let mounted = Mounted::of(Arc::new(Layered::new(memory(), FaultyAt(operation, missing))));
        mounted.mount("/whole", memory());
        mounted.settle();
        exercise(mounted.path());
        let before = mounted.session.counters().of(operation);
        exercise(&mounted.path().join("whole"));
        assert!(mounted.session.counters().of(operation) > before, "{operation} is switched off");
    }
}

/// Does a bit of everything; whether it succeeds does not matter.
fn exercise(directory: &std::path::Path) {
    use rustix::fs::{CWD, FallocateFlags, RenameFlags, SeekFrom, XattrFlags};
    let path = directory.join("x");
    let file = fs::File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
    rustix::io::pwrite(&file, &[7; 8192], 0).unwrap();
    let tried = [
        file.sync_all().is_ok(),
        rustix::fs::fsetxattr(&file, "user.x", b"1", XattrFlags::empty()).is_ok(),
        rustix::fs::fgetxattr(&file, "user.x", &mut [0; 8]).is_ok(),
        rustix::fs::seek(&file, SeekFrom::Hole(0)).is_ok(),
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, 16384).is_ok(),
        rustix::fs::copy_file_range(&file, Some(&mut 0), &file, Some(&mut 65536), 4096).is_ok(),
        rustix::fs::renameat_with(CWD, &path, CWD, directory.join("y"), RenameFlags::NOREPLACE).is_ok(),
        fs::read_dir(directory).is_ok(),
    ];
    // A provider lacks one operation at most, and without `setxattr` there is nothing to get.
    assert!(tried.iter().filter(|&&done| !done).count() <= 2, "{tried:?}");
}

#[test]
fn every_lookup_is_given_back() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    for index in 0..500 {
        fs::write(path.join(format!("f{index}")), b"1").unwrap();
    }
    assert!(mounted.session.known_inodes() >= 500);
    for index in 0..500 {
        fs::remove_file(path.join(format!("f{index}"))).unwrap();
    }
    let begin = Instant::now();
    while mounted.session.known_inodes() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "{} inodes stay", mounted.session.known_inodes());
        std::thread::yield_now();
    }
}
