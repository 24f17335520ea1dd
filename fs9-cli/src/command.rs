//! The command line: what `fs9` takes. Help, man pages and completions are made from these definitions.

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What the page of `fs9 mount` says before the options.
const MOUNT_ABOUT: &str = "Mount a source, or all that a configuration file says.

SOURCE is a directory, local:DIRECTORY, or memory: (also memory:size=64M). The command returns when the mount has \
answered its first request; from then on a daemon serves it. SIGTERM, SIGINT and SIGHUP make the daemon refuse new \
opens, wait 5 seconds for what is open, and unmount; a busy mount is then detached and served until the last close. A \
second signal cuts it off.

Only the one who mounts may enter, not even root a user's mount, unless allow_other is given. Permissions are always \
checked by the kernel. Mounted by root, files are made with the identity of the one who asks.

An ordinary user mounts through fusermount3 and with these limits: all is done with that user's rights, so that new \
files belong to that user, whoever asks; suid, dev and, without user_allow_other in /etc/fuse.conf, allow_other are \
refused; files are read and written by the daemon (no passthrough); and a directory that is renamed behind the mount may \
have to be looked up anew (no file handles).

Exit status, as of mount(8): 0 mounted, 1 wrong invocation or no permission, 2 the system refused, 4 a bug, 8 \
interrupted, 32 nothing was mounted.";

/// What the page of `fs9 umount` says before the options.
const UMOUNT_ABOUT: &str = "Unmount a mount point.

A busy mount is left as it is, and the processes that hold it are named: as far as they can be seen, those of other users \
only by root.

Exit status, as of umount(8): 0 unmounted, 1 wrong invocation, 32 not unmounted, 64 some of several were unmounted.";

/// What the page of `fs9 doctor` says before the options.
const DOCTOR_ABOUT: &str = "Tell what this machine offers to a mount, what is off and how to turn it on.

One finding a line: ok, off (a mount works without it) or problem, then what it is about, what was found, and what to do. \
It changes nothing. As root it also asks the kernel what it offers; how a feature is known is said where there are several \
ways. Mounts of fs9 whose daemon is gone or hangs are named, with how to clear them.

Exit status: 0 a mount would work, 1 something stops mounting (the last line names it), 2 the system refused, 4 a bug.";

/// What the page of `fs9 top` says before the options.
const TOP_ABOUT: &str = "Show what a mount does, anew every few seconds.

Of each provider: how it is run, its threads, the calls that wait for one, and how many calls a second it was asked, took \
over 10 s, timed out or were refused. Of each operation: calls and errors a second, the mean latency of these calls, how much \
of the time calls were under way (above 100 % several were at once), and the median and 99th percentile of all calls since \
the mount was made. What the kernel does by itself, from its caches or by passthrough, is not seen.

The first page comes after one interval. Ctrl-C ends it, and so does the end of the mount. Exit status: 0, or as of mount(8).";

/// Mounts directories, memory and more at one mount point.
#[derive(Debug, Parser)]
#[command(
    name = "fs9",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = false,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `fs9` can be told to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Mount a source, or all that a configuration file says.
    #[command(long_about = MOUNT_ABOUT)]
    Mount(MountArgs),
    /// Unmount a mount point.
    #[command(long_about = UMOUNT_ABOUT)]
    Umount(UmountArgs),
    /// Show all mounts of fs9, or the one at a mount point.
    Status(StatusArgs),
    /// Show what a mount does, anew every few seconds.
    #[command(long_about = TOP_ABOUT)]
    Top(TopArgs),
    /// Tell what this machine offers to a mount and what is off.
    #[command(long_about = DOCTOR_ABOUT)]
    Doctor(DoctorArgs),
    /// Write the completions of a shell to standard output.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the man pages into a directory, for packagers.
    #[command(hide = true)]
    Man(ManArgs),
}

/// What `fs9 mount` takes.
#[derive(Args, Debug)]
#[command(
    after_help = crate::options::help_text(),
    override_usage = "fs9 mount [-f] [-o OPTIONS] SOURCE MOUNTPOINT\n       fs9 mount [-f] [-o OPTIONS] --config FILE MOUNTPOINT"
)]
pub(crate) struct MountArgs {
    /// Stay in the foreground, with the log on standard error.
    #[arg(short, long)]
    pub(crate) foreground: bool,
    /// Options, separated by commas (see below).
    #[arg(short, long = "options", value_name = "OPTIONS")]
    pub(crate) options: Vec<String>,
    /// Mount several providers as this file says.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// What to mount, then where: a directory, local:PATH or memory:, and the mount point.
    #[arg(value_name = "SOURCE MOUNTPOINT", num_args = 1..=2, required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) places: Vec<OsString>,
}

/// What `fs9 umount` takes.
#[derive(Args, Debug)]
pub(crate) struct UmountArgs {
    /// Detach at once, even if busy; open files are served until they are closed.
    #[arg(short, long)]
    pub(crate) lazy: bool,
    /// Where it is mounted; of several, each that can is unmounted.
    #[arg(value_name = "MOUNTPOINT", value_hint = ValueHint::DirPath, required = true)]
    pub(crate) mountpoints: Vec<PathBuf>,
}

/// What `fs9 status` takes.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Write one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only the mount at this place.
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) mountpoint: Option<PathBuf>,
    /// Only ask the mount at this place, and write its record.
    #[arg(long, hide = true, conflicts_with_all = ["json", "mountpoint"])]
    pub(crate) ask: Option<PathBuf>,
}

/// What `fs9 top` takes.
#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// Write one page after another, as when the output is no terminal.
    #[arg(short, long)]
    pub(crate) batch: bool,
    /// From one page to the next, 0.1 to 3600.
    #[arg(short, long, value_name = "SECONDS", default_value = "2", value_parser = interval)]
    pub(crate) delay: Duration,
    /// End after so many pages.
    #[arg(short = 'n', long, value_name = "PAGES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) iterations: Option<u64>,
    /// The mount; it can be left out if there is only one.
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) mountpoint: Option<PathBuf>,
}

/// Reads seconds with or without a fraction.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "give seconds, such as 2 or 0.5".to_owned())?;
    if !(0.1..=3600.0).contains(&seconds) {
        return Err("give 0.1 to 3600 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// What `fs9 doctor` takes.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Write one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only ask the mount at this place, and tell the errno as exit status.
    #[arg(long, hide = true, value_name = "MOUNTPOINT")]
    pub(crate) ask: Option<PathBuf>,
}

/// What `fs9 man` takes.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Write the options' page of the documentation to this file instead.
    #[arg(long, value_name = "FILE", conflicts_with = "directory")]
    pub(crate) options: Option<PathBuf>,
    /// Where to write the man pages.
    #[arg(required_unless_present = "options")]
    pub(crate) directory: Option<PathBuf>,
}

/// Returns the definitions of the whole command line.
pub(crate) fn definitions() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_definitions_of_the_command_line_are_consistent() {
        super::definitions().debug_assert();
    }

    #[test]
    fn an_interval_is_some_time_between_a_blink_and_an_hour() {
        assert_eq!(super::interval("0.5"), Ok(std::time::Duration::from_millis(500)));
        for wrong in ["0", "-1", "0.01", "3601", "nan", "inf", "1e99", "x", ""] {
            super::interval(wrong).unwrap_err();
        }
    }
}
