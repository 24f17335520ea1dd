//! `fs9 mount`: from words to a plan, and from a plan to a daemon that serves it.

use crate::command::MountArgs;
use crate::config;
use crate::daemon::{self, Reporter};
use crate::environment::Environment;
use crate::fault::{Fault, Outcome, Status, tell};
use crate::invocation::HelperCall;
use crate::mountpoint;
use crate::options::{self, LogTarget, Settings};
use crate::plan::{Plan, PlannedMount};
use crate::privileges;
use crate::providers;
use crate::remount;
use crate::source::Source;
use fs9_core::VfsPath;
use fs9_sys::{Detached, Outcome as Report};
use std::ffi::OsStr;
use std::path::Path;

/// Mounts what the command line says.
///
/// # Errors
/// A fault, with nothing mounted.
pub(crate) fn run(arguments: &MountArgs, environment: &Environment) -> Outcome<()> {
    let list = arguments.options.join(",");
    let (plan, target) = match (&arguments.config, arguments.places.as_slice()) {
        (None, [_, target]) if settings_of(&list)?.remount => return remount::run(Path::new(target), &list),
        (None, [target]) if settings_of(&list)?.remount => return remount::run(Path::new(target), &list),
        (None, [source, target]) => (single(source, &list)?, target),
        (Some(file), [target]) => (config::read(file, &arguments.options)?, target),
        (None, _) => return Err(Fault::usage("mount: give SOURCE and MOUNTPOINT: see fs9 mount --help")),
        (Some(_), _) => {
            return Err(Fault::usage(
                "mount: give only MOUNTPOINT with --config: the sources are in the file",
            ));
        }
    };
    start(plan, Path::new(target), environment, arguments.foreground)
}

/// Mounts what `mount(8)` or `mount.fuse3(8)` asks for.
///
/// # Errors
/// A fault, with nothing mounted.
pub(crate) fn run_helper(call: &HelperCall, environment: &Environment) -> Outcome<()> {
    let list = if call.is_sloppy { known_only(&call.options) } else { call.options.clone() };
    let target = Path::new(&call.target);
    if settings_of(&list)?.remount {
        // mount.fuse3 adds `dev` and `suid` to whatever it was given: at a remount that is nobody's wish.
        let noise = ["dev", "suid"].map(str::to_owned);
        let is_noise = |given: &options::Given| call.by_mount_fuse && noise.contains(&given.to_string());
        let kept = options::split(&list).into_iter().filter(|given| !is_noise(given));
        return remount::run(target, &kept.map(|given| given.to_string()).collect::<Vec<_>>().join(","));
    }
    let plan = single(&call.source, &list)?;
    if call.is_fake {
        return Ok(());
    }
    start(plan, target, environment, false)
}

/// Returns what options amount to.
fn settings_of(list: &str) -> Outcome<Settings> {
    let mut settings = Settings::default();
    options::apply_list(&mut settings, list).map_err(|wrong| Fault::usage(format!("mount: {wrong}")))?;
    Ok(settings)
}

/// Leaves out the options that nobody knows.
fn known_only(list: &str) -> String {
    let known = options::split(list).into_iter().filter(|given| given.spec().is_ok());
    known.map(|given| given.to_string()).collect::<Vec<_>>().join(",")
}

/// Plans one provider at the root.
fn single(source: &OsStr, list: &str) -> Outcome<Plan> {
    let mut settings = settings_of(list)?;
    // A working directory that is gone matters only to a relative source, which is refused then.
    let here = std::env::current_dir().ok();
    let resolved = providers::resolve(Source::parse(source), &mut settings, here.as_deref());
    let source = resolved.map_err(|wrong| Fault::mount(format!("mount: {wrong}")))?;
    let fsname = settings.fsname.clone().unwrap_or_else(|| source.to_string());
    // `ro` of the whole mount is the kernel's flag alone, and lifetimes are the frontend's, so that a remount can change
    // them.
    let each = Settings { read_only: false, attr_timeout: None, entry_timeout: None, ..settings.clone() };
    let mounts = vec![PlannedMount { path: VfsPath::root(), source, settings: each, written: None }];
    Ok(Plan { fsname, settings, mounts, binds: Vec::new() })
}

/// Checks the mount point, forks unless told otherwise, and serves.
fn start(plan: Plan, target: &Path, environment: &Environment, is_foreground: bool) -> Outcome<()> {
    let mountpoint = mountpoint::check(target)?;
    privileges::check_user(&plan.settings)?;
    if is_foreground {
        return daemon::serve(&plan, &mountpoint, environment, &mut Reporter::foreground());
    }
    if plan.settings.log_target == LogTarget::Stderr {
        return Err(Fault::usage("mount: log=stderr: a daemon has no standard error: give -f as well"));
    }
    let detached = fs9_sys::detach()
        .map_err(|error| Fault::new(Status::System, format!("mount: the daemon does not start: {error}")))?;
    match detached {
        Detached::Parent(waiter) => match waiter.wait() {
            Ok(Report::Ready) => Ok(()),
            Ok(Report::Failed(status)) => {
                Err(Fault::told(Status::from_number(status).unwrap_or(Status::Internal)))
            }
            Ok(Report::Died) => Err(Fault::new(
                Status::Internal,
                format!("mount: {}: the daemon ended before the mount answered", mountpoint.display()),
            )),
            Err(error) => {
                Err(Fault::new(Status::System, format!("mount: no report from the daemon: {error}")))
            }
        },
        Detached::Daemon(pipe) => {
            let mut reporter = Reporter::to_parent(pipe);
            let served = daemon::serve(&plan, &mountpoint, environment, &mut reporter);
            // What goes wrong after the report is in the log: nobody waits for it.
            served.map_err(|fault| {
                if reporter.give_up(&fault) {
                    tell(&fault.to_string())
                }
                Fault::told(fault.status())
            })
        }
    }
}
