//! Listing directories.

use super::steps::Spot;
use super::{PathAdapter, unless_gone};
use crate::{
    Call, DirEntry, DirSink, ErrorKind, FileHandle, FileType, Fill, Listing, Name, NodeId, OpenNode, Result,
};

impl PathAdapter {
    pub(super) fn open_directory(&self, node: NodeId) -> Result<FileHandle> {
        match self.tree.with(|tree| tree.node(node).map(|known| known.kind)) {
            Some(FileType::Directory) => Ok(self.files.insert_directory()),
            Some(_) => Err(ErrorKind::NotADirectory.into()),
            None => Err(ErrorKind::Stale.into()),
        }
    }

    pub(super) fn list(
        &self,
        call: &Call,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        let listing = self.files.directory(dir.handle)?;
        if cookie == 0 || !listing.lock().filled {
            let read = self.read_directory(call, dir.node)?;
            listing.lock().refill(read);
        }
        let mut cookie = cookie;
        loop {
            let Some(position) = listing.lock().after(cookie) else { return Ok(()) };
            cookie = position.cookie;
            let name = Name::new(&position.name)?;
            if !sink.has_room(position.name.len()) {
                return Ok(());
            }
            let looked_at = attributes || position.known.is_none();
            let found = match looked_at {
                true => unless_gone(self.find(call, dir.node, name, u64::from(attributes)))?,
                false => None,
            };
            let (kind, id) = match (found, position.known) {
                (Some(entry), _) => (entry.attr.kind, entry.attr.id),
                // Gone since the directory was read.
                (None, _) if looked_at => continue,
                (None, Some(known)) => known,
                (None, None) => continue,
            };
            let entry = found.as_ref().filter(|_| attributes);
            let (device, number) = (id.device, id.number);
            let taken = sink.push(DirEntry { name, cookie, kind: Some(kind), device, number, entry });
            if taken == Fill::Full {
                if let Some(entry) = entry {
                    self.tree.with(|tree| tree.forget(entry.node, 1));
                }
                return Ok(());
            }
        }
    }

    /// Returns what is in a directory now; in one that was removed, nothing is.
    fn read_directory(&self, call: &Call, node: NodeId) -> Result<Listing> {
        let mut listing = Listing::default();
        if let Some(held) = unless_gone(self.tree.share(Spot::at(node)))? {
            self.provider.readdir(call, held.path(), &mut listing)?;
        }
        Ok(listing)
    }
}
