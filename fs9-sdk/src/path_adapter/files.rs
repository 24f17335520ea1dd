//! Attributes, opening, and data.

use super::open_files::{Backing, OpenFile};
use super::steps::Spot;
use super::{PathAdapter, unless_gone};
use crate::{
    Attr, Call, CopyBetween, CopyRange, Entry, Error, ErrorKind, FileHandle, FileType, NewNode, NodeId,
    OpenFlags, OpenNode, Opened, Place, RelPath, Result, SetAttr, Target, WriteOptions,
};

impl PathAdapter {
    pub(super) fn attributes(&self, call: &Call, node: NodeId, handle: Option<FileHandle>) -> Result<Attr> {
        if let Some(held) = unless_gone(self.tree.share(Spot::at(node)))? {
            let attr = self.provider.getattr(call, Target::Path(held.path()))?;
            return Ok(self.shown(node, attr));
        }
        let remains = self.remains(node);
        let Some(open) = self.reached_by(&remains, handle) else {
            return Ok(remains?.attr);
        };
        let attr = self.provider.getattr(call, Target::Open(open.handle))?;
        // The object has lost its path, not its identity: it is told as it was.
        let id = remains.map_or(attr.id, |remains| remains.attr.id);
        Ok(Attr { id, ..attr })
    }

    /// Returns the provider's handle of a node without a name: the one kept for it, or that of an open file.
    fn reached_by(
        &self,
        remains: &Result<super::remains::Remains>,
        handle: Option<FileHandle>,
    ) -> Option<std::sync::Arc<Backing>> {
        let kept = remains.as_ref().ok().and_then(|remains| remains.anchor.clone());
        kept.or_else(|| Some(self.files.get(handle?).ok()?.backing))
    }

    pub(super) fn change(
        &self,
        call: &Call,
        node: NodeId,
        handle: Option<FileHandle>,
        changes: SetAttr,
    ) -> Result<Attr> {
        let kind = self.tree.with(|tree| tree.node(node).map(|known| known.kind));
        if changes.size.is_some() && kind == Some(FileType::Directory) {
            return Err(ErrorKind::IsADirectory.into());
        }
        if changes.is_empty() {
            return self.attributes(call, node, handle);
        }
        if let Some(held) = unless_gone(self.tree.share(Spot::at(node)))? {
            // An open file is changed by its handle, which tells ftruncate from truncate.
            let open =
                handle.filter(|_| changes.size.is_some()).and_then(|handle| self.files.get(handle).ok());
            let target =
                open.as_ref().map_or(Target::Path(held.path()), |open| Target::Open(open.backing.handle));
            self.provider.setattr(call, target, changes)?;
            let attr = self.provider.getattr(call, Target::Path(held.path()))?;
            return Ok(self.shown(node, attr));
        }
        let open = self.reached_by(&self.remains(node), handle);
        let open = open.ok_or_else(|| Error::new(ErrorKind::Stale))?;
        self.provider.setattr(call, Target::Open(open.handle), changes)?;
        self.attributes(call, node, handle)
    }

    pub(super) fn open_node(&self, call: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        let kind = self.tree.with(|tree| tree.node(node).map(|known| known.kind));
        if kind == Some(FileType::Directory) && flags.writable() {
            return Err(ErrorKind::IsADirectory.into());
        }
        if let Some(held) = unless_gone(self.tree.share(Spot::at(node)))? {
            let handle = self.provider.open(call, held.path(), flags)?;
            return Ok(self.opened(handle, flags));
        }
        // The name is gone: the handle that was kept serves everybody who still finds the node.
        let backing = self.remains(node)?.anchor()?;
        if flags.contains(OpenFlags::TRUNCATE) {
            let kill_privileges = flags.contains(OpenFlags::KILL_PRIVILEGES);
            let cut = SetAttr { size: Some(0), kill_privileges, ..SetAttr::default() };
            self.provider.setattr(call, Target::Open(backing.handle), cut)?;
        }
        let handle = self.files.insert(OpenFile { backing, flags, borrowed: true });
        Ok(Opened { handle, attr: None, traits: self.provider.open_traits() })
    }

    fn opened(&self, handle: FileHandle, flags: OpenFlags) -> Opened {
        let backing = Backing::new(self.provider.clone(), handle);
        let handle = self.files.insert(OpenFile { backing, flags, borrowed: false });
        Opened { handle, attr: None, traits: self.provider.open_traits() }
    }

    pub(super) fn make_open(
        &self,
        call: &Call,
        place: Place<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let held = self.tree.share(Spot::of(place.parent, place.name))?;
        let handle = match self.provider.create(call, held.path(), permissions, flags) {
            Err(error) if error.kind() == ErrorKind::NotImplemented => {
                self.make_then_open(call, held.path(), permissions, flags)?
            }
            handle => handle?,
        };
        // Owned by the open file at once, so that an error below releases it.
        let opened = self.opened(handle, flags);
        match self.note(call, &held, (place.parent, place.name), 1) {
            Ok(entry) => Ok((entry, opened)),
            Err(error) => {
                self.files.remove(opened.handle);
                Err(error)
            }
        }
    }

    /// Makes and opens a file for a provider that does both only apart.
    fn make_then_open(
        &self,
        call: &Call,
        path: RelPath<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<FileHandle> {
        let new = NewNode { mode: FileType::Regular.mode_bits() | u32::from(permissions), rdev: 0 };
        match self.provider.mknod(call, path, new) {
            Err(error)
                if error.kind() == ErrorKind::AlreadyExists && !flags.contains(OpenFlags::EXCLUSIVE) => {}
            made => made?,
        }
        self.provider.open(call, path, flags - (OpenFlags::CREATE | OpenFlags::EXCLUSIVE))
    }

    pub(super) fn write_open(
        &self,
        call: &Call,
        file: OpenNode,
        at: (u64, &[u8]),
        options: WriteOptions,
    ) -> Result<usize> {
        let open = self.files.get(file.handle)?;
        let handle = open.for_writing()?;
        let offset = match open.borrowed && open.flags.contains(OpenFlags::APPEND) {
            true => self.provider.getattr(call, Target::Open(handle))?.size,
            false => at.0,
        };
        self.provider.write(call, handle, offset, at.1, options)
    }

    pub(super) fn copy(&self, call: &Call, range: CopyRange) -> Result<u64> {
        let (source, target) =
            (self.files.get(range.source.0.handle)?, self.files.get(range.target.0.handle)?);
        let between = CopyBetween {
            source: (source.for_reading()?, range.source.1),
            target: (target.for_writing()?, range.target.1),
            length: range.length,
        };
        let apart = |low: u64, high: u64| low.checked_add(range.length).is_some_and(|end| end <= high);
        let (from, to) = (range.source.1, range.target.1);
        if range.source.0.node == range.target.0.node && !apart(from, to) && !apart(to, from) {
            return Err(ErrorKind::InvalidArgument.into());
        }
        self.provider.copy_file_range(call, between)
    }
}
