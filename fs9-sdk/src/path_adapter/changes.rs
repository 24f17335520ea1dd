//! What changes the names in directories.

use super::PathAdapter;
use super::open_files::Backing;
use super::remains::Remains;
use super::steps::Spot;
use crate::{
    Call, Entry, Error, ErrorKind, FileType, Name, NodeId, OpenFlags, Place, RelPath, RenameFlags, Result,
    Target,
};

/// The longest target of a symbolic link, in bytes (`PATH_MAX` of Linux without its NUL).
const TARGET_MAX: usize = 4_095;

impl PathAdapter {
    /// Makes something at a name and returns it, looked up once.
    pub(super) fn make(
        &self,
        call: &Call,
        parent: NodeId,
        name: Name<'_>,
        make: impl FnOnce(RelPath<'_>) -> Result<()>,
    ) -> Result<Entry> {
        let held = self.tree.share(Spot::of(parent, name))?;
        make(held.path())?;
        self.note(call, &held, (parent, name), 1)
    }

    pub(super) fn make_symlink(
        &self,
        call: &Call,
        parent: NodeId,
        name: Name<'_>,
        target: &[u8],
    ) -> Result<Entry> {
        if target.len() > TARGET_MAX {
            return Err(ErrorKind::NameTooLong.into());
        }
        self.make(call, parent, name, |path| self.provider.symlink(call, path, target))
    }

    pub(super) fn make_link(&self, call: &Call, node: NodeId, place: Place<'_>) -> Result<Entry> {
        let kind = self.tree.with(|tree| tree.node(node).map(|known| known.kind));
        if kind == Some(FileType::Directory) {
            return Err(ErrorKind::NotPermitted.into());
        }
        let held = self.tree.share_both(Spot::at(node), Spot::of(place.parent, place.name))?;
        self.provider.link(call, held.path(), held.second_path())?;
        let attr = self.provider.getattr(call, Target::Path(held.second_path()))?;
        self.tree.with(|tree| tree.linked(node, place.parent, place.name.as_bytes()));
        Ok(Entry { node, attr: self.shown(node, attr) })
    }

    /// Removes a name by `remove`, and keeps what is known at it usable.
    pub(super) fn remove(
        &self,
        call: &Call,
        parent: NodeId,
        name: Name<'_>,
        remove: impl FnOnce(RelPath<'_>) -> Result<()>,
    ) -> Result<()> {
        let held = self.tree.own(Spot::of(parent, name))?;
        let remains = self.what_remains(call, parent, name, held.path());
        remove(held.path())?;
        self.tree.with(|tree| tree.removed(parent, name.as_bytes(), remains));
        Ok(())
    }

    pub(super) fn rename_held(
        &self,
        call: &Call,
        from: Place<'_>,
        to: Place<'_>,
        flags: RenameFlags,
    ) -> Result<()> {
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        if exchange && flags.intersects(RenameFlags::NOREPLACE | RenameFlags::WHITEOUT) {
            return Err(ErrorKind::InvalidArgument.into());
        }
        if from == to {
            return self.rename_onto_itself(call, from, flags);
        }
        let (one, two) = (Spot::of(from.parent, from.name), Spot::of(to.parent, to.name));
        let held = self.tree.own_both(one, two).map_err(|error| match error.kind() {
            ErrorKind::DirectoryNotEmpty if exchange => Error::new(ErrorKind::InvalidArgument),
            _ => error,
        })?;
        let remains = match exchange {
            true => None,
            false => self.what_remains(call, to.parent, to.name, held.second_path()),
        };
        self.provider.rename(call, held.path(), held.second_path(), flags)?;
        let from = (from.parent, from.name.as_bytes());
        let to = (to.parent, to.name.as_bytes());
        self.tree.with(|tree| match exchange {
            true => tree.exchanged(from, to),
            false => tree.moved(from, to, remains),
        });
        Ok(())
    }

    fn rename_onto_itself(&self, call: &Call, place: Place<'_>, flags: RenameFlags) -> Result<()> {
        let held = self.tree.share(Spot::of(place.parent, place.name))?;
        self.provider.getattr(call, Target::Path(held.path()))?;
        if flags.contains(RenameFlags::NOREPLACE) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        // The provider decides about flags that it does not know; without any, there is nothing to do.
        if flags.is_empty() { Ok(()) } else { self.provider.rename(call, held.path(), held.path(), flags) }
    }

    /// Secures what a node needs after the loss of its last name; `None` where nobody knows it, or it has others.
    ///
    /// It runs before the name goes, since afterwards nothing can be opened; what turns out not to be needed is
    /// released again.
    fn what_remains(
        &self,
        call: &Call,
        parent: NodeId,
        name: Name<'_>,
        path: RelPath<'_>,
    ) -> Option<Remains> {
        let kind = self.tree.with(|tree| {
            let known = tree.node(tree.at(parent, name.as_bytes())?)?;
            (known.lookups > 0 && known.names.len() == 1).then_some(known.kind)
        })?;
        let mut attr = self.provider.getattr(call, Target::Path(path)).ok()?;
        attr.id = self.tree.with(|tree| Some(tree.shown_id(tree.at(parent, name.as_bytes())?, attr.id)))?;
        attr.nlink = if kind == FileType::Directory { 0 } else { attr.nlink.saturating_sub(1) };
        let target = match kind {
            FileType::Symlink => self.provider.readlink(call, path).ok(),
            _ => None,
        };
        let anchor = match kind {
            FileType::Regular => {
                let open = |flags| self.provider.open(call, path, flags);
                let handle = open(OpenFlags::READ_WRITE).or_else(|_| open(OpenFlags::empty())).ok();
                handle.map(|handle| Backing::new(self.provider.clone(), handle))
            }
            _ => None,
        };
        Some(Remains { attr, target, anchor })
    }
}
