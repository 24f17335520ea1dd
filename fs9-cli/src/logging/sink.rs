//! Where log lines go: standard error, a file, `/dev/log` (`syslog(3)`), or the journal
//! (`https://systemd.io/JOURNAL_NATIVE_PROTOCOL`).
//!
//! Invariant: a log that nobody reads never holds a request up: datagrams are sent without waiting, and one that
//! does not fit is lost. Each is sent to the socket's name, so that a restarted reader gets the next one.

use crate::options::LogTarget;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

const SYSLOG_SOCKET: &str = "/dev/log";
const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";
/// `LOG_DAEMON` of `syslog(3)`.
const FACILITY: u8 = 3 << 3;

/// Where log lines go.
#[derive(Clone, Debug)]
pub(super) enum Sink {
    Stderr,
    File(Arc<File>),
    Syslog(Arc<UnixDatagram>),
    Journal(Arc<UnixDatagram>),
    /// There is no log on this machine, and the user did not ask for one.
    Nowhere,
}

impl Sink {
    /// Opens the sink of a target.
    ///
    /// # Errors
    /// A sentence that names the target that the user asked for and that is not there.
    pub(super) fn open(target: &LogTarget, is_foreground: bool) -> Result<Sink, String> {
        let socket = || datagram_socket().map(Arc::new).map_err(|error| format!("log: no socket: {error}"));
        match target {
            LogTarget::Auto if is_foreground => Ok(Sink::Stderr),
            LogTarget::Auto if Path::new(JOURNAL_SOCKET).exists() => socket().map(Sink::Journal),
            LogTarget::Auto if Path::new(SYSLOG_SOCKET).exists() => socket().map(Sink::Syslog),
            LogTarget::Auto => Ok(Sink::Nowhere),
            LogTarget::Stderr => Ok(Sink::Stderr),
            LogTarget::Journal => present(JOURNAL_SOCKET).and_then(|()| socket()).map(Sink::Journal),
            LogTarget::Syslog => present(SYSLOG_SOCKET).and_then(|()| socket()).map(Sink::Syslog),
            LogTarget::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                file.map(|file| Sink::File(Arc::new(file)))
                    .map_err(|error| format!("log={}: {error}", path.display()))
            }
        }
    }

    /// Tells whether who reads the lines stamps them with time and level.
    pub(super) fn stamps_time(&self) -> bool {
        matches!(self, Sink::Syslog(_) | Sink::Journal(_))
    }

    /// Writes one line.
    fn send(&self, level: Level, line: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stderr => io::stderr().write_all(line),
            Sink::File(file) => file.as_ref().write_all(line),
            Sink::Syslog(socket) => socket.send_to(&syslog_datagram(level, line), SYSLOG_SOCKET).map(drop),
            Sink::Journal(socket) => socket.send_to(&journal_datagram(level, line), JOURNAL_SOCKET).map(drop),
            Sink::Nowhere => Ok(()),
        }
    }
}

fn datagram_socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn present(socket: &str) -> Result<(), String> {
    if Path::new(socket).exists() {
        Ok(())
    } else {
        Err(format!("log: {socket} is not there: choose another log="))
    }
}

/// Returns the severity of `syslog(3)`.
fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

fn syslog_datagram(level: Level, line: &[u8]) -> Vec<u8> {
    let mut datagram = format!("<{}>fs9[{}]: ", FACILITY | severity(level), std::process::id()).into_bytes();
    datagram.extend(printable(line));
    datagram
}

fn journal_datagram(level: Level, line: &[u8]) -> Vec<u8> {
    let mut datagram = format!("PRIORITY={}\nSYSLOG_IDENTIFIER=fs9\nMESSAGE=", severity(level)).into_bytes();
    datagram.extend(printable(line));
    datagram.push(b'\n');
    datagram
}

/// Drops the line's end and escapes line breaks within, so that a file's name cannot forge a field or a line.
fn printable(line: &[u8]) -> impl Iterator<Item = u8> {
    line.trim_ascii_end().iter().flat_map(|byte| match byte {
        b'\n' => b"\\n".iter().copied(),
        byte => std::slice::from_ref(byte).iter().copied(),
    })
}

/// Writes one line of a known level.
pub(super) struct LineWriter {
    sink: Sink,
    level: Level,
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.sink.send(self.level, line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Sink {
    type Writer = LineWriter;

    fn make_writer(&self) -> LineWriter {
        LineWriter { sink: self.clone(), level: Level::INFO }
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> LineWriter {
        LineWriter { sink: self.clone(), level: *metadata.level() }
    }
}

#[cfg(test)]
mod tests {
    use super::{journal_datagram, syslog_datagram};
    use tracing::Level;

    #[test]
    fn a_syslog_line_carries_priority_name_and_process() {
        let expected = format!("<27>fs9[{}]: gone", std::process::id());
        assert_eq!(syslog_datagram(Level::ERROR, b"gone\n"), expected.as_bytes());
    }

    #[test]
    fn a_line_break_in_a_message_cannot_forge_a_journal_field() {
        let datagram = journal_datagram(Level::INFO, b"name a\nPRIORITY=0\n");
        assert_eq!(datagram, b"PRIORITY=6\nSYSLOG_IDENTIFIER=fs9\nMESSAGE=name a\\nPRIORITY=0\n");
    }
}
