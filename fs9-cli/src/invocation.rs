//! By which name and in which shape the binary was called.
//!
//! Three callers do not know our subcommands: `mount(8)` runs `mount.fs9 SOURCE TARGET [-sfnv] [-N NS] [-o OPTIONS]
//! [-t TYPE]` (or `mount.fuse.fs9`, a link of that name) for `mount -t fs9` and `mount -t fuse.fs9`; `mount.fuse3(8)` runs
//! `fs9 SOURCE TARGET [-o OPTIONS]` through a shell where that link is missing.

use crate::fault::{Fault, Outcome};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// How the binary was called.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// As `fs9 COMMAND ...`.
    Command,
    /// By `mount(8)` or one of its helpers.
    MountHelper(HelperCall),
}

/// What `mount(8)` or `mount.fuse3(8)` asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct HelperCall {
    /// The first field of the fstab line.
    pub(crate) source: OsString,
    /// The second field.
    pub(crate) target: OsString,
    /// The options of all `-o`.
    pub(crate) options: String,
    /// `-f`: do everything but mount.
    pub(crate) is_fake: bool,
    /// `-s`: unknown options are no reason to fail.
    pub(crate) is_sloppy: bool,
    /// `mount.fuse3` adds `dev` and `suid` unless told otherwise, so that nobody may have asked for them.
    pub(crate) by_mount_fuse: bool,
}

/// Names under which `mount(8)` calls us.
const HELPER_NAMES: [&str; 2] = ["mount.fs9", "mount.fuse.fs9"];

/// Tells how the binary was called.
///
/// # Errors
/// A usage fault where `mount(8)`'s convention was not kept.
pub(crate) fn recognise(arguments: &[OsString], commands: &[String]) -> Outcome<Invocation> {
    let name = arguments.first().map(OsString::as_os_str).map(base_name).unwrap_or_default();
    let rest = arguments.get(1..).unwrap_or_default();
    if HELPER_NAMES.iter().any(|helper| name == *helper) {
        return helper_call(rest, false).map(Invocation::MountHelper);
    }
    let [first, second, ..] = rest else { return Ok(Invocation::Command) };
    let is_command = commands.iter().any(|command| first == command.as_str());
    let looks_like_flag = |word: &OsString| word.as_bytes().starts_with(b"-");
    if is_command || looks_like_flag(first) || looks_like_flag(second) {
        return Ok(Invocation::Command);
    }
    helper_call(rest, true).map(Invocation::MountHelper)
}

/// Returns what follows the last slash.
fn base_name(path: &OsStr) -> &OsStr {
    path.as_bytes().rsplit(|b| *b == b'/').next().map(OsStr::from_bytes).unwrap_or_default()
}

/// Reads `SOURCE TARGET [-sfnv] [-N NS] [-o OPTIONS] [-t TYPE]`.
fn helper_call(words: &[OsString], by_mount_fuse: bool) -> Outcome<HelperCall> {
    let mut call = HelperCall { by_mount_fuse, ..HelperCall::default() };
    let mut places = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(flags) = word.as_bytes().strip_prefix(b"-").filter(|flags| !flags.is_empty()) else {
            places.push(word.clone());
            continue;
        };
        for (at, flag) in flags.iter().enumerate() {
            match flag {
                b'f' => call.is_fake = true,
                b's' => call.is_sloppy = true,
                // Without mtab (-n) and talk (-v) we do all the time.
                b'n' | b'v' => {}
                b'o' | b't' | b'N' => {
                    let attached = flags.get(at + 1..).filter(|rest| !rest.is_empty()).map(OsStr::from_bytes);
                    let value = attached.or_else(|| words.next().map(OsString::as_os_str));
                    take_value(&mut call, *flag, value)?;
                    break;
                }
                other => {
                    let flag = char::from(*other);
                    return Err(Fault::usage(format!("mount helper: unknown flag -{flag}: see mount(8)")));
                }
            }
        }
    }
    let [source, target] = <[OsString; 2]>::try_from(places).map_err(|_| {
        Fault::usage("mount helper: usage: mount.fs9 SOURCE TARGET [-sfnv] [-o OPTIONS] [-t TYPE]")
    })?;
    Ok(HelperCall { source, target, ..call })
}

/// Takes the value of `-o`, `-t` or `-N`.
fn take_value(call: &mut HelperCall, flag: u8, value: Option<&OsStr>) -> Outcome<()> {
    let flag_name = char::from(flag);
    let value = value
        .ok_or_else(|| Fault::usage(format!("mount helper: -{flag_name} needs a value: see mount(8)")))?;
    match flag {
        b'o' => {
            let list = value.to_str().ok_or_else(|| Fault::usage("mount helper: options are not UTF-8"))?;
            if !call.options.is_empty() {
                call.options.push(',');
            }
            call.options.push_str(list);
            Ok(())
        }
        // It is the type by which mount(8) found us.
        b't' => Ok(()),
        _ => Err(Fault::usage(
            "mount helper: -N (mount in another namespace) is not supported: use nsenter(1)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{HelperCall, Invocation, recognise};
    use std::ffi::OsString;

    fn call(words: &[&str]) -> Option<HelperCall> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        match recognise(&words, &["mount".into(), "umount".into()]).unwrap() {
            Invocation::Command => None,
            Invocation::MountHelper(call) => Some(call),
        }
    }

    #[test]
    fn mount_calls_us_by_name() {
        let call =
            call(&["/sbin/mount.fs9", "/src", "/mnt", "-f", "-v", "-o", "ro,x-y", "-t", "fs9"]).unwrap();
        assert_eq!((call.source.to_str(), call.target.to_str()), (Some("/src"), Some("/mnt")));
        assert_eq!(call.options, "ro,x-y");
        assert!(call.is_fake && !call.is_sloppy && !call.by_mount_fuse);
    }

    #[test]
    fn flags_stand_together_and_options_add_up() {
        let call = call(&["mount.fuse.fs9", "-sn", "memory:", "-oro", "/mnt", "-o", "noatime"]).unwrap();
        assert_eq!(call.options, "ro,noatime");
        assert!(call.is_sloppy);
    }

    #[test]
    fn mount_fuse_calls_us_with_two_places() {
        assert!(call(&["fs9", "/src", "/mnt", "-o", "rw,dev,suid"]).unwrap().by_mount_fuse);
    }

    #[test]
    fn a_command_stays_a_command() {
        assert_eq!(call(&["fs9", "mount", "/src", "/mnt"]), None);
        assert_eq!(call(&["fs9", "--version"]), None);
        assert_eq!(call(&["fs9", "statsu"]), None);
        assert_eq!(call(&["fs9", "statsu", "--json"]), None);
    }

    #[test]
    fn an_incomplete_call_is_refused() {
        let words = ["mount.fs9", "/src"].map(OsString::from);
        recognise(&words, &[]).unwrap_err();
        let words = ["mount.fs9", "/src", "/mnt", "-o"].map(OsString::from);
        recognise(&words, &[]).unwrap_err();
    }
}
