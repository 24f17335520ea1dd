//! Mounts that come and go, and changes that providers report.

use super::{Frontend, on};
use crate::inode::{Ino, Object};
use crate::invalidate::{Event, KernelCache, ProviderChanges};
use crate::view::MountView;
use fs9_core::{ChangedEntry, Mount, NamespaceChange, OriginId, PlaceId};
use fs9_sdk::{
    Call, Caller, Change, DirEntry, DirSink, FileType, Fill, Name, NodeId, OpenNode, Provider, Result,
};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

impl Frontend {
    /// Follows the namespace from now on.
    pub(super) fn follow_mounts(self: &Arc<Frontend>) {
        self.invalidator.belongs_to(Arc::downgrade(self));
        let frontend = Arc::downgrade(self);
        self.namespace.on_change(Box::new(move |change| {
            if let Some(frontend) = frontend.upgrade() {
                frontend.mounts_changed(change);
            }
        }));
        for mount in self.namespace.table().mounts() {
            self.ask_for_changes(mount);
        }
        self.update_views();
        self.views.load().iter().for_each(MountView::ask_for_root);
    }

    fn mounts_changed(self: &Arc<Frontend>, change: &NamespaceChange<'_>) {
        let (mount, entry, is_there) = match change {
            NamespaceChange::Mounting(mount) => return self.ask_for_changes(mount),
            NamespaceChange::Mounted { mount, entry } => (mount, entry, true),
            NamespaceChange::Unmounted { mount, entry } => (mount, entry, false),
        };
        // Of mounts that come or go in one step, the first one brings the views of all up to date: to do so for each
        // would take quadratic time.
        if self.views.load().get(mount.id()).is_some() != is_there {
            self.update_views();
        }
        if is_there {
            self.reporting.lock().keep(mount.origin());
        }
        if let Some(view) = self.views.load().get(mount.id()) {
            view.ask_for_root();
        }
        self.submit(Event::Mounts(Arc::clone(mount), entry.clone()));
    }

    /// Tells a provider once where to report its changes.
    fn ask_for_changes(self: &Arc<Frontend>, mount: &Mount) {
        let origin = mount.origin();
        if !self.reporting.lock().begin(origin, &self.namespace.table()) {
            return;
        }
        let frontend: Weak<Frontend> = Arc::downgrade(self);
        let sink = Arc::new(ProviderChanges { origin, frontend });
        let asked = crate::isolation::guarded(|| {
            mount.provider().report_changes_to(sink);
            Ok(())
        });
        if let Err(error) = asked {
            tracing::warn!(mount = %mount.path(), %error, "changes are not reported");
        }
    }

    fn update_views(&self) {
        self.views.rcu(|views| views.updated(&self.namespace.table(), &self.lifetimes.load()));
    }

    /// Has the kernel forget a name that was made, wherever another mount shows the same directory: names that do not
    /// exist may have been cached there before it was shown twice.
    pub(super) fn tell_of_new_name(&self, view: &MountView, parent: NodeId, name: Name<'_>) {
        if view.is_shared() {
            let change = Change::Entry { parent, name: name.as_bytes().to_vec() };
            self.submit(Event::Provider(view.mount.origin(), change));
        }
    }

    pub(crate) fn submit(&self, event: Event) {
        self.invalidator.submit(event);
    }

    /// Waits until the kernel was told of every event so far.
    pub(crate) fn settle(&self) {
        let (done, told) = std::sync::mpsc::channel();
        self.invalidator.after(Box::new(move || drop(done)));
        // Nothing is ever sent: the channel closes when it is the turn of this event.
        let () = told.recv().unwrap_or_default();
    }

    /// Tells the kernel of events, on the thread that is there for it.
    pub(crate) fn tell_kernel(&self, batch: Vec<Event>) {
        let inodes = self.inodes_of(&batch);
        let kernel = self.kernel_cache.lock().clone();
        for event in batch {
            match (event, &kernel) {
                (Event::Then(then), _) => then(),
                (_, None) => {}
                (Event::Entry(parent, name), Some(kernel)) => kernel.invalidate_entry(parent, &name),
                (Event::Inode(ino), Some(kernel)) => kernel.invalidate_inode(ino, true),
                (Event::Written(_, ino), Some(kernel)) => kernel.invalidate_inode(ino, false),
                (Event::Mounts(mount, entry), Some(kernel)) => self.tell_of_mount(&**kernel, &mount, entry),
                (Event::Provider(origin, change), Some(kernel)) => {
                    self.tell_of_change(&**kernel, origin, change, &inodes);
                }
            }
        }
    }

    fn tell_of_mount(&self, kernel: &dyn KernelCache, mount: &Mount, entry: Option<ChangedEntry>) {
        let Some(ChangedEntry { parent, name }) = entry else {
            return kernel.invalidate_inode(Ino::ROOT, true);
        };
        let known =
            if parent == PlaceId::ROOT { Some(Ino::ROOT) } else { self.places.lock().get(&parent).copied() };
        self.drop_vanished_places();
        if let Some(ino) = known {
            self.adopt_places(ino, mount);
            kernel.invalidate_entry(ino, &name);
            kernel.invalidate_inode(ino, true);
        }
        if self.is_shown_twice(mount) {
            // From now on nothing of it is cached; what was cached before goes now.
            self.tell_of_everything(kernel, mount.origin());
        }
    }

    fn is_shown_twice(&self, mount: &Mount) -> bool {
        self.views.load().get(mount.id()).is_some_and(|view| view.is_shared())
    }

    fn drop_vanished_places(&self) {
        let table = self.namespace.table();
        self.places.lock().retain(|&place, _| table.contains(place));
    }

