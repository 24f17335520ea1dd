//! From a plan to a namespace: opens the providers and mounts them where the plan says.

use crate::fault::{Fault, Outcome};
use crate::options::{Locks, Settings};
use crate::plan::{Plan, PlannedBind, PlannedMount};
use crate::providers::{self, OnMounted};
use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_sdk::{Call, Caller, Error, ErrorKind, Provider, Result};
use std::path::Path;
use std::sync::Arc;

/// Where the control directory is.
///
/// # Errors
/// None: the path is well formed.
pub(crate) fn control_path() -> Result<VfsPath> {
    VfsPath::parse(b"/.fs9")
}

/// Mounts all of a plan, and returns what the providers are to be told when the kernel has mounted at `mountpoint`.
///
/// # Errors
/// That of the first provider or bind that fails, with where it stands in the configuration file, if it does.
pub(crate) fn all(namespace: &Namespace, plan: &Plan, mountpoint: &Path) -> Outcome<Vec<OnMounted>> {
    assert!(plan.mounts.iter().any(|mount| mount.path.is_root()), "a plan says what the mount point shows");
    let refused = |place: Option<&String>, error: &Error| match place {
        Some(place) => Fault::mount(format!("mount: {place}: {error}")),
        None => Fault::mount(format!("mount: {}: {error}", mountpoint.display())),
    };
    let call = Call::by(Caller::ROOT);
    let mut on_mounted = Vec::new();
    // The root first: what is mounted below finds its parent.
    let mut mounts: Vec<&PlannedMount> = plan.mounts.iter().collect();
    mounts.sort_by_key(|mount| mount.path.components().count());
    for planned in mounts {
        let written = planned.written.as_ref();
        let opened = providers::open(planned, &plan.settings)
            .map_err(|error| refused(written.map(|written| &written.source), &error))?;
        on_mounted.extend(opened.on_mounted);
        publish(namespace, planned, &plan.settings, opened.provider, &call)
            .map_err(|error| refused(written.map(|written| &written.target), &error))?;
    }
    for PlannedBind { source, target, written } in &plan.binds {
        namespace.bind(source, target).map_err(|error| {
            let is_source = error.place() == Some(&*source.to_string());
            refused(Some(if is_source { &written.source } else { &written.target }), &error)
        })?;
    }
    Ok(on_mounted)
}

/// Opens one provider and mounts it in a namespace that the kernel shows at `mountpoint`.
///
/// # Errors
/// What opening it meets; `EBUSY` if something is mounted there; `ETIMEDOUT` or `EINTR` if `call` has lapsed when it is ready.
pub(crate) fn one(
    namespace: &Namespace,
    planned: &PlannedMount,
    whole: &Settings,
    mountpoint: &Path,
    call: &Call,
) -> Result<()> {
    providers::refuse_inside(planned, mountpoint)?;
    let opened = providers::open(planned, whole)?;
    if let Some(on_mounted) = opened.on_mounted {
        on_mounted(mountpoint)?;
    }
    publish(namespace, planned, whole, opened.provider, call)
}

/// Makes a provider visible at its path.
fn publish(
    namespace: &Namespace,
    planned: &PlannedMount,
    whole: &Settings,
    provider: Arc<dyn Provider>,
    call: &Call,
) -> Result<()> {
    if whole.locks == Locks::Provider && !provider.capabilities().locks {
        let reason = "option \"locks=provider\": this provider keeps no locks";
        return Err(Error::new(ErrorKind::NotSupported).during("mount").at(&planned.path).because(reason));
    }
    let options = MountOptions {
        source: planned.source.to_string(),
        provider: planned.source.provider.clone(),
        read_only: planned.settings.read_only,
        attr_lifetime: planned.settings.attr_timeout,
        entry_lifetime: planned.settings.entry_timeout,
        ..MountOptions::default()
    };
    namespace.mount_for(&planned.path, provider, options, call).map(drop)
}

#[cfg(test)]
mod tests {
    use super::publish;
    use crate::options::{Locks, Settings};
    use crate::plan::PlannedMount;
    use crate::source::Source;
    use fs9_core::layers::{Intent, Interceptor, Layered};
    use fs9_core::{Namespace, VfsPath};
    use fs9_memory::{MemoryOptions, MemoryProvider};
    use fs9_sdk::{Call, Caller, Capabilities, ErrorKind, Provider, Result};
    use std::sync::Arc;

    struct Lockless;

    impl Interceptor for Lockless {
        fn call<T>(&self, _: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
            forward()
        }

        fn capabilities(&self, inner: Capabilities) -> Capabilities {
            Capabilities { locks: false, ..inner }
        }
    }

    #[test]
    fn locks_of_the_provider_need_one_that_keeps_locks() {
        let memory: Arc<dyn Provider> = Arc::new(MemoryProvider::new(MemoryOptions::default()).unwrap());
        let lockless: Arc<dyn Provider> = Arc::new(Layered::new(Arc::clone(&memory), Lockless));
        let planned = PlannedMount {
            path: VfsPath::root(),
            source: Source::parse(std::ffi::OsStr::new("memory:")),
            settings: Settings::default(),
            written: None,
        };
        let try_it = |locks, provider: &Arc<dyn Provider>| {
            let whole = Settings { locks, ..Settings::default() };
            publish(&Namespace::new(), &planned, &whole, Arc::clone(provider), &Call::by(Caller::ROOT))
        };
        try_it(Locks::Provider, &memory).unwrap();
        try_it(Locks::Kernel, &lockless).unwrap();
        let refused = try_it(Locks::Provider, &lockless).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotSupported);
        assert!(refused.to_string().contains("locks=provider"), "{refused}");
    }
}
