//! The control directory as a provider.
//!
//! Invariant: only the owner and root get anything, whatever the kernel lets through.
//! Lock order: `results` alone; it is not held while a command runs.

use super::access_log::LogReader;
use super::{COMMAND_MAX, Commands, HandleReport, report, results::Results};
use crate::{HandleId, HandleRegistry, MountTable, Namespace, OwnerId};
use fs9_sdk::{
    Attr, Call, Caller, Capabilities, DirEntry, DirSink, Entry, Error, ErrorKind, Execution, FileHandle,
    FileType, Fill, Name, NewNode, NodeId, ObjectId, OpenFlags, OpenNode, OpenTraits, Opened, Place,
    PollEvents, PollWaker, Provider, RenameFlags, Result, SetAttr, StatFs, Timestamp, WriteOptions,
    XattrFlags,
};
use parking_lot::Mutex;
use std::fmt;
use std::sync::{Arc, Weak};

/// A file of the control directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Version,
    Mounts,
    Providers,
    Stats,
    Handles,
    Ctl,
    AccessLog,
}

/// Each file with its name. Its node is its index and [`FIRST_FILE`], its cookie one more than its index.
const FILES: [(File, &str); 7] = [
    (File::Version, "version"),
    (File::Mounts, "mounts"),
    (File::Providers, "providers"),
    (File::Stats, "stats"),
    (File::Handles, "handles"),
    (File::Ctl, "ctl"),
    (File::AccessLog, "accesslog"),
];

/// The node of the first file; the root is [`NodeId::ROOT`].
const FIRST_FILE: u64 = NodeId::ROOT.0 + 1;

/// What an open file says.
enum Said {
    /// This, since the moment it was opened.
    Content(Vec<u8>),
    /// What is asked for from then on.
    Log {
        reader: Arc<LogReader>,
        /// Opened with `O_NONBLOCK`.
        never_wait: bool,
    },
}

/// What the control directory is told once.
#[derive(Clone, Debug)]
pub struct ControlOptions {
    /// The content of `version`, without a newline.
    pub version: String,
    /// The user of the daemon.
    pub uid: u32,
    /// The group of the daemon.
    pub gid: u32,
    /// Who reads `accesslog` waits for lines; otherwise reading gives `EAGAIN` while there are none.
    pub log_waits: bool,
}

/// The provider of the control directory.
pub struct ControlProvider {
    /// Weak, since the namespace holds this provider.
    namespace: Weak<Namespace>,
    options: ControlOptions,
    commands: Arc<dyn Commands>,
    handles: Arc<dyn HandleReport>,
    made: Timestamp,
    open: HandleRegistry<Said>,
    results: Arc<Mutex<Results>>,
}

impl ControlProvider {
    /// Returns the control directory of a namespace.
    pub fn new(
        namespace: &Arc<Namespace>,
        options: ControlOptions,
        commands: Arc<dyn Commands>,
        handles: Arc<dyn HandleReport>,
    ) -> ControlProvider {
        ControlProvider {
            namespace: Arc::downgrade(namespace),
            options,
            commands,
            handles,
            made: Timestamp::now(),
            open: HandleRegistry::new(),
            results: Arc::default(),
        }
    }

    fn admit(&self, caller: &Caller) -> Result<()> {
        if caller.uid == 0 || caller.uid == self.options.uid {
            Ok(())
        } else {
            refuse(ErrorKind::AccessDenied)
        }
    }

    /// Runs what was written to `ctl`, and has the file tell what became of it.
    fn command(&self, call: &Call, data: &[u8]) -> Result<String> {
        let command = self.results.lock().begin(call.caller.uid);
        let hook = {
            let (results, call) = (Arc::clone(&self.results), call.clone());
            let cancellation = call.cancellation.clone();
            cancellation.on_cancel(move || {
                // Who cancels may be a little faster than the clock.
                results.lock().let_go(command, call.lapsed().unwrap_or(ErrorKind::Interrupted));
            })
        };
        let result = command_line(data).and_then(|line| self.commands.run(call, line));
        drop(hook);
        let told = if call.cancellation.is_cancelled() { call.lapsed() } else { None };
        self.results.lock().end(command, &result, told);
        result
    }

    fn table(&self) -> Result<Arc<MountTable>> {
        let namespace = self.namespace.upgrade().ok_or(ErrorKind::Shutdown)?;
        Ok(Arc::clone(&namespace.table()))
    }

    fn content(&self, file: File, uid: u32) -> Result<Vec<u8>> {
        Ok(match file {
            File::Version => report::version(&self.options.version),
            File::Mounts => report::mounts(&*self.table()?, self.handles.passthrough_withdrawn_by()),
            File::Providers => report::providers(&*self.table()?),
            File::Stats => report::stats(&*self.table()?),
            File::Handles => report::handles(&self.handles.open_handles()),
            File::Ctl => self.results.lock().of(uid).to_vec(),
            File::AccessLog => Vec::new(),
        })
    }

