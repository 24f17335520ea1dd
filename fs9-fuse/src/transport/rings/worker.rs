//! A thread at work on its ring.
//!
//! Invariant: each request that was taken is answered once, by the ring that it came by or by that of the thread that polls.

use super::Shared;
use super::loans::Loans;
use super::polling::{Poller, QUIET};
use crate::protocol::decode_parts;
use crate::transport::asked::Asked;
use crate::transport::mailbox::{Answered, Mailbox, RingReply};
use crate::transport::server::{Server, log, waits_for_the_disk};
use fs9_sys::{FuseRing, RingEvent, RingRequest};
use std::io;
use std::sync::Arc;

/// An answer, and the request with whose entry it goes to the kernel.
pub(super) struct Settled {
    asked: Asked,
    request: RingRequest,
    answered: Answered,
}

/// A thread at work.
pub(super) struct Worker<'a> {
    shared: &'a Arc<Shared>,
    server: &'a Server,
    queue: usize,
    ring: FuseRing,
    /// Main threads have one.
    poller: Option<Poller<'a>>,
    mailbox: Arc<Mailbox>,
    loans: Arc<Loans<Settled>>,
    /// Requests that are not answered yet.
    owed: Vec<(Asked, RingRequest)>,
    /// Room for answers on their way from the mailbox.
    answers: Vec<Answered>,
    /// Answers were laid down that the kernel does not know of yet.
    has_unsent: bool,
}

impl<'a> Worker<'a> {
    /// Returns the work of the calling thread, whose ring this is.
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        server: &'a Server,
        queue: usize,
        (ring, poller): (FuseRing, Option<Poller<'a>>),
    ) -> Worker<'a> {
        let mailbox = Mailbox::new(&server.device, ring.bell());
        let bell = ring.bell();
        let loans = Loans::new(move || bell.ring());
        Worker {
            shared,
            server,
            queue,
            ring,
            poller,
            mailbox,
            loans,
            owed: Vec::new(),
            answers: Vec::new(),
            has_unsent: false,
        }
    }

    /// Takes requests until the mount is gone.
    pub(super) fn work(mut self) {
        loop {
            match self.take_all() {
                Ok(()) => {}
                Err(error) if is_end(&error) => return,
                Err(error) => {
                    tracing::error!(queue = self.queue, %error, "a ring is out of use");
                    return;
                }
            }
        }
    }

    /// Waits, and does all that is there.
    fn take_all(&mut self) -> io::Result<()> {
        self.wait()?;
        self.has_unsent = false;
        while let Some(event) = self.ring.pop() {
            match event {
                RingEvent::Request(request) => {
                    let may_wait = self.shared.take_one(self.queue);
                    self.serve(request, may_wait)?;
                }
                RingEvent::Bell => {
                    self.loans.arrived().into_iter().try_for_each(|settled| self.lay_down(settled))?;
                }
            }
            self.deliver()?;
        }
        Ok(())
    }

    /// Sends answers and waits until something is there. What was lent meanwhile is on its way then.
    fn wait(&mut self) -> io::Result<()> {
        let polls = self.poller.as_ref().is_some_and(Poller::polls);
        if polls {
            self.loans.open();
        }
        let waited = self.wait_at_all();
        if polls {
            for settled in self.loans.close() {
                self.lay_down(settled)?;
                self.ring.look()?;
            }
        }
        waited
    }

    fn wait_at_all(&mut self) -> io::Result<()> {
        let is_owing = !self.owed.is_empty() || (self.poller.is_some() && self.loans.is_expecting());
        if let Some(poller) = &mut self.poller {
            // Whatever else there is to say, waiting says it.
            let polls = poller.look(|| self.ring.look().unwrap_or(true));
            if polls && !self.ring.wait_for(is_owing, QUIET)? {
                poller.end();
            }
        }
        self.ring.wait(is_owing)
    }

    /// Does a request, or sees to it that it is done.
    fn serve(&mut self, request: RingRequest, may_wait: bool) -> io::Result<()> {
        let (header, operation, payload) = (request.header(), request.operation(), request.payload());
        let message = match decode_parts(header, operation, payload, self.server.dialect) {
            Ok(message) => message,
            Err(malformed) => {
                log(&malformed);
                self.shared.give_one(self.queue);
                return self.ring.answer(request, |_| Err(-malformed.errno.errno()));
            }
        };
        if let Some(poller) = &mut self.poller {
            poller.note_request(message.header.caller.pid, &self.loans);
        }
        let waits_for_the_disk = waits_for_the_disk(&message.body);
        if waits_for_the_disk {
            self.send_answers()?;
        }
        let asked = Asked::by(&message);
        let reply = || RingReply::new(&self.mailbox, asked, may_wait);
        // What came by the last entry is done here, however long it takes.
        let is_free = !waits_for_the_disk || !may_wait;
        let place = &self.shared.count(self.queue).place;
        let in_place = if is_free || self.server.takes_long(&message) { None } else { place.enter() };
        if is_free || in_place.is_some() {
            self.server.serve(message, reply);
        } else {
            self.server.serve_elsewhere(&self.shared.slow, message, reply);
        }
        drop(in_place);
        self.owed.push((asked, request));
        Ok(())
    }

    /// Lays down the answers that are there.
    fn deliver(&mut self) -> io::Result<()> {
        self.mailbox.empty_into(&mut self.answers);
        while let Some(answered) = self.answers.pop() {
            let Some(index) = self.owed.iter().position(|(asked, _)| asked.id == answered.id) else {
                tracing::error!(id = ?answered.id, "an answer belongs to no request");
                continue;
            };
            let (asked, request) = self.owed.swap_remove(index);
            self.shared.give_one(self.queue);
            let settled = Settled { asked, request, answered };
            if let Some(settled) = self.hand_over(settled) {
                self.lay_down(settled)?;
            }
        }
        Ok(())
    }

    /// Leaves an answer to another thread, if that is to have the entry. Returns it otherwise.
    fn hand_over(&self, settled: Settled) -> Option<Settled> {
        let Some(poller) = &self.poller else { return Some(settled) };
        if poller.polls() {
            return Some(settled);
        }
        match poller.borrower() {
            Some(borrower) => borrower.lend(settled, &self.loans),
            None => self.loans.give_back(settled),
        }
    }

    fn lay_down(&mut self, settled: Settled) -> io::Result<()> {
        let Settled { asked, request, answered } = settled;
        let dialect = self.server.dialect;
        self.has_unsent = true;
        self.ring.answer(request, |room| answered.lay_down(&asked, dialect, room))
    }

    /// Sends answers on their way before a call that waits for the disk: whoever gets one shall not wait for that, too.
    fn send_answers(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.has_unsent) {
            self.ring.look()?;
        }
        Ok(())
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.loans.end();
    }
}

/// Returns whether an error says that the mount is gone.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotConnected | io::ErrorKind::ConnectionAborted)
}
