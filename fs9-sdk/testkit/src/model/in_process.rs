//! A provider, driven as the kernel drives a file system: by lookups, with the kernel's own checks before.
//!
//! Invariant: every lookup is counted and taken back, at a `ForgetAll` or at the end; a node with an open handle
//! keeps one lookup, as the kernel's inode does.

use super::answer::{
    Answer, Driver, Id, Item, Outcome, Stat, comparable_time, refusal_to_open, refusal_to_truncate,
    xattr_name,
};
use super::operation::{ModelTime, OpenMode, Operation, Path, SLOTS};
use crate::Subject;
use crate::contract::Page;
use fs9_sdk::{
    Attr, Call, Caller, CopyRange, Entry, ErrorKind, FallocateMode, FileType, Name, NewNode, NodeId,
    OpenFlags, OpenNode, Place, RenameFlags, SetAttr, SetTime, Timestamp, WriteOptions, XattrFlags,
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
        let call = Call::by(Caller { uid, gid, pid: std::process::id(), umask });
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

    fn open_node(&mut self, entry: Entry, open: OpenMode, slot: usize) -> Outcome {
        if let Some(refusal) = refusal_to_open(entry.attr.kind) {
            return Err(refusal);
        }
        let flags = open_flags(open);
        let opened = self.provider().open(&self.call, entry.node, flags).map_err(kind)?;
        self.put(slot, OpenNode { node: entry.node, handle: opened.handle }, flags)
    }

    fn create(&mut self, path: &Path, mode: u16, exclusive: bool, open: OpenMode, slot: usize) -> Outcome {
        let (parent, name) = self.parent(path)?;
        match self.lookup(parent, &name) {
            Ok(_) if exclusive => return Err(ErrorKind::AlreadyExists),
            Ok(entry) => return self.open_node(entry, open, slot),
            Err(ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
        let exclusive = if exclusive { OpenFlags::EXCLUSIVE } else { OpenFlags::empty() };
        let flags = open_flags(open) | OpenFlags::CREATE | exclusive;
        let place = Place { parent, name: Name::new(&name).map_err(kind)? };
        let (entry, opened) = self.provider().create(&self.call, place, mode, flags).map_err(kind)?;
        self.note(entry);
        self.put(slot, OpenNode { node: entry.node, handle: opened.handle }, flags)
    }

    fn rename(&mut self, from: &Path, to: &Path, flags: u32) -> Outcome {
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        let flags = RenameFlags::from_bits_retain(flags);
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let contradicts = exchange && flags.intersects(RenameFlags::NOREPLACE | RenameFlags::WHITEOUT);
        if flags.bits() & !7 != 0 || contradicts {
            return Err(ErrorKind::InvalidArgument);
        }
        self.lookup(from_dir, &from_name)?;
        let stands = self.stands(to_dir, &to_name)?;
        if stands && flags.contains(RenameFlags::NOREPLACE) {
            return Err(ErrorKind::AlreadyExists);
        }
        if !stands && exchange {
            return Err(ErrorKind::NotFound);
        }
        if from.0.len() > to.0.len() && from.0.starts_with(&to.0) {
            return Err(if exchange { ErrorKind::InvalidArgument } else { ErrorKind::DirectoryNotEmpty });
        }
        let from = Place { parent: from_dir, name: Name::new(&from_name).map_err(kind)? };
        let to = Place { parent: to_dir, name: Name::new(&to_name).map_err(kind)? };
        done(self.provider().rename(&self.call, from, to, flags))
    }

    fn link(&mut self, from: &Path, to: &Path) -> Outcome {
        // The other side walks to both directories before it makes the one system call.
        let ((from_dir, from_name), (parent, name)) = (self.parent(from)?, self.parent(to)?);
        let from = self.lookup(from_dir, &from_name)?;
        if self.stands(parent, &name)? {
            return Err(ErrorKind::AlreadyExists);
        }
        let name = Name::new(&name).map_err(kind)?;
        let made = self.provider().link(&self.call, from.node, parent, name).map_err(kind)?;
        self.note(made);
        Ok(Answer::Done)
    }

    fn make(
        &mut self,
        path: &Path,
        make: impl FnOnce(&Self, NodeId, Name<'_>) -> fs9_sdk::Result<Entry>,
    ) -> Outcome {
        let (parent, name) = self.parent(path)?;
        let made = make(self, parent, Name::new(&name).map_err(kind)?).map_err(kind)?;
        self.note(made);
        Ok(Answer::Done)
    }

    fn names(&mut self, operation: &Operation) -> Outcome {
        match operation {
            // mkdir(2) ignores set-user-ID and set-group-ID.
            Operation::Mkdir { path, mode } => self.make(path, |this, parent, name| {
                this.provider().mkdir(&this.call, parent, name, mode & 0o1777)
            }),
            Operation::Symlink { path, target } => self
                .make(path, |this, parent, name| this.provider().symlink(&this.call, parent, name, target)),
            Operation::Mkfifo { path, mode } => {
                let new = NewNode { mode: FileType::Fifo.mode_bits() | u32::from(*mode), rdev: 0 };
                self.make(path, |this, parent, name| this.provider().mknod(&this.call, parent, name, new))
            }
            Operation::Link { from, to } => self.link(from, to),
            Operation::Unlink { path } => {
                let (parent, name) = self.parent(path)?;
                done(self.provider().unlink(&self.call, parent, Name::new(&name).map_err(kind)?))
            }
            Operation::Rmdir { path } => {
                let (parent, name) = self.parent(path)?;
                done(self.provider().rmdir(&self.call, parent, Name::new(&name).map_err(kind)?))
            }
            Operation::Rename { from, to, flags } => self.rename(from, to, *flags),
            Operation::Create { path, mode, exclusive, open, slot } => {
                self.create(path, *mode, *exclusive, *open, *slot)
            }
            Operation::Open { path, open, slot } => {
                let entry = self.find(path)?;
                self.open_node(entry, *open, *slot)
            }
            Operation::Close { slot } => self.close(*slot),
            Operation::ForgetAll => {
                self.forget_all();
                Ok(Answer::Done)
            }
            _ => self.data(operation),
        }
    }

    fn data(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Write { slot, offset, length, fill } => {
                self.write(self.slot(*slot)?, *offset, &vec![*fill; *length])
            }
            Operation::Read { slot, offset, length } => {
                let open = self.slot(*slot)?;
                let mut buffer = vec![0xa5; *length];
                let count =
                    self.provider().read(&self.call, open.file, *offset, &mut buffer).map_err(kind)?;
                buffer.truncate(count);
                Ok(Answer::Bytes(buffer))
            }
            Operation::TruncateOpen { slot, size } => {
                let open = self.slot(*slot)?;
                if !open.flags.writable() {
                    return Err(ErrorKind::InvalidArgument);
                }
                let changes = self.size(*size);
                let handle = Some(open.file.handle);
                done(self.provider().setattr(&self.call, open.file.node, handle, changes).map(drop))
            }
            Operation::Fallocate { slot, mode, offset, length } => {
                let open = self.slot(*slot)?;
                let mode = FallocateMode::from_bits_retain(*mode);
                // The kernel looks at the mode before it looks at the handle.
                let punch = FallocateMode::PUNCH_HOLE;
                if mode.contains(punch) && !mode.contains(FallocateMode::KEEP_SIZE) {
                    return Err(ErrorKind::NotSupported);
                }
                done(self.provider().fallocate(&self.call, open.file, mode, *offset, *length))
            }
            Operation::Copy { from, to, source, target, length } => {
                self.copy((self.slot(*from)?, *source), (self.slot(*to)?, *target), *length)
            }
            Operation::StatOpen { slot } => {
                let file = self.slot(*slot)?.file;
                let attr = self.provider().getattr(&self.call, file.node, Some(file.handle)).map_err(kind)?;
                Ok(Answer::Stat(stat_of(&attr)))
            }
            Operation::Fsync { slot } => {
                done(self.provider().fsync(&self.call, self.slot(*slot)?.file, false))
            }
            _ => self.attributes(operation),
        }
    }

    fn write(&self, open: OpenSlot, offset: u64, data: &[u8]) -> Outcome {
        let append = open.flags.contains(OpenFlags::APPEND);
        let at = match append {
            // The kernel passes the size that it knows.
            true => {
                self.provider()
                    .getattr(&self.call, open.file.node, Some(open.file.handle))
                    .map_err(kind)?
                    .size
            }
            false => offset,
        };
        let options = WriteOptions { kill_privileges: self.kills_privileges(), from_cache: false };
        let count = self.provider().write(&self.call, open.file, at, data, options).map_err(kind)?;
        Ok(Answer::Count(count as u64))
    }

    fn size(&self, size: u64) -> SetAttr {
        SetAttr { size: Some(size), kill_privileges: self.kills_privileges(), ..SetAttr::default() }
    }

    fn copy(&self, from: (OpenSlot, u64), to: (OpenSlot, u64), length: u64) -> Outcome {
        let appends = to.0.flags.contains(OpenFlags::APPEND);
        if !from.0.flags.readable() || !to.0.flags.writable() || appends {
            return Err(ErrorKind::BadDescriptor);
        }
        let mut done = 0;
        while done < length {
            let file = from.0.file;
            let attr = self.provider().getattr(&self.call, file.node, Some(file.handle)).map_err(kind)?;
            // The kernel cuts the range at the end of the source before it looks for an overlap.
            let left = (length - done).min(attr.size.saturating_sub(from.1 + done));
            if left == 0 {
                break;
            }
            let (source, target) = ((file, from.1 + done), (to.0.file, to.1 + done));
            let range = CopyRange { source, target, length: left };
            match self.provider().copy_file_range(&self.call, range).map_err(kind)? {
                0 => break,
                count => done += count,
            }
        }
        Ok(Answer::Count(done))
    }

    fn attributes(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Stat { path } => {
                let entry = self.find(path)?;
                let attr = self.provider().getattr(&self.call, entry.node, None).map_err(kind)?;
                // Looking up and asking must tell the same; no file system answers EPROTO by itself.
                let agrees = Attr { atime: attr.atime, ..entry.attr } == attr;
                if agrees { Ok(Answer::Stat(stat_of(&attr))) } else { Err(ErrorKind::Protocol) }
            }
            Operation::Truncate { path, size } => {
                let entry = self.find(path)?;
                match refusal_to_truncate(entry.attr.kind) {
                    Some(refusal) => Err(refusal),
                    None => self.set(entry, self.size(*size)),
                }
            }
            Operation::Chmod { path, mode } => {
                let entry = self.find(path)?;
                if entry.attr.kind == FileType::Symlink {
                    return Err(ErrorKind::NotSupported);
                }
                self.set(entry, SetAttr { permissions: Some(*mode), ..SetAttr::default() })
            }
            Operation::SetTimes { path, atime, mtime } => self.set_times(path, *atime, *mtime),
            Operation::Readlink { path } => {
                let entry = self.find(path)?;
                if entry.attr.kind != FileType::Symlink {
                    return Err(ErrorKind::InvalidArgument);
                }
                self.provider().readlink(&self.call, entry.node).map(Answer::Bytes).map_err(kind)
            }
            Operation::List { path, page } => {
                let entry = self.find(path)?;
                if entry.attr.kind != FileType::Directory {
                    return Err(ErrorKind::NotADirectory);
                }
                Ok(Answer::Names(self.list(entry.node, *page)?))
            }
            _ => self.xattrs(operation),
        }
    }

    fn set(&self, entry: Entry, changes: SetAttr) -> Outcome {
        let told = self.provider().setattr(&self.call, entry.node, None, changes).map_err(kind)?;
        let now = self.provider().getattr(&self.call, entry.node, None).map_err(kind)?;
        if told == now { Ok(Answer::Done) } else { Err(ErrorKind::Protocol) }
    }

    fn set_times(&mut self, path: &Path, atime: ModelTime, mtime: ModelTime) -> Outcome {
        let entry = self.find(path)?;
        let changes = SetAttr { atime: set_time(atime), mtime: set_time(mtime), ..SetAttr::default() };
        if !changes.is_empty() {
            self.set(entry, changes)?;
        }
        let now = self.provider().getattr(&self.call, entry.node, None).map_err(kind)?;
        let atime = atime.and_then(|_| comparable_time(now.atime.seconds, now.atime.nanoseconds));
        Ok(Answer::Times(atime, comparable_time(now.mtime.seconds, now.mtime.nanoseconds)))
    }

    fn xattrs(&mut self, operation: &Operation) -> Outcome {
        let keeps = |entry: &Entry| matches!(entry.attr.kind, FileType::Regular | FileType::Directory);
        match operation {
            // xattr(7): only files and directories have attributes of the user namespace.
            Operation::SetXattr { path, name, value, flags } => match self.find(path)? {
                entry if keeps(&entry) => {
                    let flags = XattrFlags::from_bits_retain(*flags);
                    let name = xattr_name(*name);
                    done(self.provider().setxattr(&self.call, entry.node, &name, value, flags))
                }
                _ => Err(ErrorKind::NotPermitted),
            },
            Operation::GetXattr { path, name } => match self.find(path)? {
                entry if keeps(&entry) => {
                    let value = self.provider().getxattr(&self.call, entry.node, &xattr_name(*name));
                    value.map(Answer::Bytes).map_err(kind)
                }
                _ => Err(ErrorKind::NoData),
            },
            Operation::RemoveXattr { path, name } => match self.find(path)? {
                entry if keeps(&entry) => {
                    done(self.provider().removexattr(&self.call, entry.node, &xattr_name(*name)))
                }
                _ => Err(ErrorKind::NotPermitted),
            },
            Operation::ListXattr { path } => {
                let node = self.find(path)?.node;
                Ok(Answer::Bytes(self.xattr_names(node)?.join(&0)))
            }
            _ => Err(ErrorKind::NotImplemented),
        }
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

    fn content(&self, node: NodeId, size: u64) -> Result<Vec<u8>> {
        let handle = self.provider().open(&self.call, node, OpenFlags::empty()).map_err(kind)?.handle;
        let file = OpenNode { node, handle };
        let mut content = vec![0xa5; size as usize + 1];
        let count = self.provider().read(&self.call, file, 0, &mut content).map_err(kind)?;
        self.provider().release(file);
        content.truncate(count);
        Ok(content)
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
