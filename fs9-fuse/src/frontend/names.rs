//! Operations on names: finding, making, removing and moving entries.
//!
//! Invariant: a name that is a place of the mount table is a mount point or leads to one. It is found before anything
//! of that name in the provider, and it can be neither made, removed nor moved.

use super::labels::label;
use super::{Frontend, Request, on};
use crate::inode::{Found, Ino, Object, Target, synthetic_ino};
use crate::operation::Creation;
use crate::reply::{Answer, EntryAnswer};
use crate::view::{Lifetimes, MountView};
use fs9_core::{MountTable, PlaceId};
use fs9_sdk::{
    Attr, Entry, ErrorKind, FileType, Name, NewNode, NodeId, ObjectId, Place, Provider, RenameFlags, Result,
};
use std::sync::Arc;
use std::time::Duration;

/// Permissions of a directory that exists only as the ancestor of a mount point.
const SYNTHETIC_PERMISSIONS: u16 = 0o555;

/// The directory of an operation that changes names, and the name.
pub(super) struct Spot<'a> {
    pub(super) parent: Target,
    pub(super) view: Arc<MountView>,
    pub(super) node: NodeId,
    pub(super) name: Name<'a>,
}

impl<'a> Spot<'a> {
    pub(super) fn place(&self) -> Place<'a> {
        Place { parent: self.node, name: self.name }
    }
}

impl Frontend {
    pub(super) fn lookup(&self, request: &Request, name: &[u8]) -> Result<Answer> {
        let name = Name::new(name)?;
        let parent = self.target(request.header.ino)?;
        if let Some(place) = self.place_of(&parent, name) {
            return self.lookup_place(request, &parent, name, place).map(Answer::Entry);
        }
        let Object::Node { view, node } = &parent.object else {
            return Ok(Answer::Missing(Duration::ZERO));
        };
        refuse_detached(view)?;
        match on(view, |provider| provider.lookup(&request.call, *node, name)) {
            Ok(entry) => Ok(Answer::Entry(self.remember(view, &entry, parent.ino, None))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Answer::Missing(view.lifetimes().negative))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the place of a name, if it is a mount point or leads to one.
    fn place_of(&self, parent: &Target, name: Name<'_>) -> Option<PlaceId> {
        self.namespace.table().child(parent.place?, name)
    }

    fn lookup_place(
        &self,
        request: &Request,
        parent: &Target,
        name: Name<'_>,
        place: PlaceId,
    ) -> Result<EntryAnswer> {
        let answer = match self.mount_view(&self.namespace.table(), place) {
            Some(view) => self.lookup_mount(request, parent, &view, place)?,
            None => match self.lookup_ancestor(request, parent, name, place) {
                Some(answer) => answer,
                None => self.lookup_synthetic(parent, place),
            },
        };
        self.places.lock().insert(place, answer.ino);
        Ok(answer)
    }

    fn mount_view(&self, table: &MountTable, place: PlaceId) -> Option<Arc<MountView>> {
        let mount = table.mount_at(place)?;
        self.views.load().get(mount.id()).map(Arc::clone)
    }

    fn lookup_mount(
        &self,
        request: &Request,
        parent: &Target,
        view: &Arc<MountView>,
        place: PlaceId,
    ) -> Result<EntryAnswer> {
        let node = view.mount.root();
        let known = view.known_root();
        let attr = match known {
            Some(attr) => attr,
            None => on(view, |provider| provider.getattr(&request.call, node, None))?,
        };
        view.note_root(node, &attr);
        let (entry, place) = (Entry { node, attr }, Some(place));
        // The mount itself keeps its root, so the provider counts no lookup of it.
        let ino =
            self.inodes.remember(&Found { view, entry: &entry, parent: parent.ino, place, counted: false });
        let mut answer = self.entry_answer(view, ino, &attr);
        if known.is_some() {
            // Whoever wants the attributes asks for them, which holds no lock of the directory above.
            answer.attr_lifetime = Duration::ZERO;
        }
        Ok(answer)
    }

    /// Finds the provider's own directory on the way to a mount point.
    fn lookup_ancestor(
        &self,
        request: &Request,
        parent: &Target,
        name: Name<'_>,
        place: PlaceId,
    ) -> Option<EntryAnswer> {
        let Object::Node { view, node } = &parent.object else { return None };
        let entry = on(view, |provider| provider.lookup(&request.call, *node, name)).ok()?;
        if entry.attr.kind != FileType::Directory {
            tracing::warn!(mount = %view.mount.path(), %name, "a file is hidden by the way to a mount point");
            view.forget(entry.node, 1);
            return None;
        }
        Some(self.remember(view, &entry, parent.ino, Some(place)))
    }

    fn lookup_synthetic(&self, parent: &Target, place: PlaceId) -> EntryAnswer {
        let ino = self.inodes.remember_synthetic(place, parent.ino);
        // Short-lived: the provider may get a directory of that name.
        let Lifetimes { entry, attr, .. } = Lifetimes::NONE;
        EntryAnswer { ino, attr: self.synthetic_attr(place), entry_lifetime: entry, attr_lifetime: attr }
    }

    /// Returns the attributes of a directory that exists only as the ancestor of a mount point.
    pub(super) fn synthetic_attr(&self, place: PlaceId) -> Attr {
        let id = ObjectId { device: 0, number: synthetic_ino(place).0, generation: 0 };
        Attr {
            nlink: 2,
            uid: self.owner.0,
            gid: self.owner.1,
            btime: Some(self.started),
            ..Attr::new(id, FileType::Directory, SYNTHETIC_PERMISSIONS, self.started)
        }
    }

    /// Returns where a name is to be made.
    pub(super) fn free_spot<'a>(&self, request: &Request, name: &'a [u8]) -> Result<Spot<'a>> {
        self.spot(request.header.ino, name, ErrorKind::AlreadyExists, ErrorKind::ReadOnly)
    }

