//! The commands that `.fs9/ctl` takes.
//!
//! `mount SOURCE PATH [OPTIONS]`, `unmount [-l] PATH`, `bind SRC DST`, `remount OPTIONS`. Paths are those of the mount, with
//! `/` for the mount point. Invariant: no command makes anything looser than it was mounted: what a `ro` mount shows
//! stays read-only, and nothing here can set suid or dev. A mount or bind that is ready when nobody waits for it any more
//! is not made.

mod words;

use crate::assemble;
use crate::fault::one_line;
use crate::logging::LogLevel;
use crate::options::{self, Remount, Settings};
use crate::plan::PlannedMount;
use crate::providers;
use crate::source::Source;
use fs9_core::control::Commands;
use fs9_core::{Namespace, VfsPath};
use fs9_fuse::{SessionHandle, WantedLifetimes};
use fs9_sdk::{Call, Error, ErrorKind, Result};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

/// Runs the commands of one mount.
pub(crate) struct Control {
    // Weak: the namespace holds the provider of `.fs9`, which holds this.
    namespace: Weak<Namespace>,
    session: SessionHandle,
    level: LogLevel,
    /// What the mount was given, and what remounts changed since.
    settings: Mutex<Settings>,
}

impl Control {
    /// Returns the commands of a mount.
    pub(crate) fn new(
        namespace: Weak<Namespace>,
        session: SessionHandle,
        level: LogLevel,
        settings: Settings,
    ) -> Control {
        Control { namespace, session, level, settings: Mutex::new(settings) }
    }

    fn mount(
        &self,
        call: &Call,
        source: &OsString,
        path: &OsString,
        list: Option<&OsString>,
    ) -> Result<String> {
        let mut settings = Settings::default();
        options::apply_each(&mut settings, &text(list)?).map_err(refused)?;
        let source = providers::resolve(Source::parse(source), &mut settings, None).map_err(refused)?;
        let planned = PlannedMount { path: changeable(path)?, source, settings, written: None };
        let namespace = self.namespace()?;
        assemble::one(&namespace, &planned, &self.whole(), &self.session.mount_point(), call)?;
        Ok(format!("mounted {} at {}", planned.source, planned.path))
    }

    fn unmount(&self, path: &OsString, is_lazy: bool) -> Result<String> {
        let path = changeable(path)?;
        self.namespace()?.unmount(&path, is_lazy)?;
        Ok(format!("unmounted {path}"))
    }

    fn bind(&self, call: &Call, source: &OsString, target: &OsString) -> Result<String> {
        let (source, target) = (VfsPath::parse(source.as_bytes())?, changeable(target)?);
        self.namespace()?.bind_for(&source, &target, call)?;
        Ok(format!("bound {source} at {target}"))
    }

    /// Changes options of the whole mount; one that cannot change may be repeated as it is.
    fn remount(&self, list: &OsString) -> Result<String> {
        let mut current = self.settings();
        let mut wanted = current.clone();
        for given in options::split(&text(Some(list))?) {
            let before = wanted.clone();
            given.apply(&mut wanted).map_err(refused)?;
            if wanted.has_effect_of(&before) {
                continue;
            }
            match given.spec().map_err(refused)?.remount {
                Remount::Live => {}
                Remount::Kernel => {
                    let why =
                        format!("option \"{given}\" is the kernel's: use mount -o remount,{given} as root");
                    return Err(Error::new(ErrorKind::NotPermitted).because(why));
                }
                Remount::Fixed => {
                    let why = format!("option \"{given}\" cannot change: unmount and mount anew");
                    return Err(Error::new(ErrorKind::InvalidArgument).because(why));
                }
            }
        }
        if let Some(level) = wanted.log_level {
            self.level.set(level).map_err(refused)?;
        }
        self.session.set_lifetimes(WantedLifetimes {
            attr: wanted.attr_timeout,
            entry: wanted.entry_timeout,
            negative: wanted.negative_timeout,
        });
        *current = wanted;
        Ok("remounted".to_owned())
    }

    fn namespace(&self) -> Result<std::sync::Arc<Namespace>> {
        self.namespace.upgrade().ok_or_else(|| Error::new(ErrorKind::NoSuchDevice))
    }

    /// Returns the options as they are now; no lock is held while a provider is opened with them.
    fn whole(&self) -> Settings {
        self.settings().clone()
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        // A panic while it was locked has left whole settings: they are replaced in one step.
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Commands for Control {
    fn run(&self, call: &Call, line: &[u8]) -> Result<String> {
        let words = words::split(line).map_err(refused)?;
        let done = match words.as_slice() {
            [] => Err(refused("no command".to_owned())),
            [command, rest @ ..] => match (command.as_bytes(), rest) {
                (b"mount", [source, path]) => self.mount(call, source, path, None),
                (b"mount", [source, path, list]) => self.mount(call, source, path, Some(list)),
                (b"unmount", [path]) => self.unmount(path, false),
                (b"unmount", [flag, path]) if flag == "-l" => self.unmount(path, true),
                (b"bind", [source, target]) => self.bind(call, source, target),
                (b"remount", [list]) => self.remount(list),
                (name, _) => Err(refused(usage(name))),
            },
        };
        let shown = one_line(&String::from_utf8_lossy(line));
        match &done {
            Ok(_) => tracing::info!(uid = call.caller.uid, "control: {shown}"),
            Err(error) => tracing::warn!(uid = call.caller.uid, "control: {shown}: {error}"),
        }
        done
    }
}

/// Returns how a command is to be written, or which there are.
fn usage(name: &[u8]) -> String {
    match name {
        b"mount" => "usage: mount SOURCE PATH [OPTIONS]".into(),
        b"unmount" => "usage: unmount [-l] PATH".into(),
        b"bind" => "usage: bind SOURCE-PATH TARGET-PATH".into(),
        b"remount" => "usage: remount OPTIONS".into(),
        other => {
            format!("unknown command \"{}\": known are mount, unmount, bind, remount", other.escape_ascii())
        }
    }
}

/// Reads a path whose mount may be changed: the root and `.fs9` live as long as the daemon.
fn changeable(path: &OsString) -> Result<VfsPath> {
    let path = VfsPath::parse(path.as_bytes())?;
    if path.is_root() || path.starts_with(&assemble::control_path()?) {
        return Err(Error::new(ErrorKind::Busy).at(path).because("it belongs to the mount itself"));
    }
    Ok(path)
}

/// Returns options as text.
fn text(list: Option<&OsString>) -> Result<String> {
    let Some(list) = list else { return Ok(String::new()) };
    list.to_str().map(str::to_owned).ok_or_else(|| refused("options are not UTF-8".to_owned()))
}

fn refused(why: String) -> Error {
    Error::new(ErrorKind::InvalidArgument).because(why)
}
