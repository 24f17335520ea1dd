//! From a plan to a namespace: opens the providers and mounts them where the plan says.

use crate::options::Settings;
use crate::plan::{Plan, PlannedMount};
use crate::providers::{self, OnMounted};
use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_sdk::{Error, Provider, Result};
use std::path::Path;
use std::sync::Arc;

/// Where the control directory is.
///
/// # Errors
/// None: the path is well formed.
pub(crate) fn control_path() -> Result<VfsPath> {
    VfsPath::parse(b"/.fs9")
}

/// Mounts all of a plan, and returns what the providers are to be told when the kernel has mounted.
///
/// # Errors
/// That of the first provider or bind that fails, with its path.
pub(crate) fn all(namespace: &Namespace, plan: &Plan) -> Result<Vec<OnMounted>> {
    assert!(plan.mounts.iter().any(|mount| mount.path.is_root()), "a plan says what the mount point shows");
    let mut on_mounted = Vec::new();
    // The root first: what is mounted below finds its parent.
    let mut mounts: Vec<&PlannedMount> = plan.mounts.iter().collect();
    mounts.sort_by_key(|mount| mount.path.components().count());
    for planned in mounts {
        let opened = providers::open(planned, &plan.settings)?;
        on_mounted.extend(opened.on_mounted);
        publish(namespace, planned, opened.provider)?;
    }
    for planned in &plan.binds {
        let bound = namespace.bind(&planned.source, &planned.target);
        bound.map_err(|error| Error::new(error.kind()).during("bind").at(&planned.target).because(error))?;
    }
    Ok(on_mounted)
}

/// Opens one provider and mounts it in a namespace that the kernel shows at `mountpoint`.
///
/// # Errors
/// What opening it meets; `EBUSY` if something is mounted there.
pub(crate) fn one(
    namespace: &Namespace,
    planned: &PlannedMount,
    whole: &Settings,
    mountpoint: &Path,
) -> Result<()> {
    providers::refuse_inside(planned, mountpoint)?;
    let opened = providers::open(planned, whole)?;
    if let Some(on_mounted) = opened.on_mounted {
        on_mounted(mountpoint)?;
    }
    publish(namespace, planned, opened.provider)
}

/// Makes a provider visible at its path.
fn publish(namespace: &Namespace, planned: &PlannedMount, provider: Arc<dyn Provider>) -> Result<()> {
    let options = MountOptions {
        source: planned.source.to_string(),
        provider: planned.source.provider.clone(),
        read_only: planned.settings.read_only,
        attr_lifetime: planned.settings.attr_timeout,
        entry_lifetime: planned.settings.entry_timeout,
        ..MountOptions::default()
    };
    namespace.mount(&planned.path, provider, options).map(drop)
}
