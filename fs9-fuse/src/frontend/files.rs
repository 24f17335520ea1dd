//! The life of open files: open, flush, fsync, release.
//!
//! Invariant: a handle that the provider gave is released exactly once: by the kernel's release, or because the kernel
//! never got it.

use super::in_place::on_disk;
use super::locks::unlock_at_close;
use super::names::refuse_detached;
use super::open_file::{Backend, OpenFile};
use super::privileges::{FILE_CAPABILITIES, strip_if_kept};
use super::{Frontend, Request, on};
use crate::inode::{Ino, data_version};
use crate::invalidate::Event;
use crate::io_mode::IoMode;
use crate::options::Locks;
use crate::pace::DiskWork;
use crate::reply::{Answer, Backing, Exchange, OpenAnswer};
use crate::view::MountView;
use fs9_core::control::OpenFor;
use fs9_core::{HandleId, MountUse, OwnerId};
use fs9_sdk::{
    Attr, ErrorKind, FileType, LockOwner, NodeId, OpenFlags, OpenNode, OpenTraits, Opened, Provider, Result,
};
use parking_lot::Mutex;
use std::sync::Arc;

/// A file that a provider opened, on its way to a handle.
pub(super) struct Fresh<'a> {
    pub(super) view: &'a Arc<MountView>,
    pub(super) node: NodeId,
    pub(super) ino: Ino,
    pub(super) flags: OpenFlags,
    pub(super) pid: u32,
    pub(super) opened: Opened,
    pub(super) mount_use: MountUse,
}

/// Flags that decide about the name and are settled before a provider is asked to open what exists.
pub(super) const NAME_FLAGS: OpenFlags = OpenFlags::CREATE.union(OpenFlags::EXCLUSIVE);

impl Frontend {
    pub(super) fn refuse_if_closing(&self) -> Result<()> {
        if self.refuses_opens.load(std::sync::atomic::Ordering::Acquire) {
            return Err(ErrorKind::Shutdown.into());
        }
        Ok(())
    }

    pub(super) fn open(
        &self,
        request: &Request,
        (flags, kill_privileges): (OpenFlags, bool),
        exchange: &mut dyn Exchange,
    ) -> Result<Answer> {
        self.refuse_if_closing()?;
        let (target, view, node) = self.node(request.header.ino, ErrorKind::IsADirectory)?;
        let flags = self.cutting_flags(request, flags, kill_privileges).difference(NAME_FLAGS);
        let cuts_as_reader = flags.contains(OpenFlags::TRUNCATE) && !flags.writable();
        if cuts_as_reader && self.executions.runs(&view.mount, node) {
            return Err(ErrorKind::TextFileBusy.into());
        }
        let mount_use = view.mount.begin_use()?;
        let opened = open_and_strip(request, &view, node, flags)?;
        let pid = request.header.caller.pid;
        let fresh = Fresh { view: &view, node, ino: target.ino, flags, pid, opened, mount_use };
        Ok(Answer::Opened(self.admit(fresh, exchange)))
    }

    /// Gives an opened file a handle and decides how the kernel treats it.
    pub(super) fn admit(&self, fresh: Fresh<'_>, exchange: &mut dyn Exchange) -> OpenAnswer {
        let Fresh { view, node, ino, flags, pid, opened, mount_use } = fresh;
        let open = OpenNode { node, handle: opened.handle };
        let mut traits = opened.traits;
        traits.set(OpenTraits::KEEP_CACHE, self.keeps_cache(view, ino, &opened));
        // The locks of processes end with the flush.
        traits.set(
            OpenTraits::NO_FLUSH,
            traits.contains(OpenTraits::NO_FLUSH) && self.options.locks == Locks::Kernel,
        );
        let has_io_mode = self.has_passthrough() && view.mount.capabilities().backing_descriptors;
        let backing = if has_io_mode {
            let choose = || self.choose_io_mode(view, open, &opened, flags, exchange);
            self.io_modes.enter(ino, choose).backing()
        } else {
            None
        };
        if backing.is_some() {
            // Any other flag beside passthrough makes the kernel refuse the open (`FOPEN_PASSTHROUGH_MASK`).
            traits &= OpenTraits::NO_FLUSH;
        }
        let is_execution = flags.contains(OpenFlags::EXEC);
        if is_execution {
            self.executions.begin(&view.mount, node);
        }
        let purpose = purpose_of(flags);
        let view = Arc::clone(view);
        let backend = Backend { view, open, is_directory: false, purpose, pid, _mount_use: mount_use };
        let file = OpenFile { has_io_mode, is_execution, ..OpenFile::new(ino, Some(backend)) };
        OpenAnswer { handle: self.handles.insert(OwnerId::KERNEL, file), traits, backing }
    }

