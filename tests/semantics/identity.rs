//! Two users on one mount: owners, groups, permissions, ACLs and set-group-ID directories come out as natively.

use fs9_tests::{Actor, Mounted, require_root};
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

/// Makes one object of each kind and returns owner, group and mode of each.
fn objects(dir: &Path) -> Vec<(u32, u32, u32)> {
    File::create(dir.join("file")).unwrap();
    std::fs::create_dir(dir.join("dir")).unwrap();
    symlink("target", dir.join("link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )
    .unwrap();
    ["file", "dir", "link", "fifo"]
        .map(|name| std::fs::symlink_metadata(dir.join(name)).unwrap())
        .map(|metadata| (metadata.uid(), metadata.gid(), metadata.mode()))
        .to_vec()
}

/// Makes a directory on the mount and one natively, prepared alike, and lets Alice make objects in both.
fn same_as_native(mount: &Mounted, prepare: impl Fn(&Path)) {
    let dirs = [mount.path("shared"), mount.outside("shared")];
    for dir in &dirs {
        std::fs::create_dir(dir).unwrap();
        std::fs::set_permissions(dir, Permissions::from_mode(0o777)).unwrap();
        prepare(dir);
    }
    let [here, there] = dirs.map(|dir| Actor::ALICE.run(move || objects(&dir)));
    assert_eq!(here, there, "mount against native");
    assert_eq!(here[0].0, Actor::ALICE.uid);
}

#[test]
fn objects_belong_to_whoever_makes_them() {
    if require_root() {
        same_as_native(&Mounted::local("allow_other"), |_| ());
    }
}

#[test]
fn objects_in_a_setgid_directory_inherit_its_group() {
    if require_root() {
        same_as_native(&Mounted::local("allow_other"), |dir| {
            chown(dir, None, Some(Actor::BOB.gid)).unwrap();
            std::fs::set_permissions(dir, Permissions::from_mode(0o2777)).unwrap();
        });
    }
}

#[test]
fn a_default_acl_replaces_the_umask() {
    if require_root() {
        same_as_native(&Mounted::local("allow_other"), |dir| {
            let set =
                Command::new("setfacl").args(["-d", "-m", "u:61002:rwx,g::rwx,o::---"]).arg(dir).status();
            assert!(set.unwrap().success());
        });
    }
}

#[test]
fn an_acl_lets_in_whom_the_mode_keeps_out() {
    if !require_root() {
        return;
    }
    let mount = Mounted::local("allow_other");
    let path = mount.path("letter");
    std::fs::write(&path, b"for bob").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let refused = Actor::BOB.run(|| std::fs::read(&path)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    let set = Command::new("setfacl").args(["-m", "u:61002:r"]).arg(&path).status().unwrap();
    assert!(set.success());
    assert_eq!(Actor::BOB.run(|| std::fs::read(&path)).unwrap(), b"for bob");
    assert_eq!(Actor::ALICE.run(|| std::fs::read(&path)).unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn users_neither_read_nor_change_what_is_not_theirs() {
    if !require_root() {
        return;
    }
    let mount = Mounted::local("allow_other");
    let secret = mount.path("secret");
    Actor::ALICE.run(|| std::fs::write(&secret, b"mine").unwrap());
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let dir = mount.path("sticky");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, Permissions::from_mode(0o1777)).unwrap();
    Actor::ALICE.run(|| std::fs::write(dir.join("hers"), b"").unwrap());
    Actor::BOB.run(|| {
        assert_eq!(std::fs::read(&secret).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(
            File::options().write(true).open(&secret).unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(std::fs::remove_file(dir.join("hers")).unwrap_err().raw_os_error(), Some(1));
        assert_eq!(chown(&secret, Some(Actor::BOB.uid), None).unwrap_err().raw_os_error(), Some(1));
        assert_eq!(
            std::fs::set_permissions(&secret, Permissions::from_mode(0o666)).unwrap_err().raw_os_error(),
            Some(1)
        );
    });
    assert_eq!(std::fs::read(&secret).unwrap(), b"mine");
}

#[test]
fn without_allow_other_nobody_else_enters() {
    if require_root() {
        let mount = Mounted::local("");
        let refused = Actor::ALICE.run(|| std::fs::read_dir(mount.path("")).map(|_| ())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    }
}

#[test]
fn special_files_keep_type_and_device_number() {
    if !require_root() {
        return;
    }
    let mount = Mounted::local("allow_other,dev");
    let path = mount.path("null");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::from_raw_mode(0o666),
        rustix::fs::makedev(1, 3),
    )
    .unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_char_device());
    assert_eq!(metadata.rdev(), rustix::fs::makedev(1, 3));
    std::fs::write(&path, b"into the void").unwrap();
}
