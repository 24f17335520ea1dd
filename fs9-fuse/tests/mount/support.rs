//! Mounts for tests: each in a directory of its own, gone at the end of the test, also when it panics.
//!
//! `FS9_TEST_IO_URING=on|off` says which transport they have; without it, fs9 decides.

use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_fuse::{FuseOptions, IoUring, Session, SessionHandle};
use fs9_local::{LocalOptions, LocalProvider};
use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_sdk::Provider;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A namespace that is mounted as long as this lives.
pub(crate) struct Mounted {
    pub(crate) namespace: Arc<Namespace>,
    pub(crate) session: SessionHandle,
    directory: tempfile::TempDir,
    server: Option<JoinHandle<io::Result<()>>>,
}

impl Mounted {
    /// Mounts a provider at `/` of a new namespace.
    pub(crate) fn of(root: Arc<dyn Provider>) -> Mounted {
        Mounted::with(root, FuseOptions::default())
    }

    /// Mounts a provider with options.
    pub(crate) fn with(root: Arc<dyn Provider>, options: FuseOptions) -> Mounted {
        let namespace = Namespace::new();
        namespace.mount(&VfsPath::root(), root, MountOptions::default()).unwrap();
        Mounted::namespace(namespace, options)
    }

    /// Mounts memory, and at `/slow` another provider.
    pub(crate) fn beside_memory(slow: Arc<dyn Provider>, options: MountOptions) -> Mounted {
        let namespace = Namespace::new();
        namespace.mount(&VfsPath::root(), memory(), MountOptions::default()).unwrap();
        namespace.mount(&VfsPath::parse(b"/slow").unwrap(), slow, options).unwrap();
        Mounted::namespace(namespace, FuseOptions::default())
    }

    /// Mounts a namespace, by the transport that is wanted.
    pub(crate) fn namespace(namespace: Arc<Namespace>, mut options: FuseOptions) -> Mounted {
        let directory = tempfile::tempdir().unwrap();
        if options.io_uring == IoUring::Auto {
            options.io_uring = transport();
        }
        let wanted = options.io_uring;
        let session = Session::mount(Arc::clone(&namespace), directory.path(), options).unwrap();
        let handle = session.handle();
        assert!(wanted == IoUring::Auto || handle.has_rings() == (wanted == IoUring::On), "{wanted:?}");
        let server = Some(session.spawn().unwrap());
        Mounted { namespace, session: handle, directory, server }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Mounts one more provider.
    pub(crate) fn mount(&self, path: &str, provider: Arc<dyn Provider>) {
        let path = VfsPath::parse(path.as_bytes()).unwrap();
        self.namespace.mount(&path, provider, MountOptions::default()).unwrap();
    }

    /// Shows a directory at a second path.
    pub(crate) fn bind(&self, source: &str, target: &str) -> fs9_sdk::Result<()> {
        let path = |text: &str| VfsPath::parse(text.as_bytes());
        self.namespace.bind(&path(source)?, &path(target)?).map(drop)
    }

    /// Waits for the end of a session that was unmounted or aborted, and returns how it ended.
    pub(crate) fn join(&mut self, patience: Duration) -> io::Result<()> {
        let server = self.server.take().unwrap();
        let begin = Instant::now();
        while !server.is_finished() {
            assert!(begin.elapsed() < patience, "the session does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        server.join().unwrap()
    }

    /// Waits until the kernel was told of all changes so far.
    pub(crate) fn settle(&self) {
        self.session.settle();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.server.is_none() {
            return;
        }
        if self.session.unmount(false).is_err() {
            // Something is still open: whatever it is, it ends with the connection.
            drop(self.session.abort());
            drop(self.session.unmount(true));
        }
        if let Some(server) = self.server.take() {
            drop(server.join());
        }
    }
}

/// Returns the transport that tests are to use.
pub(crate) fn transport() -> IoUring {
    match std::env::var("FS9_TEST_IO_URING").as_deref() {
        Ok("on") => IoUring::On,
        Ok("off") => IoUring::Off,
        Ok(other) => panic!("FS9_TEST_IO_URING is on or off, not {other}"),
        Err(_) => IoUring::Auto,
    }
}

/// Returns the default options with the transport that tests are to use.
pub(crate) fn options() -> FuseOptions {
    FuseOptions { io_uring: transport(), ..FuseOptions::default() }
}

/// Waits for what comes on its own.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(20), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Returns an empty memory provider.
pub(crate) fn memory() -> Arc<dyn Provider> {
    Arc::new(MemoryProvider::new(MemoryOptions::default()).unwrap())
}

/// Returns a provider of a directory.
pub(crate) fn local(directory: &Path) -> Arc<dyn Provider> {
    Arc::new(LocalProvider::open(directory, LocalOptions::default()).unwrap())
}

/// Returns the names in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
