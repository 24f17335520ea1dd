//! A machine of files for tests.

use super::machine::Machine;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

/// A machine whose files lie in a temporary directory, with `/usr/bin` to find programs in.
pub(super) struct Fixture {
    directory: tempfile::TempDir,
    pub(super) machine: Machine,
}

impl Fixture {
    /// Returns a machine without files, as root or an ordinary user sees it.
    pub(super) fn new(is_root: bool) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let machine = Machine::new(directory.path(), is_root, vec!["/usr/bin".into()]);
        Fixture { directory, machine }
    }

    /// Writes a file.
    pub(super) fn file(&self, path: &str, text: &str) {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a program with this mode.
    pub(super) fn program(&self, path: &str, mode: u32) {
        self.file(path, "");
        fs::set_permissions(self.directory.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Writes a file packed by gzip.
    pub(super) fn gzip(&self, path: &str, text: &str) {
        self.file(path, "");
        let packed = fs::File::create(self.directory.path().join(path)).unwrap();
        let mut gzip = Command::new("gzip").stdin(Stdio::piped()).stdout(packed).spawn().unwrap();
        gzip.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(gzip.wait().unwrap().success());
    }
}
