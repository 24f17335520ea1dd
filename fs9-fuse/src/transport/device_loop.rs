//! The life of a thread that takes requests from `/dev/fuse`.

use super::asked::Asked;
use super::device::{Device, Received};
use super::device_reply::DeviceReply;
use super::handshake::WRITE_MAX;
use super::readers::Readers;
use super::server::{Server, log};
use crate::protocol::{Body, Encoded, Malformed, decode};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Room for headers and names beside the data of a write (`FUSE_BUFFER_HEADER_SIZE` of libfuse is as much).
const HEADERS_MAX: usize = 4096;

/// How long what is to be forgotten may wait, so that the kernel sends many at once.
const PAUSE: Duration = Duration::from_millis(1);

/// How requests come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// All of them, and somebody waits for most.
    Quick,
    /// Only what rings do not bring: what is to be forgotten, and interrupts.
    Seldom,
}

impl Pace {
    /// Returns how long to wait after a message. Interrupts come one by one, each before anything to be forgotten, so that a
    /// pause after them would make both late.
    fn pause_after(self, body: &Body<'_>) -> Option<Duration> {
        let is_forget = matches!(body, Body::Forget { .. } | Body::BatchForget(_));
        (self == Pace::Seldom && is_forget).then_some(PAUSE)
    }
}

/// Takes requests on one thread.
pub(super) struct DeviceLoop {
    server: Server,
    device: Arc<Device>,
    readers: Arc<Readers>,
    pace: Pace,
}

impl DeviceLoop {
    pub(super) fn new(server: Server, device: Arc<Device>, readers: Arc<Readers>, pace: Pace) -> DeviceLoop {
        DeviceLoop { server, device, readers, pace }
    }

    /// Takes requests until the mount is gone.
    ///
    /// # Errors
    /// What the device says other than that.
    pub(super) fn run(self) -> io::Result<()> {
        let result = self.take_all();
        self.readers.end();
        result
    }

    fn take_all(&self) -> io::Result<()> {
        let mut buffer = vec![0; WRITE_MAX as usize + HEADERS_MAX];
        loop {
            match self.device.receive(&mut buffer)? {
                Received::Message(length) => self.take(buffer.get(..length).unwrap_or_default()),
                Received::Nothing => {}
                Received::Gone => return Ok(()),
            }
        }
    }

    fn take(&self, message: &[u8]) {
        match decode(message, self.server.dialect) {
            Ok(message) => {
                let pause = self.pace.pause_after(&message.body);
                let turn = self.readers.take_turn();
                // It asks the provider, too.
                if self.server.takes_long(&message) {
                    turn.relieve();
                }
                let asked = Asked::by(&message);
                self.server.serve(message, || DeviceReply::new(&self.device, asked, self.server.dialect));
                drop(turn);
                if let Some(pause) = pause {
                    std::thread::sleep(pause);
                }
            }
            Err(malformed) => self.refuse(&malformed),
        }
    }

    fn refuse(&self, malformed: &Malformed) {
        log(malformed);
        if let Some(id) = malformed.id
            && let Err(error) = self.device.answer(id, &Encoded::error(malformed.errno))
        {
            tracing::debug!(%error, "nobody was told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PAUSE, Pace};
    use crate::RequestId;
    use crate::protocol::Body;

    /// Symptom: by io_uring, while processes were interrupted a thousand times a second, the kernel's forgets never came,
    /// so that files that were gone kept their descriptors, and interrupts were late. Cause: a pause after each
    /// message. Fix: only after those that the kernel collects.
    #[test]
    fn only_what_is_to_be_forgotten_is_waited_for() {
        let (forget, interrupt) = (Body::Forget { count: 1 }, Body::Interrupt { request: RequestId(2) });
        assert_eq!(Pace::Seldom.pause_after(&forget), Some(PAUSE));
        assert_eq!(Pace::Seldom.pause_after(&interrupt), None);
        assert_eq!(Pace::Quick.pause_after(&forget), None);
    }
}
