//! A provider as the cases see it: every operation by plain names and bytes, by one caller.
//!
//! Invariant: `create` works with every provider that makes files, whether it implements `create` or only
//! `mknod` and `open`, as the kernel does with file systems that have no `create`.

use crate::{Profile, Subject};
use fs9_sdk::{
    Attr, Call, Caller, DirEntry, DirSink, Entry, ErrorKind, FileHandle, FileType, Fill, Name, NewNode,
    NodeId, OpenFlags, OpenNode, Place, Provider, RenameFlags, Result, SetAttr, WriteOptions,
};

/// The root, under a short name.
pub(crate) const ROOT: NodeId = NodeId::ROOT;

/// Permissions of files that the suite makes.
const FILE_PERMISSIONS: u16 = 0o644;

/// More entries than any case makes: beyond it, a listing runs in circles.
const ENTRIES_MAX: usize = 100_000;

/// A provider and the one who calls it.
pub(crate) struct Session<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) profile: &'a Profile,
    pub(crate) provider: &'a dyn Provider,
    pub(crate) call: Call,
}

/// One entry of a listing, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: Vec<u8>,
    pub(crate) cookie: u64,
    pub(crate) kind: Option<FileType>,
    pub(crate) id: (u64, u64),
    pub(crate) entry: Option<Entry>,
}

/// Keeps entries up to a number.
pub(crate) struct Page {
    pub(crate) entries: Vec<Listed>,
    room: usize,
}

impl Page {
    pub(crate) fn of(room: usize) -> Page {
        Page { entries: Vec::new(), room }
    }
}

impl DirSink for Page {
    fn has_room(&self, _name_len: usize) -> bool {
        self.entries.len() < self.room
    }

    fn push(&mut self, entry: DirEntry<'_>) -> Fill {
        if self.entries.len() >= self.room {
            return Fill::Full;
        }
        self.entries.push(Listed {
            name: entry.name.as_bytes().to_vec(),
            cookie: entry.cookie,
            kind: entry.kind,
            id: (entry.device, entry.number),
            entry: entry.entry.copied(),
        });
        Fill::More
    }
}

