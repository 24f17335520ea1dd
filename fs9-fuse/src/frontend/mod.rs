//! From a request of the kernel to a provider and back.
//!
//! A transport decodes a request into an [`Operation`](crate::Operation) and hands it to [`Frontend::dispatch`] with
//! its [`Reply`]. A provider that may block is called on its own threads, every other one on the thread that brought
//! the request.
//!
//! Invariants: every request is answered exactly once; a panic of a provider is `EIO`; no lock is held across a call of
//! a provider; what an answer promised to the kernel and nobody received is taken back.

mod access_log;
mod attributes;
mod create;
mod data;
mod directories;
mod files;
mod flushes;
mod in_place;
mod labels;
mod locks;
mod mounts;
mod names;
mod open_file;
mod perform;
mod pooled;
mod privileges;
mod report;
mod reporting;
mod signals;
mod xattrs;

use crate::counters::Counters;
use crate::executions::Executions;
use crate::in_flight::InFlight;
use crate::inode::{Found, Ino, InodeTable, Object, Target};
use crate::invalidate::{Invalidator, KernelCache};
use crate::io_mode::IoModes;
use crate::isolation::guarded;
use crate::operation::{Operation, RequestHeader, RequestId};
use crate::options::{FuseOptions, Passthrough, WantedLifetimes};
use crate::reply::{EntryAnswer, Reply};
use crate::view::{MountView, Views};
use arc_swap::ArcSwap;
use fs9_core::control::AccessLog;
use fs9_core::{HandleId, HandleRegistry, Namespace, PlaceId};
use fs9_sdk::{
    Attr, Call, Entry, Error, ErrorKind, FileType, NodeId, Operation as OperationKind, Provider, Result,
    Timestamp,
};
use open_file::OpenFile;
use parking_lot::Mutex;
use reporting::Reporting;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// One FUSE mount of a namespace, without its transport.
pub struct Frontend {
    namespace: Arc<Namespace>,
    options: FuseOptions,
    /// Those of the options, or later ones.
    lifetimes: ArcSwap<WantedLifetimes>,
    views: ArcSwap<Views>,
    inodes: InodeTable,
    handles: HandleRegistry<OpenFile>,
    io_modes: IoModes,
    executions: Executions,
    counters: Counters,
    in_flight: Arc<InFlight>,
    invalidator: Invalidator,
    /// `None` before there is a kernel and after it is gone.
    kernel_cache: Mutex<Option<Arc<dyn KernelCache>>>,
    /// The inodes by which the kernel knows places, to invalidate entries in them.
    places: Mutex<HashMap<PlaceId, Ino>>,
    /// Providers that were told where to report changes.
    reporting: Mutex<Reporting>,
    passthrough: AtomicBool,
    privileges_are_told: AtomicBool,
    refuses_opens: AtomicBool,
    answered: AtomicBool,
    /// The kernel uses SELinux.
    selinux: bool,
    /// Inodes that the kernel forgot, to return their memory now and then.
    forgotten: AtomicU64,
    /// The times of synthetic directories.
    started: Timestamp,
    access_log: Arc<AccessLog>,
    owner: (u32, u32),
}

/// After so many forgotten inodes, some tens of megabytes, free memory is returned to the system. It takes a few
/// milliseconds.
const RETURN_MEMORY_AFTER: u64 = 1 << 16;

/// One request on its way through the frontend.
pub(crate) struct Request {
    /// What accompanies it.
    pub(crate) header: RequestHeader,
    /// What accompanies the calls that it leads to.
    pub(crate) call: Call,
}

impl Frontend {
    /// Returns a frontend for a namespace. It follows the namespace's changes from now on.
    pub fn new(namespace: Arc<Namespace>, options: FuseOptions) -> Arc<Frontend> {
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let passthrough = options.passthrough == Passthrough::Auto && !options.writeback;
        let frontend = Arc::new(Frontend {
            namespace,
            lifetimes: ArcSwap::from_pointee(options.lifetimes()),
            options,
            views: ArcSwap::default(),
            inodes: InodeTable::new(),
            handles: HandleRegistry::new(),
            io_modes: IoModes::new(),
            executions: Executions::default(),
            counters: Counters::default(),
            in_flight: Arc::default(),
            invalidator: Invalidator::default(),
            kernel_cache: Mutex::default(),
            places: Mutex::default(),
            reporting: Mutex::default(),
            passthrough: AtomicBool::new(passthrough),
            privileges_are_told: AtomicBool::new(false),
            refuses_opens: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            selinux: xattrs::has_selinux(),
            forgotten: AtomicU64::new(0),
            started: Timestamp::now(),
            access_log: Arc::default(),
            owner,
        });
        frontend.follow_mounts();
        frontend
    }

