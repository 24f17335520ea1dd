//! The environment variables that fs9 reads, each once, at the start.

use std::ffi::OsString;

/// What the environment says.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// `FS9_LOG`: a level, or levels by module (`info,fs9_fuse=debug`).
    pub(crate) log: Option<String>,
    /// `FS9_LOG_FORMAT`: `text` or `json`.
    pub(crate) log_format: Option<String>,
    /// `NOTIFY_SOCKET` of `sd_notify(3)`.
    pub(crate) notify_socket: Option<OsString>,
}

impl Environment {
    /// Reads the variables of this process.
    pub(crate) fn read() -> Environment {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Environment {
            log: text("FS9_LOG"),
            log_format: text("FS9_LOG_FORMAT"),
            notify_socket: std::env::var_os("NOTIFY_SOCKET").filter(|value| !value.is_empty()),
        }
    }
}