    /// Marks directories that lead to a mount since it exists. Whoever works in one of them names it without looking
    /// it up again.
    fn adopt_places(&self, mut parent: Ino, mount: &Mount) {
        let table = self.namespace.table();
        let mut place = PlaceId::ROOT;
        for name in mount.path().components() {
            let Some(child) = table.child(place, name) else { return };
            let known = self.places.lock().get(&child).copied();
            if let Some(ino) = known {
                parent = ino;
            } else if table.mount_at(child).is_some() {
                return;
            } else if self.target(parent).is_ok_and(|target| target.place == Some(place)) {
                match self.adopt_place(parent, name, child) {
                    Some(ino) => parent = ino,
                    None => return,
                }
            }
            place = child;
        }
    }

    fn adopt_place(&self, parent: Ino, name: Name<'_>, place: PlaceId) -> Option<Ino> {
        let target = self.target(parent).ok()?;
        let Object::Node { view, node } = target.object else { return None };
        let name = name.as_bytes().to_vec();
        let entry =
            call_apart(&view, move |provider, call| provider.lookup(call, node, Name::new(&name)?)).ok()?;
        let ino = self.inodes.set_place(&view, entry.attr.id, Some(place));
        view.forget(entry.node, 1);
        self.places.lock().insert(place, ino?);
        ino
    }

    /// Finds the inodes of the nodes that providers report as changed, all in one look at the table.
    fn inodes_of(&self, batch: &[Event]) -> HashMap<(OriginId, NodeId), Vec<Ino>> {
        let node_of = |event: &Event| match event {
            Event::Provider(origin, Change::Data(node) | Change::Attributes(node)) => Some((*origin, *node)),
            Event::Provider(origin, Change::Entry { parent, .. }) => Some((*origin, *parent)),
            _ => None,
        };
        let mut inodes: HashMap<_, Vec<Ino>> =
            batch.iter().filter_map(node_of).map(|key| (key, Vec::new())).collect();
        if inodes.is_empty() {
            return inodes;
        }
        self.inodes.visit_nodes(|view, node, ino, _| {
            if let Some(found) = inodes.get_mut(&(view.mount.origin(), node)) {
                found.push(ino);
            }
        });
        if let Some(root) = self.views.load().root()
            && let Some(found) = inodes.get_mut(&(root.mount.origin(), root.mount.root()))
        {
            found.push(Ino::ROOT);
        }
        inodes
    }

    fn tell_of_change(
        &self,
        kernel: &dyn KernelCache,
        origin: OriginId,
        change: Change,
        inodes: &HashMap<(OriginId, NodeId), Vec<Ino>>,
    ) {
        let known = |node| inodes.get(&(origin, node)).into_iter().flatten().copied();
        match change {
            Change::Data(node) => known(node).for_each(|ino| kernel.invalidate_inode(ino, true)),
            Change::Attributes(node) => known(node).for_each(|ino| kernel.invalidate_inode(ino, false)),
            Change::Entry { parent, name } => known(parent).for_each(|ino| {
                kernel.invalidate_entry(ino, &name);
                kernel.invalidate_inode(ino, true);
            }),
            Change::Everything => self.tell_of_everything(kernel, origin),
        }
    }

    /// Forgets all inodes of a provider, and all names: those of other providers as well, if that is done at once.
    fn tell_of_everything(&self, kernel: &dyn KernelCache, origin: OriginId) {
        let mut known = Vec::new();
        self.inodes.visit_nodes(|view, node, ino, kind| {
            if view.mount.origin() == origin {
                known.push((Arc::clone(view), node, ino, kind));
            }
        });
        if let Some(root) = self.views.load().root().filter(|root| root.mount.origin() == origin) {
            known.push((Arc::clone(root), root.mount.root(), Ino::ROOT, FileType::Directory));
        }
        let knows_no_name = kernel.invalidate_all_entries();
        for (view, node, ino, kind) in known {
            if kind == FileType::Directory && !knows_no_name {
                for name in names_in(&view, node) {
                    kernel.invalidate_entry(ino, &name);
                }
            }
            kernel.invalidate_inode(ino, true);
        }
    }
}

/// Calls a provider on nobody's behalf, on a thread on which it may be called.
fn call_apart<T: Send + 'static>(
    view: &Arc<MountView>,
    f: impl FnOnce(&dyn Provider, &Call) -> Result<T> + Send + 'static,
) -> Result<T> {
    let mut call = Call::by(Caller::ROOT);
    let Some(pool) = view.mount.pool() else { return on(view, |provider| f(provider, &call)) };
    call.deadline = view.mount.deadlines().of(fs9_sdk::Operation::Lookup);
    let (worker, calling) = (Arc::clone(view), call.clone());
    pool.call(&call, move || on(&worker, |provider| f(provider, &calling)), drop)?
}

/// Collects names.
#[derive(Default)]
struct Names(HashSet<Vec<u8>>);

impl DirSink for Names {
    fn has_room(&self, _name_len: usize) -> bool {
        true
    }

    fn push(&mut self, entry: DirEntry<'_>) -> Fill {
        self.0.insert(entry.name.as_bytes().to_vec());
        Fill::More
    }
}

fn names_in(view: &Arc<MountView>, node: NodeId) -> HashSet<Vec<u8>> {
    let listed = call_apart(view, move |provider, call| {
        let open = OpenNode { node, handle: provider.opendir(call, node)?.handle };
        let mut names = Names::default();
        let listed = provider.readdir(call, open, 0, false, &mut names);
        provider.releasedir(open);
        listed.map(|()| names.0)
    });
    listed.unwrap_or_else(|error| {
        tracing::debug!(mount = %view.mount.path(), %error, "names in a directory stay cached");
        HashSet::new()
    })
}
