//! A mount as the kernel sees it: its numbers, its lifetimes, and what it may bypass.

use crate::inode::{Ino, Numbering};
use crate::isolation::guarded;
use crate::options::WantedLifetimes;
use crate::pace::Paces;
use arc_swap::ArcSwap;
use fs9_core::{Job, Mount, MountId, MountTable, OriginId, PlaceId};
use fs9_sdk::{Attr, Call, Caller, Name, NodeId, ObjectId};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Lifetime of what a provider does not promise to report changes of: the kernel's own default, which users of other
/// FUSE file systems know.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(1);

/// Lifetime of what a provider reports every change of.
const LIFETIME_COMPLETE: Duration = Duration::from_secs(86_400);

/// The longest lifetime of a name that does not exist, unless an option says more: when a provider loses events,
/// nobody can tell the kernel which of these names exist by now.
const LIFETIME_NEGATIVE_MAX: Duration = Duration::from_secs(60);

/// How long the kernel may cache what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    pub(crate) entry: Duration,
    pub(crate) attr: Duration,
    pub(crate) negative: Duration,
}

impl Lifetimes {
    /// Returns whether attributes are kept so long that the kernel has to be told when they go stale.
    pub(crate) fn attributes_are_kept_long(&self) -> bool {
        self.attr > LIFETIME_DEFAULT
    }

    /// Nothing may be cached.
    pub(crate) const NONE: Lifetimes =
        Lifetimes { entry: Duration::ZERO, attr: Duration::ZERO, negative: Duration::ZERO };

    /// Returns the lifetimes of a mount. Its own options go before those of the FUSE mount, and these before what the
    /// provider would like.
    fn of(mount: &Mount, wanted: &WantedLifetimes) -> Lifetimes {
        let capabilities = mount.capabilities();
        let default = if capabilities.complete_changes { LIFETIME_COMPLETE } else { LIFETIME_DEFAULT };
        let suited = capabilities.cache_lifetime.unwrap_or(default);
        let entry = mount.options().entry_lifetime.or(wanted.entry).unwrap_or(suited);
        Lifetimes {
            entry,
            attr: mount.options().attr_lifetime.or(wanted.attr).unwrap_or(suited),
            negative: wanted.negative.unwrap_or(entry.min(LIFETIME_NEGATIVE_MAX)),
        }
    }
}

/// Calls without an answer that wait for a thread of the pool. The kernel bounds them: each ends a handle or a lookup that
/// it had, or flushes a handle that it has.
#[derive(Default)]
struct Unanswered {
    calls: VecDeque<Job>,
    /// A job that makes them is in the queue, beyond its limit.
    is_awaited: bool,
}

/// A mount as the kernel sees it.
pub(crate) struct MountView {
    /// The mount.
    pub(crate) mount: Arc<Mount>,
    /// How its inode numbers come about.
    pub(crate) numbering: Numbering,
    lifetimes: ArcSwap<Lifetimes>,
    /// The number that the root of the FUSE mount shows, once it was asked for; 0 before.
    shown_root: AtomicU64,
    /// Another mount shows the same objects: a change made there is not seen here, so that nothing may be cached.
    shared: AtomicBool,
    /// That backing descriptors are refused was said once.
    refusal_said: AtomicBool,
    /// That entries are hidden by mount points was said once.
    hidden_said: AtomicBool,
    /// What the root of a provider that may block looked like when it was last asked.
    root_attr: Mutex<Option<Attr>>,
    unanswered: Mutex<Unanswered>,
    /// How quick its provider is with what waits for the disk.
    pub(crate) paces: Paces,
}

impl MountView {
    /// Returns how long the kernel may cache what this mount tells.
    pub(crate) fn lifetimes(&self) -> Lifetimes {
        if self.is_shared() { Lifetimes::NONE } else { **self.lifetimes.load() }
    }

