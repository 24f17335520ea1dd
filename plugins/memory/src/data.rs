//! Opening files and moving their data.

use crate::birth::{Maker, New};
use crate::file::{File, check_size};
use crate::handle;
use crate::node::{Body, Node};
use crate::tree::Tree;
use fs9_sdk::{
    Call, Caller, CopyRange, ErrorKind, FallocateMode, FileType, NodeId, OpenFlags, OpenNode, OpenTraits,
    Opened, Place, Result, Whence, WriteOptions,
};
use std::sync::Arc;

/// Bytes that a copy moves at a time: enough to be fast, little enough to answer a cancellation soon.
const COPY_BYTES: usize = 1 << 20;

/// Returns the caller if a change of data by it strips privileges, where no flag says it: the superuser has `CAP_FSETID`.
fn strips(call: &Call) -> Option<&Caller> {
    Some(&call.caller).filter(|caller| caller.uid != 0)
}

impl Tree {
    /// Opens a regular file.
    pub(crate) fn open(&self, call: &Call, id: NodeId, flags: OpenFlags) -> Result<Opened> {
        let node = self.node(id)?;
        self.open_node(call, &node, flags)
    }

    /// Makes a regular file, or takes the one that exists, and opens it; a lookup is counted.
    pub(crate) fn create(
        &self,
        call: &Call,
        place: Place<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Arc<Node>, Opened)> {
        let parent = self.node(place.parent)?;
        let new = New::plain(FileType::Regular, permissions);
        let maker = Maker::of(&call.caller, &parent, &new);
        let mut entries = parent.directory()?.entries.write();
        let existing = entries.get(place.name).cloned();
        let (node, flags) = match existing {
            Some(_) if flags.contains(OpenFlags::EXCLUSIVE) => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Some(node) => (node, flags),
            None => {
                // What is made is empty: cutting it again would only touch its times.
                (self.make_in(maker, &parent, &mut entries, place.name, &new)?, flags - OpenFlags::TRUNCATE)
            }
        };
        // Counted while the entry is locked, so that an unlink between cannot reap it.
        node.look_up();
        drop(entries);
        self.open_made(call, node, flags)
    }

    /// Makes a regular file without a name and opens it; a lookup is counted.
    pub(crate) fn create_unnamed(
        &self,
        call: &Call,
        parent: NodeId,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Arc<Node>, Opened)> {
        let may_get_name = !flags.contains(OpenFlags::EXCLUSIVE);
        let node = self.make_unnamed(call, parent, permissions, may_get_name)?;
        self.open_made(call, node, flags - OpenFlags::TRUNCATE)
    }

    /// Opens what was looked up by being made; the lookup is taken back if that fails.
    fn open_made(&self, call: &Call, node: Arc<Node>, flags: OpenFlags) -> Result<(Arc<Node>, Opened)> {
        match self.open_node(call, &node, flags) {
            Ok(opened) => Ok((node, opened)),
            Err(error) => {
                node.forget(1);
                self.reap_if_unused(&node);
                Err(error)
            }
        }
    }

    fn open_node(&self, call: &Call, node: &Node, flags: OpenFlags) -> Result<Opened> {
        let file = match &node.body {
            Body::File(file) => file,
            Body::Directory(_) => return Err(ErrorKind::IsADirectory.into()),
            Body::Symlink(_) => return Err(ErrorKind::TooManySymlinks.into()),
            Body::Special(..) => return Err(ErrorKind::NoSuchDeviceOrAddress.into()),
        };
        if flags.contains(OpenFlags::TRUNCATE) {
            let strips = flags.contains(OpenFlags::KILL_PRIVILEGES);
            self.before_write(node, strips.then_some(&call.caller));
            self.resize(file, 0)?;
            self.after_write(node);
        }
        let handle = self.handles.issue(flags);
        node.open();
        Ok(Opened { handle, attr: Some(node.attr()), traits: OpenTraits::KEEP_CACHE | OpenTraits::NO_FLUSH })
    }

    /// Opens a directory for listing.
    pub(crate) fn opendir(&self, id: NodeId) -> Result<Opened> {
        let node = self.node(id)?;
        node.directory()?;
        node.open();
        let handle = self.handles.issue(OpenFlags::empty());
        let traits = OpenTraits::KEEP_CACHE | OpenTraits::CACHE_DIR;
        Ok(Opened { handle, attr: Some(node.attr()), traits })
    }

