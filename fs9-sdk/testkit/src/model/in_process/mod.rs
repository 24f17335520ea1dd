//! A provider, driven as the kernel drives a file system: by lookups, with the kernel's own checks before.
//!
//! Invariant: every lookup is counted and taken back, at a `ForgetAll` or at the end; a node with an open handle
//! keeps one lookup, as the kernel's inode does.

mod attributes;
mod data;
mod names;

use super::answer::{Answer, Driver, Id, Item, Outcome, Stat, comparable_time};
use super::operation::{ModelTime, OpenMode, Operation, Path, SLOTS};
use crate::Subject;
use crate::contract::Page;
use fs9_sdk::{
    Attr, Call, Caller, Entry, ErrorKind, FileType, Name, NodeId, OpenFlags, OpenNode, SetTime, Timestamp,
};
use std::collections::HashMap;

type Result<T> = std::result::Result<T, ErrorKind>;

fn kind(error: fs9_sdk::Error) -> ErrorKind {
    error.kind()
}

/// An open file of the driver.
#[derive(Clone, Copy)]
struct OpenSlot {
    file: OpenNode,
    flags: OpenFlags,
}

/// A provider and what the kernel would know of it.
pub(super) struct InProcess {
    subject: Subject,
    call: Call,
    known: HashMap<NodeId, u64>,
    open: [Option<OpenSlot>; SLOTS],
}

impl InProcess {
    pub(super) fn new(subject: Subject, umask: u32) -> InProcess {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        let call = Call::by(Caller { uid, gid, pid: std::process::id(), umask, parent_group: None });
        InProcess { subject, call, known: HashMap::new(), open: Default::default() }
    }

    fn provider(&self) -> &dyn fs9_sdk::Provider {
        self.subject.provider()
    }

    /// What a change by an ordinary user asks for.
    fn kills_privileges(&self) -> bool {
        self.call.caller.uid != 0
    }

    fn note(&mut self, entry: Entry) -> Entry {
        *self.known.entry(entry.node).or_default() += 1;
        entry
    }

    fn lookup(&mut self, parent: NodeId, name: &[u8]) -> Result<Entry> {
        let name = Name::new(name).map_err(kind)?;
        let found = self.provider().lookup(&self.call, parent, name).map_err(kind)?;
        Ok(self.note(found))
    }

    /// Walks to the directory of a path, as the kernel does: through directories only.
    fn parent(&mut self, path: &Path) -> Result<(NodeId, Vec<u8>)> {
        let mut names = path.names();
        let Some(last) = names.pop() else { return Err(ErrorKind::InvalidArgument) };
        let mut at = NodeId::ROOT;
        for name in names {
            let entry = self.lookup(at, &name)?;
            if entry.attr.kind != FileType::Directory {
                return Err(ErrorKind::NotADirectory);
            }
            at = entry.node;
        }
        Ok((at, last))
    }

    fn find(&mut self, path: &Path) -> Result<Entry> {
        let (parent, name) = self.parent(path)?;
        self.lookup(parent, &name)
    }

