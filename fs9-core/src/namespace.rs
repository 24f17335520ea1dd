//! A namespace: a mount table of its own, and the operations that change it.
//!
//! Invariant: the table that readers see changes in one step, under `writer`; the numbers of places and mounts only
//! grow.
//! Lock order: `writer` alone. It is not held across a call into a provider or a listener.

use crate::layers::{Contain, Layers, Metrics, ReadOnly, Timeout};
use crate::mount::Served;
use crate::walk::{self, Stop};
use crate::{
    CallPool, Mount, MountId, MountOptions, MountTable, OriginId, PlaceId, Statistics, VfsPath, Watchdog,
};
use arc_swap::{ArcSwap, Guard};
use fs9_sdk::{Call, Caller, Error, ErrorKind, Execution, FileType, Provider, Result};
use parking_lot::{Mutex, RwLock};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The most mounts of a namespace. A bind can double their number with one command, so that memory would soon be full;
/// Linux has a bound of that kind for the same reason (`fs.mount-max`).
const MOUNTS_MAX: usize = 1 << 17;

/// A table at one moment, held without a lock.
pub type TableGuard = Guard<Arc<MountTable>>;

/// The entry that shows a mount: the one to invalidate where entries are cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedEntry {
    /// The directory. It is a place before and after the change.
    pub parent: PlaceId,
    /// The name in it.
    pub name: Vec<u8>,
}

/// A change of the mount table, told to listeners outside of all locks.
#[derive(Debug)]
pub enum NamespaceChange<'a> {
    /// The mount is about to appear: no operation was called on its provider yet, except the lookups of a bind. The
    /// moment to call [`Provider::report_changes_to`], once for each origin. If its path is taken in the same moment,
    /// the mount is dropped and nothing follows; so it is if there are too many mounts, or nobody waits for it any more.
    Mounting(&'a Arc<Mount>),
    /// The mount is in the table.
    Mounted {
        /// The mount.
        mount: &'a Arc<Mount>,
        /// The entry that changed: the uppermost place that did not exist before, else the mount point itself.
        /// `None` for a mount at `/`.
        entry: Option<ChangedEntry>,
    },
    /// The mount is no longer in the table; uses that began before may go on.
    Unmounted {
        /// The mount.
        mount: &'a Arc<Mount>,
        /// The entry that changed: the uppermost place that does not exist any more, else the mount point itself.
        /// `None` for a mount at `/`.
        entry: Option<ChangedEntry>,
    },
}

