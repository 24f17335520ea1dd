//! The table of options. Parsing, `--help`, the man page, the completions and the options' page of the documentation
//! all read it; nothing else knows an option's name.

use super::settings::{IoUring, Locks, LogFormat, LogTarget, LowLatency, Passthrough};
use super::spec::{Remount, Scope, Setter, Spec};
use tracing::level_filters::LevelFilter;

/// The most threads that answer the kernel: each has a buffer of 16 MiB of address space in the transport, and far fewer
/// keep a disk busy.
const THREADS_MAX: u32 = 64;

/// What the kernel takes: 16 bits.
const REQUEST_TIMEOUT_MAX: u32 = u16::MAX as u32;

/// Every option, in the order in which help shows them.
pub(crate) static TABLE: &[Spec] = &[
    Spec {
        name: "ro",
        setter: Setter::Flag(|s| s.read_only = true),
        scope: Scope::Each,
        remount: Remount::Kernel,
        providers: &[],
        help: "Nothing can be changed through the mount.",
    },
    Spec {
        name: "rw",
        setter: Setter::Flag(|s| s.read_only = false),
        scope: Scope::Each,
        remount: Remount::Kernel,
        providers: &[],
        help: "Files can be changed (default).",
    },
    Spec {
        name: "noatime",
        setter: Setter::Flag(|s| s.noatime = true),
        scope: Scope::Each,
        remount: Remount::Fixed,
        providers: &[],
        help: "Reading does not change access times.",
    },
    Spec {
        name: "atime",
        setter: Setter::Flag(|s| s.noatime = false),
        scope: Scope::Each,
        remount: Remount::Fixed,
        providers: &[],
        help: "It changes them as the provider does by itself (default).",
    },
    Spec {
        name: "relatime",
        setter: Setter::Flag(|s| s.noatime = false),
        scope: Scope::Each,
        remount: Remount::Fixed,
        providers: &[],
        help: "The same as atime.",
    },
    Spec {
        name: "allow_other",
        setter: Setter::Flag(|s| s.allow_other = true),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "Users other than the one who mounts may enter; ordinary users need user_allow_other in /etc/fuse.conf for it.",
    },
    Spec {
        name: "default_permissions",
        setter: Setter::Accepted,
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "The kernel checks permissions. Accepted; it is always on.",
    },
    Spec {
        name: "suid",
        setter: Setter::Flag(|s| s.suid = true),
        scope: Scope::Whole,
        remount: Remount::Kernel,
        providers: &[],
        help: "Set-user-id and set-group-id bits have their effect.",
    },
    Spec {
        name: "nosuid",
        setter: Setter::Flag(|s| s.suid = false),
        scope: Scope::Whole,
        remount: Remount::Kernel,
        providers: &[],
        help: "They have none (default).",
    },
    Spec {
        name: "dev",
        setter: Setter::Flag(|s| s.dev = true),
        scope: Scope::Whole,
        remount: Remount::Kernel,
        providers: &[],
        help: "Device nodes can be opened.",
    },
    Spec {
        name: "nodev",
        setter: Setter::Flag(|s| s.dev = false),
        scope: Scope::Whole,
        remount: Remount::Kernel,
        providers: &[],
        help: "They cannot (default).",
    },
    Spec {
        name: "exec",
        setter: Setter::Flag(|s| s.exec = true),
        scope: Scope::Whole,
        remount: Remount::Kernel,
        providers: &[],
        help: "Programs can be run (default).",
    },
    Spec {
        name: "noexec",
        setter: Setter::Flag(|s| s.exec = false),
        scope: Scope::Whole,
        remount: Remount::Kernel,
        providers: &[],
        help: "They cannot.",
    },
    Spec {
        name: "attr_timeout",
        setter: Setter::Seconds(|s, time| s.attr_timeout = Some(time)),
        scope: Scope::Each,
        remount: Remount::Live,
        providers: &[],
        help: "How long the kernel may keep attributes.",
    },
    Spec {
        name: "entry_timeout",
        setter: Setter::Seconds(|s, time| s.entry_timeout = Some(time)),
        scope: Scope::Each,
        remount: Remount::Live,
        providers: &[],
        help: "How long the kernel may keep names.",
    },
    Spec {
        name: "negative_timeout",
        setter: Setter::Seconds(|s, time| s.negative_timeout = Some(time)),
        scope: Scope::Whole,
        remount: Remount::Live,
        providers: &[],
        help: "How long the kernel may keep that a name is missing.",
    },
    Spec {
        name: "max_threads",
        setter: Setter::Count(THREADS_MAX, |s, count| s.threads_max = Some(count)),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "How many threads answer the kernel at most, up to 64 (default: 8).",
    },
    Spec {
        name: "writeback",
        setter: Setter::Flag(|s| s.writeback = true),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "The kernel collects writes before it sends them; without passthrough.",
    },
    Spec {
        name: "passthrough",
        setter: Setter::Choice(&[
            ("auto", |s| s.passthrough = Passthrough::Auto),
            ("off", |s| s.passthrough = Passthrough::Off),
        ]),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "Whether the kernel reads and writes the files of a local directory itself, without asking the daemon (auto: where it can).",
    },
    Spec {
        name: "io_uring",
        setter: Setter::Choice(&[
            ("auto", |s| s.io_uring = IoUring::Auto),
            ("on", |s| s.io_uring = IoUring::On),
            ("off", |s| s.io_uring = IoUring::Off),
        ]),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "Whether requests come by io_uring, with Linux 6.14 or later (auto: where /sys/module/fuse/parameters/enable_uring is on; on: it is turned on for the whole machine, which takes root).",
    },
    Spec {
        name: "request_timeout",
        setter: Setter::Count(REQUEST_TIMEOUT_MAX, |s, seconds| s.request_timeout_s = Some(seconds)),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "After how many seconds without an answer the kernel gives up the whole mount, with Linux 6.14 or later (default: never). Readers of .fs9/accesslog then do not wait for lines.",
    },
    Spec {
        name: "idmap",
        setter: Setter::Flag(|s| s.idmap = true),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "The mount may be mounted once more with users mapped to others, with Linux 6.12 or later; the daemon then learns only who makes something, and .fs9 is closed.",
    },
    Spec {
        name: "low_latency",
        setter: Setter::Choice(&[
            ("auto", |s| s.low_latency = LowLatency::Auto),
            ("on", |s| s.low_latency = LowLatency::On),
            ("off", |s| s.low_latency = LowLatency::Off),
        ]),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "Whether idle processors are kept awake while requests come quickly (by io_uring: while one client at a time sends them); takes root (auto: with 4 processors or fewer).",
    },
    Spec {
        name: "locks",
        setter: Setter::Choice(&[
            ("kernel", |s| s.locks = Locks::Kernel),
            ("provider", |s| s.locks = Locks::Provider),
        ]),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "Who keeps locks: the kernel, for users of this mount (default), or the provider, so that they hold against processes that use a local source itself.",
    },
    Spec {
        name: "nocontrol",
        setter: Setter::Flag(|s| s.control = false),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "There is no control directory .fs9.",
    },
    Spec {
        name: "xdev",
        setter: Setter::Flag(|s| s.xdev = true),
        scope: Scope::Each,
        remount: Remount::Fixed,
        providers: &["local"],
        help: "Other file systems below the source are not entered.",
    },
    Spec {
        name: "size",
        setter: Setter::Size(|s, size| s.size_bytes = Some(size)),
        scope: Scope::Each,
        remount: Remount::Fixed,
        providers: &["memory"],
        help: "How many bytes the memory may hold, such as 64k, 512M or 2G.",
    },
    Spec {
        name: "nr_inodes",
        setter: Setter::Size(|s, count| s.inodes_max = Some(count)),
        scope: Scope::Each,
        remount: Remount::Fixed,
        providers: &["memory"],
        help: "How many files and directories the memory may hold.",
    },
    Spec {
        name: "uid",
        setter: Setter::Id(|s, id| s.uid = Some(id)),
        scope: Scope::Each,
        remount: Remount::Fixed,
        providers: &["memory"],
        help: "The owner of the memory's root directory.",
    },
    Spec {
        name: "gid",
        setter: Setter::Id(|s, id| s.gid = Some(id)),
        scope: Scope::Each,
        remount: Remount::Fixed,
        providers: &["memory"],
        help: "The group of the memory's root directory.",
    },
    Spec {
        name: "mode",
        setter: Setter::Mode(|s, mode| s.mode = Some(mode)),
        scope: Scope::Each,
        remount: Remount::Fixed,
        providers: &["memory"],
        help: "The permissions of the memory's root directory, in octal.",
    },
    Spec {
        name: "fsname",
        setter: Setter::Text("NAME", |s, name| {
            s.fsname = Some(name.to_owned());
            Ok(())
        }),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "The source that mount and df show.",
    },
    Spec {
        name: "log_level",
        setter: Setter::Choice(&[
            ("off", |s| s.log_level = Some(LevelFilter::OFF)),
            ("error", |s| s.log_level = Some(LevelFilter::ERROR)),
            ("warn", |s| s.log_level = Some(LevelFilter::WARN)),
            ("info", |s| s.log_level = Some(LevelFilter::INFO)),
            ("debug", |s| s.log_level = Some(LevelFilter::DEBUG)),
            ("trace", |s| s.log_level = Some(LevelFilter::TRACE)),
        ]),
        scope: Scope::Whole,
        remount: Remount::Live,
        providers: &[],
        help: "Which log lines are written (default: info).",
    },
    Spec {
        name: "log_format",
        setter: Setter::Choice(&[
            ("text", |s| s.log_format = LogFormat::Text),
            ("json", |s| s.log_format = LogFormat::Json),
        ]),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "Whether a log line is text or a JSON object.",
    },
    Spec {
        name: "log",
        setter: Setter::Text("auto|stderr|syslog|journal|/FILE", |s, target| {
            s.log_target = match target {
                "auto" => LogTarget::Auto,
                "stderr" => LogTarget::Stderr,
                "syslog" => LogTarget::Syslog,
                "journal" => LogTarget::Journal,
                file if file.starts_with('/') => LogTarget::File(file.into()),
                other => {
                    return Err(format!(
                        "\"{other}\" is not one of auto, stderr, syslog, journal or an absolute path"
                    ));
                }
            };
            Ok(())
        }),
        scope: Scope::Whole,
        remount: Remount::Fixed,
        providers: &[],
        help: "Where log lines go (auto: standard error in the foreground, else the journal, else syslog).",
    },
    Spec {
        name: "remount",
        setter: Setter::Flag(|s| s.remount = true),
        scope: Scope::Whole,
        remount: Remount::Live,
        providers: &[],
        help: "Changes the options of an existing mount.",
    },
    accepted("defaults", "Nothing; for fstab lines without options."),
    accepted("auto", "For mount -a."),
    accepted("noauto", "For mount -a."),
    accepted("nofail", "For mount -a and systemd."),
    accepted("_netdev", "For mount -a and systemd: after the network."),
    accepted("user", "For mount(8)."),
    accepted("users", "For mount(8)."),
    accepted("nouser", "For mount(8)."),
    accepted("owner", "For mount(8)."),
    accepted("group", "For mount(8)."),
    accepted("async", "It is always so."),
    accepted("diratime", "The provider decides about access times."),
    accepted("nodiratime", "The provider decides about access times."),
    accepted("silent", "For mount(8)."),
    accepted("loud", "For mount(8)."),
    accepted("user_id", "The kernel shows it and mount(8) gives it back at a remount."),
    accepted("group_id", "The kernel shows it and mount(8) gives it back at a remount."),
    accepted("max_read", "The kernel shows it and mount(8) gives it back at a remount."),
    accepted("comment", "Anything, for people."),
    accepted("x-*", "For systemd and others."),
    accepted("X-*", "For mount(8)."),
];

/// Returns an option that is for others.
const fn accepted(name: &'static str, help: &'static str) -> Spec {
    Spec { name, setter: Setter::Accepted, scope: Scope::Whole, remount: Remount::Live, providers: &[], help }
}

#[cfg(test)]
mod tests {
    use super::TABLE;
    use std::collections::HashSet;

    #[test]
    fn no_name_answers_for_two_options() {
        let mut names = HashSet::new();
        for spec in TABLE {
            assert!(names.insert(spec.name), "{} twice", spec.name);
            let shadowing =
                TABLE.iter().filter(|other| other.answers_to(spec.name.trim_end_matches('*'))).count();
            assert_eq!(shadowing, 1, "{} is answered for twice", spec.name);
        }
    }

    #[test]
    fn every_option_is_explained_in_a_sentence() {
        for spec in TABLE {
            assert!(spec.help.ends_with('.') && spec.help.len() > 10, "{}: {}", spec.name, spec.help);
        }
    }
}
