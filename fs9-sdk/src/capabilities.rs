//! What a provider can do, and how it must be run.

use std::time::Duration;

/// On which thread a provider may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// Never blocks beyond local memory or disk: called on the thread that took the request.
    Inline,
    /// May wait for something remote or slow: called on a bounded pool of threads of its own.
    MayBlock,
}

/// What a provider can do, and how it must be run. It does not change during the life of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// On which thread it may be called.
    pub execution: Execution,
    /// No operation changes anything: the mount is made read-only.
    pub read_only: bool,
    /// [`ObjectId`](crate::ObjectId)s are the same after every restart.
    pub stable_ids: bool,
    /// Every change is either made through this provider or reported as a [`Change`](crate::Change), so that
    /// caches may live long.
    pub complete_changes: bool,
    /// Keeps POSIX ACLs (`system.posix_acl_access`, `system.posix_acl_default`) and applies defaults at creation.
    pub posix_acl: bool,
    /// Can lend the descriptor of a backing file
    /// ([`Provider::lend_backing`](crate::Provider::lend_backing)).
    pub backing_descriptors: bool,
    /// Keeps locks ([`Provider::getlk`](crate::Provider::getlk), [`Provider::setlk`](crate::Provider::setlk)).
    pub locks: bool,
    /// A lifetime for cached names and attributes that suits this provider; the user's options go first.
    pub cache_lifetime: Option<Duration>,
}

impl Default for Capabilities {
    /// The careful answer: may block, nothing promised.
    fn default() -> Capabilities {
        Capabilities {
            execution: Execution::MayBlock,
            read_only: false,
            stable_ids: false,
            complete_changes: false,
            posix_acl: false,
            backing_descriptors: false,
            locks: false,
            cache_lifetime: None,
        }
    }
}
