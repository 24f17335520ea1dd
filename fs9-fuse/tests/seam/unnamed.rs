//! Files without a name (`O_TMPFILE`).

use crate::kernel::{Answered, Kernel, bytes, created, local, memory, refused};
use fs9_core::layers::{Layers, ReadOnly};
use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_fuse::{Answer, Creation, Ino, Operation};
use fs9_sdk::{
    Attr, Call, Caller, DirSink, Entry, ErrorKind, FileHandle, FileType, Name, NodeId, ObjectId, OpenFlags,
    OpenNode, Opened, Provider, Result, Timestamp,
};
use std::sync::Arc;

/// What the kernel passes on for `O_TMPFILE | O_RDWR`.
const FLAGS: OpenFlags = OpenFlags::TMPFILE.union(OpenFlags::READ_WRITE);

fn unnamed(kernel: &Kernel, caller: Caller, flags: OpenFlags) -> Answered {
    kernel.ask(caller, Ino::ROOT, Operation::Tmpfile { mode: 0o666, flags, creation: Creation::default() })
}

fn link(kernel: &Kernel, ino: Ino, name: &str) -> Answered {
    kernel.root(Ino::ROOT, Operation::Link { ino, name: bytes(name) })
}

fn lives_and_gets_a_name(kernel: &Kernel) {
    let caller = Caller { umask: 0o027, ..Caller::ROOT };
    let (entry, handle) = created(unnamed(kernel, caller, FLAGS));
    assert_eq!((entry.attr.nlink, entry.attr.permissions), (0, 0o640));
    kernel.write(entry.ino, handle, b"data");
    assert_eq!(kernel.read(entry.ino, handle), b"data");
    assert_eq!((kernel.attr(entry.ino).nlink, kernel.attr(entry.ino).size), (0, 4));

    let Ok(Answer::Entry(linked)) = link(kernel, entry.ino, "f") else { panic!("link") };
    assert_eq!((linked.ino, linked.attr.nlink), (entry.ino, 1));
    kernel.release(entry.ino, handle);
    kernel.frontend.forget(entry.ino, 2);
    assert_eq!((kernel.frontend.known_inodes(), kernel.frontend.open_handles()), (0, 0));
    let found = kernel.lookup(Ino::ROOT, "f").unwrap();
    assert_eq!((found.ino, found.attr.size, found.attr.nlink), (entry.ino, 4, 1));
}

fn is_gone_without_a_name(kernel: &Kernel) {
    let (entry, handle) = created(unnamed(kernel, Caller::ROOT, FLAGS | OpenFlags::EXCLUSIVE));
    assert_eq!(refused(link(kernel, entry.ino, "g")), Some(ErrorKind::NotFound));
    kernel.release(entry.ino, handle);
    kernel.frontend.forget(entry.ino, 1);
    assert_eq!(kernel.frontend.open_handles(), 0);
    let getattr = kernel.root(entry.ino, Operation::Getattr { handle: None });
    assert_eq!(refused(getattr), Some(ErrorKind::Stale));
}

#[test]
fn a_file_without_a_name_lives_until_release_and_can_get_one() {
    let place = tempfile::tempdir().unwrap();
    for provider in [memory(), local(place.path())] {
        let kernel = Kernel::of(provider);
        lives_and_gets_a_name(&kernel);
        is_gone_without_a_name(&kernel);
    }
}

/// A directory that stays empty.
struct Empty;

impl Provider for Empty {
    fn lookup(&self, _: &Call, _: NodeId, _: Name<'_>) -> Result<Entry> {
        Err(ErrorKind::NotFound.into())
    }

    fn getattr(&self, _: &Call, node: NodeId, _: Option<FileHandle>) -> Result<Attr> {
        let id = ObjectId { device: 0, number: node.0, generation: 0 };
        Ok(Attr::new(id, FileType::Directory, 0o777, Timestamp::default()))
    }

    fn open(&self, _: &Call, _: NodeId, _: OpenFlags) -> Result<Opened> {
        Err(ErrorKind::IsADirectory.into())
    }

    fn read(&self, _: &Call, _: OpenNode, _: u64, _: &mut [u8]) -> Result<usize> {
        Err(ErrorKind::IsADirectory.into())
    }

    fn readdir(&self, _: &Call, _: OpenNode, _: u64, _: bool, _: &mut dyn DirSink) -> Result<()> {
        Ok(())
    }
}

/// The kernel would remember `ENOSYS` for the whole connection (`fuse_tmpfile`).
#[test]
fn a_provider_without_such_files_refuses_them_for_itself_only() {
    let told = |kernel: &Kernel| refused(unnamed(kernel, Caller::ROOT, FLAGS));
    assert_eq!(told(&Kernel::of(Arc::new(Empty))), Some(ErrorKind::NotSupported));
    let read_only = Layers::over(memory()).with(ReadOnly).build();
    assert_eq!(told(&Kernel::of(read_only)), Some(ErrorKind::ReadOnly));
    let namespace = Namespace::new();
    namespace.mount(&VfsPath::parse(b"/below").unwrap(), memory(), MountOptions::default()).unwrap();
    assert_eq!(told(&Kernel::namespace(namespace)), Some(ErrorKind::ReadOnly), "only the way to a mount");
}

#[test]
fn nothing_is_made_without_a_name_once_opens_are_refused() {
    let kernel = Kernel::of(memory());
    kernel.frontend.refuse_opens(true);
    assert_eq!(refused(unnamed(&kernel, Caller::ROOT, FLAGS)), Some(ErrorKind::Shutdown));
}
