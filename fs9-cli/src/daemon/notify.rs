//! `sd_notify(3)`: tells systemd that the mount is there, or goes.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends a state, such as `READY=1`, to the socket of `NOTIFY_SOCKET`: a path, or `@name` for an abstract one.
///
/// # Errors
/// Where the socket is not there or not ours to write.
pub(super) fn notify(socket: &OsStr, state: &str) -> std::io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::notify;
    use std::ffi::OsStr;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[test]
    fn a_state_arrives_at_an_abstract_socket() {
        let name = format!("fs9-notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        notify(OsStr::new(&format!("@{name}")), "READY=1").unwrap();
        let mut state = [0; 64];
        let length = systemd.recv(&mut state).unwrap();
        assert_eq!(&state[..length], b"READY=1");
    }
}