    /// Returns where a name is to be taken away.
    fn used_spot<'a>(&self, parent: Ino, name: &'a [u8]) -> Result<Spot<'a>> {
        self.spot(parent, name, ErrorKind::Busy, ErrorKind::NotFound)
    }

    fn spot<'a>(
        &self,
        parent: Ino,
        name: &'a [u8],
        if_place: ErrorKind,
        if_synthetic: ErrorKind,
    ) -> Result<Spot<'a>> {
        let name = Name::new(name)?;
        let parent_target = self.target(parent)?;
        if self.place_of(&parent_target, name).is_some() {
            return Err(if_place.into());
        }
        let (parent, view, node) = self.node(parent, if_synthetic)?;
        refuse_detached(&view)?;
        Ok(Spot { parent, view, node, name })
    }

    fn make(
        &self,
        request: &Request,
        name: &[u8],
        creation: &Creation<'_>,
        f: impl FnOnce(&dyn Provider, &Spot<'_>) -> Result<Entry>,
    ) -> Result<Answer> {
        let spot = self.free_spot(request, name)?;
        let entry = on(&spot.view, |provider| f(provider, &spot))?;
        let entry = label(request, &spot.view, (entry, None), Some(spot.place()), creation)?;
        self.tell_of_new_name(&spot.view, spot.node, spot.name);
        Ok(Answer::Entry(self.remember(&spot.view, &entry, spot.parent.ino, None)))
    }

    pub(super) fn mknod(
        &self,
        request: &Request,
        name: &[u8],
        new: NewNode,
        creation: &Creation<'_>,
    ) -> Result<Answer> {
        self.make(request, name, creation, |provider, spot| {
            provider.mknod(&request.call, spot.node, spot.name, new)
        })
    }

    pub(super) fn mkdir(
        &self,
        request: &Request,
        name: &[u8],
        mode: u32,
        creation: &Creation<'_>,
    ) -> Result<Answer> {
        let permissions = permissions(mode);
        self.make(request, name, creation, |provider, spot| {
            provider.mkdir(&request.call, spot.node, spot.name, permissions)
        })
    }

    pub(super) fn symlink(
        &self,
        request: &Request,
        name: &[u8],
        target: &[u8],
        creation: &Creation<'_>,
    ) -> Result<Answer> {
        self.make(request, name, creation, |provider, spot| {
            provider.symlink(&request.call, spot.node, spot.name, target)
        })
    }

    pub(super) fn link(&self, request: &Request, ino: Ino, name: &[u8]) -> Result<Answer> {
        let (_, view, node) = self.node(ino, ErrorKind::NotPermitted)?;
        let spot = self.free_spot(request, name)?;
        if !spot.view.is(&view) {
            return Err(ErrorKind::CrossDevice.into());
        }
        let entry = on(&view, |provider| provider.link(&request.call, node, spot.node, spot.name))?;
        self.tell_of_new_name(&view, spot.node, spot.name);
        Ok(Answer::Entry(self.remember(&view, &entry, spot.parent.ino, None)))
    }

    pub(super) fn unlink(&self, request: &Request, name: &[u8]) -> Result<Answer> {
        let spot = self.used_spot(request.header.ino, name)?;
        on(&spot.view, |provider| provider.unlink(&request.call, spot.node, spot.name))?;
        Ok(Answer::Done)
    }

    pub(super) fn rmdir(&self, request: &Request, name: &[u8]) -> Result<Answer> {
        let spot = self.used_spot(request.header.ino, name)?;
        on(&spot.view, |provider| provider.rmdir(&request.call, spot.node, spot.name))?;
        Ok(Answer::Done)
    }

    pub(super) fn rename(
        &self,
        request: &Request,
        name: &[u8],
        (new_parent, new_name): (Ino, &[u8]),
        flags: RenameFlags,
    ) -> Result<Answer> {
        let from = self.used_spot(request.header.ino, name)?;
        let to = self.used_spot(new_parent, new_name)?;
        if !from.view.is(&to.view) {
            return Err(ErrorKind::CrossDevice.into());
        }
        let renamed =
            on(&from.view, |provider| provider.rename(&request.call, from.place(), to.place(), flags));
        match renamed {
            Err(error) if error.kind() == ErrorKind::NotImplemented && !flags.is_empty() => {
                Err(ErrorKind::InvalidArgument.into())
            }
            other => {
                other?;
                self.tell_of_new_name(&to.view, to.node, to.name);
                Ok(Answer::Done)
            }
        }
    }
}

/// Refuses to find or make names on a mount that was taken away: what is open goes on, nothing new begins.
pub(super) fn refuse_detached(view: &MountView) -> Result<()> {
    if view.mount.is_detached() { Err(ErrorKind::NoSuchDevice.into()) } else { Ok(()) }
}

/// Returns the permission bits of a mode.
pub(super) fn permissions(mode: u32) -> u16 {
    (mode & 0o7777) as u16
}
