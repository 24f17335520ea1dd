//! The access log: each request with its caller, its result and its time, while `.fs9/accesslog` is open.
//!
//! Invariants: a line is written before its answer is sent, so that whoever got the answer finds the line; requests on
//! hidden mounts, which the control directory is, are left out, since reading the log would feed it.

use super::Frontend;
use crate::inode::{Ino, Object};
use crate::operation::{Operation, RequestHeader};
use crate::reply::{Answer, Backing, BufferedEntry, Exchange, Listing, Reply};
use fs9_core::Mount;
use fs9_core::control::{AccessLog, AccessRecord, Argument};
use fs9_sdk::{Caller, ErrorKind, Name, Operation as OperationKind};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// A reply whose answer goes through the log, if somebody reads it.
pub(super) struct Logged<R> {
    reply: R,
    entry: Option<Box<Entry>>,
}

struct Entry {
    log: Arc<AccessLog>,
    record: AccessRecord,
}

impl<R: Reply> Exchange for Logged<R> {
    fn listing(&mut self) -> Option<&mut dyn Listing> {
        self.reply.listing()
    }

    fn register_backing(&self, descriptor: BorrowedFd<'_>) -> io::Result<Backing> {
        self.reply.register_backing(descriptor)
    }
}

impl<R: Reply> Reply for Logged<R> {
    fn may_wait(&self) -> bool {
        self.reply.may_wait()
    }

    fn may_miss_signals(&self) -> bool {
        self.reply.may_miss_signals()
    }

    fn send(self, answer: Result<Answer, ErrorKind>) {
        let result = match &answer {
            // An answer that may be cached, but to the asker an error.
            Ok(Answer::Missing(_)) => Err(ErrorKind::NotFound),
            Ok(_) => Ok(()),
            Err(kind) => Err(*kind),
        };
        finish(self.entry, result);
        self.reply.send(answer);
    }

    fn send_listing(self, entries: &[BufferedEntry]) -> usize {
        finish(self.entry, Ok(()));
        self.reply.send_listing(entries)
    }
}

fn finish(entry: Option<Box<Entry>>, result: Result<(), ErrorKind>) {
    if let Some(entry) = entry {
        entry.log.append(entry.record.end(result));
    }
}

impl Frontend {
    /// Returns a reply that logs the answer of a request, if somebody reads the log.
    pub(super) fn logged<R: Reply>(
        &self,
        header: &RequestHeader,
        operation: &Operation<'_>,
        reply: R,
    ) -> Logged<R> {
        let is_wanted = self.access_log.is_open() && !self.is_on_hidden_mount(header.ino, Some(operation));
        let entry = is_wanted.then(|| {
            let name = operation.kind().name();
            let record = AccessRecord::begin(&header.caller, name, header.ino.0, argument_of(operation));
            Box::new(Entry { log: Arc::clone(&self.access_log), record })
        });
        Logged { reply, entry }
    }

    /// Does what a forget asks for, and logs it if somebody reads the log.
    pub(super) fn forget_logged(&self, ino: Ino, count: u64) {
        if !self.access_log.is_open() || self.is_on_hidden_mount(ino, None) {
            return self.take_back(ino, count);
        }
        let name = OperationKind::Forget.name();
        // The kernel tells no caller of a forget.
        let record = AccessRecord::begin(&Caller::ROOT, name, ino.0, Argument::None);
        self.take_back(ino, count);
        self.access_log.append(record.end(Ok(())));
    }

    /// Returns whether a request is about something on a hidden mount, or looks up the root of one.
    fn is_on_hidden_mount(&self, ino: Ino, operation: Option<&Operation<'_>>) -> bool {
        let Ok(target) = self.target(ino) else { return false };
        let is_hidden = |mount: &Mount| mount.options().hidden;
        if matches!(&target.object, Object::Node { view, .. } if is_hidden(&view.mount)) {
            return true;
        }
        let (Some(Operation::Lookup { name }), Some(place)) = (operation, target.place) else { return false };
        let table = self.namespace.table();
        let child = Name::new(name).ok().and_then(|name| table.child(place, name));
        child.and_then(|child| table.mount_at(child)).is_some_and(|mount| is_hidden(mount))
    }
}

/// Returns what the log says of an operation besides its inode.
fn argument_of<'a>(operation: &'a Operation<'_>) -> Argument<'a> {
    use Operation as O;
    match operation {
        O::Lookup { name }
        | O::Mknod { name, .. }
        | O::Mkdir { name, .. }
        | O::Symlink { name, .. }
        | O::Unlink { name }
        | O::Rmdir { name }
        | O::Create { name, .. }
        | O::Getxattr { name, .. }
        | O::Setxattr { name, .. }
        | O::Removexattr { name } => Argument::Name(name),
        O::Link { ino, name } => Argument::Link(name, ino.0),
        O::Rename { name, new_parent, new_name, .. } => Argument::Move(name, new_parent.0, new_name),
        O::Read { offset, length, .. } => Argument::Range(*offset, u64::from(*length)),
        O::Write { offset, data, .. } => Argument::Range(*offset, data.len() as u64),
        O::Fallocate { offset, length, .. } => Argument::Range(*offset, *length),
        O::CopyFileRange { source: (_, offset), length, .. } => Argument::Range(*offset, *length),
        _ => Argument::None,
    }
}

#[cfg(test)]
mod tests {
    use super::argument_of;
    use crate::inode::Ino;
    use crate::operation::Operation;
    use fs9_core::HandleId;
    use fs9_core::control::Argument;
    use fs9_sdk::RenameFlags;

    #[test]
    fn names_and_ranges_are_told_and_nothing_else() {
        let rename = Operation::Rename {
            name: b"a"[..].into(),
            new_parent: Ino(7),
            new_name: b"b"[..].into(),
            flags: RenameFlags::empty(),
        };
        assert_eq!(argument_of(&rename), Argument::Move(b"a", 7, b"b"));
        let read = Operation::Read { handle: HandleId(1), offset: 5, length: 6 };
        assert_eq!(argument_of(&read), Argument::Range(5, 6));
        let link = Operation::Link { ino: Ino(9), name: b"n"[..].into() };
        assert_eq!(argument_of(&link), Argument::Link(b"n", 9));
        assert_eq!(argument_of(&Operation::Statfs), Argument::None);
    }
}