    fn attr(&self, node: NodeId) -> Result<Attr> {
        let (kind, permissions, nlink) = match node {
            NodeId::ROOT => (FileType::Directory, 0o700, 2),
            _ if file_of(node)? == File::Ctl => (FileType::Regular, 0o600, 1),
            _ => (FileType::Regular, 0o400, 1),
        };
        let id = ObjectId { device: 0, number: node.0, generation: 0 };
        Ok(Attr {
            nlink,
            uid: self.options.uid,
            gid: self.options.gid,
            // As in proc(5): the size is not known before the content is made.
            size: 0,
            block_size: COMMAND_MAX as u32,
            btime: Some(self.made),
            ..Attr::new(id, kind, permissions, self.made)
        })
    }

    fn entry(&self, index: usize) -> Result<Entry> {
        let node = NodeId(FIRST_FILE + index as u64);
        Ok(Entry { node, attr: self.attr(node)? })
    }
}

fn refuse<T>(kind: ErrorKind) -> Result<T> {
    Err(kind.into())
}

fn file_of(node: NodeId) -> Result<File> {
    let index = node.0.checked_sub(FIRST_FILE).and_then(|index| usize::try_from(index).ok());
    let file = index.and_then(|index| FILES.get(index)).map(|&(file, _)| file);
    file.ok_or_else(|| if node == NodeId::ROOT { ErrorKind::IsADirectory } else { ErrorKind::Stale }.into())
}

/// Checks what was written to `ctl` and returns it as a line.
fn command_line(data: &[u8]) -> Result<&[u8]> {
    if data.len() > COMMAND_MAX {
        return Err(Error::new(ErrorKind::MessageTooLong).because("a command has at most 4096 bytes"));
    }
    let line = data.strip_suffix(b"\n").unwrap_or(data);
    if line.is_empty() || line.iter().any(|&byte| byte == b'\n' || byte == 0) {
        return Err(Error::new(ErrorKind::InvalidArgument).because("one write is one line with one command"));
    }
    Ok(line)
}

impl Provider for ControlProvider {
    /// Commands can take long and may call into other providers, so that they never run on a request's own thread.
    fn capabilities(&self) -> Capabilities {
        Capabilities { execution: Execution::MayBlock, stable_ids: true, ..Capabilities::default() }
    }

    fn lookup(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        self.admit(&call.caller)?;
        if parent != NodeId::ROOT {
            return refuse(ErrorKind::NotADirectory);
        }
        match FILES.iter().position(|(_, file)| file.as_bytes() == name.as_bytes()) {
            Some(index) => self.entry(index),
            None => refuse(ErrorKind::NotFound),
        }
    }

    fn getattr(&self, _call: &Call, node: NodeId, _handle: Option<FileHandle>) -> Result<Attr> {
        self.attr(node)
    }

    /// Accepts what `echo COMMAND > ctl` does besides writing, and changes nothing.
    fn setattr(&self, call: &Call, node: NodeId, _: Option<FileHandle>, changes: SetAttr) -> Result<Attr> {
        self.admit(&call.caller)?;
        let is_lasting = changes.permissions.is_some() || changes.uid.is_some() || changes.gid.is_some();
        if is_lasting || file_of(node)? != File::Ctl {
            return refuse(ErrorKind::NotPermitted);
        }
        self.attr(node)
    }

    fn mknod(&self, _call: &Call, _parent: NodeId, _name: Name<'_>, _new: NewNode) -> Result<Entry> {
        refuse(ErrorKind::NotPermitted)
    }

    fn mkdir(&self, _call: &Call, _parent: NodeId, _name: Name<'_>, _permissions: u16) -> Result<Entry> {
        refuse(ErrorKind::NotPermitted)
    }

    fn symlink(&self, _call: &Call, _parent: NodeId, _name: Name<'_>, _target: &[u8]) -> Result<Entry> {
        refuse(ErrorKind::NotPermitted)
    }

    fn link(&self, _call: &Call, _node: NodeId, _parent: NodeId, _name: Name<'_>) -> Result<Entry> {
        refuse(ErrorKind::NotPermitted)
    }

    fn unlink(&self, _call: &Call, _parent: NodeId, _name: Name<'_>) -> Result<()> {
        refuse(ErrorKind::NotPermitted)
    }

    fn rmdir(&self, _call: &Call, _parent: NodeId, _name: Name<'_>) -> Result<()> {
        refuse(ErrorKind::NotPermitted)
    }

    fn rename(&self, _call: &Call, _from: Place<'_>, _to: Place<'_>, _flags: RenameFlags) -> Result<()> {
        refuse(ErrorKind::NotPermitted)
    }

    fn readlink(&self, _call: &Call, _node: NodeId) -> Result<Vec<u8>> {
        refuse(ErrorKind::InvalidArgument)
    }