    /// Returns the options.
    pub fn options(&self) -> &FuseOptions {
        &self.options
    }

    /// Changes how long the kernel may cache what it is told from now on. Mounts with lifetimes of their own keep them.
    pub fn set_lifetimes(&self, wanted: WantedLifetimes) {
        self.lifetimes.store(Arc::new(wanted));
        self.views.load().iter().for_each(|view| view.set_lifetimes(&wanted));
    }

    /// Returns the counters of requests.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns whether a request was answered yet.
    pub fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    /// Returns the number of open files and directories.
    pub fn open_handles(&self) -> usize {
        self.handles.len()
    }

    /// Returns the number of inodes that the kernel knows besides the root.
    pub fn known_inodes(&self) -> usize {
        self.inodes.len()
    }

    /// Refuses to open anything from now on, or allows it again.
    pub fn refuse_opens(&self, refuse: bool) {
        self.refuses_opens.store(refuse, Ordering::Release);
        // Whoever reads the log finds its end and closes it.
        self.access_log.end(refuse);
    }

    /// Sets by which way the kernel's caches are invalidated; `None` when the kernel is gone.
    pub fn set_kernel_cache(&self, cache: Option<Arc<dyn KernelCache>>) {
        *self.kernel_cache.lock() = cache;
    }

    /// Allows passthrough or not, as the kernel answered when the mount was made.
    pub fn set_passthrough(&self, possible: bool) {
        self.passthrough.fetch_and(possible, Ordering::AcqRel);
    }

    /// Returns whether files of providers that lend their descriptors are read and written by the kernel.
    pub fn has_passthrough(&self) -> bool {
        self.passthrough.load(Ordering::Acquire)
    }

    /// Returns whether the mount at `/` keeps POSIX ACLs.
    pub fn root_has_acl(&self) -> bool {
        self.views.load().root().is_some_and(|view| view.mount.capabilities().posix_acl)
    }

    /// Does what the kernel asks for and answers by `reply`.
    pub fn dispatch<R: Reply>(self: &Arc<Self>, header: RequestHeader, operation: Operation<'_>, reply: R) {
        let kind = operation.kind();
        self.counters.count(kind);
        let mut reply = self.logged(&header, &operation, reply);
        let mounts_changed = self.invalidator.submitted();
        if let Some(view) = self.view_that_may_block(&header, &operation) {
            return self.dispatch_pooled(&view, header, operation.into_owned(), reply);
        }
        let lock_wait = locks::lock_wait(&operation);
        let request = Request { header, call: Call::by(header.caller) };
        let result = self.perform(&request, operation, &mut reply);
        if let (Some(wait), Err(error)) = (lock_wait, &result)
            && error.kind() == ErrorKind::WouldBlock
            && let Some(view) = self.view_of(&wait)
        {
            return self.dispatch_pooled(&view, header, wait, reply);
        }
        let answer = result.map_err(|error| refusal(kind, &error));
        if kind == OperationKind::Write && self.invalidator.submitted() != mounts_changed {
            // A command to the control directory changed the mounts. Whoever wrote it expects to see that when the
            // write returns, so the answer waits behind the invalidations; this thread does not, because the kernel
            // may need it to make way for them.
            self.invalidator.after(Box::new(move || reply.send(answer)));
        } else {
            reply.send(answer);
        }
        self.answered.store(true, Ordering::Release);
    }

    /// Returns the user who mounts.
    pub(crate) fn owner_uid(&self) -> u32 {
        self.owner.0
    }

    /// Returns whether the kernel uses SELinux.
    pub(crate) fn has_selinux(&self) -> bool {
        self.selinux
    }

    /// Lets go whoever waits for a request, if it is not answered by the thread that brought it: a call that was not begun
    /// is dropped, one that waits is told, and one that goes on has [`fs9_core::INTERRUPT_GRACE`]; then the answer is
    /// `EINTR`, and what the call does later is undone as after its deadline. The interrupt may come before its request.
    /// There is no answer.
    pub fn interrupt(&self, id: RequestId) {
        self.in_flight.interrupt(id);
    }

    /// Lets go whoever waits for a request, now and from now on, as [`Frontend::interrupt`]: the kernel is gone, so that
    /// nobody reads an answer.
    pub fn interrupt_all(&self) {
        self.in_flight.interrupt_all();
    }

    /// Returns the number of requests that are under way on threads of providers.
    pub fn requests_in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Takes back lookups of inodes. There is no answer.
    pub fn forget(&self, ino: Ino, count: u64) {
        self.counters.count(OperationKind::Forget);
        self.forget_logged(ino, count);
    }

