//! What security modules want a new inode to have.

use crate::kernel::{Answered, Kernel, bytes, created, local, memory, refused};
use fs9_core::layers::{Intent, Interceptor, Layers};
use fs9_fuse::{Answer, Creation, Ino, Operation};
use fs9_sdk::{Call, ErrorKind, OpenFlags, Operation as Kind, Provider, Result};
use std::sync::Arc;

/// A label that no security module of this machine minds.
const LABEL: &str = "security.fs9-test";
const VALUE: &str = "a_label";

/// Refuses every extended attribute.
struct KeepsNone(ErrorKind);

impl Interceptor for KeepsNone {
    fn call<T>(&self, intent: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        if intent.operation == Kind::Setxattr { Err(self.0.into()) } else { forward() }
    }
}

fn without_labels(error: ErrorKind) -> Kernel {
    Kernel::of(Layers::over(memory()).with(KeepsNone(error)).build())
}

fn labelled() -> Creation<'static> {
    Creation { security: vec![(bytes(LABEL), bytes(VALUE)), (bytes("security.second"), bytes("2"))] }
}

fn make_file(name: &'static str, flags: OpenFlags) -> Operation<'static> {
    let flags = flags | OpenFlags::READ_WRITE | OpenFlags::CREATE;
    Operation::Create { name: bytes(name), mode: 0o644, flags, kill_privileges: false, creation: labelled() }
}

/// Every way to make an inode.
fn creations() -> [Operation<'static>; 6] {
    let flags = OpenFlags::TMPFILE | OpenFlags::READ_WRITE;
    [
        Operation::Mknod { name: bytes("fifo"), mode: 0o010_644, rdev: 0, creation: labelled() },
        Operation::Mkdir { name: bytes("dir"), mode: 0o755, creation: labelled() },
        Operation::Symlink { name: bytes("link"), target: bytes("target"), creation: labelled() },
        make_file("file", OpenFlags::empty()),
        make_file("exclusive", OpenFlags::EXCLUSIVE),
        Operation::Tmpfile { mode: 0o600, flags, creation: labelled() },
    ]
}

const NAMES: [&str; 5] = ["fifo", "dir", "link", "file", "exclusive"];

fn label_of(kernel: &Kernel, ino: Ino, name: &'static str) -> Option<Vec<u8>> {
    match kernel.root(ino, Operation::Getxattr { name: bytes(name), size: 100 }) {
        Ok(Answer::Bytes(value)) => Some(value),
        other => {
            assert_eq!(refused(other), Some(ErrorKind::NoData));
            None
        }
    }
}

fn made(answer: Answered) -> Ino {
    match answer {
        Ok(Answer::Entry(entry) | Answer::Created(entry, _)) => entry.ino,
        other => panic!("make: {:?}", other.err()),
    }
}

fn everything_is_labelled(provider: Arc<dyn Provider>) {
    let kernel = Kernel::of(provider);
    for creation in creations() {
        let kind = creation.kind();
        let answer = kernel.root(Ino::ROOT, creation);
        if let Ok(Answer::Entry(entry) | Answer::Created(entry, _)) = &answer {
            let now = kernel.attr(entry.ino);
            assert_eq!(entry.attr.ctime, now.ctime, "change time that the kernel caches of {kind}");
        }
        let ino = made(answer);
        assert_eq!(label_of(&kernel, ino, LABEL).as_deref(), Some(VALUE.as_bytes()), "{kind}");
        assert_eq!(label_of(&kernel, ino, "security.second").as_deref(), Some(&b"2"[..]), "{kind}");
    }
}

#[test]
fn every_new_inode_gets_what_security_modules_want() {
    everything_is_labelled(memory());
    if rustix::process::geteuid().is_root() {
        let place = tempfile::tempdir().unwrap();
        everything_is_labelled(local(place.path()));
    }
}

#[test]
fn what_existed_is_opened_with_the_labels_that_it_has() {
    let kernel = Kernel::of(memory());
    let ino = kernel.touch("file", 0o644);
    let (entry, handle) = created(kernel.root(Ino::ROOT, make_file("file", OpenFlags::empty())));
    assert_eq!((entry.ino, label_of(&kernel, ino, LABEL)), (ino, None));
    kernel.release(ino, handle);
    let again = kernel.root(Ino::ROOT, make_file("file", OpenFlags::EXCLUSIVE));
    assert_eq!(refused(again), Some(ErrorKind::AlreadyExists));
}

#[test]
fn a_provider_that_keeps_no_such_attributes_makes_things_without_them() {
    for error in [ErrorKind::NotSupported, ErrorKind::NotImplemented] {
        let kernel = without_labels(error);
        for creation in creations() {
            let ino = made(kernel.root(Ino::ROOT, creation));
            assert_eq!(label_of(&kernel, ino, LABEL), None);
        }
    }
}

#[test]
fn what_cannot_be_labelled_is_not_made() {
    let kernel = without_labels(ErrorKind::NoSpace);
    let files_free = || match kernel.root(Ino::ROOT, Operation::Statfs) {
        Ok(Answer::Statfs(told)) => told.files_free,
        other => panic!("statfs: {:?}", other.err()),
    };
    let before = files_free();
    for creation in creations() {
        let kind = creation.kind();
        assert_eq!(refused(kernel.root(Ino::ROOT, creation)), Some(ErrorKind::NoSpace), "{kind}");
    }
    for name in NAMES {
        assert!(kernel.lookup(Ino::ROOT, name).is_none(), "{name}");
    }
    assert_eq!((kernel.frontend.known_inodes(), kernel.frontend.open_handles()), (0, 0));
    assert_eq!(files_free(), before, "something is still known or open");
    let ino = kernel.touch("file", 0o644);
    let (_, handle) = created(kernel.root(Ino::ROOT, make_file("file", OpenFlags::empty())));
    kernel.release(ino, handle);
}