    /// Returns whether what the kernel cached of the data is still true.
    fn keeps_cache(&self, view: &MountView, ino: Ino, opened: &Opened) -> bool {
        if view.is_shared() {
            return false;
        }
        let unchanged = opened.attr.is_some_and(|attr| self.inodes.note_version(ino, data_version(&attr)));
        unchanged
            || view.mount.capabilities().complete_changes
            || opened.traits.contains(OpenTraits::KEEP_CACHE)
    }

    /// Decides how the data of an inode moves that nobody has open. Whatever forbids to bypass the daemon leads to
    /// [`IoMode::Daemon`], which is always right.
    fn choose_io_mode(
        &self,
        view: &Arc<MountView>,
        open: OpenNode,
        opened: &Opened,
        flags: OpenFlags,
        exchange: &dyn Exchange,
    ) -> IoMode {
        let is_plain = opened.attr.is_some_and(|attr| is_plain_file(&attr));
        if !is_plain
            || opened.traits.contains(OpenTraits::DIRECT_IO)
            || view.mount.backing_withdrawn_by().is_some()
            || (flags.writable() && !is_untouched(opened) && has_file_capabilities(view, open.node))
        {
            return IoMode::Daemon;
        }
        match register(view, open, exchange) {
            Some(Ok(backing)) => IoMode::Passthrough(backing),
            Some(Err(error)) => {
                view.say_refusal(&error);
                IoMode::Daemon
            }
            None => IoMode::Daemon,
        }
    }

    pub(super) fn flush(&self, request: &Request, handle: HandleId, owner: LockOwner) -> Result<Answer> {
        let file = self.open_file(handle)?;
        self.flush_open(&request.call, &file, owner).map(|()| Answer::Done)
    }

    pub(super) fn fsync(&self, request: &Request, handle: HandleId, data_only: bool) -> Result<Answer> {
        let file = self.open_file(handle)?;
        let backend = file.backend()?;
        let sync = |provider: &dyn Provider| provider.fsync(&request.call, backend.open, data_only);
        done_if_missing(on_disk(&backend.view, DiskWork::Sync, sync))
    }

    pub(super) fn fsyncdir(&self, request: &Request, handle: HandleId, data_only: bool) -> Result<Answer> {
        let file = self.open_file(handle)?;
        let Some(backend) = &file.backend else { return Ok(Answer::Done) };
        let sync = |provider: &dyn Provider| provider.fsyncdir(&request.call, backend.open, data_only);
        done_if_missing(on_disk(&backend.view, DiskWork::Sync, sync))
    }

    /// Ends a handle of a file or directory.
    pub(super) fn close(&self, handle: HandleId) {
        let Some(file) = self.handles.remove(handle) else { return };
        let passed = file.has_io_mode && self.io_modes.leave(file.ino);
        let Some(backend) = &file.backend else { return };
        let writes = matches!(backend.purpose, OpenFor::Write | OpenFor::ReadWrite);
        if passed && writes && backend.view.lifetimes().attributes_are_kept_long() {
            // The kernel does not notice that stores through a map move the times of the backing file.
            self.submit(Event::Written(backend.view.mount.origin(), file.ino));
        }
        if file.is_execution {
            self.executions.end(&backend.view.mount, backend.open.node);
        }
        let (view, closed) = (Arc::clone(&backend.view), Arc::clone(&file));
        // Nobody waits for a release. The file is dropped after it, so that the mount is busy until then.
        let release = move || {
            if let Some(Backend { view, open, is_directory, .. }) = &closed.backend {
                unlock_at_close(&closed);
                let provider = view.mount.provider();
                if *is_directory { provider.releasedir(*open) } else { provider.release(*open) }
            }
        };
        file.release_after_flushes(move || view.run_unanswered(release));
    }
}

/// Opens what exists. What a truncation does not strip by itself is stripped afterwards.
pub(super) fn open_and_strip(
    request: &Request,
    view: &Arc<MountView>,
    node: NodeId,
    flags: OpenFlags,
) -> Result<Opened> {
    let opened = on(view, |provider| provider.open(&request.call, node, flags))?;
    if !flags.contains(OpenFlags::TRUNCATE | OpenFlags::KILL_PRIVILEGES) {
        return Ok(opened);
    }
    let open = OpenNode { node, handle: opened.handle };
    match strip_if_kept(request, view, open, opened.attr) {
        Ok(attr) => Ok(Opened { attr: attr.or(opened.attr), ..opened }),
        Err(error) => {
            let provider = Arc::clone(view.mount.provider());
            view.run_unanswered(move || provider.release(open));
            Err(error)
        }
    }
}

/// Returns what flags open a file for.
fn purpose_of(flags: OpenFlags) -> OpenFor {
    match (flags.readable(), flags.writable()) {
        (true, true) => OpenFor::ReadWrite,
        (false, true) => OpenFor::Write,
        (_, false) => OpenFor::Read,
    }
}

/// Returns whether a file may be read and written past the daemon: a write to one that grants privileges has to strip
/// them, depending on who writes.
fn is_plain_file(attr: &Attr) -> bool {
    attr.kind == FileType::Regular && !attr.grants_privilege()
}