    /// Ends everything that is still open and forgets every inode, when the kernel is gone.
    pub fn tear_down(&self) {
        self.interrupt_all();
        for (id, _, _) in self.handles.snapshot() {
            self.close(id);
        }
        for forgotten in self.inodes.clear() {
            forgotten.view.forget(forgotten.node, forgotten.count);
        }
        self.places.lock().clear();
    }

    pub(crate) fn take_back(&self, ino: Ino, count: u64) {
        for forgotten in self.inodes.forget(ino, count) {
            forgotten.view.forget(forgotten.node, forgotten.count);
            if self.forgotten.fetch_add(1, Ordering::Relaxed) % RETURN_MEMORY_AFTER == RETURN_MEMORY_AFTER - 1
            {
                // Not on a thread that somebody waits for.
                self.invalidator.after(Box::new(fs9_sys::return_free_memory));
            }
        }
    }

    /// Returns an inode that the kernel names.
    fn target(&self, ino: Ino) -> Result<Target> {
        if ino != Ino::ROOT {
            return self.inodes.get(ino).ok_or_else(|| ErrorKind::Stale.into());
        }
        let object = match self.views.load().root() {
            Some(view) => Object::Node { view: Arc::clone(view), node: view.mount.root() },
            None => Object::Synthetic(PlaceId::ROOT),
        };
        Ok(Target { ino, object, place: Some(PlaceId::ROOT), kind: FileType::Directory, parent: Ino::ROOT })
    }

    /// Returns mount and node of an inode, for what a synthetic directory refuses with this error.
    fn node(&self, ino: Ino, refusal: ErrorKind) -> Result<(Target, Arc<MountView>, NodeId)> {
        let target = self.target(ino)?;
        match &target.object {
            Object::Node { view, node } => {
                let (view, node) = (Arc::clone(view), *node);
                Ok((target, view, node))
            }
            Object::Synthetic(_) => Err(refusal.into()),
        }
    }

    fn open_file(&self, handle: HandleId) -> Result<Arc<OpenFile>> {
        self.handles.get(handle).ok_or_else(|| ErrorKind::BadDescriptor.into())
    }

    /// Remembers a node that its provider counted one lookup of, and returns what the kernel is told of it.
    fn remember(
        &self,
        view: &Arc<MountView>,
        entry: &Entry,
        parent: Ino,
        place: Option<PlaceId>,
    ) -> EntryAnswer {
        let ino = self.inodes.remember(&Found { view, entry, parent, place, counted: true });
        self.entry_answer(view, ino, &entry.attr)
    }

    fn entry_answer(&self, view: &MountView, ino: Ino, attr: &Attr) -> EntryAnswer {
        EntryAnswer {
            ino,
            attr: *attr,
            entry_lifetime: view.lifetimes().entry,
            attr_lifetime: attr_lifetime(view, attr),
        }
    }
}

/// Returns how long attributes may be cached.
fn attr_lifetime(view: &MountView, attr: &Attr) -> Duration {
    if attr.kind == FileType::Regular && attr.grants_privilege() {
        // The kernel looks at its own copy of the mode when it executes a file, and it is not told when a write past
        // the daemon strips the bits. So it asks each time while they are set.
        return Duration::ZERO;
    }
    view.lifetimes().attr
}

/// Calls a provider.
fn on<T>(view: &MountView, f: impl FnOnce(&dyn Provider) -> Result<T>) -> Result<T> {
    guarded(|| f(&**view.mount.provider()))
}

/// Returns the errno that the kernel is told. It remembers `ENOSYS` of many operations for the whole connection, that
/// is for all mounts, so a provider's `ENOSYS` becomes what the kernel itself says where an operation is missing.
fn refusal(kind: OperationKind, error: &Error) -> ErrorKind {
    use OperationKind as K;
    tracing::debug!(operation = kind.name(), %error, "refused");
    match (error.kind(), kind) {
        (
            ErrorKind::NotImplemented,
            K::Mknod
            | K::Mkdir
            | K::Symlink
            | K::Link
            | K::Unlink
            | K::Rmdir
            | K::Rename
            | K::Setattr
            | K::Create,
        ) => ErrorKind::NotPermitted,
        (ErrorKind::NotImplemented, K::Readlink) => ErrorKind::InvalidArgument,
        (ErrorKind::NotImplemented, K::Write) => ErrorKind::BadDescriptor,
        (ErrorKind::NotImplemented, K::Getlk | K::Setlk) => ErrorKind::NoLocks,
        (ErrorKind::NotImplemented, K::Ioctl) => ErrorKind::InappropriateIoctl,
        // Said only on purpose, with writeback; a provider without it is helped out.
        (ErrorKind::NotImplemented, K::Lseek) => ErrorKind::NotImplemented,
        (ErrorKind::NotImplemented, _) => ErrorKind::NotSupported,
        (kind, _) => kind,
    }
}
