//! Who says that set-user-ID and set-group-ID go: the kernel, where its word arrives, else the frontend's guess.

use crate::kernel::{Answered, Kernel, bytes, created, local, memory};
use fs9_fuse::{Answer, AttributeChanges, Creation, Ino, Operation};
use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_sdk::{
    Attr, Call, Caller, DirSink, Entry, FileHandle, Name, NodeId, OpenFlags, OpenNode, Opened, Place,
    Provider, Result, SetAttr, XattrFlags,
};
use std::sync::Arc;

const PRIVILEGED: u32 = 0o6755;

/// Somebody whom the guess takes for unprivileged, and who is in no group but their own.
const OTHER: Caller = Caller { uid: 1000, gid: 1000, ..Caller::ROOT };

/// An ACL that gives user 7 something: owner rwx, user 7 r--, group r-x, mask r-x, others r-x.
fn acl() -> Vec<u8> {
    let entry = |(tag, permissions, id): (u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let (nobody, version) = (u32::MAX, 2_u32.to_le_bytes().to_vec());
    let entries = [(1, 7, nobody), (2, 4, 7), (4, 5, nobody), (16, 5, nobody), (32, 5, nobody)];
    [version, entries.map(entry).concat()].concat()
}

/// A way to change a file, with the kernel's word.
type Deed = fn(&Kernel, Caller, (Ino, &str), bool) -> Answered;

const DEEDS: [(&str, u16, Deed); 4] = [
    ("open", 0o755, |kernel, caller, (ino, _), kill_privileges| {
        let flags = OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE;
        kernel.ask(caller, ino, Operation::Open { flags, kill_privileges })
    }),
    ("create", 0o755, |kernel, caller, (_, name), kill_privileges| {
        let flags = OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE | OpenFlags::CREATE;
        let (name, creation) = (bytes(name), Creation::default());
        let create = Operation::Create { name, mode: 0o600, flags, kill_privileges, creation };
        kernel.ask(caller, Ino::ROOT, create)
    }),
    ("truncate", 0o755, |kernel, caller, (ino, _), kill_privileges| {
        let changes = AttributeChanges { size: Some(1), kill_privileges, ..AttributeChanges::default() };
        kernel.ask(caller, ino, Operation::Setattr { handle: None, changes })
    }),
    ("ACL", 0o4755, |kernel, caller, (ino, _), kill_setgid| {
        let (name, value, flags) = (bytes("system.posix_acl_access"), acl().into(), XattrFlags::empty());
        kernel.ask(caller, ino, Operation::Setxattr { name, value, flags, kill_setgid })
    }),
];

/// Does each deed to a file of its own and compares what is left.
fn compare(kernel: &Kernel, told: bool) {
    for (what, stripped, deed) in DEEDS {
        for caller in [Caller::ROOT, OTHER] {
            for word in [false, true] {
                let name = format!("{what}-{}-{word}", caller.uid);
                let ino = kernel.touch(&name, 0o600);
                let changes = AttributeChanges { mode: Some(PRIVILEGED), ..AttributeChanges::default() };
                assert!(kernel.root(ino, Operation::Setattr { handle: None, changes }).is_ok());
                let answer = deed(kernel, caller, (ino, &name), word);
                let strips = if told { word } else { caller.uid != 0 };
                let expected = if strips { stripped } else { PRIVILEGED as u16 };
                if let Ok(Answer::Attributes(_, attr, _))
                | Ok(Answer::Created(fs9_fuse::EntryAnswer { attr, .. }, _)) = &answer
                {
                    assert_eq!(attr.permissions, expected, "answer to {name}, told: {told}");
                }
                assert!(answer.is_ok(), "{name}: {:?}", answer.err());
                assert_eq!(kernel.attr(ino).permissions, expected, "after {name}, told: {told}");
            }
        }
    }
}

/// A provider that does not know the flags by which it is asked to strip anything.
struct Ignorant(MemoryProvider);

impl Provider for Ignorant {
    fn lookup(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        self.0.lookup(call, parent, name)
    }

    fn getattr(&self, call: &Call, node: NodeId, handle: Option<FileHandle>) -> Result<Attr> {
        self.0.getattr(call, node, handle)
    }

    fn setattr(&self, call: &Call, node: NodeId, open: Option<FileHandle>, changes: SetAttr) -> Result<Attr> {
        self.0.setattr(call, node, open, changes)
    }

    fn create(&self, call: &Call, at: Place<'_>, mode: u16, flags: OpenFlags) -> Result<(Entry, Opened)> {
        self.0.create(call, at, mode, flags - OpenFlags::KILL_PRIVILEGES)
    }

    fn open(&self, call: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        self.0.open(call, node, flags - OpenFlags::KILL_PRIVILEGES)
    }

    fn setxattr(&self, call: &Call, node: NodeId, key: &[u8], value: &[u8], flags: XattrFlags) -> Result<()> {
        self.0.setxattr(call, node, key, value, flags - XattrFlags::KILL_SETGID)
    }

    fn read(&self, call: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.0.read(call, file, offset, buffer)
    }

    fn release(&self, file: OpenNode) {
        self.0.release(file);
    }

    fn readdir(
        &self,
        call: &Call,
        dir: OpenNode,
        cookie: u64,
        all: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        self.0.readdir(call, dir, cookie, all, sink)
    }
}

fn kernels(run: impl Fn(&Kernel)) {
    run(&Kernel::of(memory()));
    run(&Kernel::of(Arc::new(Ignorant(MemoryProvider::new(MemoryOptions::default()).unwrap()))));
    if rustix::process::geteuid().is_root() {
        let place = tempfile::tempdir().unwrap();
        run(&Kernel::of(local(place.path())));
    }
}

#[test]
fn the_kernels_word_decides_where_it_arrives() {
    kernels(|kernel| {
        kernel.frontend.set_privileges_told(true);
        compare(kernel, true);
    });
}

#[test]
fn the_caller_decides_where_the_kernels_word_does_not_arrive() {
    kernels(|kernel| compare(kernel, false));
}

#[test]
fn what_is_made_keeps_what_its_maker_asks_for() {
    kernels(|kernel| {
        kernel.frontend.set_privileges_told(true);
        let flags = OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE | OpenFlags::CREATE;
        let (name, creation) = (bytes("new"), Creation::default());
        let mode = PRIVILEGED & !0o2000;
        let create = Operation::Create { name, mode, flags, kill_privileges: true, creation };
        let (entry, handle) = created(kernel.ask(OTHER, Ino::ROOT, create));
        assert_eq!(u32::from(entry.attr.permissions), mode & !OTHER.umask);
        assert_eq!(kernel.attr(entry.ino).permissions, entry.attr.permissions);
        kernel.release(entry.ino, handle);
    });
}
