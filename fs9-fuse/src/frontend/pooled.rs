//! Requests to providers that may block: on threads of their own, with a deadline.
//!
//! Invariant: whoever waits is answered by the call or by the watchdog, not by both. What a call did after its asker was
//! told `ETIMEDOUT` is taken back where it can be (lookups, handles), and the kernel forgets what it knows of the rest.

use super::{Frontend, Request, refusal};
use crate::inode::{Ino, Object};
use crate::invalidate::Event;
use crate::operation::{Operation, RequestHeader};
use crate::reply::{Answer, Exchange, ListingBuffer, Reply};
use crate::view::MountView;
use fs9_core::Delivery;
use fs9_sdk::{Call, Cancellation, Error, Name, Operation as OperationKind, Result};
use std::sync::Arc;

/// A reply that a watchdog or a full pool can refuse.
struct Refusable<R> {
    reply: R,
    kind: OperationKind,
}

impl<R: Reply> fs9_core::Reply for Refusable<R> {
    fn refuse(self, error: Error) {
        self.reply.send(Err(refusal(self.kind, &error)));
    }
}

/// What a late call may have changed.
struct Touched {
    inodes: Vec<Ino>,
    entries: Vec<(Ino, Box<[u8]>)>,
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

    /// Does an operation on a thread of the provider.
    pub(super) fn dispatch_pooled<R: Reply>(
        self: &Arc<Self>,
        view: &Arc<MountView>,
        header: RequestHeader,
        operation: Operation<'static>,
        reply: R,
    ) {
        let kind = operation.kind();
        let reply = Refusable { reply, kind };
        let Some(pool) = view.mount.pool() else {
            return fs9_core::Reply::refuse(reply, fs9_sdk::ErrorKind::Io.into());
        };
        let cancellation = Cancellation::new();
        let call = Call { caller: header.caller, deadline: view.mount.deadlines().of(kind), cancellation };
        let touched = touched_by(&header, &operation);
        let request = Request { header, call: call.clone() };
        let worker = Arc::clone(self);
        let mounts_changed = self.invalidator.submitted();
        let work = move || {
            let mut listing = ListingBuffer::default();
            let result = worker.perform(&request, operation, &mut listing as &mut dyn Exchange);
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
        pool.run(self.namespace.watchdog(), &call, reply, work, deliver);
    }

    fn answer<R: Reply>(&self, reply: Refusable<R>, result: Result<Answer>, listing: &ListingBuffer) {
        let Refusable { reply, kind } = reply;
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
            "a call ended after its deadline"
        );
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
    let mut touched = Touched { inodes: vec![ino], entries: Vec::new() };
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
