//! The process that serves a mount, from mounting to the last close.
//!
//! Order: signals are taken, the log starts, the providers are opened, the kernel mounts, threads answer, a first request
//! is seen to be answered, and only then whoever waits is told. What fails before that leaves nothing mounted.
//!
//! The end: a signal refuses new opens and waits for what is open, 5 seconds at most, then unmounts. If the mount is busy, it is
//! detached, and served until the last close; a second signal aborts it.

mod ending;
mod notify;
mod report;
mod signals;

pub(crate) use report::Reporter;
pub(crate) use signals::EndingSignals;

use crate::assemble;
use crate::control::Control;
use crate::environment::Environment;
use crate::fault::{Fault, Outcome, Status};
use crate::logging;
use crate::options::{IoUring, Locks, LowLatency, Passthrough, Settings};
use crate::plan::Plan;
use crate::privileges;
use ending::{Ending, Served};
use fs9_core::control::{ControlOptions, ControlProvider};
use fs9_core::{MountOptions, Namespace, PlaceId};
use fs9_fuse::{FuseOptions, Session, SessionHandle};
use fs9_sdk::{Call, Caller, Name};
use rustix::process::{getegid, geteuid};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

/// Mounts a plan and serves it until it is unmounted.
///
/// # Errors
/// A fault: before the report, with nothing mounted; after it, for an end that was not clean.
pub(crate) fn serve(
    plan: &Plan,
    mountpoint: &Path,
    environment: &Environment,
    reporter: &mut Reporter,
) -> Outcome<()> {
    let place = mountpoint.display();
    fs9_sys::keep_large_allocations_apart();
    let signals = EndingSignals::take()
        .map_err(|error| Fault::new(Status::System, format!("mount: {place}: signals: {error}")))?;
    let level = logging::start(&plan.settings, environment, reporter.is_foreground())
        .map_err(|wrong| Fault::usage(format!("mount: {wrong}")))?;
    if let Err(error) = privileges::raise_open_files() {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
    let refused = |error: fs9_sdk::Error| Fault::mount(format!("mount: {place}: {error}"));
    let namespace = Namespace::new();
    let on_mounted = assemble::all(&namespace, plan, mountpoint)?;
    let session = Session::mount(Arc::clone(&namespace), mountpoint, fuse_options(plan))
        .map_err(|error| Fault::mount(format!("mount: {place}: {}", error.to_string().trim())))?;
    let handle = session.handle();
    for tell in on_mounted {
        tell(mountpoint).map_err(refused)?;
    }
    if plan.settings.control {
        let control = Control::new(Arc::downgrade(&namespace), handle.clone(), level, plan.settings.clone());
        // Where requests have a limit of time, none may wait for something to happen.
        let log_waits = plan.settings.request_timeout_s.is_none();
        mount_control(&namespace, control, &handle, log_waits).map_err(refused)?;
    }
    let way = if handle.has_rings() { "io_uring" } else { "/dev/fuse" };
    let served = Served::start(session, handle, mountpoint)
        .map_err(|error| Fault::new(Status::System, format!("mount: {place}: threads: {error}")))?;
    // The answer to this request is what "mounted" means.
    if let Err(errno) = rustix::fs::stat(mountpoint) {
        served.abort();
        return Err(Fault::mount(format!("mount: {place}: the mount does not answer: {errno}")));
    }
    if let Err(error) = reporter.ready() {
        served.abort();
        return Err(Fault::new(Status::Interrupted, format!("mount: {place}: nobody waits for it: {error}")));
    }
    tracing::info!("{} is mounted at {place}, requests come by {way}", plan.fsname);
    tell_systemd(environment, &format!("READY=1\nSTATUS={} is mounted at {place}", plan.fsname));
    let ending = served.wait(&signals, || tell_systemd(environment, "STOPPING=1"));
    tracing::info!("{place}: {ending}");
    match ending {
        Ending::Unmounted => Ok(()),
        Ending::Aborted => Err(Fault::new(Status::Interrupted, format!("{place}: aborted while busy"))),
    }
}

/// Mounts `.fs9`.
fn mount_control(
    namespace: &Arc<Namespace>,
    control: Control,
    handle: &SessionHandle,
    log_waits: bool,
) -> fs9_sdk::Result<()> {
    let options = ControlOptions {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        log_waits,
    };
    let provider = ControlProvider::new(namespace, options, Arc::new(control), handle.handle_report());
    let options = MountOptions {
        source: "fs9".to_owned(),
        provider: "control".to_owned(),
        hidden: true,
        reads_wait: log_waits,
        ..MountOptions::default()
    };
    warn_of_shadowed(namespace);
    namespace.mount(&assemble::control_path()?, Arc::new(provider), options).map(drop)
}

/// Says so if the root's provider has an entry where the control directory will be.
fn warn_of_shadowed(namespace: &Namespace) {
    let Ok(name) = Name::new(b".fs9") else { return };
    let Some(root) = namespace.table().mount_at(PlaceId::ROOT).cloned() else { return };
    if let Ok(entry) = root.provider().lookup(&Call::by(Caller::ROOT), root.root(), name) {
        tracing::warn!("{} has an entry .fs9: the control directory hides it", root.options().source);
        root.provider().forget(entry.node, 1);
    }
}

/// Returns what the frontend is told.
fn fuse_options(plan: &Plan) -> FuseOptions {
    let settings: &Settings = &plan.settings;
    FuseOptions {
        fsname: plan.fsname.clone(),
        read_only: settings.read_only,
        allow_other: settings.allow_other,
        suid: settings.suid,
        dev: settings.dev,
        exec: settings.exec,
        noatime: settings.noatime,
        attr_lifetime: settings.attr_timeout,
        entry_lifetime: settings.entry_timeout,
        negative_lifetime: settings.negative_timeout,
        max_threads: settings.threads_max.and_then(|count| usize::try_from(count).ok()),
        writeback: settings.writeback,
        passthrough: match settings.passthrough {
            Passthrough::Auto => fs9_fuse::Passthrough::Auto,
            Passthrough::Off => fs9_fuse::Passthrough::Off,
        },
        io_uring: match settings.io_uring {
            IoUring::Auto => fs9_fuse::IoUring::Auto,
            IoUring::On => fs9_fuse::IoUring::On,
            IoUring::Off => fs9_fuse::IoUring::Off,
        },
        low_latency: match settings.low_latency {
            LowLatency::Auto => fs9_fuse::LowLatency::Auto,
            LowLatency::On => fs9_fuse::LowLatency::On,
            LowLatency::Off => fs9_fuse::LowLatency::Off,
        },
        request_timeout: settings.request_timeout_s.and_then(|seconds| seconds.try_into().ok()),
        idmap: settings.idmap,
        locks: match settings.locks {
            Locks::Kernel => fs9_fuse::Locks::Kernel,
            Locks::Provider => fs9_fuse::Locks::Provider,
        },
        ..FuseOptions::default()
    }
}

/// Tells systemd, if it started us and wants to know.
fn tell_systemd(environment: &Environment, state: &str) {
    let Some(socket) = &environment.notify_socket else { return };
    if let Err(error) = notify::notify(OsStr::new(socket), state) {
        tracing::warn!("systemd does not hear us: {}: {error}", socket.display());
    }
}
