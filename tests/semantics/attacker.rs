//! An attacker swaps a directory and a symbolic link behind the mount while an ordinary user works through it.

use fs9_tests::{Actor, Mounted, require_root};
use rustix::fs::{CWD, RenameFlags};
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

/// How often the user tries.
const TRIES: usize = 50_000;

#[test]
fn a_swap_of_directory_and_link_never_leads_out_of_the_root() {
    if !require_root() {
        return;
    }
    let mount = Mounted::local("allow_other,attr_timeout=0,entry_timeout=0");
    let outside = mount.outside("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::set_permissions(&outside, Permissions::from_mode(0o777)).unwrap();
    std::fs::write(outside.join("file"), b"outside").unwrap();
    std::fs::set_permissions(outside.join("file"), Permissions::from_mode(0o666)).unwrap();
    let before = listing(&outside);

    let inside = mount.source("dir");
    std::fs::create_dir(&inside).unwrap();
    std::fs::set_permissions(&inside, Permissions::from_mode(0o777)).unwrap();
    std::fs::write(inside.join("file"), b"inside").unwrap();
    std::fs::set_permissions(inside.join("file"), Permissions::from_mode(0o666)).unwrap();
    // Seen through the mount, the link leads into a directory that does not exist there.
    let link = mount.source("link");
    symlink(&outside, &link).unwrap();
    // The name in the mount is a directory or a link, never both: whoever follows it in the user's own name
    // space reaches the outside by the kernel's own walk, so the user refuses to follow links.
    let done = AtomicBool::new(false);
    let strayed = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, &inside, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let victim = scope.spawn(|| Actor::BOB.run(|| work(&mount)));
        let strayed = victim.join();
        done.store(true, Ordering::Relaxed);
        strayed.unwrap()
    });
    assert_eq!(strayed, 0, "reads that came from outside");
    assert_eq!(listing(&outside), before, "nothing outside was touched");
    assert_eq!(std::fs::read(outside.join("file")).unwrap(), b"outside");
}

/// Works below the swapped name without following links, and returns how often the outside was read.
fn work(mount: &Mounted) -> usize {
    use rustix::fs::{Mode, OFlags};
    let root = rustix::fs::open(mount.path(""), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let mut strayed = 0;
    for turn in 0..TRIES {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let Ok(dir) = rustix::fs::openat(&root, "dir", flags, Mode::empty()) else { continue };
        match turn % 4 {
            0 => {
                let mut bytes = [0; 16];
                let file = rustix::fs::openat(&dir, "file", OFlags::RDONLY, Mode::empty());
                let read = file.and_then(|file| rustix::io::read(file, &mut bytes));
                strayed += usize::from(read.is_ok_and(|n| bytes[..n].starts_with(b"outside")));
            }
            1 => {
                let flags = OFlags::WRONLY | OFlags::CREATE;
                let made = rustix::fs::openat(&dir, "made", flags, Mode::from_raw_mode(0o666));
                made.and_then(|file| rustix::io::write(file, b"made")).ok();
            }
            2 => {
                rustix::fs::mkdirat(&dir, "sub", Mode::from_raw_mode(0o777)).ok();
            }
            _ => {
                rustix::fs::unlinkat(&dir, "made", rustix::fs::AtFlags::empty()).ok();
                rustix::fs::unlinkat(&dir, "sub", rustix::fs::AtFlags::REMOVEDIR).ok();
            }
        }
    }
    strayed
}

/// The names in a directory, sorted.
fn listing(dir: &std::path::Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    drop(OpenOptions::new().read(true).open(dir));
    names
}
