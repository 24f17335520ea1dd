//! The control directory `.fs9`: what a namespace does, as files, and commands to it, as writes.
//!
//! It is a provider like any other, mounted with `hidden` at `/.fs9`. The directory is 0700, its files 0400, `ctl` 0600,
//! all owned by the user of the daemon; the checks here do not rely on those of the kernel. What a file says is made
//! when it is opened, except `accesslog`, a stream that goes on as long as it is open.
//!
//! # Formats
//!
//! One record a line, fields separated by one tab, in the order given here; later versions add fields at the end only.
//! In names and paths a space, tab, newline or backslash is written as `\040`, `\011`, `\012` or `\134`, as in
//! `/proc/mounts` (`proc_pid_mounts(5)`); all other bytes stand as they are. An empty field is `-`. Hidden mounts are not
//! shown.
//!
//! | File | Fields |
//! |---|---|
//! | `version` | the version of fs9 |
//! | `mounts` | mount, origin, path, provider, source, `ro` or `rw`, uses (open files), what forbids passthrough: a layer, `provider`, or a word of the frontend |
//! | `providers` | origin, provider, source, `inline` or `may-block`, threads, queued calls, calls over 10 s, calls timed out, calls refused because the queue was full |
//! | `stats` | origin, operation, calls, errors, mean, 50th, 90th, 99th and 99.9th percentile, maximum, sum of the latencies (ns) |
//! | `handles` | handle, mount, node, `r`, `w`, `rw` or `dir`, process that opened it |
//! | `accesslog` | not fields: see [`AccessRecord`]; each request of the kernel while it is open, except those on `.fs9` |
//! | `ctl` | `ok` or the name of an errno, then the answer to the reader's last command; empty if there was none |
//!
//! # Commands
//!
//! One write to `ctl` is one command of at most [`COMMAND_MAX`] bytes, with or without a newline at its end. A refused
//! command fails the write with its errno.
//!
//! The write of a command that takes longer than its deadline, or whose writer is interrupted, fails with `ETIMEDOUT` or
//! `EINTR`, while the command goes on. `ctl` says so until the command ends, then what became of it: it does nothing, unless
//! it is too far to be held back.

mod access_log;
mod provider;
mod report;
mod results;

pub use access_log::{AccessLog, AccessRecord, Argument, READERS_MAX};
pub use provider::{ControlOptions, ControlProvider};

use crate::MountId;
use fs9_sdk::{Call, NodeId, Result};
use std::sync::Arc;

/// The longest command, in bytes: what one write of a pipe passes unbroken, and more than a path needs.
pub const COMMAND_MAX: usize = 4096;

/// Understands the commands that are written to `ctl`.
pub trait Commands: Send + Sync {
    /// Runs one command and returns what reading `ctl` then says. The line has no newline and no NUL, and is not empty.
    /// No lock is held, and it runs on a thread that may block. The write of a command that takes too long fails before
    /// the command ends: one that can look at [`Call::lapsed`] before it changes anything does so.
    ///
    /// # Errors
    /// What the write fails with; its text is what reading `ctl` then says.
    fn run(&self, call: &Call, line: &[u8]) -> Result<String>;
}

/// What a handle is open for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFor {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Reading and writing.
    ReadWrite,
    /// Listing a directory.
    Listing,
}

/// A line of `handles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHandle {
    /// The number of the handle.
    pub handle: u64,
    /// The mount that it is open on.
    pub mount: MountId,
    /// The provider's node.
    pub node: NodeId,
    /// What it is open for.
    pub purpose: OpenFor,
    /// The process that opened it.
    pub pid: u32,
}

/// Knows what is open and what is asked for.
pub trait HandleReport: Send + Sync {
    /// Returns what is open at this moment.
    fn open_handles(&self) -> Vec<OpenHandle>;

    /// Returns the log of what is asked for.
    fn access_log(&self) -> &Arc<AccessLog>;

    /// Returns what forbids passthrough on every mount, such as an option or the kernel.
    fn passthrough_withdrawn_by(&self) -> Option<&'static str> {
        None
    }
}
