//! Answers by `/dev/fuse`, from whatever thread has them.

use super::asked::Asked;
use super::backing;
use super::device::Device;
use super::listing::OwnListing;
use crate::protocol::{Dialect, Scratch};
use crate::reply::{Answer, Backing, BufferedEntry, Exchange, Listing, Reply};
use fs9_sdk::ErrorKind;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// The reply to one request. Dropped without an answer, it is `EIO`.
pub(super) struct DeviceReply {
    device: Arc<Device>,
    asked: Asked,
    dialect: Dialect,
    listing: Option<OwnListing>,
    is_sent: bool,
}

impl DeviceReply {
    /// Returns the reply to what was asked by a device.
    pub(super) fn new(device: &Arc<Device>, asked: Asked, dialect: Dialect) -> DeviceReply {
        DeviceReply { device: Arc::clone(device), asked, dialect, listing: asked.listing(), is_sent: false }
    }

    fn write(&mut self, result: &Result<Answer, ErrorKind>) {
        self.is_sent = true;
        let mut scratch = Scratch::new();
        let encoded = self.asked.encode(result, self.listing.as_ref(), self.dialect, &mut scratch);
        if let Err(error) = self.device.answer(self.asked.id, &encoded) {
            // Nobody waits for it any more; or the mount is gone.
            tracing::debug!(%error, asked = ?self.asked, "an answer was not taken");
        }
    }
}

impl Exchange for DeviceReply {
    fn listing(&mut self) -> Option<&mut dyn Listing> {
        self.listing.as_mut().map(|listing| listing as &mut dyn Listing)
    }

    fn register_backing(&self, descriptor: BorrowedFd<'_>) -> io::Result<Backing> {
        backing::register(&self.device, descriptor)
    }
}

impl Reply for DeviceReply {
    fn may_wait(&self) -> bool {
        true
    }

    fn may_miss_signals(&self) -> bool {
        false
    }

    fn send(mut self, answer: Result<Answer, ErrorKind>) {
        self.write(&answer);
    }

    fn send_listing(mut self, entries: &[BufferedEntry]) -> usize {
        let sent = push_all(&mut self, entries);
        self.send(Ok(Answer::Listing));
        sent
    }
}

impl Drop for DeviceReply {
    fn drop(&mut self) {
        if !self.is_sent {
            self.write(&Err(ErrorKind::Io));
        }
    }
}

/// Pushes entries that were collected elsewhere, and returns how many there was room for.
pub(super) fn push_all(exchange: &mut impl Exchange, entries: &[BufferedEntry]) -> usize {
    let Some(listing) = exchange.listing() else { return 0 };
    entries.iter().take_while(|entry| listing.push(entry.listed())).count()
}
