//! The providers that this binary knows, and how a source becomes one of them.

use crate::options::{self, Settings};
use crate::plan::PlannedMount;
use crate::source::Source;
use fs9_local::{LocalOptions, LocalProvider};
use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_sdk::{Error, ErrorKind, Provider, Result};
use rustix::process::{getegid, geteuid};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

/// A provider that was opened.
pub(crate) struct Opened {
    /// The provider.
    pub(crate) provider: Arc<dyn Provider>,
    /// What it has to be told once the kernel has mounted, and before anybody waits for an answer of it.
    pub(crate) on_mounted: Option<OnMounted>,
}

/// Tells a provider where the kernel has mounted it, because its source may contain that place.
pub(crate) type OnMounted = Box<dyn FnOnce(&Path) -> Result<()>>;

/// Finishes a source: its argument's path is made absolute, or its argument's options are added to `settings`.
type Resolve = fn(&mut Source, &mut Settings, Option<&Path>) -> std::result::Result<(), String>;

/// Opens a provider.
type Open = fn(&PlannedMount, &Settings) -> Result<Opened>;

/// A provider that this binary knows.
struct Kind {
    name: &'static str,
    resolve: Resolve,
    open: Open,
}

static KINDS: [Kind; 2] = [
    Kind { name: "local", resolve: resolve_local, open: open_local },
    Kind { name: "memory", resolve: resolve_memory, open: open_memory },
];

/// Finds a provider by name.
fn kind(name: &str) -> std::result::Result<&'static Kind, String> {
    KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        format!(
            "unknown provider \"{name}\": known are {}; a path with a colon begins with ./ or /",
            known.join(", ")
        )
    })
}

/// Checks a source and its options, and returns the source as it is used and shown. Relative paths are of `base`; where
/// there is none they are refused.
///
/// # Errors
/// A sentence that names what is wrong.
pub(crate) fn resolve(
    mut source: Source,
    settings: &mut Settings,
    base: Option<&Path>,
) -> std::result::Result<Source, String> {
    let kind = kind(&source.provider)?;
    options::check_provider(settings, kind.name)?;
    (kind.resolve)(&mut source, settings, base)?;
    Ok(source)
}

/// Opens the provider of a plan.
///
/// # Errors
/// What the provider meets, with the source.
pub(crate) fn open(planned: &PlannedMount, whole: &Settings) -> Result<Opened> {
    let kind = kind(&planned.source.provider)
        .map_err(|wrong| Error::new(ErrorKind::InvalidArgument).because(wrong))?;
    (kind.open)(planned, whole)
}

/// Refuses a source that lies in the mount that is to show it: the daemon would wait for itself.
///
/// # Errors
/// `ELOOP`; what looking at the source meets.
pub(crate) fn refuse_inside(planned: &PlannedMount, mountpoint: &Path) -> Result<()> {
    if planned.source.provider != "local" {
        return Ok(());
    }
    let source = Path::new(&planned.source.argument);
    if source.metadata()?.dev() == mountpoint.metadata()?.dev() {
        let why = "it lies in this very mount: use bind";
        return Err(Error::new(ErrorKind::TooManySymlinks).at(source.display()).because(why));
    }
    Ok(())
}

/// A directory: made absolute, and looked at, so that what is missing is told before anything starts.
fn resolve_local(
    source: &mut Source,
    _: &mut Settings,
    base: Option<&Path>,
) -> std::result::Result<(), String> {
    if source.argument.is_empty() {
        return Err("local: no directory: write local:PATH or the path alone".into());
    }
    let given = Path::new(&source.argument);
    let path = match base {
        Some(base) => base.join(given),
        None if given.is_absolute() => given.to_owned(),
        None => {
            return Err(format!(
                "{}: not an absolute path: the daemon has no working directory",
                given.display()
            ));
        }
    };
    let place = path.display();
    let listing = std::fs::read_dir(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{place}: the source does not exist: check the path"),
        std::io::ErrorKind::NotADirectory => {
            format!("{place}: the source is not a directory: choose a directory")
        }
        std::io::ErrorKind::PermissionDenied => {
            format!("{place}: the source cannot be read: permission denied: check its mode and owner")
        }
        _ => format!("{place}: the source cannot be read: {error}"),
    });
    listing.map(drop)?;
    source.argument = path.canonicalize().unwrap_or(path).into_os_string();
    Ok(())
}