/// Returns whether nothing happened to a file since it was made, so that it cannot have file capabilities.
fn is_untouched(opened: &Opened) -> bool {
    opened.attr.is_some_and(|attr| attr.btime == Some(attr.ctime))
}

fn has_file_capabilities(view: &MountView, node: NodeId) -> bool {
    let call = fs9_sdk::Call::by(fs9_sdk::Caller::ROOT);
    match on(view, |provider| provider.getxattr(&call, node, FILE_CAPABILITIES)) {
        Ok(_) => true,
        // Whatever keeps us from knowing keeps us on the safe side.
        Err(error) => {
            !matches!(error.kind(), ErrorKind::NoData | ErrorKind::NotSupported | ErrorKind::NotImplemented)
        }
    }
}

/// Registers the descriptor that a provider lends, or returns `None` if it lends none.
fn register(view: &MountView, open: OpenNode, exchange: &dyn Exchange) -> Option<std::io::Result<Backing>> {
    let mut registered = None;
    let lent = on(view, |provider| {
        Ok(provider.lend_backing(open, &mut |descriptor| {
            registered = Some(
                // The kernel writes as whoever registers: as nobody's servant, and without the right to keep
                // set-user-ID and set-group-ID bits.
                fs9_sys::credentials::prepare_request_thread()
                    .and_then(|()| exchange.register_backing(descriptor)),
            );
        }))
    });
    match lent {
        Ok(true) => registered,
        Ok(false) => None,
        Err(error) => Some(Err(error.into())),
    }
}

/// An operation that a provider has no need of is done.
fn done_if_missing(result: Result<()>) -> Result<Answer> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotImplemented => Ok(Answer::Done),
        other => other.map(|()| Answer::Done),
    }
}

impl Frontend {
    pub(super) fn opendir(&self, request: &Request) -> Result<Answer> {
        use crate::inode::Object;
        self.refuse_if_closing()?;
        let target = self.target(request.header.ino)?;
        let (backend, mut traits) = match &target.object {
            Object::Synthetic(_) => (None, OpenTraits::empty()),
            Object::Node { view, node } => {
                refuse_detached(view)?;
                let mount_use = view.mount.begin_use()?;
                let opened = on(view, |provider| match provider.opendir(&request.call, *node) {
                    Err(error) if error.kind() == ErrorKind::NotImplemented => {
                        Ok(Opened { handle: fs9_sdk::FileHandle(0), attr: None, traits: OpenTraits::empty() })
                    }
                    other => other,
                })?;
                let open = OpenNode { node: *node, handle: opened.handle };
                let opened = Opened { attr: self.version_source(request, view, *node, &opened), ..opened };
                let traits = self.directory_traits(view, target.ino, &opened);
                let view = Arc::clone(view);
                let (purpose, pid) = (OpenFor::Listing, request.header.caller.pid);
                let backend = Backend { view, open, is_directory: true, purpose, pid, _mount_use: mount_use };
                (Some(backend), traits)
            }
        };
        if target.place.is_some() {
            // Mounts come and go without changing the directory.
            traits.remove(OpenTraits::CACHE_DIR | OpenTraits::KEEP_CACHE);
        }
        let places = Mutex::new(self.place_names(&target));
        let file = OpenFile { places, ..OpenFile::new(target.ino, backend) };
        let handle = self.handles.insert(OwnerId::KERNEL, file);
        Ok(Answer::Opened(OpenAnswer { handle, traits, backing: None }))
    }

    /// Returns attributes that tell whether a directory changed, where that decides about the kernel's cache.
    fn version_source(
        &self,
        request: &Request,
        view: &MountView,
        node: NodeId,
        opened: &Opened,
    ) -> Option<Attr> {
        if view.is_shared() || view.mount.capabilities().complete_changes {
            return opened.attr;
        }
        let ask = || on(view, |provider| provider.getattr(&request.call, node, None)).ok();
        opened.attr.or_else(ask)
    }

    /// Returns whether the kernel may cache the listing, and whether what it cached is still true.
    fn directory_traits(&self, view: &MountView, ino: Ino, opened: &Opened) -> OpenTraits {
        let mut traits = opened.traits;
        let known = opened.attr.is_some() || view.mount.capabilities().complete_changes;
        let forbidden = view.is_shared() || traits.contains(OpenTraits::DIRECT_IO);
        if forbidden || !(known || traits.contains(OpenTraits::CACHE_DIR)) {
            traits.remove(OpenTraits::DIRECT_IO | OpenTraits::CACHE_DIR | OpenTraits::KEEP_CACHE);
            return traits;
        }
        traits.insert(OpenTraits::CACHE_DIR);
        traits.set(OpenTraits::KEEP_CACHE, self.keeps_cache(view, ino, opened));
        traits
    }
}