    /// Changes how long the kernel may cache what this mount tells from now on.
    pub(crate) fn set_lifetimes(&self, wanted: &WantedLifetimes) {
        self.lifetimes.store(Arc::new(Lifetimes::of(&self.mount, wanted)));
    }

    /// Returns the number that the root of the FUSE mount shows if it is this object: that of any other inode, although
    /// the kernel knows it by [`Ino::ROOT`].
    pub(crate) fn show_root(&self, id: ObjectId) -> Ino {
        let is_first = self.numbering.native && id.device == 0 && id.number == Ino::ROOT.0;
        let shown = if is_first { Ino::ROOT } else { self.numbering.ino(id) };
        self.shown_root.store(shown.0, Ordering::Relaxed);
        shown
    }

    /// Returns what [`MountView::show_root`] returned last.
    pub(crate) fn shown_root(&self) -> Ino {
        Ino(self.shown_root.load(Ordering::Relaxed).max(Ino::ROOT.0))
    }

    /// Returns whether another mount shows the same objects.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    /// Returns whether both show the same mount.
    pub(crate) fn is(&self, other: &MountView) -> bool {
        self.mount.id() == other.mount.id()
    }

    /// Says in the log why files of this mount are read and written by the daemon, once.
    pub(crate) fn say_refusal(&self, error: &std::io::Error) {
        if !self.refusal_said.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                mount = %self.mount.path(),
                %error,
                "the kernel refuses passthrough: reads and writes go through the daemon"
            );
        }
    }

    /// Returns what the root of a provider that may block looked like. A lookup is answered with it: the kernel holds a
    /// lock of the directory above meanwhile, which a provider that hangs must not keep from others.
    pub(crate) fn known_root(&self) -> Option<Attr> {
        *self.root_attr.lock()
    }

    /// Notes what a node looks like, if it is the root of a provider that may block.
    pub(crate) fn note_root(&self, node: NodeId, attr: &Attr) {
        if node == self.mount.root() && self.mount.pool().is_some() {
            *self.root_attr.lock() = Some(*attr);
        }
    }

    /// Asks a provider that may block what its root looks like, before anybody looks it up.
    pub(crate) fn ask_for_root(self: &Arc<MountView>) {
        if self.mount.pool().is_none() {
            return;
        }
        let view = Arc::clone(self);
        self.run_unanswered(move || {
            let (call, node) = (Call::by(Caller::ROOT), view.mount.root());
            if let Ok(attr) = view.mount.provider().getattr(&call, node, None) {
                view.note_root(node, &attr);
            }
        });
    }

    /// Says in the log that an entry of the provider is hidden by a mount point; of each mount the first one only.
    pub(crate) fn say_hidden(&self, name: Name<'_>) {
        if !self.hidden_said.swap(true, Ordering::Relaxed) {
            tracing::warn!(mount = %self.mount.path(), %name, "an entry is hidden by a mount point of its name");
        }
    }

    /// Gives lookups back to the provider.
    pub(crate) fn forget(self: &Arc<MountView>, node: NodeId, count: u64) {
        let view = Arc::clone(self);
        self.run_unanswered(move || view.mount.provider().forget(node, count));
    }

    /// Makes a call that nobody waits for, on a thread on which the provider may be called. If its pool takes no more
    /// work, one job more makes all such calls when its turn comes.
    pub(crate) fn run_unanswered(self: &Arc<MountView>, call: impl FnOnce() + Send + 'static) {
        let Some(pool) = self.mount.pool() else { return run_guarded(call) };
        self.unanswered.lock().calls.push_back(Box::new(call));
        let view = Arc::clone(self);
        if let Err(error) = pool.submit(Box::new(move || view.run_waiting())) {
            tracing::debug!(mount = %self.mount.path(), %error, "a call without an answer waits");
            self.run_later();
        }
    }

    /// Sees to it that a thread will make the calls that wait.
    fn run_later(self: &Arc<MountView>) {
        let Some(pool) = self.mount.pool() else { return };
        if std::mem::replace(&mut self.unanswered.lock().is_awaited, true) {
            return;
        }
        let view = Arc::clone(self);
        let job = move || {
            view.unanswered.lock().is_awaited = false;
            view.run_waiting();
        };
        if let Err(error) = pool.submit_kept(Box::new(job)) {
            tracing::warn!(mount = %self.mount.path(), %error, "a call without an answer waits for a thread");
        }
    }

    /// Returns a view of the same mount that numbers objects as another view does.
    #[cfg(test)]
    pub(crate) fn numbered_like(&self, other: &MountView) -> MountView {
        MountView { numbering: other.numbering, ..new_view(&self.mount, &WantedLifetimes::default()) }
    }

    /// Makes the calls that wait. Those behind one that hangs are left to other threads.
    fn run_waiting(self: &Arc<MountView>) {
        loop {
            let mut unanswered = self.unanswered.lock();
            let Some(call) = unanswered.calls.pop_front() else { return };
            let is_last = unanswered.calls.is_empty();
            drop(unanswered);
            if !is_last {
                self.run_later();
            }
            run_guarded(call);
        }
    }
}