/// Nothing, or options: `memory:size=64M,mode=1777`.
fn resolve_memory(
    source: &mut Source,
    settings: &mut Settings,
    _: Option<&Path>,
) -> std::result::Result<(), String> {
    let list = source.argument.to_str().ok_or("memory: options are not UTF-8")?;
    options::apply_each(settings, list).map_err(|wrong| format!("memory: {wrong}"))?;
    options::check_provider(settings, "memory")
}

fn open_local(planned: &PlannedMount, whole: &Settings) -> Result<Opened> {
    let path = Path::new(&planned.source.argument);
    let options = LocalOptions {
        cross_devices: !planned.settings.xdev,
        noatime: planned.settings.noatime || whole.noatime,
        read_only: planned.settings.read_only,
        writeback: whole.writeback,
        ..LocalOptions::default()
    };
    let provider = Arc::new(LocalProvider::open(path, options)?);
    let local = Arc::clone(&provider);
    let on_mounted: OnMounted = Box::new(move |mountpoint| local.exclude_mount(mountpoint));
    Ok(Opened { provider, on_mounted: Some(on_mounted) })
}

fn open_memory(planned: &PlannedMount, whole: &Settings) -> Result<Opened> {
    let settings = &planned.settings;
    let defaults = MemoryOptions::default();
    let options = MemoryOptions {
        size_max: settings.size_bytes.unwrap_or(defaults.size_max),
        inodes_max: settings.inodes_max,
        root_permissions: settings
            .mode
            .and_then(|mode| u16::try_from(mode).ok())
            .unwrap_or(defaults.root_permissions),
        root_uid: settings.uid.unwrap_or(geteuid().as_raw()),
        root_gid: settings.gid.unwrap_or(getegid().as_raw()),
        noatime: settings.noatime || whole.noatime,
        after_freeing: Some(fs9_sys::return_free_memory),
    };
    Ok(Opened { provider: Arc::new(MemoryProvider::new(options)?), on_mounted: None })
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::options::Settings;
    use crate::source::Source;
    use std::ffi::OsStr;
    use std::path::Path;

    fn resolved(text: &str, base: Option<&str>) -> Result<(Source, Settings), String> {
        let mut settings = Settings::default();
        let source = resolve(Source::parse(OsStr::new(text)), &mut settings, base.map(Path::new))?;
        Ok((source, settings))
    }

    #[test]
    fn an_unknown_provider_is_told_with_those_that_are_known() {
        let message = resolved("s3:bucket", None).unwrap_err();
        assert!(message.starts_with("unknown provider \"s3\": known are local, memory"), "{message}");
    }

    #[test]
    fn the_argument_of_a_memory_is_its_options() {
        let (_, settings) = resolved("memory:size=64M,mode=1777", None).unwrap();
        assert_eq!((settings.size_bytes, settings.mode), (Some(64 << 20), Some(0o1777)));
        assert!(resolved("memory:xdev", None).unwrap_err().contains("is for local, not for memory"));
        assert!(resolved("memory:suid", None).unwrap_err().contains("for the whole mount"));
    }

    #[test]
    fn a_directory_is_looked_at_and_made_absolute() {
        let here = env!("CARGO_MANIFEST_DIR");
        let (source, _) = resolved("src", Some(here)).unwrap();
        assert_eq!(Path::new(&source.argument), Path::new(here).join("src").canonicalize().unwrap());
        assert!(resolved("src/main.rs", Some(here)).unwrap_err().contains("not a directory"));
        assert!(resolved("nothing", Some(here)).unwrap_err().contains("does not exist"));
        assert!(resolved("src", None).unwrap_err().contains("not an absolute path"));
    }
}