type Listener = Box<dyn Fn(&NamespaceChange<'_>) + Send + Sync>;

/// What only changes of the table touch.
struct Writer {
    last_place: PlaceId,
}

/// A mount table, and what its mounts share.
pub struct Namespace {
    table: ArcSwap<MountTable>,
    writer: Mutex<Writer>,
    last_mount: AtomicU32,
    last_origin: AtomicU32,
    listeners: RwLock<Vec<Arc<Listener>>>,
    watchdog: Arc<Watchdog>,
}

impl Namespace {
    /// Returns a namespace without mounts.
    pub fn new() -> Arc<Namespace> {
        Arc::new(Namespace {
            table: ArcSwap::from_pointee(MountTable::empty()),
            writer: Mutex::new(Writer { last_place: PlaceId::ROOT }),
            last_mount: AtomicU32::new(0),
            last_origin: AtomicU32::new(0),
            listeners: RwLock::new(Vec::new()),
            watchdog: Arc::default(),
        })
    }

    /// Returns the table of this moment, without a lock. Guards are for short use; for a longer one, clone the `Arc`.
    pub fn table(&self) -> TableGuard {
        self.table.load()
    }

    /// Returns what watches the deadlines of calls.
    pub fn watchdog(&self) -> &Arc<Watchdog> {
        &self.watchdog
    }

    /// Calls `listener` at each change from now on, on the thread that makes the change. A listener that belongs to
    /// somebody who holds this namespace holds it weakly.
    pub fn on_change(&self, listener: Listener) {
        self.listeners.write().push(Arc::new(listener));
    }

    /// Mounts a provider at a path, which need not exist: missing ancestors appear as directories of the table. What
    /// cannot be looked at now, because its provider fails, is taken for missing. (What is made there by others later is
    /// hidden.) A `hidden` mount hides whatever is there.
    ///
    /// # Errors
    /// `EBUSY` if something is mounted at that very path, `ENOTDIR` if there or on the way is something else than a
    /// directory, `ENOSPC` beyond 131,072 mounts.
    pub fn mount(
        &self,
        path: &VfsPath,
        provider: Arc<dyn Provider>,
        options: MountOptions,
    ) -> Result<Arc<Mount>> {
        self.mount_for(path, provider, options, &Call::by(Caller::ROOT))
    }

    /// As [`Namespace::mount`], on behalf of somebody who may not wait until the end: if `call` has lapsed by the moment when
    /// the table would change, it does not.
    ///
    /// # Errors
    /// Those of [`Namespace::mount`]; `ETIMEDOUT` or `EINTR` if nobody waits for it any more.
    pub fn mount_for(
        &self,
        path: &VfsPath,
        provider: Arc<dyn Provider>,
        options: MountOptions,
        call: &Call,
    ) -> Result<Arc<Mount>> {
        self.refuse_taken(path)?;
        if !options.hidden {
            self.refuse_hiding(path)?;
        }
        let served = self.serve(provider, &options);
        let mount = Mount::new(self.next_mount(), path.clone(), served, options, None);
        Ok(self.publish_all(vec![mount], call)?.swap_remove(0))
    }

    /// Takes away what is mounted at a path. With `lazy`, also what is in use: it and all that is mounted below it
    /// vanish from the table at once, while what is open goes on until it is closed.
    ///
    /// # Errors
    /// `EINVAL` if nothing is mounted there; without `lazy`, `EBUSY` if it is in use or something is mounted below it.
    pub fn unmount(&self, path: &VfsPath, lazy: bool) -> Result<Arc<Mount>> {
        let refused = |kind, why: &str| Err(Error::new(kind).during("unmount").at(path).because(why));
        let mut removed = Vec::new();
        {
            let _writer = self.writer.lock();
            let before = self.table.load_full();
            let Some((place, mount)) = before.place(path).and_then(|p| Some((p, before.mount_at(p)?))) else {
                return refused(ErrorKind::InvalidArgument, "nothing is mounted there");
            };
            if !lazy && before.has_children(place) {
                return refused(ErrorKind::Busy, "something is mounted below it");
            }
            if !lazy && !mount.detach_unused() {
                return refused(ErrorKind::Busy, "files are open");
            }
            removed.push(Arc::clone(mount));
            removed.extend(before.mounts_below(place));
            self.detach_all(&before, &removed);
        }
        for mount in &removed {
            self.tell(&NamespaceChange::Unmounted { mount, entry: self.shown_by(mount) });
        }
        Ok(removed.swap_remove(0))
    }

    /// Takes these mounts from the table in one step. Called under `writer`.
    fn detach_all(&self, before: &MountTable, removed: &[Arc<Mount>]) {
        let mut table = before.clone();
        for mount in removed {
            if let Some(place) = before.place(mount.path()) {
                table.remove(place);
            }
        }
        self.table.store(Arc::new(table));
        removed.iter().for_each(|mount| mount.detach());
    }

    pub(crate) fn serve(&self, provider: Arc<dyn Provider>, options: &MountOptions) -> Served {
        let origin = OriginId(self.last_origin.fetch_add(1, Ordering::Relaxed) + 1);
        let statistics = Arc::<Statistics>::default();
        let read_only = options.read_only || provider.capabilities().read_only;
        let mut layers = Layers::over(provider).with(Contain).with(Timeout);
        if read_only {
            layers = layers.with(ReadOnly);
        }
        layers = layers.with(Metrics::new(Arc::clone(&statistics)));
        let backing_withdrawn_by = layers.backing_withdrawn_by();
        let provider = layers.build();
        let capabilities = provider.capabilities();
        let pool = match capabilities.execution {
            Execution::Inline => None,
            Execution::MayBlock => {
                Some(CallPool::new(&format!("fs9-call-{origin}"), options.threads_max, options.queue_max))
            }
        };
        let wait_pool = CallPool::for_waits(&format!("fs9-wait-{origin}"));
        Served { origin, provider, capabilities, pool, wait_pool, statistics, backing_withdrawn_by }
    }

    pub(crate) fn next_mount(&self) -> MountId {
        MountId(self.last_mount.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn refuse_taken(&self, path: &VfsPath) -> Result<()> {
        let table = self.table.load();
        refuse_taken_in(&table, path)
    }

    /// Refuses a path at which a directory would hide something else, as `mount(8)` does. No lock is held.
    pub(crate) fn refuse_hiding(&self, path: &VfsPath) -> Result<()> {
        let table = self.table.load_full();
        let Some((below, rest)) = table.resolve(path) else { return Ok(()) };
        let names_below = rest.clone().count();
        let Err(Stop { names, obstacle: Some(kind), .. }) = walk::to_directory(below, rest) else {
            return Ok(());
        };
        let mut ancestors = std::iter::successors(Some(path.clone()), VfsPath::parent);
        let place = ancestors.nth(names_below - names).unwrap_or_else(VfsPath::root);
        let why =
            format!("{place} is a {}: choose a directory or a path that does not exist", words_of(kind));
        Err(Error::new(ErrorKind::NotADirectory).during("mount at").at(path).because(why))
    }

    /// Puts mounts into the table in one step: all, or none if one of their paths is taken, they are too many, or nobody
    /// waits for it any more.
    pub(crate) fn publish_all(&self, mounts: Vec<Mount>, call: &Call) -> Result<Vec<Arc<Mount>>> {
        let mounts: Vec<Arc<Mount>> = mounts.into_iter().map(Arc::new).collect();
        mounts.iter().for_each(|mount| self.tell(&NamespaceChange::Mounting(mount)));
        let mut entries = Vec::with_capacity(mounts.len());
        {
            let mut writer = self.writer.lock();
            let mut table = MountTable::clone(&self.table.load_full());
            refuse_too_many(&table, &mounts)?;
            refuse_lapsed(call, &mounts)?;
            for mount in &mounts {
                refuse_taken_in(&table, mount.path())?;
                entries.push(changed_entry(&table, mount));
                table.insert(Arc::clone(mount), &mut writer.last_place);
            }
            self.table.store(Arc::new(table));
        }
        for (mount, entry) in mounts.iter().zip(entries) {
            self.tell(&NamespaceChange::Mounted { mount, entry });
        }
        Ok(mounts)
    }

    /// Returns the entry by which the present table would show a mount that it does not hold.
    fn shown_by(&self, mount: &Mount) -> Option<ChangedEntry> {
        changed_entry(&self.table.load(), mount)
    }

    fn tell(&self, change: &NamespaceChange<'_>) {
        let listeners = self.listeners.read().clone();
        listeners.iter().for_each(|listener| listener(change));
    }
}

/// Returns a type as `stat(1)` calls it.
fn words_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Regular => "regular file",
        FileType::Directory => "directory",
        FileType::Symlink => "symbolic link",
        FileType::CharDevice => "character special file",
        FileType::BlockDevice => "block special file",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
    }
}

fn refuse_taken_in(table: &MountTable, path: &VfsPath) -> Result<()> {
    match table.place(path).and_then(|place| table.mount_at(place)) {
        Some(_) => {
            Err(Error::new(ErrorKind::Busy).during("mount at").at(path).because("something is mounted there"))
        }
        None => Ok(()),
    }
}

fn refuse_too_many(table: &MountTable, more: &[Arc<Mount>]) -> Result<()> {
    if table.len() + more.len() <= MOUNTS_MAX {
        return Ok(());
    }
    let first = more.first().map_or_else(VfsPath::root, |mount| mount.path().clone());
    let why = format!("a namespace has at most {MOUNTS_MAX} mounts");
    Err(Error::new(ErrorKind::NoSpace).during("mount at").at(first).because(why))
}

fn refuse_lapsed(call: &Call, mounts: &[Arc<Mount>]) -> Result<()> {
    let Some(kind) = call.lapsed() else { return Ok(()) };
    let first = mounts.first().map_or_else(VfsPath::root, |mount| mount.path().clone());
    let why = "nobody waits for it any more: nothing is mounted";
    Err(Error::new(kind).during("mount at").at(first).because(why))
}

/// Returns the uppermost entry on the way to `mount` that is no place of `table`, else the last one.
fn changed_entry(table: &MountTable, mount: &Mount) -> Option<ChangedEntry> {
    let mut parent = PlaceId::ROOT;
    let mut names = mount.path().components().peekable();
    while let Some(name) = names.next() {
        match table.child(parent, name) {
            Some(child) if names.peek().is_some() => parent = child,
            _ => return Some(ChangedEntry { parent, name: name.as_bytes().to_vec() }),
        }
    }
    None
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("mounts", &self.table.load().mounts().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
