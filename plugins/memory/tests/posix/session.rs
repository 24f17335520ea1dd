//! A tree under test with one caller, and calls on it that are short to write.
#![expect(clippy::unwrap_used, reason = "a call that must succeed fails the test that makes it")]

use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_sdk::{
    Attr, Call, Caller, DirEntry, DirSink, Entry, ErrorKind, FileHandle, Fill, Name, NodeId, OpenFlags,
    OpenNode, Place, Provider, RenameFlags, Result, SetAttr, WriteOptions,
};

/// The root of every tree.
pub(crate) const ROOT: NodeId = NodeId::ROOT;

/// Returns a name that is known to be valid.
pub(crate) fn name(bytes: &str) -> Name<'_> {
    Name::new(bytes.as_bytes()).unwrap()
}

/// Returns the kind of error of a result that must be one.
pub(crate) fn kind<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("this was expected to fail"),
        Err(error) => error.kind(),
    }
}

/// A tree and a caller.
pub(crate) struct Session {
    pub(crate) provider: MemoryProvider,
    pub(crate) call: Call,
}

impl Session {
    pub(crate) fn new() -> Session {
        Session::with(MemoryOptions { size_max: 1 << 30, ..MemoryOptions::default() })
    }

    pub(crate) fn with(options: MemoryOptions) -> Session {
        let caller = Caller { uid: 1000, gid: 1000, ..Caller::ROOT };
        Session { provider: MemoryProvider::new(options).unwrap(), call: Call::by(caller) }
    }

    pub(crate) fn mkdir(&self, parent: NodeId, at: &str) -> NodeId {
        self.provider.mkdir(&self.call, parent, name(at), 0o777).unwrap().node
    }

    /// Makes a regular file and opens it for reading and writing.
    pub(crate) fn create(&self, parent: NodeId, at: &str) -> OpenNode {
        let place = Place { parent, name: name(at) };
        let (entry, opened) = self.provider.create(&self.call, place, 0o666, OpenFlags::READ_WRITE).unwrap();
        OpenNode { node: entry.node, handle: opened.handle }
    }

    /// Makes an empty regular file and returns its node.
    pub(crate) fn touch(&self, parent: NodeId, at: &str) -> NodeId {
        let file = self.create(parent, at);
        self.provider.release(file);
        file.node
    }

    pub(crate) fn open(&self, node: NodeId, flags: OpenFlags) -> OpenNode {
        OpenNode { node, handle: self.provider.open(&self.call, node, flags).unwrap().handle }
    }

    pub(crate) fn write(&self, file: OpenNode, offset: u64, data: &[u8]) -> Result<usize> {
        self.provider.write(&self.call, file, offset, data, WriteOptions::default())
    }

    pub(crate) fn read(&self, file: OpenNode, offset: u64, length: usize) -> Vec<u8> {
        let mut buffer = vec![0xee; length];
        let read = self.provider.read(&self.call, file, offset, &mut buffer).unwrap();
        buffer.truncate(read);
        buffer
    }

    pub(crate) fn lookup(&self, parent: NodeId, at: &str) -> Result<Entry> {
        self.provider.lookup(&self.call, parent, name(at))
    }

    pub(crate) fn attr(&self, node: NodeId) -> Attr {
        self.provider.getattr(&self.call, node, None).unwrap()
    }

    pub(crate) fn set(&self, node: NodeId, changes: SetAttr) -> Attr {
        self.provider.setattr(&self.call, node, None, changes).unwrap()
    }

    pub(crate) fn chmod(&self, node: NodeId, permissions: u16) {
        self.set(node, SetAttr { permissions: Some(permissions), ..SetAttr::default() });
    }

    pub(crate) fn unlink(&self, parent: NodeId, at: &str) -> Result<()> {
        self.provider.unlink(&self.call, parent, name(at))
    }

    pub(crate) fn rmdir(&self, parent: NodeId, at: &str) -> Result<()> {
        self.provider.rmdir(&self.call, parent, name(at))
    }

    pub(crate) fn rename(&self, from: (NodeId, &str), to: (NodeId, &str), flags: RenameFlags) -> Result<()> {
        let place = |(parent, at)| Place { parent, name: name(at) };
        self.provider.rename(&self.call, place(from), place(to), flags)
    }

    /// Lists a directory, at most `batch` entries a call.
    pub(crate) fn list(&self, node: NodeId, batch: usize) -> Vec<(Vec<u8>, u64)> {
        let mut all = Vec::new();
        let mut cookie = 0;
        loop {
            let mut page = Page { entries: Vec::new(), room: batch, lookups: Vec::new() };
            self.list_into(node, cookie, false, &mut page);
            let Some(&(_, last)) = page.entries.last() else { return all };
            cookie = last;
            all.extend(page.entries);
        }
    }

    pub(crate) fn list_into(&self, node: NodeId, cookie: u64, attributes: bool, page: &mut Page) {
        let dir = OpenNode { node, handle: FileHandle(0) };
        self.provider.readdir(&self.call, dir, cookie, attributes, page).unwrap();
    }

    pub(crate) fn names(&self, node: NodeId) -> Vec<String> {
        let listed = self.list(node, usize::MAX);
        listed.into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
    }

    /// Returns bytes and inodes in use.
    pub(crate) fn used(&self) -> (u64, u64) {
        let statfs = self.provider.statfs(&self.call, ROOT).unwrap();
        (
            (statfs.blocks - statfs.blocks_free) * u64::from(statfs.fragment_size),
            statfs.files - statfs.files_free,
        )
    }
}

/// A part of a listing.
pub(crate) struct Page {
    pub(crate) entries: Vec<(Vec<u8>, u64)>,
    pub(crate) room: usize,
    pub(crate) lookups: Vec<Entry>,
}

impl DirSink for Page {
    fn has_room(&self, _name_len: usize) -> bool {
        self.entries.len() < self.room
    }

    fn push(&mut self, entry: DirEntry<'_>) -> Fill {
        if !self.has_room(0) {
            return Fill::Full;
        }
        self.entries.push((entry.name.as_bytes().to_vec(), entry.cookie));
        self.lookups.extend(entry.entry);
        Fill::More
    }
}
