//! Requests to providers that may block: on threads of their own, with a deadline, and within reach of interrupts. Those
//! that wait by nature have no deadline and other threads, so that they never keep the rest out.
//!
//! A flush is never dropped or cancelled, for it may carry the last of what was written, and the process that closes a
//! file because it was killed interrupts each one. An interrupt lets only its asker go. The asker of one that comes when too
//! many wait already is told so like any other, but the flush reaches the provider ([`flushes`](super::flushes)).
//!
//! Invariant: whoever waits is answered by the call, the watchdog or an interrupt, not by two of them. What a call did
//! after its asker was told `ETIMEDOUT` or `EINTR` is taken back where it can be (lookups, handles, locks), and the kernel
//! forgets what it knows of the rest.

use super::flushes::Flush;
use super::locks::{LateLock, waits};
use super::signals::{self, SignalLook};
use super::{Frontend, Request, refusal};
use crate::in_flight::Entry;
use crate::inode::{Ino, Object};
use crate::invalidate::Event;
use crate::operation::{Operation, RequestHeader};
use crate::reply::{Answer, Exchange, ListingBuffer, Reply};
use crate::view::MountView;
use fs9_core::{Delivery, Job};
use fs9_sdk::{
    Call, Caller, Cancellation, Deadline, Error, ErrorKind, Name, Operation as OperationKind, Result,
};
use std::sync::Arc;

/// A reply that a watchdog, an interrupt or a full pool can refuse.
struct Refusable<R> {
    reply: R,
    kind: OperationKind,
    /// An interrupt finds the request until it is answered.
    entry: Entry,
    /// Signals that no interrupt tells of are looked for until then.
    signals: Option<SignalLook>,
    /// What is done all the same when the pool is full.
    unanswered: Option<Job>,
}

impl<R: Reply> fs9_core::Reply for Refusable<R> {
    fn refuse(self, error: Error) {
        drop((self.entry, self.signals));
        let refused = match refusal(self.kind, &error) {
            ErrorKind::WouldBlock => {
                if let Some(unanswered) = self.unanswered {
                    unanswered();
                }
                busy(self.kind)
            }
            refused => refused,
        };
        self.reply.send(Err(refused));
    }
}

/// Returns what says that too many wait.
fn busy(kind: OperationKind) -> ErrorKind {
    // It must not look as if somebody held the lock.
    if kind == OperationKind::Setlk { ErrorKind::NoLocks } else { ErrorKind::WouldBlock }
}

/// What a late call may have changed.
struct Touched {
    inodes: Vec<Ino>,
    entries: Vec<(Ino, Box<[u8]>)>,
    lock: Option<LateLock>,
}

impl Frontend {
    /// Returns the mount whose provider the operation calls, if that may block.
    pub(super) fn view_that_may_block(
        &self,
        header: &RequestHeader,
        operation: &Operation<'_>,
    ) -> Option<Arc<MountView>> {
        if !self.views.load().has_pools
            || matches!(operation, Operation::Release { .. } | Operation::Releasedir { .. })
        {
            return None;
        }
        let target = self.target(header.ino).ok()?;
        let mut view = match &target.object {
            Object::Node { view, .. } => Some(Arc::clone(view)),
            Object::Synthetic(_) => None,
        };
        if let (Operation::Lookup { name }, Some(place)) = (operation, target.place) {
            let table = self.namespace.table();
            let child = Name::new(name).ok().and_then(|name| table.child(place, name));
            if let Some(mount) = child.and_then(|child| table.mount_at(child)) {
                view = self
                    .views
                    .load()
                    .get(mount.id())
                    .filter(|view| view.known_root().is_none())
                    .map(Arc::clone);
            }
        }
        view.filter(|view| view.mount.pool().is_some())
    }

