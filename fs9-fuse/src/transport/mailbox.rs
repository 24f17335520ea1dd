//! Where answers wait for the thread whose ring the requests came by.
//!
//! The buffers of a request stay with that thread. So whoever did the request, on whatever thread, posts the answer here.
//!
//! Invariant: each request gets one answer: a reply that is dropped without one is `EIO`.

use super::asked::Asked;
use super::backing;
use super::device::Device;
use super::device_reply::push_all;
use super::listing::OwnListing;
use crate::RequestId;
use crate::protocol::{Dialect, Scratch};
use crate::reply::{Answer, Backing, BufferedEntry, Exchange, Listing, Reply};
use fs9_sdk::ErrorKind;
use fs9_sys::RingBell;
use parking_lot::Mutex;
use std::cell::Cell;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// An answer, and the listing that belongs to it.
pub(super) struct Answered {
    pub(super) id: RequestId,
    result: Result<Answer, ErrorKind>,
    listing: Option<OwnListing>,
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

/// The answers to requests of one ring.
pub(super) struct Mailbox {
    device: Arc<Device>,
    bell: RingBell,
    posted: Mutex<Vec<Answered>>,
}

thread_local! {
    /// The mailbox of this thread, by its address, if it has one.
    static OWN: Cell<*const Mailbox> = const { Cell::new(std::ptr::null()) };
}

impl Mailbox {
    /// Returns the mailbox of the calling thread, which a bell wakes.
    pub(super) fn new(device: &Arc<Device>, bell: RingBell) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox { device: Arc::clone(device), bell, posted: Mutex::default() });
        OWN.set(Arc::as_ptr(&mailbox));
        mailbox
    }

    /// Moves all answers to a list.
    pub(super) fn empty_into(&self, answers: &mut Vec<Answered>) {
        answers.append(&mut self.posted.lock());
    }

    fn post(&self, answered: Answered) {
        self.posted.lock().push(answered);
        // The owner looks by itself after each request.
        if !std::ptr::eq(OWN.get(), self) {
            self.bell.ring();
        }
    }
}

/// The reply to one request.
pub(super) struct RingReply {
    mailbox: Arc<Mailbox>,
    id: RequestId,
    listing: Option<OwnListing>,
    may_wait: bool,
    is_sent: bool,
}

impl RingReply {
    /// Returns the reply that leads to a mailbox. `may_wait`: the entry can be spared while a provider takes its time.
    pub(super) fn new(mailbox: &Arc<Mailbox>, asked: Asked, may_wait: bool) -> RingReply {
        let (mailbox, listing) = (Arc::clone(mailbox), asked.listing());
        RingReply { mailbox, id: asked.id, listing, may_wait, is_sent: false }
    }

    fn post(&mut self, result: Result<Answer, ErrorKind>) {
        self.is_sent = true;
        self.mailbox.post(Answered { id: self.id, result, listing: self.listing.take() });
    }
}

impl Exchange for RingReply {
    fn listing(&mut self) -> Option<&mut dyn Listing> {
        self.listing.as_mut().map(|listing| listing as &mut dyn Listing)
    }

    fn register_backing(&self, descriptor: BorrowedFd<'_>) -> io::Result<Backing> {
        backing::register(&self.mailbox.device, descriptor)
    }
}

impl Reply for RingReply {
    fn may_wait(&self) -> bool {
        self.may_wait
    }

    fn may_miss_signals(&self) -> bool {
        true
    }

    fn send(mut self, answer: Result<Answer, ErrorKind>) {
        self.post(answer);
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
            self.post(Err(ErrorKind::Io));
        }
    }
}
