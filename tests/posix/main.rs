//! pjdfstest: a mount passes every case that the native file system passes on the same machine.
#![forbid(unsafe_code)]

use fs9_tests::{Mounted, require_root, run_script};
use std::path::Path;

/// Fails if a case passes in `base` and not in the mount.
fn compare(base: &Path, mount: &Mounted) {
    run_script("pjdfstest", ["--compare".as_ref(), base.as_os_str(), mount.path("").as_os_str()]);
}

#[test]
fn local_passes_what_the_native_file_system_passes() {
    if require_root() {
        let mount = Mounted::local("allow_other,suid,dev");
        let base = mount.outside("native");
        std::fs::create_dir(&base).unwrap();
        compare(&base, &mount);
    }
}

#[test]
fn memory_passes_what_tmpfs_passes() {
    if require_root() {
        let base = tempfile::tempdir_in("/dev/shm").unwrap();
        compare(base.path(), &Mounted::memory("allow_other,suid,dev"));
    }
}
