//! Several providers in one fs9: mount points made and removed while it is mounted.

use fs9_tests::{MountPlan, Mounted};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

#[test]
fn a_provider_mounted_by_the_control_file_appears_and_disappears() {
    let mount = Mounted::local("");
    assert_eq!(std::fs::read_dir(mount.path("scratch")).unwrap_err().kind(), ErrorKind::NotFound);
    mount.command("mount memory: /scratch").unwrap();
    std::fs::write(mount.path("scratch/file"), b"in memory").unwrap();
    assert!(!mount.source("scratch").exists());
    let names: Vec<_> = std::fs::read_dir(mount.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["scratch"]);
    mount.command("unmount /scratch").unwrap();
    assert_eq!(std::fs::read(mount.path("scratch/file")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_mount_point_is_busy_and_a_move_across_mounts_copies() {
    let mount = Mounted::local("");
    mount.command("mount memory: /deep/er/scratch").unwrap();
    for path in ["deep/er/scratch", "deep/er", "deep"] {
        let refused = std::fs::remove_dir(mount.path(path)).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(16), "EBUSY for rmdir of {path}");
        let refused = std::fs::rename(mount.path(path), mount.path("elsewhere")).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(16), "EBUSY for rename of {path}");
    }
    std::fs::write(mount.path("file"), b"on disk").unwrap();
    let refused = std::fs::rename(mount.path("file"), mount.path("deep/er/scratch/file")).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(18), "EXDEV");
    let refused = std::fs::hard_link(mount.path("file"), mount.path("deep/er/scratch/file")).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(18), "EXDEV");
    let moved =
        Command::new("mv").arg(mount.path("file")).arg(mount.path("deep/er/scratch/")).status().unwrap();
    assert!(moved.success());
    assert_eq!(std::fs::read(mount.path("deep/er/scratch/file")).unwrap(), b"on disk");
    assert!(!mount.source("file").exists());
}

#[test]
fn inode_numbers_of_two_providers_never_meet() {
    let mount = Mounted::local("");
    mount.command("mount memory: /one").unwrap();
    mount.command("mount memory: /two").unwrap();
    let mut seen = std::collections::HashSet::new();
    for dir in ["", "one", "two"] {
        for index in 0..100 {
            let path = mount.path(dir).join(format!("file{index}"));
            std::fs::write(&path, b"").unwrap();
            assert!(seen.insert(std::fs::metadata(&path).unwrap().ino()), "{}", path.display());
        }
        assert!(seen.insert(std::fs::metadata(mount.path(dir)).unwrap().ino()));
    }
}

#[test]
fn dot_dot_leads_out_of_a_mount_and_free_space_is_each_providers_own() {
    let mount = Mounted::local("");
    mount.command("mount memory:size=8M /scratch").unwrap();
    let above = std::fs::metadata(mount.path("scratch/..")).unwrap();
    assert_eq!(above.ino(), std::fs::metadata(mount.path("")).unwrap().ino());
    let sizes = ["", "scratch"].map(|dir| {
        let stat = rustix::fs::statvfs(mount.path(dir)).unwrap();
        stat.f_blocks * stat.f_frsize
    });
    assert_eq!(sizes[1], 8 << 20);
    assert_ne!(sizes[0], sizes[1]);
}

#[test]
fn a_bind_shows_the_same_files_at_another_place() {
    let mount = Mounted::local("");
    std::fs::create_dir_all(mount.path("projects/fs9")).unwrap();
    std::fs::write(mount.path("projects/fs9/readme"), b"one").unwrap();
    mount.command("bind /projects/fs9 /work").unwrap();
    assert_eq!(std::fs::read(mount.path("work/readme")).unwrap(), b"one");
    std::fs::write(mount.path("work/readme"), b"other").unwrap();
    assert_eq!(std::fs::read(mount.path("projects/fs9/readme")).unwrap(), b"other");
    std::fs::write(mount.path("projects/fs9/new"), b"new").unwrap();
    assert_eq!(std::fs::read(mount.path("work/new")).unwrap(), b"new");
}

#[test]
fn a_source_that_holds_its_own_mount_point_does_not_loop() {
    let plan = MountPlan { source_holds_mount_point: true, ..MountPlan::default() };
    let mount = Mounted::start(&plan);
    std::fs::write(mount.source("file"), b"seen").unwrap();
    assert_eq!(std::fs::read(mount.path("source/file")).unwrap(), b"seen");
    let found = Command::new("find").arg(mount.path("")).output().unwrap();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.contains("/mnt/source/file"), "{found}");
    assert!(!found.contains("/mnt/mnt/"), "{found}");
}

#[test]
fn a_refused_command_fails_the_write_and_reading_tells_why() {
    let mount = Mounted::local("");
    for line in ["mount nosuch: /x", "unmount /nothing", "fly away", "mount memory:", "bind /missing /y"] {
        let refused = mount.command(line);
        assert!(refused.is_err(), "{line}");
        let told = mount.control("ctl");
        assert!(told.len() > 10, "{line}: {told:?}");
    }
    assert_eq!(std::fs::read_dir(mount.path("")).unwrap().count(), 0);
}

#[test]
fn the_control_directory_is_reachable_but_not_listed_and_cannot_be_shadowed() {
    let mount = Mounted::local("");
    let names: Vec<_> =
        std::fs::read_dir(mount.path(".fs9")).unwrap().map(|e| e.unwrap().file_name()).collect();
    for name in ["version", "mounts", "providers", "stats", "handles", "ctl"] {
        assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
        assert!(!mount.control(name).is_empty() || name == "ctl" || name == "handles", "{name}");
    }
    assert_eq!(std::fs::read_dir(mount.path("")).unwrap().count(), 0);
    let refused = std::fs::create_dir(mount.path(".fs9")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    let without = Mounted::local("nocontrol");
    assert_eq!(std::fs::metadata(without.path(".fs9")).unwrap_err().kind(), ErrorKind::NotFound);
}
