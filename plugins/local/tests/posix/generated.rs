//! File systems whose files come about as they are read.
//!
//! Symptom: files of `/proc` read as empty through a mount. Cause: the kernel reads a cached file no further than its
//! size, which is 0 there. Fix: their opens ask for direct I/O, and their descriptors are not lent.

use crate::ground::{Ground, ROOT, kind, name, root};
use fs9_local::{LocalOptions, LocalProvider};
use fs9_sdk::{ErrorKind, NodeId, OpenFlags, OpenNode, OpenTraits, Provider, WriteOptions};
use std::path::Path;

/// Returns the node at a path below the root.
fn walk(provider: &LocalProvider, path: &str) -> NodeId {
    path.split('/').fold(ROOT, |dir, part| provider.lookup(&root(), dir, name(part)).unwrap().node)
}

#[test]
fn files_without_a_true_size_ask_for_direct_io_and_are_not_lent() {
    for (directory, path) in [("/proc", "version"), ("/proc", "1/comm"), ("/sys", "kernel/uevent_seqnum")] {
        let native = Path::new(directory).join(path);
        let Ok(content) = std::fs::read(&native) else { continue };
        let provider = LocalProvider::open(Path::new(directory), LocalOptions::default()).unwrap();
        let node = walk(&provider, path);
        let opened = provider.open(&root(), node, OpenFlags::empty()).unwrap();
        let direct = OpenTraits::DIRECT_IO | OpenTraits::PARALLEL_DIRECT_WRITES;
        assert!(opened.traits.contains(direct), "{native:?}");
        let file = OpenNode { node, handle: opened.handle };
        let mut buffer = vec![0; 65_536];
        let length = provider.read(&root(), file, 0, &mut buffer).unwrap();
        assert_eq!(&buffer[..length], content, "{native:?}");
        assert!(!provider.lend_backing(file, &mut |_| panic!("{native:?} is lent")));
        provider.release(file);
    }
}

#[test]
fn there_are_no_files_without_a_name() {
    let provider = LocalProvider::open(Path::new("/proc"), LocalOptions::default()).unwrap();
    let made = provider.tmpfile(&root(), ROOT, 0o600, OpenFlags::READ_WRITE);
    assert_eq!(kind(made), Some(ErrorKind::NotSupported));
}

#[test]
fn directories_that_change_unseen_are_not_cached() {
    let provider = LocalProvider::open(Path::new("/proc"), LocalOptions::default()).unwrap();
    let node = walk(&provider, "1/task");
    let opened = provider.opendir(&root(), node).unwrap();
    assert_eq!(opened.traits, OpenTraits::DIRECT_IO);
    provider.releasedir(OpenNode { node, handle: opened.handle });
}

#[test]
fn the_self_of_proc_is_the_daemon() {
    let provider = LocalProvider::open(Path::new("/proc"), LocalOptions::default()).unwrap();
    let link = walk(&provider, "self");
    let mut call = root();
    call.caller.pid = 1;
    let target = provider.readlink(&call, link).unwrap();
    assert_eq!(target, std::process::id().to_string().into_bytes());
}

#[test]
fn ordinary_files_and_directories_may_be_cached() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "empty", 0o644).unwrap();
    let again = ground.provider.open(&root(), file.node, OpenFlags::empty()).unwrap();
    assert!(!again.traits.contains(OpenTraits::DIRECT_IO));
    let listed = ground.provider.opendir(&root(), ROOT).unwrap();
    assert_eq!(listed.traits, OpenTraits::empty());
}

/// A directory that is removed at the end.
struct Instance(std::path::PathBuf);

impl Drop for Instance {
    fn drop(&mut self) {
        std::fs::remove_dir(&self.0).unwrap();
    }
}

#[test]
fn streams_are_read_and_written_without_waiting() {
    // An instance of its own, since a read takes away what it gets.
    let tracing = Path::new("/sys/kernel/debug/tracing/instances");
    let instance = tracing.join(format!("fs9-test-{}", std::process::id()));
    if std::fs::create_dir(&instance).is_err() {
        return;
    }
    let instance = Instance(instance);
    let provider = LocalProvider::open(&instance.0, LocalOptions::default()).unwrap();
    let open = |name: &str, flags| {
        let node = walk(&provider, name);
        OpenNode { node, handle: provider.open(&root(), node, flags).unwrap().handle }
    };
    let (pipe, marker) =
        (open("trace_pipe", OpenFlags::empty()), open("trace_marker", OpenFlags::WRITE_ONLY));
    let mut buffer = [0; 4096];
    let empty = kind(provider.read(&root(), pipe, 0, &mut buffer));
    let written = provider.write(&root(), marker, 0, b"a mark", WriteOptions::default());
    let length = provider.read(&root(), pipe, 0, &mut buffer).unwrap_or(0);
    provider.release(pipe);
    provider.release(marker);
    drop(provider);
    assert_eq!((empty, written.ok()), (Some(ErrorKind::WouldBlock), Some(6)));
    let text = String::from_utf8_lossy(&buffer[..length]);
    assert!(text.contains("a mark"), "{text}");
}