fn run_guarded(call: impl FnOnce()) {
    if let Err(error) = guarded(|| {
        call();
        Ok(())
    }) {
        tracing::debug!(%error, "a call without an answer failed");
    }
}

/// The views of all mounts of a namespace.
#[derive(Default)]
pub(crate) struct Views {
    by_id: HashMap<MountId, Arc<MountView>>,
    root: Option<Arc<MountView>>,
    /// Some provider may block.
    pub(crate) has_pools: bool,
}

impl Views {
    /// Returns the view of a mount.
    pub(crate) fn get(&self, id: MountId) -> Option<&Arc<MountView>> {
        self.by_id.get(&id)
    }

    /// Returns all views.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<MountView>> {
        self.by_id.values()
    }

    /// Returns the view of what is mounted at `/`.
    pub(crate) fn root(&self) -> Option<&Arc<MountView>> {
        self.root.as_ref()
    }

    /// Returns the views of a table, keeping those that exist.
    pub(crate) fn updated(&self, table: &MountTable, wanted: &WantedLifetimes) -> Views {
        let mut origins: HashMap<OriginId, usize> = HashMap::new();
        for mount in table.mounts() {
            *origins.entry(mount.origin()).or_default() += 1;
        }
        let shared: HashSet<OriginId> =
            origins.into_iter().filter(|&(_, mounts)| mounts > 1).map(|(origin, _)| origin).collect();
        let view = |mount: &Arc<Mount>| {
            let view = self.get(mount.id()).map_or_else(|| Arc::new(new_view(mount, wanted)), Arc::clone);
            view.shared.store(shared.contains(&mount.origin()), Ordering::Relaxed);
            (mount.id(), view)
        };
        let by_id: HashMap<_, _> = table.mounts().map(view).collect();
        let root = table.mount_at(PlaceId::ROOT).and_then(|mount| by_id.get(&mount.id())).map(Arc::clone);
        Views { root, has_pools: table.mounts().any(|mount| mount.pool().is_some()), by_id }
    }
}

fn new_view(mount: &Arc<Mount>, wanted: &WantedLifetimes) -> MountView {
    let path = mount.path();
    MountView {
        mount: Arc::clone(mount),
        numbering: Numbering::of_path(path.as_bytes(), path.is_root()),
        lifetimes: ArcSwap::from_pointee(Lifetimes::of(mount, wanted)),
        shown_root: AtomicU64::new(0),
        shared: AtomicBool::new(false),
        refusal_said: AtomicBool::new(false),
        hidden_said: AtomicBool::new(false),
        root_attr: Mutex::default(),
        unanswered: Mutex::default(),
        paces: Paces::default(),
    }
}
