//! Whether the daemons of mounts answer, asked so that one that hangs holds nothing up.
//!
//! A request to a daemon that hangs cannot be interrupted, not even by SIGKILL once the daemon has read it. So it is made
//! by a child process, which is left behind at the deadline and ends when the request does.

use super::finding::Finding;
use crate::mountinfo::MountLine;
use rustix::io::Errno;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// How long to wait for the answers of all mounts together.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether they have come.
const LOOK: Duration = Duration::from_millis(5);

/// What a mount answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It serves.
    Serves,
    /// Its daemon is gone.
    Dead,
    /// No answer in time.
    Silent,
    /// It could not be asked.
    Unknown,
    /// It is another user's, for whom the kernel answers by itself.
    Closed,
}

/// Does a child's work: asks one mount, and tells the errno as exit status.
pub(super) fn ask_here(mountpoint: &Path) -> ExitCode {
    match rustix::fs::statfs(mountpoint) {
        Ok(_) => ExitCode::SUCCESS,
        Err(errno) => ExitCode::from(u8::try_from(errno.raw_os_error()).unwrap_or(u8::MAX)),
    }
}

/// Asks all mounts at the same time.
pub(super) fn ask(mounts: &[MountLine]) -> Vec<Answer> {
    let uid = rustix::process::geteuid().as_raw();
    let child = |mount: &MountLine| lets_in(mount, uid).then(|| start(&mount.mountpoint));
    let mut children: Vec<Option<io::Result<Child>>> = mounts.iter().map(child).collect();
    let deadline = Instant::now() + PATIENCE;
    let answer = |child: &mut Option<io::Result<Child>>| match child {
        None => Answer::Closed,
        Some(Ok(child)) => answer_of(child, deadline),
        // A machine without /dev/null or room for a process has worse findings.
        Some(Err(_)) => Answer::Unknown,
    };
    children.iter_mut().map(answer).collect()
}

/// Tells whether the kernel passes a user's requests on to a mount.
fn lets_in(mount: &MountLine, uid: u32) -> bool {
    mount.has_option("allow_other") || mount.owner().is_none_or(|owner| owner == uid)
}

fn start(mountpoint: &Path) -> io::Result<Child> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["doctor", "--ask"]).arg(mountpoint);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn answer_of(child: &mut Child, deadline: Instant) -> Answer {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.code().map_or(Answer::Unknown, meaning),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
            Ok(None) => {
                // It ends with its request, now or later.
                let _ignored = child.kill();
                return Answer::Silent;
            }
            Err(_) => return Answer::Unknown,
        }
    }
}

fn meaning(code: i32) -> Answer {
    let is = |errno: Errno| code == errno.raw_os_error();
    match code {
        0 => Answer::Serves,
        _ if is(Errno::NOTCONN) || is(Errno::CONNABORTED) => Answer::Dead,
        // By io_uring, in the moment in which the daemon ends.
        _ if is(Errno::CANCELED) => Answer::Dead,
        _ => Answer::Unknown,
    }
}

/// Returns what is found about our mounts.
pub(super) fn findings(mounts: &[MountLine], answers: &[Answer]) -> Vec<Finding> {
    const TOPIC: &str = "mount";
    if mounts.is_empty() {
        return vec![Finding::ok(TOPIC, "no mount of fs9")];
    }
    let finding = |(mount, answer): (&MountLine, &Answer)| {
        let place = mount.mountpoint.display();
        match answer {
            Answer::Serves => Finding::ok(TOPIC, format!("{place} answers")),
            Answer::Dead => Finding::problem(TOPIC, format!("{place} is stale: its daemon is gone"))
                .advise(format!("fs9 umount -l {place} (or fusermount3 -uz {place})")),
            Answer::Silent => Finding::problem(TOPIC, format!("{place} does not answer: its daemon hangs"))
                .advise(format!(
                    "end the daemon; if that does not help, echo 1 > {}; then fs9 umount -l {place}",
                    abort_file(mount)
                )),
            Answer::Unknown => Finding::off(TOPIC, format!("{place} could not be asked"))
                .advise("look at it with fs9 status"),
            Answer::Closed => Finding::off(TOPIC, format!("{place} is closed to this user"))
                .advise("ask as the user who mounted it"),
        }
    };
    mounts.iter().zip(answers).map(finding).collect()
}

/// Returns by which file a mount is cut off (`Documentation/filesystems/fuse`).
fn abort_file(mount: &MountLine) -> String {
    let minor = mount.device.split_once(':').map_or("N", |(_, minor)| minor);
    format!("/sys/fs/fuse/connections/{minor}/abort")
}

#[cfg(test)]
mod tests {
    use super::{Answer, findings, lets_in, meaning};
    use crate::doctor::finding::State;
    use crate::mountinfo::MountLine;
    use crate::mountinfo::tests::mount;
    use rustix::io::Errno;

    #[test]
    fn each_answer_is_told_with_what_to_do() {
        let finding = |answer| findings(&[mount()], &[answer]).remove(0);
        assert_eq!(finding(Answer::Serves).line(), "ok       mount: /mnt/x answers");
        let dead = finding(Answer::Dead);
        assert!(dead.line().ends_with("fs9 umount -l /mnt/x (or fusermount3 -uz /mnt/x)"));
        assert!(dead.state == State::Problem && !dead.stops_mounting);
        assert!(finding(Answer::Silent).line().contains("echo 1 > /sys/fs/fuse/connections/39/abort"));
        assert_eq!(finding(Answer::Unknown).state, State::Off);
        assert!(finding(Answer::Closed).line().ends_with("ask as the user who mounted it"));
        assert_eq!(findings(&[], &[])[0].line(), "ok       mount: no mount of fs9");
    }

    #[test]
    fn only_mounts_that_let_one_in_are_asked() {
        let with = |options: &str| MountLine { super_options: options.into(), ..mount() };
        assert!(lets_in(&with("rw,user_id=7,group_id=7"), 7));
        assert!(!lets_in(&with("rw,user_id=7,group_id=7"), 0), "not even root");
        assert!(lets_in(&with("rw,user_id=7,group_id=7,allow_other"), 8));
    }

    #[test]
    fn a_childs_status_tells_what_the_mount_answered() {
        assert_eq!(meaning(0), Answer::Serves);
        assert_eq!(meaning(Errno::NOTCONN.raw_os_error()), Answer::Dead);
        assert_eq!(meaning(Errno::CONNABORTED.raw_os_error()), Answer::Dead);
        assert_eq!(meaning(Errno::CANCELED.raw_os_error()), Answer::Dead);
        assert_eq!(meaning(Errno::ACCESS.raw_os_error()), Answer::Unknown);
    }
}
