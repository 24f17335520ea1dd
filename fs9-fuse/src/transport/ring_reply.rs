//! Answers to requests that came by a ring.
//!
//! The buffers of a ring's entry stay with its thread. So whoever did the request, on whatever thread, leaves the answer
//! in a slot, where the entry's thread finds it.
//!
//! Invariant: each request gets one answer: a reply that is dropped without one is `EIO`.

use super::asked::Asked;
use super::backing;
use super::device::Device;
use super::device_reply::push_all;
use super::listing::OwnListing;
use crate::protocol::{Dialect, Scratch};
use crate::reply::{Answer, Backing, BufferedEntry, Exchange, Listing, Reply};
use fs9_sdk::ErrorKind;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// An answer, and the listing that belongs to it.
pub(super) struct Answered {
    pub(super) result: Result<Answer, ErrorKind>,
    pub(super) listing: Option<OwnListing>,
}

impl Answered {
    /// Encodes the answer into the room of an entry, and returns how much of that it takes, or the errno.
    pub(super) fn lay_down(&self, asked: &Asked, dialect: Dialect, room: &mut [u8]) -> Result<usize, i32> {
        let mut scratch = Scratch::new();
        let encoded = asked.encode(&self.result, self.listing.as_ref(), dialect, &mut scratch);
        if encoded.errno() != 0 {
            return Err(encoded.errno());
        }
        let (fixed, data) = (encoded.fixed(), encoded.data());
        let too_long = -ErrorKind::Io.errno();
        let (front, rest) = room.split_at_mut_checked(fixed.len()).ok_or(too_long)?;
        front.copy_from_slice(fixed);
        rest.get_mut(..data.len()).ok_or(too_long)?.copy_from_slice(data);
        Ok(encoded.len())
    }
}

/// Holds the answer to the request of one entry.
#[derive(Default)]
pub(super) struct Slot {
    answered: Mutex<Option<Answered>>,
    arrived: Condvar,
}

impl Slot {
    fn put(&self, answered: Answered) {
        *self.answered.lock() = Some(answered);
        self.arrived.notify_one();
    }

    /// Waits for the answer and takes it.
    pub(super) fn wait(&self) -> Answered {
        let mut answered = self.answered.lock();
        loop {
            match answered.take() {
                Some(answered) => return answered,
                None => self.arrived.wait(&mut answered),
            }
        }
    }
}

/// The reply to one request.
pub(super) struct RingReply {
    slot: Arc<Slot>,
    device: Arc<Device>,
    listing: Option<OwnListing>,
    may_wait: bool,
    is_sent: bool,
}

impl RingReply {
    /// Returns the reply that leads to a slot. `may_wait`: the entry can be spared while a provider takes its time.
    pub(super) fn new(slot: &Arc<Slot>, device: &Arc<Device>, asked: Asked, may_wait: bool) -> RingReply {
        let (slot, device) = (Arc::clone(slot), Arc::clone(device));
        RingReply { slot, device, listing: asked.listing(), may_wait, is_sent: false }
    }

    fn put(&mut self, result: Result<Answer, ErrorKind>) {
        self.is_sent = true;
        self.slot.put(Answered { result, listing: self.listing.take() });
    }
}

impl Exchange for RingReply {
    fn listing(&mut self) -> Option<&mut dyn Listing> {
        self.listing.as_mut().map(|listing| listing as &mut dyn Listing)
    }

    fn register_backing(&self, descriptor: BorrowedFd<'_>) -> io::Result<Backing> {
        backing::register(&self.device, descriptor)
    }
}

impl Reply for RingReply {
    fn may_wait(&self) -> bool {
        self.may_wait
    }

    fn send(mut self, answer: Result<Answer, ErrorKind>) {
        self.put(answer);
    }

    fn send_listing(mut self, entries: &[BufferedEntry]) -> usize {
        let sent = push_all(&mut self, entries);
        self.send(Ok(Answer::Listing));
        sent
    }
}

impl Drop for RingReply {
    fn drop(&mut self) {
        if !self.is_sent {
            self.put(Err(ErrorKind::Io));
        }
    }
}
