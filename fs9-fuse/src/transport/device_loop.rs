//! The life of a thread that takes requests from `/dev/fuse`.

use super::asked::Asked;
use super::device::{Device, Received};
use super::device_reply::DeviceReply;
use super::handshake::WRITE_MAX;
use super::readers::Readers;
use super::server::{Server, log};
use crate::protocol::{Encoded, Malformed, decode};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Room for headers and names beside the data of a write (`FUSE_BUFFER_HEADER_SIZE` of libfuse is as much).
const HEADERS_MAX: usize = 4096;

/// How long messages may wait that nobody waits for, so that the kernel sends many at once.
const PAUSE: Duration = Duration::from_millis(1);

/// How requests come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// All of them, and somebody waits for most.
    Quick,
    /// Only what rings do not bring: what is to be forgotten, and interrupts.
    Seldom,
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
            if self.pace == Pace::Seldom {
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn take(&self, message: &[u8]) {
        match decode(message, self.server.dialect) {
            Ok(message) => {
                let _turn = self.readers.take_turn(self.server.takes_long(&message));
                let asked = Asked::by(&message);
                self.server.serve(message, || DeviceReply::new(&self.device, asked, self.server.dialect));
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
