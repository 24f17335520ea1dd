//! `/proc` and `/sys` below a mount: their files have content whatever their sizes say, and they change unseen.

use fs9_tests::{MountPlan, Mounted, require_root};
use rustix::process::Pid;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

fn mounted(source: &str) -> Mounted {
    Mounted::start(&MountPlan { source: Some(source.into()), options: "ro".into(), ..MountPlan::default() })
}

#[test]
fn files_of_proc_and_sys_read_as_natively() {
    if !require_root() {
        return;
    }
    let of_proc = ["version", "self/../1/comm", "1/limits", "sys/kernel/ostype", "kallsyms", "filesystems"];
    let of_sys = ["kernel/uevent_seqnum", "fs/ext4/features/lazy_itable_init", "kernel/notes"];
    for (source, files) in [("/proc", &of_proc[..]), ("/sys", &of_sys[..])] {
        let mount = mounted(source);
        for file in files {
            let Ok(native) = std::fs::read(Path::new(source).join(file)) else { continue };
            // Twice, since a second open may meet what the first left in caches.
            for _ in 0..2 {
                let read = std::fs::read(mount.path(file)).unwrap();
                assert!(read == native, "{source}/{file}: {} of {} bytes", read.len(), native.len());
            }
        }
    }
}

/// A thread that waits until this is dropped, and its number.
struct Waiting(Option<Sender<()>>, Option<JoinHandle<()>>, Pid);

impl Waiting {
    fn new() -> Waiting {
        let ((tell, told), (end, wait)) = (channel(), channel::<()>());
        let thread = std::thread::spawn(move || {
            tell.send(rustix::thread::gettid()).unwrap();
            // It ends when the other side is gone.
            wait.recv().ok();
        });
        Waiting(Some(end), Some(thread), told.recv().unwrap())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.0.take());
        self.1.take().map(JoinHandle::join);
    }
}

#[test]
fn a_file_of_proc_shows_new_content_while_it_is_open() {
    if !require_root() {
        return;
    }
    let mount = mounted("/proc");
    let thread = Waiting::new();
    let name = format!("{}/task/{}/comm", std::process::id(), thread.2);
    let held = std::fs::File::open(mount.path(&name)).unwrap();
    for text in ["first", "the second"] {
        std::fs::write(Path::new("/proc").join(&name), text).unwrap();
        assert_eq!(std::fs::read_to_string(mount.path(&name)).unwrap().trim_end(), text);
        let mut buffer = [0; 64];
        let length = held.read_at(&mut buffer, 0).unwrap();
        assert_eq!(buffer[..length].trim_ascii_end(), text.as_bytes());
    }
}

#[test]
fn a_directory_of_proc_is_listed_afresh() {
    if !require_root() {
        return;
    }
    let mount = mounted("/proc");
    let tasks = mount.path(format!("{}/task", std::process::id()));
    let names = || std::fs::read_dir(&tasks).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names().count() > 0);
    assert!(names().count() > 0, "and now it would be cached");
    let thread = Waiting::new();
    assert!(names().any(|name| name == *thread.2.to_string()), "{}", thread.2);
}
