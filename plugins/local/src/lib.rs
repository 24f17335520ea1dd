//! fs9 provider: a local directory.
//!
//! The directory's files come out of the mount as they are: same numbers, times, owners, permissions, attributes and
//! errors. Every operation is the descriptor of a directory and one name, resolved beneath it without following links,
//! so that nobody who rearranges the tree meanwhile leads it outside.
//!
//! Invariants: one inode has one node, whatever its names; descriptors are bounded, whatever is known or open; what is
//! made belongs to the caller (as root).
#![forbid(unsafe_code)]

mod attributes;
mod backing;
mod busy;
mod device;
mod evictions;
mod files;
mod freed;
mod handles;
mod identity;
mod ioctls;
mod listing;
mod locks;
mod names;
mod node;
mod open_files;
mod options;
mod provider;
mod resolve;
mod stat;
mod xattrs;

pub use options::{DescriptorBudget, LocalOptions};

use backing::Backing;
use busy::BusyDirectories;
use device::{Devices, ROOT_DEVICE};
use evictions::Evictions;
use fs9_sdk::{Capabilities, Execution, FileType, Result};
use locks::Locks;
use node::{Key, Node, NodeTable};
use open_files::OpenFiles;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open, openat};
use rustix::mount::{OpenTreeFlags, open_tree};
use stat::{Stat, refused};
use std::path::Path;
use std::sync::Arc;

/// Serves a local directory.
pub struct LocalProvider {
    backing: Backing,
    devices: Devices,
    root: Node,
    root_key: Key,
    nodes: NodeTable,
    files: OpenFiles,
    locks: Locks,
    evictions: Evictions,
    busy: BusyDirectories,
    options: LocalOptions,
    capabilities: Capabilities,
    /// Whether requests act as their callers.
    switching: bool,
    /// Keeps the view without mounts alive, where there is one.
    _bare_tree: Option<OwnedFd>,
}

impl LocalProvider {
    /// Opens a directory to be served. To be called in the process that will serve, after it has become a daemon:
    /// reopening goes through this process's `/proc/self/fd`.
    ///
    /// # Errors
    /// Those of opening the directory for reading.
    pub fn open(root: &Path, options: LocalOptions) -> Result<LocalProvider> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = open(root, flags, Mode::empty())
            .map_err(|errno| refused(errno).during("open").at(root.display()))?;
        let bare = if options.cross_devices { None } else { without_mounts(&descriptor) };
        let (descriptor, bare_tree) = bare.map_or((descriptor, None), |(dir, tree)| (dir, Some(tree)));
        let stat = Stat::of(&descriptor)?;
        let switching = fs9_sys::credentials::can_switch();
        let budget = options.descriptors.unwrap_or_else(DescriptorBudget::from_limit);
        let capabilities = Capabilities {
            execution: Execution::Inline,
            read_only: options.read_only,
            stable_ids: true,
            complete_changes: false,
            posix_acl: xattrs::keeps_acls(&descriptor),
            backing_descriptors: switching,
            locks: true,
            cache_lifetime: None,
        };
        let devices = Devices::new(&descriptor, &stat, options.file_handles);
        let root = Node {
            descriptor: Arc::new(descriptor),
            kind: FileType::Directory,
            device: ROOT_DEVICE,
            privileged: false,
        };
        Ok(LocalProvider {
            backing: Backing::new(options.cross_devices)?,
            devices,
            root,
            root_key: Key { device: ROOT_DEVICE, number: stat.number },
            nodes: NodeTable::new(budget.nodes),
            files: OpenFiles::new(budget.open),
            locks: Locks::default(),
            evictions: Evictions::default(),
            busy: BusyDirectories::default(),
            options,
            capabilities,
            switching,
            _bare_tree: bare_tree,
        })
    }

    /// Never enters the file system that is mounted at `mount_point`: looking it up is `ELOOP`, though it stays listed.
    /// For a mount of this very provider below its own directory, where entering would mean waiting for ourselves. To be
    /// called when it is mounted and before it is served.
    ///
    /// # Errors
    /// Those of looking at the mount point.
    pub fn exclude_mount(&self, mount_point: &Path) -> Result<()> {
        let mounted = open(mount_point, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| refused(errno).during("open").at(mount_point.display()))?;
        // The cached answer, since nobody serves the mount yet.
        self.backing.exclude(Stat::cached(&mounted)?.device);
        Ok(())
    }
}

/// Opens a directory as it is without the mounts below it: a private view, which takes `CAP_SYS_ADMIN`. In it mount
/// points are the plain directories that lie beneath. Without the privilege there is none, and mount points are refused.
fn without_mounts(dir: &OwnedFd) -> Option<(OwnedFd, OwnedFd)> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(dir, c"", flags).ok()?;
    let root =
        openat(&tree, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    Some((root, tree))
}

impl std::fmt::Debug for LocalProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalProvider").field("options", &self.options).finish_non_exhaustive()
    }
}