impl<'a> Session<'a> {
    /// Returns a session of the user that runs the tests.
    pub(crate) fn new(profile: &'a Profile, subject: &'a Subject) -> Session<'a> {
        let caller = Caller {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            pid: std::process::id(),
            umask: 0o022,
            parent_group: None,
        };
        Session { subject, profile, provider: subject.provider(), call: Call::by(caller) }
    }

    /// Returns the same session on behalf of somebody else.
    pub(crate) fn by(&self, change: impl FnOnce(&mut Caller)) -> Session<'a> {
        let mut call = self.call.clone();
        change(&mut call.caller);
        Session { subject: self.subject, profile: self.profile, provider: self.provider, call }
    }

    /// Returns a regular file with content: the profile's sample, or one made now, and what it holds.
    pub(crate) fn sample(&self) -> Result<(Entry, Vec<u8>)> {
        if let Some(sample) = &self.profile.sample {
            return Ok((self.lookup(ROOT, &sample.name)?, sample.content.clone()));
        }
        let content = b"a sample of some bytes".to_vec();
        let made = self.file(ROOT, "sample", &content)?;
        Ok((Entry { attr: self.getattr(made.node)?, ..made }, content))
    }

    pub(crate) fn lookup(&self, parent: NodeId, name: impl AsRef<[u8]>) -> Result<Entry> {
        self.provider.lookup(&self.call, parent, Name::new(name.as_ref())?)
    }

    pub(crate) fn getattr(&self, node: NodeId) -> Result<Attr> {
        self.provider.getattr(&self.call, node, None)
    }

    pub(crate) fn setattr(&self, node: NodeId, changes: SetAttr) -> Result<Attr> {
        self.provider.setattr(&self.call, node, None, changes)
    }

    pub(crate) fn chmod(&self, node: NodeId, permissions: u16) -> Result<Attr> {
        self.setattr(node, SetAttr { permissions: Some(permissions), ..SetAttr::default() })
    }

    pub(crate) fn truncate(&self, node: NodeId, size: u64) -> Result<Attr> {
        self.setattr(node, SetAttr { size: Some(size), ..SetAttr::default() })
    }

    /// Makes and opens a file. Without `EXCLUSIVE`, an existing one is opened.
    pub(crate) fn create(
        &self,
        parent: NodeId,
        name: impl AsRef<[u8]>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, OpenNode)> {
        let name = Name::new(name.as_ref())?;
        let place = Place { parent, name };
        match self.provider.create(&self.call, place, permissions, flags | OpenFlags::CREATE) {
            Ok((entry, opened)) => Ok((entry, OpenNode { node: entry.node, handle: opened.handle })),
            Err(error) if error.kind() == ErrorKind::NotImplemented => {
                let entry = self.mknod(parent, name.as_bytes(), FileType::Regular, permissions)?;
                let file = self.open(entry.node, flags - (OpenFlags::CREATE | OpenFlags::EXCLUSIVE))?;
                Ok((entry, file))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a closed file with content; it counts as one lookup.
    pub(crate) fn file(
        &self,
        parent: NodeId,
        name: impl AsRef<[u8]>,
        content: impl AsRef<[u8]>,
    ) -> Result<Entry> {
        let flags = OpenFlags::READ_WRITE | OpenFlags::EXCLUSIVE;
        let (entry, file) = self.create(parent, name, FILE_PERMISSIONS, flags)?;
        let written = self.write(file, 0, content);
        self.release(file);
        written.map(|()| entry)
    }

    pub(crate) fn dir(&self, parent: NodeId, name: impl AsRef<[u8]>) -> Result<Entry> {
        self.provider.mkdir(&self.call, parent, Name::new(name.as_ref())?, 0o755)
    }

    pub(crate) fn mknod(
        &self,
        parent: NodeId,
        name: impl AsRef<[u8]>,
        kind: FileType,
        permissions: u16,
    ) -> Result<Entry> {
        let new = NewNode { mode: kind.mode_bits() | u32::from(permissions), rdev: 0 };
        self.provider.mknod(&self.call, parent, Name::new(name.as_ref())?, new)
    }

    pub(crate) fn symlink(
        &self,
        parent: NodeId,
        name: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> Result<Entry> {
        self.provider.symlink(&self.call, parent, Name::new(name.as_ref())?, target.as_ref())
    }

    pub(crate) fn link(&self, node: NodeId, parent: NodeId, name: impl AsRef<[u8]>) -> Result<Entry> {
        self.provider.link(&self.call, node, parent, Name::new(name.as_ref())?)
    }

    pub(crate) fn unlink(&self, parent: NodeId, name: impl AsRef<[u8]>) -> Result<()> {
        self.provider.unlink(&self.call, parent, Name::new(name.as_ref())?)
    }

    pub(crate) fn rmdir(&self, parent: NodeId, name: impl AsRef<[u8]>) -> Result<()> {
        self.provider.rmdir(&self.call, parent, Name::new(name.as_ref())?)
    }

    pub(crate) fn rename(
        &self,
        from: (NodeId, &[u8]),
        to: (NodeId, &[u8]),
        flags: RenameFlags,
    ) -> Result<()> {
        let from = Place { parent: from.0, name: Name::new(from.1)? };
        let to = Place { parent: to.0, name: Name::new(to.1)? };
        self.provider.rename(&self.call, from, to, flags)
    }

    /// Renames within the root, without flags.
    pub(crate) fn mv(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Result<()> {
        self.rename((ROOT, from.as_ref()), (ROOT, to.as_ref()), RenameFlags::empty())
    }

    pub(crate) fn open(&self, node: NodeId, flags: OpenFlags) -> Result<OpenNode> {
        let opened = self.provider.open(&self.call, node, flags)?;
        Ok(OpenNode { node, handle: opened.handle })
    }

    pub(crate) fn release(&self, file: OpenNode) {
        self.provider.release(file);
    }

    /// Reads once.
    pub(crate) fn read(&self, file: OpenNode, offset: u64, length: usize) -> Result<Vec<u8>> {
        let mut buffer = vec![0xa5; length];
        let count = self.provider.read(&self.call, file, offset, &mut buffer)?;
        buffer.truncate(count);
        Ok(buffer)
    }

    /// Writes everything, in as many calls as the provider wants.
    pub(crate) fn write(&self, file: OpenNode, offset: u64, data: impl AsRef<[u8]>) -> Result<()> {
        let mut data = data.as_ref();
        let mut offset = offset;
        while !data.is_empty() {
            let options = WriteOptions::default();
            let count = self.provider.write(&self.call, file, offset, data, options)?;
            if count == 0 || count > data.len() {
                return Err(fs9_sdk::Error::new(ErrorKind::Io).because("a write took no or too many bytes"));
            }
            data = &data[count..];
            offset += count as u64;
        }
        Ok(())
    }

    /// Returns all that a file holds, through a handle of its own.
    pub(crate) fn content(&self, node: NodeId) -> Result<Vec<u8>> {
        let size = self.getattr(node)?.size;
        let file = self.open(node, OpenFlags::empty())?;
        let content = self.read(file, 0, usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1));
        self.release(file);
        content
    }

    pub(crate) fn opendir(&self, node: NodeId) -> Result<OpenNode> {
        let opened = self.provider.opendir(&self.call, node)?;
        Ok(OpenNode { node, handle: opened.handle })
    }

    /// Lists one page from a cookie on.
    pub(crate) fn page(
        &self,
        dir: OpenNode,
        cookie: u64,
        room: usize,
        attributes: bool,
    ) -> Result<Vec<Listed>> {
        let mut page = Page::of(room);
        self.provider.readdir(&self.call, dir, cookie, attributes, &mut page)?;
        Ok(page.entries)
    }

    /// Lists the rest of an open directory in pages of `room` entries.
    pub(crate) fn pages(&self, dir: OpenNode, cookie: u64, room: usize) -> Result<Vec<Listed>> {
        let (mut all, mut cookie) = (Vec::new(), cookie);
        loop {
            let page = self.page(dir, cookie, room, false)?;
            let Some(last) = page.last() else { return Ok(all) };
            cookie = last.cookie;
            all.extend(page);
            if all.len() > ENTRIES_MAX {
                return Err(fs9_sdk::Error::new(ErrorKind::Io).because("the listing does not end"));
            }
        }
    }

    /// Lists a directory from beginning to end.
    pub(crate) fn list(&self, node: NodeId) -> Result<Vec<Listed>> {
        let dir = self.opendir(node)?;
        let entries = self.pages(dir, 0, usize::MAX);
        self.provider.releasedir(dir);
        entries
    }

    /// Returns the sorted names in a directory.
    pub(crate) fn names(&self, node: NodeId) -> Result<Vec<Vec<u8>>> {
        let mut names: Vec<_> = self.list(node)?.into_iter().map(|listed| listed.name).collect();
        names.sort();
        Ok(names)
    }

    pub(crate) fn getattr_by(&self, file: OpenNode) -> Result<Attr> {
        self.provider.getattr(&self.call, file.node, Some(file.handle))
    }

    /// Sets an attribute through an open file.
    pub(crate) fn setattr_by(&self, file: OpenNode, changes: SetAttr) -> Result<Attr> {
        let handle: FileHandle = file.handle;
        self.provider.setattr(&self.call, file.node, Some(handle), changes)
    }
}