    /// Does an operation on a thread of the provider, or on one that may wait.
    pub(super) fn dispatch_pooled<R: Reply>(
        self: &Arc<Self>,
        view: &Arc<MountView>,
        header: RequestHeader,
        operation: Operation<'static>,
        reply: R,
    ) {
        let (kind, waits) = (operation.kind(), waits(&operation));
        let flush = self.flush_asked_for(&operation);
        let unanswered = flush.as_ref().map(|flush| self.unanswered(flush, header.caller));
        if !reply.may_wait() {
            if let Some(unanswered) = unanswered {
                unanswered();
            }
            tracing::debug!(operation = kind.name(), "too many requests wait for providers");
            return reply.send(Err(busy(kind)));
        }
        let (entry, cancellation) = self.in_flight.enter(header.id);
        let watchdog = self.namespace.watchdog();
        let look = || signals::look_later(watchdog, &self.in_flight, header);
        let signals = reply.may_miss_signals().then(look);
        let reply = Refusable { reply, kind, entry, signals, unanswered };
        let pool = if waits { Some(view.mount.wait_pool()) } else { view.mount.pool() };
        let Some(pool) = pool else {
            return fs9_core::Reply::refuse(reply, ErrorKind::Io.into());
        };
        let deadline = if waits { Deadline::Wait } else { view.mount.deadlines().of(kind) };
        let call = Call { caller: header.caller, deadline, cancellation };
        let touched = Touched { lock: self.late_lock(&operation), ..touched_by(&header, &operation) };
        let ends = kind == OperationKind::Flush;
        let cancellation = if ends { Cancellation::never() } else { call.cancellation.clone() };
        let request = Request { header, call: Call { cancellation, ..call.clone() } };
        let worker = Arc::clone(self);
        let mounts_changed = self.invalidator.submitted();
        let work = move || {
            let mut listing = ListingBuffer::default();
            let result = match &flush {
                // Its handle may be gone by now.
                Some(flush) => {
                    worker.flush_open(&request.call, &flush.file, flush.owner).map(|()| Answer::Done)
                }
                None => worker.perform(&request, operation, &mut listing as &mut dyn Exchange),
            };
            (result, listing)
        };
        let frontend = Arc::clone(self);
        let deliver = move |delivery: Delivery<Refusable<R>, (Result<Answer>, ListingBuffer)>| match delivery
        {
            // As in `dispatch`: who changes the mounts by writing a command sees the change when the write returns.
            Delivery::InTime(reply, (result, listing))
                if kind == OperationKind::Write && frontend.invalidator.submitted() != mounts_changed =>
            {
                let told = Arc::clone(&frontend);
                let answer = Box::new(move || told.answer(reply, result, &listing));
                frontend.invalidator.after(answer);
            }
            Delivery::InTime(reply, (result, listing)) => frontend.answer(reply, result, &listing),
            Delivery::Late((result, listing)) => frontend.undo(kind, result, &listing, touched),
        };
        if ends {
            pool.run_to_the_end(watchdog, &call, reply, work, deliver);
        } else {
            pool.run(watchdog, &call, reply, work, deliver);
        }
    }

    /// Returns what makes a flush when its asker cannot wait for it.
    fn unanswered(self: &Arc<Self>, flush: &Flush, caller: Caller) -> Job {
        let (frontend, file, owner) = (Arc::clone(self), Arc::clone(&flush.file), flush.owner);
        Box::new(move || frontend.flush_unanswered(&file, owner, caller))
    }

    fn answer<R: Reply>(&self, reply: Refusable<R>, result: Result<Answer>, listing: &ListingBuffer) {
        let Refusable { reply, kind, entry, signals, unanswered } = reply;
        // Who gets the answer finds nothing in use any more.
        drop((entry, signals, unanswered));
        self.answered.store(true, std::sync::atomic::Ordering::Release);
        if !matches!(result, Ok(Answer::Listing)) {
            return reply.send(result.map_err(|error| refusal(kind, &error)));
        }
        let sent = reply.send_listing(listing.entries());
        self.forget_listed(listing, sent);
    }

    /// Takes back the lookups of entries from the one with this index on.
    fn forget_listed(&self, listing: &ListingBuffer, from: usize) {
        for answer in listing.entries().iter().skip(from).filter_map(|entry| entry.entry) {
            self.take_back(answer.ino, 1);
        }
    }

    /// Takes back what a call did that nobody waits for any more.
    fn undo(&self, kind: OperationKind, result: Result<Answer>, listing: &ListingBuffer, touched: Touched) {
        tracing::info!(
            operation = kind.name(),
            succeeded = result.is_ok(),
            "a call ended after its asker was let go"
        );
        if let (Ok(_), Some(lock)) = (&result, touched.lock) {
            lock.give_back();
        }
        match result {
            Ok(Answer::Entry(entry)) => self.take_back(entry.ino, 1),
            Ok(Answer::Opened(opened)) => self.close(opened.handle),
            Ok(Answer::Created(entry, opened)) => {
                self.close(opened.handle);
                self.take_back(entry.ino, 1);
            }
            Ok(Answer::Listing) => self.forget_listed(listing, 0),
            Ok(_) => {}
            // A call that failed may have done half of its work.
            Err(error) => tracing::debug!(%error, "it failed"),
        }
        // An open may have cut the file.
        if kind.mutates() || kind == OperationKind::Open {
            touched.inodes.into_iter().for_each(|ino| self.submit(Event::Inode(ino)));
            touched.entries.into_iter().for_each(|(ino, name)| self.submit(Event::Entry(ino, name)));
        }
    }
}

fn touched_by(header: &RequestHeader, operation: &Operation<'_>) -> Touched {
    let ino = header.ino;
    let mut touched = Touched { inodes: vec![ino], entries: Vec::new(), lock: None };
    match operation {
        Operation::Mknod { name, .. }
        | Operation::Mkdir { name, .. }
        | Operation::Symlink { name, .. }
        | Operation::Create { name, .. }
        | Operation::Unlink { name }
        | Operation::Rmdir { name } => touched.entries.push((ino, (**name).into())),
        Operation::Link { ino: linked, name } => {
            touched.inodes.push(*linked);
            touched.entries.push((ino, (**name).into()));
        }
        Operation::Rename { name, new_parent, new_name, .. } => {
            touched.inodes.push(*new_parent);
            touched.entries.push((ino, (**name).into()));
            touched.entries.push((*new_parent, (**new_name).into()));
        }
        _ => {}
    }
    touched
}
