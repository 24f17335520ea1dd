//! One mount: a provider in its layers, at a path.
//!
//! Invariant: `uses` holds the detached mark in its top bit and the number of uses below it; both change in one
//! atomic step, so that a use never begins on a mount that was already found unused and taken away.

use crate::{CallPool, Deadlines, MountId, MountOptions, OriginId, Statistics, VfsPath};
use fs9_sdk::{Capabilities, ErrorKind, NodeId, Provider, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The mark of a mount that is no longer in the table.
const DETACHED: u64 = 1 << 63;

/// What a mount shares with its binds: the provider, and what belongs to the provider as a whole.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) origin: OriginId,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) capabilities: Capabilities,
    pub(crate) pool: Option<Arc<CallPool>>,
    pub(crate) wait_pool: Arc<CallPool>,
    pub(crate) statistics: Arc<Statistics>,
    pub(crate) backing_withdrawn_by: Option<&'static str>,
}

/// A lookup of a provider's node, given back when dropped.
pub(crate) struct NodeHold {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) pool: Option<Arc<CallPool>>,
    pub(crate) node: NodeId,
}

impl Drop for NodeHold {
    fn drop(&mut self) {
        let (provider, node) = (Arc::clone(&self.provider), self.node);
        let Some(pool) = &self.pool else {
            provider.forget(node, 1);
            return;
        };
        // A provider that may block is called on its own threads only. If it has stopped taking calls, it keeps
        // one node too many in mind, and that is the least of its problems.
        if let Err(error) = pool.submit(Box::new(move || provider.forget(node, 1))) {
            tracing::debug!(%error, node = node.0, "a node could not be forgotten");
        }
    }
}

/// A provider with options at a path. It lives until the last use ends, also when it is no longer in the table.
pub struct Mount {
    id: MountId,
    path: VfsPath,
    root: NodeId,
    served: Served,
    options: MountOptions,
    deadlines: Deadlines,
    uses: AtomicU64,
    /// For a bind: keeps the node that it shows from being forgotten. Binds of one node share it.
    root_hold: Option<Arc<NodeHold>>,
}

impl Mount {
    pub(crate) fn new(
        id: MountId,
        path: VfsPath,
        served: Served,
        options: MountOptions,
        root_hold: Option<Arc<NodeHold>>,
    ) -> Mount {
        let deadlines = Deadlines::new(served.capabilities.execution, options.call_timeout)
            .with_waiting_reads(options.reads_wait);
        let root = root_hold.as_ref().map_or(NodeId::ROOT, |hold| hold.node);
        Mount { id, path, root, served, options, deadlines, uses: AtomicU64::new(0), root_hold }
    }

    pub(crate) fn served(&self) -> &Served {
        &self.served
    }

    pub(crate) fn root_hold(&self) -> Option<&Arc<NodeHold>> {
        self.root_hold.as_ref()
    }

    /// Returns the number of this mount.
    pub fn id(&self) -> MountId {
        self.id
    }

    /// Returns where it is, or was, mounted.
    pub fn path(&self) -> &VfsPath {
        &self.path
    }

    /// Returns the provider's node that is seen at the mount point. It needs no lookup and no forget.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// Returns the provider, in its layers.
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.served.provider
    }

    /// Returns what the provider can do, after its layers and the options; asked for once, at mounting.
    pub fn capabilities(&self) -> &Capabilities {
        &self.served.capabilities
    }

    /// Returns the options.
    pub fn options(&self) -> &MountOptions {
        &self.options
    }

    /// Returns the threads on which the provider is to be called, or `None` if it is called on the thread that took
    /// the request.
    pub fn pool(&self) -> Option<&Arc<CallPool>> {
        self.served.pool.as_ref()
    }

    /// Returns the threads for calls that wait by nature, also into a provider that is else called on the thread that
    /// took the request. They start when there is something to wait for.
    pub fn wait_pool(&self) -> &Arc<CallPool> {
        &self.served.wait_pool
    }

    /// Returns the time limits of calls.
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// Returns the counters of the provider; a bind shares them with its origin.
    pub fn statistics(&self) -> &Arc<Statistics> {
        &self.served.statistics
    }

    /// Returns which layer or option forbids to bypass the provider for reads and writes, if one does.
    pub fn backing_withdrawn_by(&self) -> Option<&'static str> {
        self.served.backing_withdrawn_by
    }

    /// Returns what is shown here; equal for binds of one mount. Objects of mounts with equal origin are one file
    /// system; across others, renames and links are `EXDEV`. (Between two binds, too: as in `rename(2)`, that is
    /// decided by the mount, not by what it shows.)
    pub fn origin(&self) -> OriginId {
        self.served.origin
    }

    /// Returns whether the mount was taken out of the table.
    pub fn is_detached(&self) -> bool {
        self.uses.load(Ordering::Acquire) & DETACHED != 0
    }

    /// Returns the number of uses that have begun and not ended.
    pub fn uses(&self) -> u64 {
        self.uses.load(Ordering::Acquire) & !DETACHED
    }

    /// Begins a use, such as an open file, that keeps the mount from being unmounted without `lazy`.
    ///
    /// # Errors
    /// `ENODEV` if the mount was taken out of the table.
    pub fn begin_use(self: &Arc<Mount>) -> Result<MountUse> {
        let step = |uses| if uses & DETACHED == 0 { Some(uses + 1) } else { None };
        match self.uses.fetch_update(Ordering::AcqRel, Ordering::Acquire, step) {
            Ok(_) => Ok(MountUse(Arc::clone(self))),
            Err(_) => Err(ErrorKind::NoSuchDevice.into()),
        }
    }

    /// Marks the mount as detached, unless it is in use. Returns whether it is detached now.
    pub(crate) fn detach_unused(&self) -> bool {
        self.uses.compare_exchange(0, DETACHED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Marks the mount as detached, in use or not.
    pub(crate) fn detach(&self) {
        self.uses.fetch_or(DETACHED, Ordering::AcqRel);
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount")
            .field("id", &self.id)
            .field("path", &self.path)
            .field("origin", &self.served.origin)
            .field("root", &self.root)
            .field("uses", &self.uses())
            .field("detached", &self.is_detached())
            .finish_non_exhaustive()
    }
}

/// A use of a mount; it ends when dropped.
#[derive(Debug)]
pub struct MountUse(Arc<Mount>);

impl MountUse {
    /// Returns the mount.
    pub fn mount(&self) -> &Arc<Mount> {
        &self.0
    }
}

impl Drop for MountUse {
    fn drop(&mut self) {
        let before = self.0.uses.fetch_sub(1, Ordering::AcqRel);
        assert!(before & !DETACHED > 0, "a use of mount {} ended twice", self.0.id);
    }
}
