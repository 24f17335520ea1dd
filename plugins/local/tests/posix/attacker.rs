//! Somebody who rearranges the tree while it is used never leads an operation outside.

use crate::ground::{Ground, ROOT, directory, name, root};
use fs9_local::LocalOptions;
use fs9_sdk::{NewNode, Provider};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::sync::atomic::{AtomicBool, Ordering};

const TRIES: usize = 5_000;

#[test]
fn swapping_a_directory_and_a_link_never_leads_outside() {
    let outside = directory();
    std::fs::write(outside.path().join("secret"), b"secret").unwrap();
    let ground = Ground::new(LocalOptions::default());
    std::fs::create_dir(ground.path("dir")).unwrap();
    std::fs::write(ground.path("dir/secret"), b"harmless").unwrap();
    std::os::unix::fs::symlink(outside.path(), ground.path("link")).unwrap();
    let done = AtomicBool::new(false);

    let reached = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (dir, link) = (ground.path("dir"), ground.path("link"));
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &dir, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let mut reached = [0; 2];
        for _ in 0..TRIES {
            for (at, text) in ["dir", "link"].into_iter().enumerate() {
                let Ok(entry) = ground.lookup(ROOT, text) else { continue };
                if let Ok(secret) = ground.lookup(entry.node, "secret") {
                    reached[at] += 1;
                    assert_eq!(ground.content(secret.node).unwrap(), b"harmless");
                    ground.provider.forget(secret.node, 1);
                    let made = NewNode { mode: 0o100_644, rdev: 0 };
                    let made = ground.provider.mknod(&root(), entry.node, name("made"), made).unwrap();
                    ground.provider.forget(made.node, 1);
                    ground.provider.unlink(&root(), entry.node, name("made")).unwrap();
                }
                ground.provider.forget(entry.node, 1);
            }
        }
        done.store(true, Ordering::Relaxed);
        reached
    });
    assert!(reached[0] > 0 && reached[1] > 0, "both names were the directory at times: {reached:?}");
    let mut left: Vec<_> = std::fs::read_dir(outside.path()).unwrap().flatten().collect();
    assert_eq!(left.pop().unwrap().file_name(), "secret");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn links_are_never_followed() {
    let ground = Ground::new(LocalOptions::default());
    for (text, target) in
        [("absolute", "/etc"), ("upwards", "../.."), ("magic", "/proc/self/root"), ("loop", "loop")]
    {
        let link = ground.provider.symlink(&root(), ROOT, name(text), target.as_bytes()).unwrap();
        assert_eq!(ground.provider.readlink(&root(), link.node).unwrap(), target.as_bytes());
        assert!(ground.lookup(link.node, "passwd").is_err());
        assert!(ground.provider.opendir(&root(), link.node).is_err());
        assert!(ground.create(&root(), link.node, "passwd", 0o644).is_err());
    }
}
