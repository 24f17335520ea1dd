//! What the options of a mount amount to.
//!
//! Invariant: a setting that was not given is `None` or the safe choice, so that defaults are decided where they are
//! used, once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tracing::level_filters::LevelFilter;

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogTarget {
    /// Standard error in the foreground, else the journal or syslog, whichever is there.
    Auto,
    /// Standard error.
    Stderr,
    /// The datagram socket `/dev/log`.
    Syslog,
    /// The journal's own socket.
    Journal,
    /// A file, appended to.
    File(PathBuf),
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether open files may be handed to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passthrough {
    /// Where kernel and provider can.
    Auto,
    /// Never.
    Off,
}

/// Whether requests come by io_uring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IoUring {
    /// Where the kernel is set up for it.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Whether processors are kept awake while requests come quickly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LowLatency {
    /// On small machines, where the daemon may.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Who keeps locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locks {
    /// The kernel, for this mount.
    Kernel,
    /// The provider, also for who uses its source without the mount.
    Provider,
}

/// What the options of a mount amount to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Nothing can be changed through the mount.
    pub(crate) read_only: bool,
    /// Set-user-id and set-group-id bits have their effect.
    pub(crate) suid: bool,
    /// Device nodes can be opened.
    pub(crate) dev: bool,
    /// Programs can be run.
    pub(crate) exec: bool,
    /// Reading does not change access times.
    pub(crate) noatime: bool,
    /// Users other than the one who mounts may enter.
    pub(crate) allow_other: bool,
    /// How long the kernel may keep attributes.
    pub(crate) attr_timeout: Option<Duration>,
    /// How long the kernel may keep names.
    pub(crate) entry_timeout: Option<Duration>,
    /// How long the kernel may keep that a name is missing.
    pub(crate) negative_timeout: Option<Duration>,
    /// How many threads answer the kernel.
    pub(crate) threads_max: Option<u32>,
    /// The kernel collects writes before it sends them.
    pub(crate) writeback: bool,
    /// Whether open files may be handed to the kernel.
    pub(crate) passthrough: Passthrough,
    /// Whether requests come by io_uring.
    pub(crate) io_uring: IoUring,
    /// Whether processors are kept awake while requests come quickly.
    pub(crate) low_latency: LowLatency,
    /// After how many seconds without an answer the kernel gives the mount up.
    pub(crate) request_timeout_s: Option<u32>,
    /// Mounts of this one may have other users.
    pub(crate) idmap: bool,
    /// Who keeps locks.
    pub(crate) locks: Locks,
    /// `.fs9` is there.
    pub(crate) control: bool,
    /// Which log lines are written.
    pub(crate) log_level: Option<LevelFilter>,
    /// How they look.
    pub(crate) log_format: LogFormat,
    /// Where they go.
    pub(crate) log_target: LogTarget,
    /// The name of the source that `mount` and `df` show.
    pub(crate) fsname: Option<String>,
    /// Other file systems below the source are left out.
    pub(crate) xdev: bool,
    /// The owner of a memory's root.
    pub(crate) uid: Option<u32>,
    /// The group of a memory's root.
    pub(crate) gid: Option<u32>,
    /// The permissions of a memory's root.
    pub(crate) mode: Option<u32>,
    /// How many bytes a memory may hold.
    pub(crate) size_bytes: Option<u64>,
    /// How many files a memory may hold.
    pub(crate) inodes_max: Option<u64>,
    /// An existing mount is to be changed.
    pub(crate) remount: bool,
    /// The names of the options that were given.
    pub(crate) given: BTreeSet<&'static str>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            read_only: false,
            suid: false,
            dev: false,
            exec: true,
            noatime: false,
            allow_other: false,
            attr_timeout: None,
            entry_timeout: None,
            negative_timeout: None,
            threads_max: None,
            writeback: false,
            passthrough: Passthrough::Auto,
            io_uring: IoUring::Auto,
            low_latency: LowLatency::Auto,
            request_timeout_s: None,
            idmap: false,
            locks: Locks::Kernel,
            control: true,
            log_level: None,
            log_format: LogFormat::Text,
            log_target: LogTarget::Auto,
            fsname: None,
            xdev: false,
            uid: None,
            gid: None,
            mode: None,
            size_bytes: None,
            inodes_max: None,
            remount: false,
            given: BTreeSet::new(),
        }
    }
}

impl Settings {
    /// Tells whether both amount to the same, whatever was spelled out.
    pub(crate) fn has_effect_of(&self, other: &Settings) -> bool {
        let mut plain = self.clone();
        plain.given.clone_from(&other.given);
        plain == *other
    }
}
