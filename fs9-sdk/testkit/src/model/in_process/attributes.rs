//! Attributes, plain and extended, listings and link targets.

use super::super::answer::{Answer, Outcome, comparable_time, refusal_to_truncate, xattr_name};
use super::super::operation::{ModelTime, Operation, Path};
use super::{InProcess, done, kind, set_time, stat_of};
use fs9_sdk::{Attr, Entry, ErrorKind, FileType, NodeId, OpenFlags, OpenNode, SetAttr, XattrFlags};

impl InProcess {
    pub(super) fn attributes(&mut self, operation: &Operation) -> Outcome {
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
                    None => self.cut(entry.node, self.size(*size)),
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

    /// Sets a size through a handle, as the native side does: without one, file systems disagree on whether a size that
    /// stays as it was renews the times (ext4 does, tmpfs does not).
    fn cut(&self, node: NodeId, size: SetAttr) -> Outcome {
        let handle = self.provider().open(&self.call, node, OpenFlags::READ_WRITE).map_err(kind)?.handle;
        let told = self.provider().setattr(&self.call, node, Some(handle), size);
        let now = self.provider().getattr(&self.call, node, Some(handle));
        self.provider().release(OpenNode { node, handle });
        if told.map_err(kind)? == now.map_err(kind)? { Ok(Answer::Done) } else { Err(ErrorKind::Protocol) }
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
}
