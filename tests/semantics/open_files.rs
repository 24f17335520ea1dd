//! Files that stay open while their names change, vanish or are replaced.

use fs9_tests::Mounted;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicBool, Ordering};

/// Every kind of mount that serves files in another way.
fn mounts() -> [Mounted; 3] {
    [Mounted::local(""), Mounted::local("passthrough=off"), Mounted::memory("")]
}

#[test]
fn an_unlinked_file_stays_readable_and_writable_and_leaves_nothing_behind() {
    for mount in mounts() {
        let path = mount.path("file");
        let mut file = File::options().create_new(true).read(true).write(true).open(&path).unwrap();
        file.write_all(b"still ").unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(b"here").unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "still here");
        assert_eq!(file.metadata().unwrap().nlink(), 0);
        assert_eq!(std::fs::read_dir(mount.path("")).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(mount.source("")).unwrap().count(), 0);
    }
}

#[test]
fn rename_over_an_open_file_is_atomic_to_readers() {
    for mount in mounts() {
        let path = mount.path("current");
        std::fs::write(&path, b"old old old").unwrap();
        let mut old = File::open(&path).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 0..300 {
                    let next = mount.path(format!("next{turn}"));
                    std::fs::write(&next, b"new new new").unwrap();
                    std::fs::rename(&next, &path).unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                let text = std::fs::read(&path).unwrap();
                assert!(text == b"old old old" || text == b"new new new", "{}", text.escape_ascii());
            }
        });
        let mut text = String::new();
        old.read_to_string(&mut text).unwrap();
        assert_eq!(text, "old old old", "the old handle reads the old file");
    }
}

#[test]
fn hard_links_share_one_inode_and_its_data() {
    for mount in mounts() {
        let [one, two] = ["one", "two"].map(|name| mount.path(name));
        std::fs::write(&one, b"first").unwrap();
        std::fs::hard_link(&one, &two).unwrap();
        let writer = File::options().write(true).open(&one).unwrap();
        let reader = File::open(&two).unwrap();
        writer.write_all_at(b"FIRST", 0).unwrap();
        let mut bytes = [0; 5];
        reader.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"FIRST");
        let [a, b] = [&one, &two].map(|path| std::fs::metadata(path).unwrap());
        assert_eq!((a.ino(), a.nlink()), (b.ino(), 2));
    }
}

#[test]
fn a_file_that_shrinks_under_its_reader_ends_early_and_grows_with_zeros() {
    for mount in mounts() {
        let path = mount.path("file");
        std::fs::write(&path, vec![b'a'; 100_000]).unwrap();
        let reader = File::open(&path).unwrap();
        let writer = File::options().write(true).open(&path).unwrap();
        writer.set_len(10).unwrap();
        let mut bytes = vec![0; 100_000];
        assert_eq!(reader.read_at(&mut bytes, 0).unwrap(), 10);
        writer.set_len(5_000).unwrap();
        assert_eq!(reader.read_at(&mut bytes, 0).unwrap(), 5_000);
        assert!(bytes[10..5_000].iter().all(|&b| b == 0));
    }
}

#[test]
fn inode_numbers_are_the_backings_own_and_stay_after_a_listing() {
    let mount = Mounted::local("");
    for index in 0..50 {
        std::fs::write(mount.path(format!("file{index}")), b"").unwrap();
    }
    for index in 0..50 {
        let name = format!("file{index}");
        let here = std::fs::metadata(mount.path(&name)).unwrap().ino();
        assert_eq!(here, std::fs::metadata(mount.source(&name)).unwrap().ino());
    }
}

/// Symptom: a running program lost its bytes to an open that was then refused. Cause: with atomic `O_TRUNC` an open for
/// reading is sent before the kernel looks for `ETXTBSY`. Fix: the frontend knows which inodes run.
#[test]
fn a_running_program_is_not_cut_by_one_who_only_reads() {
    use rustix::fs::{Mode, OFlags};
    for mount in mounts() {
        let program = mount.path("program");
        std::fs::copy("/bin/sleep", &program).unwrap();
        let size = std::fs::metadata(&program).unwrap().len();
        let mut running = std::process::Command::new(&program).arg("60").spawn().unwrap();
        let refused = rustix::fs::open(&program, OFlags::RDONLY | OFlags::TRUNC, Mode::empty()).unwrap_err();
        let left = std::fs::metadata(&program).unwrap().len();
        running.kill().unwrap();
        running.wait().unwrap();
        assert_eq!((refused, left), (rustix::io::Errno::TXTBSY, size));
    }
}
