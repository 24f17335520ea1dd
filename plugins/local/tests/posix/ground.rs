//! What the tests of the local provider stand on: a temporary directory and a provider of it.

use fs9_local::{LocalOptions, LocalProvider};
use fs9_sdk::{
    Attr, Call, Caller, Entry, ErrorKind, FileHandle, Name, NodeId, OpenFlags, OpenNode, Place, Provider,
    Result, WriteOptions,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The root of the provider.
pub(crate) const ROOT: NodeId = NodeId::ROOT;

/// A temporary directory in memory if there is such a place: the tests make many small changes.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    match std::env::var_os("TMPDIR") {
        None if memory.is_dir() => TempDir::new_in(memory).unwrap(),
        _ => TempDir::new().unwrap(),
    }
}

/// A provider of a temporary directory.
pub(crate) struct Ground {
    pub(crate) provider: LocalProvider,
    pub(crate) dir: TempDir,
}

impl Ground {
    pub(crate) fn new(options: LocalOptions) -> Ground {
        Ground::on(directory(), options)
    }

    pub(crate) fn on(dir: TempDir, options: LocalOptions) -> Ground {
        Ground { provider: LocalProvider::open(dir.path(), options).unwrap(), dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn lookup(&self, parent: NodeId, text: &str) -> Result<Entry> {
        self.provider.lookup(&root(), parent, name(text))
    }

    pub(crate) fn getattr(&self, node: NodeId) -> Result<Attr> {
        self.provider.getattr(&root(), node, None)
    }

    /// Makes a file and returns its node, opened for reading and writing.
    pub(crate) fn create(
        &self,
        call: &Call,
        parent: NodeId,
        text: &str,
        permissions: u16,
    ) -> Result<OpenNode> {
        let place = Place { parent, name: name(text) };
        let flags = OpenFlags::READ_WRITE | OpenFlags::EXCLUSIVE;
        let (entry, opened) = self.provider.create(call, place, permissions, flags)?;
        Ok(OpenNode { node: entry.node, handle: opened.handle })
    }

    pub(crate) fn open(&self, call: &Call, node: NodeId, flags: OpenFlags) -> Result<OpenNode> {
        let handle: FileHandle = self.provider.open(call, node, flags)?.handle;
        Ok(OpenNode { node, handle })
    }

    pub(crate) fn write(&self, call: &Call, file: OpenNode, data: &[u8]) -> Result<usize> {
        let options = WriteOptions { kill_privileges: call.caller.uid != 0, from_cache: false };
        self.provider.write(call, file, 0, data, options)
    }

    /// Returns what the file of a node holds.
    pub(crate) fn content(&self, node: NodeId) -> Result<Vec<u8>> {
        let file = self.open(&root(), node, OpenFlags::empty())?;
        let mut buffer = vec![0; 65_536];
        let length = self.provider.read(&root(), file, 0, &mut buffer);
        self.provider.release(file);
        buffer.truncate(length?);
        Ok(buffer)
    }
}

/// Returns a valid name.
pub(crate) fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).unwrap()
}

/// Returns a call by root.
pub(crate) fn root() -> Call {
    Call::by(Caller::ROOT)
}

/// Returns a call by an ordinary user whose group has the same number.
pub(crate) fn user(uid: u32) -> Call {
    Call::by(Caller { uid, gid: uid, ..Caller::ROOT })
}

/// Returns whether the tests may make what belongs to others.
pub(crate) fn is_root() -> bool {
    fs9_sys::credentials::can_switch()
}

/// Returns the kind of an error.
pub(crate) fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}
