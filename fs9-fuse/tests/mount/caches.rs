//! What the kernel answers by itself, and when it asks again.

use crate::support::{Mounted, local, memory, wait_until};
use fs9_fuse::FuseOptions;
use fs9_sdk::Operation;
use std::fs;
use std::time::Duration;

/// Returns how many requests came so far. The kernel tells of a close after that has returned.
fn requests(mounted: &Mounted) -> u64 {
    wait_until("what nobody uses is closed", || mounted.session.open_handles() == 0);
    mounted.session.counters().total()
}

#[test]
fn repeated_looks_ask_nothing() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::write(path.join("f"), b"x").unwrap();
    let look = || {
        assert_eq!(fs::metadata(path.join("f")).unwrap().len(), 1);
        assert!(fs::metadata(path.join("missing")).is_err());
    };
    look();
    let before = requests(&mounted);
    for _ in 0..1000 {
        look();
    }
    assert_eq!(requests(&mounted), before);
}

#[test]
fn where_there_is_no_selinux_ls_asks_for_one_label_and_not_for_each() {
    if std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        return;
    }
    let source = tempfile::tempdir().unwrap();
    fs::create_dir(source.path().join("listed")).unwrap();
    for number in 0..100 {
        fs::write(source.path().join(format!("listed/{number}")), b"x").unwrap();
    }
    for provider in [local(source.path()), memory()] {
        let mounted = Mounted::of(provider);
        let file = mounted.path().join("file");
        fs::write(&file, b"x").unwrap();
        let get = |name: &str| rustix::fs::lgetxattr(&file, name, &mut [0_u8; 64]);
        assert_eq!(get("security.selinux").unwrap_err(), rustix::io::Errno::NOTSUP);
        assert_eq!(get("security.other").unwrap_err(), rustix::io::Errno::NODATA);
        rustix::fs::lsetxattr(&file, "security.selinux", b"label", rustix::fs::XattrFlags::empty()).unwrap();
        assert_eq!(get("security.selinux").unwrap(), 5);
    }
    let mounted = Mounted::of(local(source.path()));
    let list =
        || std::process::Command::new("ls").arg("-l").arg(mounted.path().join("listed")).output().unwrap();
    // The kernel keeps a listing from the second time on.
    assert!(list().status.success());
    assert!(list().status.success());
    let before = mounted.session.counters().of(Operation::Getxattr);
    assert!(list().status.success());
    let asked = mounted.session.counters().of(Operation::Getxattr) - before;
    assert!(asked <= 5, "a repeated ls -l of 100 files asked for {asked} extended attributes");
}

#[test]
fn data_is_read_once_while_it_does_not_change() {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("f"), vec![7; 100_000]).unwrap();
    let options = FuseOptions { passthrough: fs9_fuse::Passthrough::Off, ..FuseOptions::default() };
    let mounted = Mounted::with(local(source.path()), options);
    let path = mounted.path().join("f");
    for _ in 0..3 {
        assert_eq!(fs::read(&path).unwrap(), vec![7; 100_000]);
    }
    let reads = mounted.session.counters().of(Operation::Read);
    assert_eq!(fs::read(&path).unwrap().len(), 100_000);
    assert_eq!(mounted.session.counters().of(Operation::Read), reads);
    fs::write(source.path().join("f"), vec![9; 100_000]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), vec![9; 100_000]);
}

#[test]
fn changes_behind_the_mount_are_seen_after_the_lifetime() {
    let source = tempfile::tempdir().unwrap();
    let short = Some(Duration::ZERO);
    let options = FuseOptions {
        attr_lifetime: short,
        entry_lifetime: short,
        negative_lifetime: short,
        ..FuseOptions::default()
    };
    let mounted = Mounted::with(local(source.path()), options);
    let path = mounted.path();
    assert!(fs::metadata(path.join("f")).is_err());
    fs::write(source.path().join("f"), b"1").unwrap();
    assert_eq!(fs::read(path.join("f")).unwrap(), b"1");
    fs::remove_file(source.path().join("f")).unwrap();
    fs::create_dir(source.path().join("f")).unwrap();
    assert!(fs::metadata(path.join("f")).unwrap().is_dir());
    fs::remove_dir(source.path().join("f")).unwrap();
    assert!(fs::metadata(path.join("f")).is_err());
}

#[test]
fn a_number_that_is_reused_reaches_the_new_file() {
    let source = tempfile::tempdir().unwrap();
    let mounted = Mounted::of(local(source.path()));
    let path = mounted.path();
    for round in 0..200 {
        let (old, new) = (path.join(format!("old{round}")), path.join(format!("new{round}")));
        fs::write(&old, format!("old {round}")).unwrap();
        let held = fs::File::open(&old).unwrap();
        fs::remove_file(&old).unwrap();
        drop(held);
        fs::write(&new, format!("new {round}")).unwrap();
        assert_eq!(fs::read_to_string(&new).unwrap(), format!("new {round}"));
        fs::remove_file(source.path().join(format!("new{round}"))).unwrap();
    }
}
