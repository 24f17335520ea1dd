//! How something is mounted.

use std::time::Duration;

/// Options of one mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOptions {
    /// What is mounted, in the user's words, for listings.
    pub source: String,
    /// The kind of provider, in the user's words, for listings. Nothing here depends on it.
    pub provider: String,
    /// Refuse every change.
    pub read_only: bool,
    /// Leave the mount point out of its parent's listing; it is reachable by name.
    pub hidden: bool,
    /// How long names may be cached; `None` leaves it to the provider's capabilities.
    pub entry_lifetime: Option<Duration>,
    /// How long attributes may be cached; `None` leaves it to the provider's capabilities.
    pub attr_lifetime: Option<Duration>,
    /// The most threads that call into a provider that may block.
    pub threads_max: usize,
    /// The most calls that wait for such a thread.
    pub queue_max: usize,
    /// The most time that a call into a provider that may block may take.
    pub call_timeout: Duration,
    /// Reads wait by nature, as those of streams, and have no time limit; they can be cancelled.
    pub reads_wait: bool,
}

/// Enough to keep a remote service busy, few enough that 100 hung providers are only 1,600 sleeping threads.
pub const THREADS_MAX_DEFAULT: usize = 16;

/// Calls that wait for a thread: as many as a kernel keeps in flight for one mount (`max_background` of FUSE and
/// some hundred processes).
pub const QUEUE_MAX_DEFAULT: usize = 1024;

/// The limit of one call into a provider that may block.
pub const CALL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

impl Default for MountOptions {
    fn default() -> MountOptions {
        MountOptions {
            source: String::new(),
            provider: String::new(),
            read_only: false,
            hidden: false,
            entry_lifetime: None,
            attr_lifetime: None,
            threads_max: THREADS_MAX_DEFAULT,
            queue_max: QUEUE_MAX_DEFAULT,
            call_timeout: CALL_TIMEOUT_DEFAULT,
            reads_wait: false,
        }
    }
}