    /// Returns whether a name stands in a directory.
    fn stands(&mut self, parent: NodeId, name: &[u8]) -> Result<bool> {
        match self.lookup(parent, name) {
            Ok(_) => Ok(true),
            Err(ErrorKind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn slot(&self, slot: usize) -> Result<OpenSlot> {
        self.open[slot].ok_or(ErrorKind::BadDescriptorState)
    }

    fn close(&mut self, slot: usize) -> Outcome {
        let open = self.open[slot].take().ok_or(ErrorKind::BadDescriptorState)?;
        match self.provider().flush(&self.call, open.file) {
            Err(error) if error.kind() != ErrorKind::NotImplemented => return Err(error.kind()),
            _ => self.provider().release(open.file),
        }
        Ok(Answer::Done)
    }

    fn put(&mut self, slot: usize, file: OpenNode, flags: OpenFlags) -> Outcome {
        if self.open[slot].is_some() {
            self.close(slot)?;
        }
        self.open[slot] = Some(OpenSlot { file, flags });
        Ok(Answer::Done)
    }

    /// Returns the names that the model sets, sorted.
    fn xattr_names(&self, node: NodeId) -> Result<Vec<Vec<u8>>> {
        let list = match self.provider().listxattr(&self.call, node) {
            Err(error) if error.kind() == ErrorKind::NotImplemented => Vec::new(),
            list => list.map_err(kind)?,
        };
        let all = list.split(|&byte| byte == 0);
        let mut names: Vec<_> =
            all.filter(|name| name.starts_with(b"user.model-")).map(<[u8]>::to_vec).collect();
        names.sort();
        Ok(names)
    }

    /// Lists a directory page by page, with attributes where the page has an odd size.
    fn list(&mut self, node: NodeId, room: usize) -> Result<Vec<(Vec<u8>, FileType)>> {
        let handle = self.provider().opendir(&self.call, node).map_err(kind)?.handle;
        let (dir, attributes) = (OpenNode { node, handle }, room % 2 == 1);
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            let mut page = Page::of(room);
            self.provider().readdir(&self.call, dir, cookie, attributes, &mut page).map_err(kind)?;
            let Some(last) = page.entries.last() else { break };
            cookie = last.cookie;
            for listed in page.entries {
                if let Some(entry) = listed.entry {
                    self.note(entry);
                }
                let found = self.lookup(node, &listed.name)?;
                let told = listed.kind.unwrap_or(found.attr.kind);
                names.push((listed.name, told));
            }
        }
        self.provider().releasedir(dir);
        names.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    }

    /// Takes back all lookups but one for each open file.
    fn forget_all(&mut self) {
        let open: Vec<NodeId> = self.open.iter().flatten().map(|open| open.file.node).collect();
        for (node, count) in std::mem::take(&mut self.known) {
            let kept = u64::from(open.contains(&node));
            if count > kept {
                self.provider().forget(node, count - kept);
            }
            if kept > 0 {
                self.known.insert(node, kept);
            }
        }
    }

    fn walk(&mut self, dir: NodeId, path: &str, items: &mut Vec<Item>) -> Result<()> {
        for (name, _) in self.list(dir, 3)? {
            let entry = self.lookup(dir, &name)?;
            let path = format!("{path}/{}", name.escape_ascii());
            let attr = self.provider().getattr(&self.call, entry.node, None).map_err(kind)?;
            let content = match attr.kind {
                FileType::Regular => Answer::Bytes(self.content(entry.node, attr.size)?),
                FileType::Symlink => {
                    Answer::Bytes(self.provider().readlink(&self.call, entry.node).map_err(kind)?)
                }
                _ => Answer::Done,
            };
            let mut xattrs = Vec::new();
            for name in self.xattr_names(entry.node)? {
                let value = self.provider().getxattr(&self.call, entry.node, &name).map_err(kind)?;
                xattrs.push((name, value));
            }
            if attr.kind == FileType::Directory {
                self.walk(entry.node, &path, items)?;
            }
            items.push(Item { path, stat: stat_of(&attr), content, xattrs });
        }
        Ok(())
    }
}

impl Driver for InProcess {
    fn apply(&mut self, operation: &Operation) -> Outcome {
        self.names(operation)
    }

    fn tree(&mut self) -> Result<Vec<Item>> {
        self.forget_all();
        let mut items = Vec::new();
        self.walk(NodeId::ROOT, "", &mut items)?;
        items.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(items)
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        for open in std::mem::take(&mut self.open).into_iter().flatten() {
            self.provider().release(open.file);
        }
        self.forget_all();
    }
}

fn done(result: fs9_sdk::Result<()>) -> Outcome {
    result.map(|()| Answer::Done).map_err(kind)
}

fn open_flags(open: OpenMode) -> OpenFlags {
    let mut flags = OpenFlags::from_bits_retain(open.access);
    flags.set(OpenFlags::TRUNCATE, open.truncate);
    flags.set(OpenFlags::APPEND, open.append);
    flags
}

fn set_time(time: ModelTime) -> Option<SetTime> {
    time.map(|(seconds, nanoseconds)| match nanoseconds {
        u32::MAX => SetTime::Now,
        _ => SetTime::At(Timestamp { seconds, nanoseconds }),
    })
}

fn stat_of(attr: &Attr) -> Stat {
    Stat {
        kind: attr.kind,
        permissions: attr.permissions,
        nlink: attr.nlink,
        owner: (attr.uid, attr.gid),
        size: (attr.kind != FileType::Directory).then_some(attr.size),
        mtime: comparable_time(attr.mtime.seconds, attr.mtime.nanoseconds),
        id: Id(attr.id.device, attr.id.number),
    }
}
