//! The reference model through real mounts: random operations, each compared with the native file system.
#![forbid(unsafe_code)]

use fs9_testkit::{Features, Profile, model};
use fs9_tests::{Mounted, require_root};

/// Runs the model on a mount; as root, since it makes devices and gives files away.
fn compare(mount: &Mounted, profile: &Profile) {
    model::run_directory(file!(), profile, &mount.path(""));
}

#[test]
fn a_mounted_local_directory_does_what_the_native_file_system_does() {
    if require_root() {
        // A bit that is set while a writer has the file open is lost at its next write even if root writes: one
        // backing descriptor serves all users, so it has nobody's privileges.
        let profile = Profile::full().without(Features::PRIVILEGES);
        compare(&Mounted::local("allow_other,suid,dev"), &profile);
    }
}

#[test]
fn a_mounted_local_directory_without_passthrough_does_so_too() {
    if require_root() {
        compare(&Mounted::local("allow_other,suid,dev,passthrough=off"), &Profile::full());
    }
}

#[test]
fn a_mounted_memory_does_what_the_native_file_system_does() {
    if require_root() {
        compare(&Mounted::memory("allow_other,suid,dev"), &Profile::full());
    }
}
