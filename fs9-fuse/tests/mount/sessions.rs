//! The life of a session: refusing, draining, unmounting, aborting.

use crate::slow::{Hangs, slow};
use crate::support::{Mounted, memory, options};
use fs9_core::{MountOptions, VfsPath};
use fs9_fuse::FuseOptions;
use fs9_sdk::Operation;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Far beyond what any of these tests takes.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_busy_mount_is_not_unmounted_but_detached_when_asked() {
    let mut mounted = Mounted::of(memory());
    let path = mounted.path().to_owned();
    let mut file = File::create(path.join("f")).unwrap();
    assert_eq!(mounted.session.unmount(false).unwrap_err().raw_os_error(), Some(16));
    mounted.session.unmount(true).unwrap();
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    file.write_all(b"served until the last close").unwrap();
    assert_eq!(file.metadata().unwrap().len(), 27);
    drop(file);
    mounted.join(PATIENCE).unwrap();
}

#[test]
fn opens_are_refused_while_open_files_drain() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::write(path.join("f"), b"x").unwrap();
    let mut file = File::open(path.join("f")).unwrap();
    mounted.session.refuse_opens(true);
    assert_eq!(File::open(path.join("f")).unwrap_err().raw_os_error(), Some(108));
    assert_eq!(File::create(path.join("g")).unwrap_err().raw_os_error(), Some(108));
    file.read_exact(&mut [0]).unwrap();
    assert!(!mounted.session.drain(Duration::ZERO));
    drop(file);
    assert!(mounted.session.drain(PATIENCE));
    mounted.session.refuse_opens(false);
    File::open(path.join("f")).unwrap();
}

#[test]
fn an_aborted_session_ends_and_leaves_nothing_mounted() {
    let mut mounted = Mounted::of(memory());
    let path = mounted.path().to_owned();
    let device = fs::metadata(&path).unwrap().dev();
    let mut file = File::create(path.join("f")).unwrap();
    mounted.session.abort().unwrap();
    assert!(file.write_all(b"x").is_err());
    // Whether the end of an aborted connection counts as an error is the transport's business.
    drop(mounted.join(PATIENCE));
    assert_ne!(fs::metadata(&path).unwrap().dev(), device);
}

/// Symptom: by io_uring, a daemon whose mount was cut off while somebody waited for a lock of the provider did not end,
/// and its dead mount stayed. Cause: threads of rings end when all that they took is answered, and the calls were
/// cancelled only after that. Fix: they are cancelled as soon as the kernel is gone.
#[test]
fn a_call_that_waits_does_not_keep_a_session_that_was_aborted() {
    let (provider, gate) = slow(memory(), Operation::Open, Hangs::UntilCancelled);
    let mut mounted = Mounted::beside_memory(provider, MountOptions::default());
    let file = mounted.path().join("slow/f");
    fs::write(&file, b"x").unwrap();
    gate.0.close();
    let opened = std::thread::spawn(move || File::open(file).map(drop));
    gate.0.wait_for(1);
    mounted.session.abort().unwrap();
    drop(mounted.join(PATIENCE));
    assert!(opened.join().unwrap().is_err());
}

#[test]
fn a_session_that_nobody_serves_leaves_nothing_mounted() {
    let directory = tempfile::tempdir().unwrap();
    let device = fs::metadata(directory.path()).unwrap().dev();
    let namespace = fs9_core::Namespace::new();
    let session = fs9_fuse::Session::mount(namespace, directory.path(), options()).unwrap();
    drop(session);
    assert_eq!(fs::metadata(directory.path()).unwrap().dev(), device);
}

#[test]
fn a_namespace_without_mounts_is_an_empty_directory() {
    let mounted = Mounted::namespace(fs9_core::Namespace::new(), FuseOptions::default());
    assert_eq!(fs::read_dir(mounted.path()).unwrap().count(), 0);
    assert_eq!(fs::write(mounted.path().join("f"), b"").unwrap_err().raw_os_error(), Some(30));
    rustix::fs::statvfs(mounted.path()).unwrap();
    mounted.mount("/", memory());
    mounted.settle();
    fs::write(mounted.path().join("f"), b"").unwrap();
}

#[test]
fn a_mount_that_is_taken_away_serves_open_files_and_nothing_else() {
    let mounted = Mounted::of(memory());
    mounted.mount("/m", memory());
    mounted.settle();
    let path = mounted.path().join("m");
    let mut file = File::options().read(true).write(true).create_new(true).open(path.join("f")).unwrap();
    let inside = File::open(&path).unwrap();
    let place = VfsPath::parse(b"/m").unwrap();
    assert_eq!(mounted.namespace.unmount(&place, false).unwrap_err().errno(), 16);
    let mount = mounted.namespace.unmount(&place, true).unwrap();
    mounted.settle();
    assert!(fs::metadata(&path).is_err());
    file.write_all(b"goes on").unwrap();
    assert_eq!(file.metadata().unwrap().len(), 7);
    assert!(
        rustix::fs::openat(
            &inside,
            "g",
            rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY,
            0o644.into()
        )
        .is_err()
    );
    drop((file, inside));
    assert!(mounted.session.drain(PATIENCE));
    // A handle is gone a moment before the use of its mount ends.
    let deadline = std::time::Instant::now() + PATIENCE;
    while mount.uses() > 0 {
        assert!(std::time::Instant::now() < deadline, "the mount stays in use");
        std::thread::yield_now();
    }
}

#[test]
fn the_type_and_source_of_the_mount_are_shown() {
    let options = FuseOptions { fsname: "memory: with a space".into(), ..FuseOptions::default() };
    let mounted = Mounted::with(memory(), options);
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mountinfo.lines().find(|line| line.contains(mounted.path().to_str().unwrap())).unwrap();
    assert!(line.contains(" - fuse.fs9 memory:\\040with\\040a\\040space "), "{line}");
    assert!(line.contains("nosuid,nodev"), "{line}");
}

/// Symptom: a mount that came to the path of one that was just ending vanished. Cause: a session knew its mount by the
/// device number, which the kernel gives to the next one. Fix: by the mount's own number.
#[test]
fn a_session_never_unmounts_what_came_to_its_path_later() {
    let mut first = Mounted::of(memory());
    let path = first.path().to_owned();
    let mut file = File::create(path.join("first")).unwrap();
    first.session.unmount(true).unwrap();
    assert!(!first.session.is_in_place());

    let namespace = fs9_core::Namespace::new();
    namespace.mount(&VfsPath::root(), memory(), fs9_core::MountOptions::default()).unwrap();
    let second = fs9_fuse::Session::mount(namespace, &path, options()).unwrap();
    let handle = second.handle();
    let server = second.spawn().unwrap();
    fs::write(path.join("second"), b"x").unwrap();
    for lazy in [false, true] {
        assert_eq!(first.session.unmount(lazy).unwrap_err().raw_os_error(), Some(22));
    }
    file.write_all(b"served until the last close").unwrap();
    drop(file);
    first.join(PATIENCE).unwrap();
    assert!(handle.is_in_place());
    assert_eq!(fs::read(path.join("second")).unwrap(), b"x");
    handle.unmount(false).unwrap();
    server.join().unwrap().unwrap();
}
