//! From a decoded message to the frontend.

use super::device::Device;
use super::kernel_cache::wake_poll;
use crate::isolation::contained;
use crate::pace::DiskWork;
use crate::protocol::{Body, Dialect, Malformed, Message};
use crate::reply::{Answer, Reply};
use crate::{Frontend, Operation, RequestHeader};
use fs9_core::CallPool;
use fs9_sdk::{ErrorKind, PollWaker};
use parking_lot::Mutex;
use std::sync::Arc;

/// Does what is to do, unless it was done.
fn dispatch_once<R: Reply>(
    frontend: &Arc<Frontend>,
    header: RequestHeader,
    todo: &Mutex<Option<(Operation<'static>, R)>>,
) {
    let Some((operation, reply)) = todo.lock().take() else { return };
    contained(|| frontend.dispatch(header, operation, reply));
}

/// The user of a request where the kernel does not tell, as on mounts with other users (`FUSE_INVALID_UIDGID`).
const UNTOLD: u32 = u32::MAX;

/// Says in the log that a message was not understood; what is only not offered is no fault.
pub(super) fn log(malformed: &Malformed) {
    if malformed.errno == ErrorKind::NotImplemented {
        tracing::debug!(%malformed, "a request is not offered");
    } else {
        tracing::error!(%malformed, "a request of the kernel is malformed");
    }
}

/// Returns whether a message asks for what waits for the disk, whatever is cached.
pub(super) fn waits_for_the_disk(body: &Body<'_>) -> bool {
    matches!(body, Body::Operation(operation) if DiskWork::of(operation).is_some())
}

/// What every thread needs that takes requests of a mount.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) frontend: Arc<Frontend>,
    pub(super) device: Arc<Device>,
    pub(super) dialect: Dialect,
}

impl Server {
    /// Does what a message asks for; `reply` makes the way back for those that are answered.
    pub(super) fn serve<R: Reply>(&self, message: Message<'_>, reply: impl FnOnce() -> R) {
        let Message { mut header, body, poll, mut groups, .. } = message;
        header.caller.parent_group = groups.next();
        match body {
            Body::Operation(operation) if !self.may_enter(header.caller.uid, &operation) => {
                reply().send(Err(ErrorKind::AccessDenied));
            }
            Body::Operation(mut operation) => {
                if let (Operation::Poll { waker, .. }, Some(poll)) = (&mut operation, poll) {
                    *waker = poll.notify.then(|| self.waker(poll.kernel));
                }
                let reply = reply();
                contained(|| self.frontend.dispatch(header, operation, reply));
            }
            Body::Forget { count } => contained(|| self.frontend.forget(header.ino, count)),
            Body::BatchForget(list) => {
                contained(|| list.into_iter().for_each(|(ino, count)| self.frontend.forget(ino, count)));
            }
            Body::Interrupt { request } => contained(|| self.frontend.interrupt(request)),
            Body::Destroy => reply().send(Ok(Answer::Done)),
            // It comes once, before there is a server.
            Body::Init(_) => reply().send(Err(ErrorKind::Io)),
            // Nothing is ever retrieved.
            Body::Retrieved { .. } => {}
        }
    }

    /// Returns whether a message may take so long that the thread that brought it should not do it.
    pub(super) fn takes_long(&self, message: &Message<'_>) -> bool {
        matches!(&message.body, Body::Operation(operation) if self.frontend.takes_long(&message.header, operation))
    }

    /// Does an operation on a thread of a pool, or here if that has no room.
    pub(super) fn serve_elsewhere<R: Reply>(
        &self,
        pool: &CallPool,
        message: Message<'_>,
        reply: impl FnOnce() -> R,
    ) {
        let Message { mut header, body, mut groups, .. } = message;
        header.caller.parent_group = groups.next();
        let Body::Operation(operation) = body else { return };
        let (frontend, operation, reply) = (Arc::clone(&self.frontend), operation.into_owned(), reply());
        let todo = Arc::new(Mutex::new(Some((operation, reply))));
        let job = {
            let todo = Arc::clone(&todo);
            move || dispatch_once(&frontend, header, &todo)
        };
        if pool.submit(Box::new(job)).is_err() {
            dispatch_once(&self.frontend, header, &todo);
        }
    }

    /// Returns whether a caller may ask that. Without `allow_other` the kernel lets in only processes of the owner, and
    /// looks at their real, effective and saved user; who acts for somebody else (`setfsuid(2)`) is told apart here.
    /// What is open stays usable for whoever was given it.
    fn may_enter(&self, uid: u32, operation: &Operation<'_>) -> bool {
        use Operation as O;
        let options = self.frontend.options();
        options.allow_other
            || uid == self.frontend.owner_uid()
            || (options.idmap && uid == UNTOLD)
            || matches!(
                operation,
                O::Read { .. }
                    | O::Write { .. }
                    | O::Flush { .. }
                    | O::Release { .. }
                    | O::Fsync { .. }
                    | O::Readdir { .. }
                    | O::Releasedir { .. }
                    | O::Fsyncdir { .. }
                    | O::Fallocate { .. }
                    | O::CopyFileRange { .. }
                    | O::Lseek { .. }
            )
    }

    fn waker(&self, kernel: u64) -> PollWaker {
        let (device, dialect) = (Arc::clone(&self.device), self.dialect);
        Box::new(move || wake_poll(&device, dialect, kernel))
    }
}
