//! Options of a FUSE mount.

use std::time::Duration;

/// Whether reads and writes may bypass the daemon where the provider lends its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Passthrough {
    /// Where kernel, privileges and provider allow it.
    #[default]
    Auto,
    /// Never: every read and write reaches the provider.
    Off,
}

/// Whether processors are kept awake while requests come quickly, so that nobody waits until one has woken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LowLatency {
    /// On machines with few processors, where the daemon may.
    #[default]
    Auto,
    /// Always; mounting fails where the daemon may not.
    On,
    /// Never.
    Off,
}

/// Whether requests come by io_uring (Linux 6.14) instead of `/dev/fuse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IoUring {
    /// Where the kernel is set up for it (`/sys/module/fuse/parameters/enable_uring`).
    #[default]
    Auto,
    /// Always. What sets up the kernel, for the whole machine, is tried (it takes root); mounting fails without.
    On,
    /// Never.
    Off,
}

/// Who keeps the locks of `fcntl(2)` and `flock(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Locks {
    /// The kernel: right among all users of the mount, and no request is made.
    #[default]
    Kernel,
    /// The provider: right also for who uses its source without the mount.
    Provider,
}

/// Options of one FUSE mount. Lifetimes that are `None` follow from what a provider promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuseOptions {
    /// The source that `/proc/self/mountinfo` shows.
    pub fsname: String,
    /// The type that `/proc/self/mountinfo` shows after `fuse.`.
    pub subtype: String,
    /// Mount read-only.
    pub read_only: bool,
    /// Let other users than the mounting one in.
    pub allow_other: bool,
    /// Honour set-user-ID and set-group-ID bits and file capabilities.
    pub suid: bool,
    /// Honour device nodes.
    pub dev: bool,
    /// Allow execution.
    pub exec: bool,
    /// Leave access times alone.
    pub noatime: bool,
    /// How long attributes are cached.
    pub attr_lifetime: Option<Duration>,
    /// How long names that exist are cached.
    pub entry_lifetime: Option<Duration>,
    /// How long names that do not exist are cached.
    pub negative_lifetime: Option<Duration>,
    /// Number of threads that take requests; `None` is the number that measured best.
    pub max_threads: Option<usize>,
    /// Give each of these threads a queue of its own in the kernel.
    pub clone_fd: bool,
    /// Let the kernel collect writes; excludes passthrough.
    pub writeback: bool,
    /// Whether reads and writes may bypass the daemon.
    pub passthrough: Passthrough,
    /// Whether requests come by io_uring.
    pub io_uring: IoUring,
    /// Whether processors are kept awake while requests come quickly.
    pub low_latency: LowLatency,
    /// Who keeps locks. A transport that cannot deliver interrupts leaves them to the kernel.
    pub locks: Locks,
    /// After how long without an answer the kernel aborts the whole connection, in seconds; `None` for never.
    pub request_timeout: Option<u16>,
    /// Allow mounts of this one with other users (`mount_setattr(2)`, `MOUNT_ATTR_IDMAP`). The kernel then tells who asks only
    /// where something is made.
    pub idmap: bool,
    /// How many file systems may be stacked below a passthrough file: 1, or 2 for a source on overlayfs.
    pub stack_depth: u32,
}

/// How long the kernel may cache, as wished; what is `None` follows from what a provider promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedLifetimes {
    /// Attributes.
    pub attr: Option<Duration>,
    /// Names that exist.
    pub entry: Option<Duration>,
    /// Names that do not exist.
    pub negative: Option<Duration>,
}

impl FuseOptions {
    /// Returns the lifetimes that are wished for.
    pub fn lifetimes(&self) -> WantedLifetimes {
        WantedLifetimes {
            attr: self.attr_lifetime,
            entry: self.entry_lifetime,
            negative: self.negative_lifetime,
        }
    }
}

/// Request threads at most, unless told otherwise: one waits for the kernel, the others step in for slow requests
/// (`transport/readers/mod.rs`). Eight slow requests at a time keep a disk busy.
pub(crate) const THREADS_DEFAULT: usize = 8;

impl Default for FuseOptions {
    fn default() -> FuseOptions {
        FuseOptions {
            fsname: "fs9".to_owned(),
            subtype: "fs9".to_owned(),
            read_only: false,
            allow_other: false,
            suid: false,
            dev: false,
            exec: true,
            noatime: false,
            attr_lifetime: None,
            entry_lifetime: None,
            negative_lifetime: None,
            max_threads: None,
            clone_fd: false,
            writeback: false,
            passthrough: Passthrough::Auto,
            io_uring: IoUring::Auto,
            low_latency: LowLatency::Auto,
            locks: Locks::Kernel,
            request_timeout: None,
            idmap: false,
            stack_depth: 1,
        }
    }
}
