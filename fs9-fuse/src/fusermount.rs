//! Mounting with the help of `fusermount3(1)`, which may what an ordinary user may not.
//!
//! The helper is given a socket by number (`_FUSE_COMMFD`), mounts, and sends the descriptor of `/dev/fuse` over it. It
//! opens the device as the user who calls it.

use crate::options::FuseOptions;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SocketFlags,
    SocketType, recvmsg, socketpair,
};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Command, Stdio};

/// The helper's name; it is searched for in `PATH`.
const HELPER: &str = "fusermount3";

/// The variable by which the helper learns its socket.
const SOCKET_VARIABLE: &str = "_FUSE_COMMFD";

/// Mounts at a path and returns the descriptor to talk with the kernel.
///
/// # Errors
/// Those of starting the helper; what it refuses, in its words.
pub(crate) fn mount(path: &Path, options: &FuseOptions) -> io::Result<OwnedFd> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // The helper inherits this one. Were another thread to start a program in this moment, that program would hold
    // it too, to no effect: the helper writes once and ends.
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())?;
    let mut command = Command::new(HELPER);
    command.arg("-o").arg(option_list(options)).arg("--").arg(path);
    command.env(SOCKET_VARIABLE, theirs.as_raw_fd().to_string());
    let helper = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let helper = helper.map_err(|error| io::Error::new(error.kind(), format!("{HELPER}: {error}")))?;
    drop(theirs);
    let device = receive_descriptor(&ours);
    let output = helper.wait_with_output()?;
    match device? {
        Some(device) if output.status.success() => Ok(device),
        _ => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// Returns the options as the helper takes them, with commas in names escaped.
fn option_list(options: &FuseOptions) -> String {
    let escaped = options.fsname.replace('\\', "\\\\").replace(',', "\\,");
    let mut list = format!("fsname={escaped},subtype={},default_permissions", options.subtype);
    let given = [
        (options.read_only, "ro"),
        (options.suid, "suid"),
        (options.dev, "dev"),
        (!options.exec, "noexec"),
        (options.noatime, "noatime"),
        (options.allow_other, "allow_other"),
    ];
    for (_, name) in given.into_iter().filter(|(is_given, _)| *is_given) {
        list.push(',');
        list.push_str(name);
    }
    list
}

/// Receives the one descriptor, or nothing if the helper has closed its end.
fn receive_descriptor(socket: impl AsFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = loop {
        let mut data = [IoSliceMut::new(&mut byte)];
        match recvmsg(socket.as_fd(), &mut data, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    if received.bytes == 0 || received.flags.contains(ReturnFlags::CTRUNC) {
        return Ok(None);
    }
    let mut messages = control.drain();
    Ok(messages.find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::option_list;
    use crate::options::FuseOptions;

    #[test]
    fn a_comma_in_the_source_does_not_begin_an_option() {
        let options = FuseOptions { fsname: "a,suid\\b".into(), read_only: true, ..FuseOptions::default() };
        assert_eq!(option_list(&options), "fsname=a\\,suid\\\\b,subtype=fs9,default_permissions,ro");
    }
}
