//! A mount point with everything behind it: made, served, drained, unmounted.
//!
//! Invariant: a session that ends, in whatever way, leaves nothing mounted. (Another file system that was mounted there
//! meanwhile stays.)

use crate::Counters;
use crate::frontend::Frontend;
use crate::mount_point::MountPoint;
use crate::options::{FuseOptions, WantedLifetimes};
use crate::transport::{self, Awake, Transport};
use fs9_core::Namespace;
use fs9_core::control::HandleReport;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a drain looks whether it is done: far below what a person notices, far above what a look costs.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// A namespace that is mounted. Nobody answers the kernel before [`Session::serve`].
pub struct Session {
    transport: Transport,
    handle: SessionHandle,
    mount_point: MountGuard,
}

/// What other threads do with a session.
#[derive(Clone)]
pub struct SessionHandle {
    frontend: Arc<Frontend>,
    mount_point: Arc<MountPoint>,
    has_rings: bool,
}

/// Unmounts when dropped.
struct MountGuard(Arc<MountPoint>);

impl Drop for MountGuard {
    fn drop(&mut self) {
        if let Err(error) = self.0.unmount_if_ours() {
            tracing::warn!(path = %self.0.path().display(), %error, "a mount is left behind");
        }
    }
}

impl Session {
    /// Mounts a namespace and agrees with the kernel on how to talk, before anybody can see the mount.
    ///
    /// # Errors
    /// Those of `fsmount(2)` and of opening `/dev/fuse`; as an ordinary user, those of `fusermount3`; a kernel that is too
    /// old; those of opening `/dev/cpu_dma_latency` and of io_uring if a low latency and rings were asked for.
    pub fn mount(namespace: Arc<Namespace>, mount_point: &Path, options: FuseOptions) -> io::Result<Session> {
        let path = mount_point.canonicalize()?;
        transport::set_up_rings(options.io_uring)?;
        let frontend = Frontend::new(namespace, options);
        let awake = Awake::new(frontend.options().low_latency)?;
        let connect = |device| Transport::connect(device, Arc::clone(&frontend), awake);
        let (transport, mount_point) = match crate::mount_point::make(&path, frontend.options())? {
            Some(made) => {
                let transport = connect(made.device)?;
                made.detached.attach(&path)?;
                (transport, MountGuard(Arc::new(MountPoint::of(&path)?)))
            }
            None => {
                let device = crate::fusermount::mount(&path, frontend.options())?;
                let guard = MountGuard(Arc::new(MountPoint::of(&path)?));
                (connect(device)?, guard)
            }
        };
        mount_point.0.raise_read_ahead();
        frontend.set_kernel_cache(Some(transport.kernel_cache()));
        let handle = SessionHandle {
            has_rings: transport.has_rings(),
            mount_point: Arc::clone(&mount_point.0),
            frontend,
        };
        Ok(Session { transport, handle, mount_point })
    }

    /// Returns what other threads do with the session.
    pub fn handle(&self) -> SessionHandle {
        self.handle.clone()
    }

    /// Answers the kernel until the mount is gone.
    ///
    /// # Errors
    /// What ends the connection other than unmounting.
    pub fn serve(self) -> io::Result<()> {
        let Session { transport, handle, mount_point } = self;
        let result = transport.serve();
        handle.frontend.set_kernel_cache(None);
        handle.frontend.tear_down();
        drop(mount_point);
        result
    }

    /// Answers the kernel on threads of its own until the mount is gone.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn spawn(self) -> io::Result<JoinHandle<io::Result<()>>> {
        std::thread::Builder::new().name("fs9-session".into()).spawn(move || self.serve())
    }
}

impl SessionHandle {
    /// Returns where the session is mounted.
    pub fn mount_point(&self) -> PathBuf {
        self.mount_point.path().to_owned()
    }

    /// Returns the number of the kernel's connection (`/sys/fs/fuse/connections`).
    pub fn connection(&self) -> u32 {
        self.mount_point.connection()
    }

    /// Refuses to open anything from now on (`ESHUTDOWN`), or allows it again.
    pub fn refuse_opens(&self, refuse: bool) {
        self.frontend.refuse_opens(refuse);
    }

    /// Returns the number of open files and directories.
    pub fn open_handles(&self) -> usize {
        self.frontend.open_handles()
    }

    /// Returns the number of inodes that the kernel knows besides the root.
    pub fn known_inodes(&self) -> usize {
        self.frontend.known_inodes()
    }

    /// Returns what reports the open files and directories one by one.
    pub fn handle_report(&self) -> Arc<dyn HandleReport> {
        Arc::clone(&self.frontend) as Arc<dyn HandleReport>
    }

    /// Changes how long the kernel may cache what it is told from now on.
    pub fn set_lifetimes(&self, wanted: WantedLifetimes) {
        self.frontend.set_lifetimes(wanted);
    }

    /// Returns whether a request was answered yet.
    pub fn has_answered(&self) -> bool {
        self.frontend.has_answered()
    }

    /// Returns whether the kernel reads and writes files by itself where a provider lends their descriptors.
    pub fn has_passthrough(&self) -> bool {
        self.frontend.has_passthrough()
    }

    /// Returns whether requests come by io_uring instead of `/dev/fuse`.
    pub fn has_rings(&self) -> bool {
        self.has_rings
    }

    /// Returns the counters of requests.
    pub fn counters(&self) -> &Counters {
        self.frontend.counters()
    }

    /// Waits until the kernel was told of every change so far: mounts that came and went, and what providers reported.
    /// Not to be called by a thread that answers requests.
    pub fn settle(&self) {
        self.frontend.settle();
    }

    /// Waits until nothing is open, at most so long, and returns whether that was reached.
    pub fn drain(&self, timeout: Duration) -> bool {
        let begin = Instant::now();
        while self.open_handles() > 0 {
            if begin.elapsed() >= timeout {
                return false;
            }
            std::thread::sleep(DRAIN_STEP);
        }
        true
    }

    /// Returns whether the session is still mounted at its mount point, with nothing mounted over it.
    pub fn is_in_place(&self) -> bool {
        self.mount_point.is_in_place()
    }

    /// Unmounts. With `lazy`, also what is in use: it vanishes from the tree at once and is served until the last use
    /// ends.
    ///
    /// # Errors
    /// `EBUSY` for what is in use without `lazy`, `EINVAL` for what is not mounted any more; another mount that is at
    /// the same path since then stays.
    pub fn unmount(&self, lazy: bool) -> io::Result<()> {
        self.mount_point.unmount(lazy)
    }

    /// Ends the connection: whatever waits for an answer gets `ECONNABORTED` or `ENOTCONN`.
    ///
    /// # Errors
    /// Those of writing to `/sys/fs/fuse/connections` and of forced unmounting.
    pub fn abort(&self) -> io::Result<()> {
        self.mount_point.abort()
    }
}
