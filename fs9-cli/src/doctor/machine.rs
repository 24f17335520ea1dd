//! Where the doctor looks: the files of the machine, below a root of their own in tests.
//!
//! Invariant: everything is opened for reading only, except the FUSE device, where opening alone has no effect.

use rustix::fs::Access;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The machine, as one process of it sees it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    root: PathBuf,
    /// Whether this process is root's.
    pub(super) is_root: bool,
    /// The directories of `PATH`.
    search: Vec<PathBuf>,
}

/// The kernel's version: release and patch level (`uname(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

/// The configuration that the kernel was built with.
#[derive(Debug)]
pub(super) struct Config {
    /// Where it was found.
    pub(super) place: String,
    text: String,
}

impl Config {
    /// Tells whether an option is built in or a module; what is not named is off.
    pub(super) fn has(&self, option: &str) -> bool {
        let value = |line: &str| line.strip_prefix(option)?.strip_prefix('=').map(str::to_owned);
        self.text.lines().find_map(value).is_some_and(|value| value == "y" || value == "m")
    }
}

impl Machine {
    /// Returns a machine whose files lie below a root.
    pub(super) fn new(root: &Path, is_root: bool, search: Vec<PathBuf>) -> Machine {
        Machine { root: root.to_owned(), is_root, search }
    }

    /// Returns where a file of the machine is.
    pub(super) fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// Reads a file of one line or more, without the blanks around it.
    pub(super) fn text(&self, absolute: &str) -> Option<String> {
        let bytes = fs::read(self.path(absolute)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// Reads a file with a number.
    pub(super) fn number(&self, absolute: &str) -> Option<u64> {
        self.text(absolute)?.parse().ok()
    }

    /// Tells whether a file is there.
    pub(super) fn has(&self, absolute: &str) -> bool {
        self.path(absolute).exists()
    }

    /// Tells whether this process may write to a file, without opening it.
    pub(super) fn may_write(&self, absolute: &str) -> bool {
        rustix::fs::access(self.path(absolute), Access::WRITE_OK).is_ok()
    }

    /// Opens a device for reading and writing.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn open(&self, absolute: &str) -> io::Result<File> {
        File::options().read(true).write(true).open(self.path(absolute))
    }

    /// Finds a program and tells its path and whether it runs as root, whoever starts it.
    pub(super) fn program(&self, name: &str) -> Option<(PathBuf, bool)> {
        const SET_USER_ID: u32 = 0o4000;
        self.search.iter().find_map(|directory| {
            let path = directory.join(name);
            let metadata = fs::metadata(self.path(path.to_str()?)).ok().filter(fs::Metadata::is_file)?;
            Some((path, metadata.mode() & SET_USER_ID != 0 && metadata.uid() == 0))
        })
    }

    /// Returns the kernel's release, such as `6.12.4-generic`.
    pub(super) fn release(&self) -> Option<String> {
        self.text("/proc/sys/kernel/osrelease")
    }

    /// Returns the kernel's version.
    pub(super) fn version(&self) -> Option<Version> {
        let release = self.release()?;
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(Version(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// Returns what the kernel was built with, if the machine tells it.
    pub(super) fn config(&self) -> Option<Config> {
        let release = self.release().unwrap_or_default();
        let plain = [format!("/boot/config-{release}"), format!("/lib/modules/{release}/config")];
        let found = plain.into_iter().find_map(|place| {
            let text = self.text(&place)?;
            Some(Config { place, text })
        });
        found.or_else(|| {
            let place = "/proc/config.gz";
            let packed = File::open(self.path(place)).ok()?;
            let gzip = Command::new("gzip").arg("-dc").stdin(packed).stderr(Stdio::null()).output().ok()?;
            let text = String::from_utf8_lossy(&gzip.stdout).into_owned();
            (!text.is_empty()).then(|| Config { place: place.to_owned(), text })
        })
    }

    /// Returns a line of `/proc/self/status`.
    fn status(&self, name: &str) -> Option<String> {
        let text = self.text("/proc/self/status")?;
        let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned());
        text.lines().find_map(value)
    }

    /// Tells whether this process has a capability in effect, by its number in `capabilities(7)`.
    pub(super) fn is_capable(&self, number: u32) -> bool {
        let mask = self.status("CapEff").and_then(|mask| u64::from_str_radix(&mask, 16).ok());
        mask.is_some_and(|mask| mask >> number & 1 == 1)
    }

    /// Tells whether a filter of system calls is on this process, as containers have it.
    pub(super) fn has_system_call_filter(&self) -> bool {
        self.status("Seccomp").is_some_and(|mode| mode == "2")
    }

    /// Returns the hard limit of a resource by its name in `/proc/self/limits`; `None` is no limit.
    pub(super) fn hard_limit(&self, name: &str) -> Option<u64> {
        let limits = self.text("/proc/self/limits")?;
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Version;
    use crate::doctor::fixture::Fixture;

    #[test]
    fn versions_are_compared_as_numbers() {
        let fixture = Fixture::new(true);
        for (release, version) in [("6.18.44-fc-v595", Version(6, 18)), ("5.10.0", Version(5, 10))] {
            fixture.file("proc/sys/kernel/osrelease", release);
            assert_eq!(fixture.machine.version(), Some(version));
        }
        assert!(Version(6, 9) < Version(6, 14) && Version(5, 19) < Version(6, 0));
        fixture.file("proc/sys/kernel/osrelease", "strange");
        assert_eq!(fixture.machine.version(), None);
    }

    #[test]
    fn the_configuration_is_read_plain_or_packed() {
        let fixture = Fixture::new(true);
        assert!(fixture.machine.config().is_none());
        fixture.gzip(
            "proc/config.gz",
            "CONFIG_FUSE_FS=m\n# CONFIG_FUSE_DAX is not set\nCONFIG_FUSE_PASSTHROUGH=y\n",
        );
        let config = fixture.machine.config().unwrap();
        assert_eq!(config.place, "/proc/config.gz");
        assert!(config.has("CONFIG_FUSE_FS") && config.has("CONFIG_FUSE_PASSTHROUGH"));
        assert!(!config.has("CONFIG_FUSE_DAX") && !config.has("CONFIG_FUSE"));
        fixture.file("proc/sys/kernel/osrelease", "6.1.0-x");
        fixture.file("boot/config-6.1.0-x", "CONFIG_FUSE_DAX=y\n");
        let config = fixture.machine.config().unwrap();
        assert!(config.place == "/boot/config-6.1.0-x" && config.has("CONFIG_FUSE_DAX"));
    }

    #[test]
    fn limits_and_capabilities_of_this_process_are_read() {
        let fixture = Fixture::new(true);
        fixture.file(
            "proc/self/limits",
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 20000                files\nMax locked memory         8388608              unlimited            bytes\n",
        );
        assert_eq!(fixture.machine.hard_limit("Max open files"), Some(20_000));
        assert_eq!(fixture.machine.hard_limit("Max locked memory"), None);
        fixture.file("proc/self/status", "Name:\tCapEff: 0\nCapEff:\t0000000000200000\nSeccomp:\t2\n");
        assert!(fixture.machine.is_capable(21) && !fixture.machine.is_capable(14));
        assert!(fixture.machine.has_system_call_filter());
    }
}
