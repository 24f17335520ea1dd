//! Looks at a mount by a process of its own, `fs9 status --json`.
//!
//! A request to a daemon that hangs cannot be interrupted, not even by SIGKILL once the daemon has read it; a process with
//! such a request does not end. Another process is left behind with it. Invariant: at most one look is under way.

use crate::mountinfo::MountLine;
use crate::status::{MountRecord, State};
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::io;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

/// What a look saw, and when.
pub(super) struct Sample {
    pub(super) record: MountRecord,
    pub(super) taken: Instant,
}

/// Looks at one mount.
pub(super) struct Sampler {
    line: MountLine,
    look: Option<Look>,
}

/// A look that is under way.
struct Look {
    child: Child,
    answer: ChildStdout,
    said: Vec<u8>,
}

impl Sampler {
    /// Returns one that has not looked yet.
    pub(super) fn new(line: MountLine) -> Sampler {
        Sampler { line, look: None }
    }

    /// Begins a look, unless one is under way.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if self.look.is_some() {
            return Ok(());
        }
        let mut command = Command::new("/proc/self/exe");
        command.args(["status", "--json", "--"]).arg(&self.line.mountpoint);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let answer = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        rustix::fs::fcntl_setfl(&answer, OFlags::NONBLOCK)?;
        self.look = Some(Look { child, answer, said: Vec::new() });
        Ok(())
    }

    /// Returns what the look saw, if it is done.
    pub(super) fn take(&mut self) -> Option<Sample> {
        let look = self.look.as_mut()?;
        if !look.is_done() {
            return None;
        }
        let mut look = self.look.take()?;
        // All of its threads have ended, since they held the pipe.
        let _status = look.child.wait();
        let record = record_of(&look.said).unwrap_or_else(|| self.silent());
        Some(Sample { record, taken: Instant::now() })
    }

    /// Returns what is known of a mount that does not answer.
    pub(super) fn silent(&self) -> MountRecord {
        MountRecord::new(&self.line, State::Silent)
    }

    /// Returns what becomes readable when the look goes on.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.look.as_ref().map(|look| look.answer.as_fd())
    }
}

impl Look {
    /// Takes what was said so far, and returns whether that is all.
    fn is_done(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        loop {
            match rustix::io::read(&self.answer, &mut buffer) {
                Ok(0) => return true,
                Ok(length) => self.said.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                Err(_) => return true,
            }
        }
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        // It may have ended, and if it hangs it ends with its request.
        let _ended = self.child.kill();
    }
}

/// Reads the mount out of what `fs9 status --json` says.
fn record_of(said: &[u8]) -> Option<MountRecord> {
    let mut status: serde_json::Value = serde_json::from_slice(said).ok()?;
    let mount = status.get_mut("mounts")?.get_mut(0)?.take();
    serde_json::from_value(mount).ok()
}

#[cfg(test)]
mod tests {
    use super::record_of;
    use crate::status::State;
    use crate::top::rates::tests::mount;

    #[test]
    fn the_answer_of_status_is_read_and_anything_else_is_none() {
        let mount = mount(7, &[("lookup", 5, 1, 900)]);
        let said = serde_json::json!({ "version": "0", "mounts": [mount] }).to_string();
        let record = record_of(said.as_bytes()).unwrap();
        assert_eq!((record.state, record.handles), (State::Serving, Some(3)));
        assert_eq!(record.providers, mount.providers);
        for said in ["", "{}", "{\"mounts\":[]}", "{\"mounts\":[{}]}", "fs9: status: x"] {
            assert!(record_of(said.as_bytes()).is_none(), "{said}");
        }
    }
}