    fn open(&self, call: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        self.admit(&call.caller)?;
        let file = file_of(node)?;
        if flags.writable() && file != File::Ctl {
            return refuse(ErrorKind::AccessDenied);
        }
        let (said, traits) = match file {
            File::AccessLog => {
                let never_wait = flags.contains(OpenFlags::NONBLOCK) || !self.options.log_waits;
                let log = Said::Log { reader: self.handles.access_log().open()?, never_wait };
                (log, OpenTraits::STREAM | OpenTraits::NONSEEKABLE)
            }
            _ if !flags.readable() => (Said::Content(Vec::new()), OpenTraits::empty()),
            _ => (Said::Content(self.content(file, call.caller.uid)?), OpenTraits::empty()),
        };
        let id = self.open.insert(OwnerId::KERNEL, said);
        Ok(Opened { handle: FileHandle(id.0), attr: None, traits: traits | OpenTraits::DIRECT_IO })
    }

    fn create(&self, _: &Call, _: Place<'_>, _: u16, _: OpenFlags) -> Result<(Entry, Opened)> {
        refuse(ErrorKind::NotPermitted)
    }

    fn read(&self, call: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let said = self.open.get(HandleId(file.handle.0)).ok_or(ErrorKind::BadDescriptor)?;
        let content = match &*said {
            Said::Content(content) => content,
            Said::Log { reader, never_wait } => return reader.read(call, *never_wait, buffer),
        };
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        Ok(length)
    }

    fn write(&self, call: &Call, file: OpenNode, _: u64, data: &[u8], _: WriteOptions) -> Result<usize> {
        self.admit(&call.caller)?;
        if file_of(file.node)? != File::Ctl {
            return refuse(ErrorKind::BadDescriptor);
        }
        self.command(call, data).map(|_| data.len())
    }

    fn flush(&self, _call: &Call, _file: OpenNode) -> Result<()> {
        Ok(())
    }

    fn release(&self, file: OpenNode) {
        let said = self.open.remove(HandleId(file.handle.0));
        if let Some(Said::Log { reader, .. }) = said.as_deref() {
            self.handles.access_log().close(reader);
        }
    }

    fn fsync(&self, _call: &Call, _file: OpenNode, _data_only: bool) -> Result<()> {
        Ok(())
    }

    fn poll(
        &self,
        _call: &Call,
        file: OpenNode,
        events: PollEvents,
        waker: Option<PollWaker>,
    ) -> Result<PollEvents> {
        let said = self.open.get(HandleId(file.handle.0)).ok_or(ErrorKind::BadDescriptor)?;
        match &*said {
            Said::Content(_) => refuse(ErrorKind::NotImplemented),
            Said::Log { reader, .. } => Ok(reader.poll(events, waker)),
        }
    }

    fn opendir(&self, call: &Call, node: NodeId) -> Result<Opened> {
        self.admit(&call.caller)?;
        if node != NodeId::ROOT {
            return refuse(ErrorKind::NotADirectory);
        }
        Ok(Opened { handle: FileHandle(0), attr: None, traits: OpenTraits::empty() })
    }

    fn readdir(
        &self,
        _call: &Call,
        _dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        let first = usize::try_from(cookie).unwrap_or(FILES.len());
        for (index, (_, name)) in FILES.iter().enumerate().skip(first) {
            let entry = self.entry(index)?;
            let listed = DirEntry {
                name: Name::new(name.as_bytes())?,
                cookie: index as u64 + 1,
                kind: Some(FileType::Regular),
                device: 0,
                number: entry.attr.id.number,
                entry: attributes.then_some(&entry),
            };
            if sink.push(listed) == Fill::Full {
                break;
            }
        }
        Ok(())
    }

    fn fsyncdir(&self, _call: &Call, _dir: OpenNode, _data_only: bool) -> Result<()> {
        Ok(())
    }

    fn statfs(&self, _call: &Call, _node: NodeId) -> Result<StatFs> {
        let sizes = StatFs { files: FILES.len() as u64 + 1, name_max: 255, ..StatFs::default() };
        Ok(StatFs { block_size: COMMAND_MAX as u32, fragment_size: COMMAND_MAX as u32, ..sizes })
    }

    fn getxattr(&self, _call: &Call, _node: NodeId, _name: &[u8]) -> Result<Vec<u8>> {
        refuse(ErrorKind::NoData)
    }

    fn setxattr(&self, _: &Call, _: NodeId, _: &[u8], _: &[u8], _: XattrFlags) -> Result<()> {
        refuse(ErrorKind::NotPermitted)
    }

    fn listxattr(&self, _call: &Call, _node: NodeId) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn removexattr(&self, _call: &Call, _node: NodeId, _name: &[u8]) -> Result<()> {
        refuse(ErrorKind::NotPermitted)
    }
}

impl fmt::Debug for ControlProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlProvider").field("options", &self.options).finish_non_exhaustive()
    }
}