    /// Ends a handle of a file or directory.
    pub(crate) fn release(&self, open: OpenNode) {
        if let Ok(node) = self.node(open.node) {
            node.release();
            self.reap_if_unused(&node);
        }
    }

    /// Reads data.
    pub(crate) fn read(&self, open: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        handle::check_readable(open.handle)?;
        let node = self.node(open.node)?;
        let length = node.file()?.read(offset, buffer);
        if !buffer.is_empty() && !handle::keeps_atime(open.handle) {
            self.note_read(&node);
        }
        Ok(length)
    }

    /// Writes data.
    pub(crate) fn write(
        &self,
        call: &Call,
        open: OpenNode,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize> {
        handle::check_writable(open.handle)?;
        let node = self.node(open.node)?;
        // What comes from the page cache already has its place.
        let at_end = handle::appends(open.handle) && !options.from_cache;
        if data.is_empty() {
            return Ok(0);
        }
        self.before_write(&node, options.kill_privileges.then_some(&call.caller));
        let written = node.file()?.write(&self.space, (!at_end).then_some(offset), data)?;
        self.after_write(&node);
        Ok(written)
    }

    /// Allocates, frees or zeroes a range.
    pub(crate) fn fallocate(
        &self,
        call: &Call,
        open: OpenNode,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        handle::check_writable(open.handle)?;
        let node = self.node(open.node)?;
        self.before_write(&node, strips(call));
        let file = node.file()?;
        let before = file.counted_pages();
        file.allocate(&self.space, mode, offset, length)?;
        self.note_freed(file, before);
        self.after_write(&node);
        Ok(())
    }

    /// Finds data or a hole.
    pub(crate) fn seek(&self, open: OpenNode, offset: u64, whence: Whence) -> Result<u64> {
        self.node(open.node)?.file()?.seek(offset, whence)
    }

    /// Copies data; holes stay holes. What another thread changes meanwhile may be copied in part.
    pub(crate) fn copy(&self, call: &Call, range: CopyRange) -> Result<u64> {
        let (source_open, source_offset) = range.source;
        let (target_open, target_offset) = range.target;
        handle::check_readable(source_open.handle)?;
        handle::check_writable(target_open.handle)?;
        if handle::appends(target_open.handle) {
            return Err(ErrorKind::BadDescriptor.into());
        }
        let (source_node, target_node) = (self.node(source_open.node)?, self.node(target_open.node)?);
        let (source, target) = (source_node.file()?, target_node.file()?);
        let length = range.length.min(source.size().saturating_sub(source_offset));
        check_size(target_offset.saturating_add(length))?;
        let same = source_open.node == target_open.node;
        if same && source_offset.abs_diff(target_offset) < length {
            return Err(ErrorKind::InvalidArgument.into());
        }
        if length == 0 {
            return Ok(0);
        }
        self.before_write(&target_node, strips(call));
        let copied = self.copy_pieces(call, source, target, (source_offset, target_offset, length))?;
        self.note_read(&source_node);
        self.after_write(&target_node);
        Ok(copied)
    }

    fn copy_pieces(
        &self,
        call: &Call,
        source: &File,
        target: &File,
        (from, to, length): (u64, u64, u64),
    ) -> Result<u64> {
        let mut buffer = Vec::new();
        let mut copied = 0;
        while copied < length && !(copied > 0 && call.cancellation.is_cancelled()) {
            let at = from + copied;
            let data = source.seek(at, Whence::Data).unwrap_or(u64::MAX).min(from + length);
            if data > at {
                target.make_hole(&self.space, to + copied..to + copied + (data - at));
                copied += data - at;
                continue;
            }
            let hole = source.seek(at, Whence::Hole).unwrap_or(at).min(from + length);
            let wanted = usize::try_from(hole.saturating_sub(at)).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            buffer.resize(wanted.max(1), 0);
            let read = source.read(at, &mut buffer);
            if read == 0 {
                break;
            }
            match target.write(&self.space, Some(to + copied), &buffer[..read]) {
                Ok(written) => copied += written as u64,
                Err(error) if copied == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(copied)
    }
}
