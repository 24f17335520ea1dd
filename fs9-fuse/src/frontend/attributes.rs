//! Attributes of inodes and of their file systems.

use super::privileges::inferred;
use super::{Frontend, Request, attr_lifetime, on};
use crate::inode::{Ino, Object, Target};
use crate::operation::AttributeChanges;
use crate::reply::Answer;
use crate::view::{Lifetimes, MountView};
use fs9_core::HandleId;
use fs9_sdk::{Attr, ErrorKind, FileHandle, NAME_MAX, NodeId, Result, SetAttr, StatFs};

impl Frontend {
    pub(super) fn getattr(&self, request: &Request, handle: Option<HandleId>) -> Result<Answer> {
        let target = self.target(request.header.ino)?;
        match &target.object {
            Object::Synthetic(place) => {
                Ok(Answer::Attributes(target.ino, self.synthetic_attr(*place), Lifetimes::NONE.attr))
            }
            Object::Node { view, node } => {
                let handle = self.handle_on(*node, handle);
                let attr = on(view, |provider| provider.getattr(&request.call, *node, handle))?;
                view.note_root(*node, &attr);
                Ok(attributes(&target, view, attr))
            }
        }
    }

    /// Returns the provider's handle of an open file, if it was opened on this node.
    fn handle_on(&self, node: NodeId, handle: Option<HandleId>) -> Option<FileHandle> {
        let file = self.handles.get(handle?)?;
        let backend = file.backend.as_ref()?;
        (backend.open.node == node && !backend.is_directory).then_some(backend.open.handle)
    }

    pub(super) fn setattr(
        &self,
        request: &Request,
        handle: Option<HandleId>,
        changes: AttributeChanges,
    ) -> Result<Answer> {
        let (target, view, node) = self.node(request.header.ino, ErrorKind::ReadOnly)?;
        let handle = self.handle_on(node, handle);
        let guess = || inferred::changes_attributes(&target, request, &changes);
        let kill_privileges = self.strips(changes.kill_privileges, guess);
        let changes = SetAttr {
            permissions: changes.mode.map(super::names::permissions),
            uid: changes.uid,
            gid: changes.gid,
            size: changes.size,
            atime: changes.atime,
            mtime: changes.mtime,
            kill_privileges,
        };
        let attr = on(&view, |provider| provider.setattr(&request.call, node, handle, changes))?;
        Ok(attributes(&target, &view, attr))
    }

    pub(super) fn readlink(&self, request: &Request) -> Result<Answer> {
        let (_, view, node) = self.node(request.header.ino, ErrorKind::InvalidArgument)?;
        on(&view, |provider| provider.readlink(&request.call, node)).map(Answer::Bytes)
    }

    pub(super) fn statfs(&self, request: &Request) -> Result<Answer> {
        let nothing =
            StatFs { name_max: NAME_MAX as u32, block_size: 4096, fragment_size: 4096, ..StatFs::default() };
        let target = self.target(request.header.ino)?;
        let Object::Node { view, node } = &target.object else { return Ok(Answer::Statfs(nothing)) };
        match on(view, |provider| provider.statfs(&request.call, *node)) {
            Err(error) if error.kind() == ErrorKind::NotImplemented => Ok(Answer::Statfs(nothing)),
            other => other.map(Answer::Statfs),
        }
    }
}

/// Returns the answer that tells attributes. The root shows the number that any other inode would.
fn attributes(target: &Target, view: &MountView, attr: Attr) -> Answer {
    let shown = if target.ino == Ino::ROOT { view.show_root(attr.id) } else { target.ino };
    Answer::Attributes(shown, attr, attr_lifetime(view, &attr))
}
