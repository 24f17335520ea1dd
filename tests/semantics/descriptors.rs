//! Many inodes and many open files under low limits of descriptors.

use fs9_tests::{MountPlan, Mounted, require_root};
use std::fs::File;

#[test]
fn far_more_inodes_are_known_than_descriptors_are_allowed() {
    if !require_root() {
        return;
    }
    let mut mount = Mounted::start(&MountPlan { open_files_max: Some(256), ..MountPlan::default() });
    for index in 0..5_000 {
        File::create(mount.source(format!("file{index}"))).unwrap();
    }
    for round in 0..2 {
        for index in 0..5_000 {
            let path = mount.path(format!("file{index}"));
            assert!(path.metadata().is_ok(), "round {round}, file {index}");
        }
    }
    std::fs::write(mount.path("file77"), b"alive").unwrap();
    assert_eq!(std::fs::read(mount.source("file77")).unwrap(), b"alive");
    assert!(mount.is_alive());
}

#[test]
fn beyond_the_limit_of_open_files_the_caller_gets_emfile_and_the_daemon_lives() {
    if !require_root() {
        return;
    }
    let mut mount = Mounted::start(&MountPlan { open_files_max: Some(200), ..MountPlan::default() });
    let mut held = Vec::new();
    let refused = loop {
        match File::create(mount.path(format!("file{}", held.len()))) {
            Ok(file) => held.push(file),
            Err(error) => break error,
        }
        assert!(held.len() < 400, "the limit was never met");
    };
    assert_eq!(refused.raw_os_error(), Some(24), "EMFILE, after {} files", held.len());
    assert!(held.len() > 50, "only {} files could be opened under a limit of 200", held.len());
    assert!(mount.is_alive());
    let names = std::fs::read_dir(mount.source("")).unwrap().count();
    assert!(names >= held.len());
    held.clear();
    // RELEASE is asynchronous: descriptors come back a moment after the close.
    let again = (0..1_000).find_map(|_| File::create(mount.path("again")).ok());
    assert!(again.is_some(), "descriptors come back");
}
