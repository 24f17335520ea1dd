//! Files that are made and opened in one step, with a name or without.
//!
//! Invariant: only what is made here is labelled, and taken back if that fails; what existed is opened as it is.

use super::files::{Fresh, NAME_FLAGS, open_and_strip};
use super::labels::label;
use super::names::{Spot, permissions, refuse_detached};
use super::{Frontend, Request, on};
use crate::operation::Creation;
use crate::reply::{Answer, Exchange};
use fs9_sdk::{Entry, ErrorKind, FileType, NewNode, OpenFlags, OpenNode, Opened, Result};

/// How often a name that keeps appearing and vanishing is tried.
const CREATE_TRIES: usize = 16;

/// Flags that concern only a file that existed: a new one is empty and grants what its maker asks for.
const CUTTING: OpenFlags = OpenFlags::TRUNCATE.union(OpenFlags::KILL_PRIVILEGES);

/// A file to be made.
pub(super) struct NewFile<'a> {
    /// Permissions before the mask.
    pub(super) mode: u32,
    /// How to open it.
    pub(super) flags: OpenFlags,
    /// What it begins with.
    pub(super) creation: Creation<'a>,
}

impl Frontend {
    pub(super) fn create(
        &self,
        request: &Request,
        name: &[u8],
        file: &NewFile<'_>,
        exchange: &mut dyn Exchange,
    ) -> Result<Answer> {
        self.refuse_if_closing()?;
        let spot = self.free_spot(request, name)?;
        let mount_use = spot.view.mount.begin_use()?;
        let treats_new_otherwise =
            !file.creation.security.is_empty() || file.flags.contains(OpenFlags::KILL_PRIVILEGES);
        let (entry, opened) = if treats_new_otherwise {
            make_new_or_open(request, &spot, file)?
        } else {
            make_or_open(request, &spot, file)?
        };
        self.tell_of_new_name(&spot.view, spot.node, spot.name);
        let answer = self.remember(&spot.view, &entry, spot.parent.ino, None);
        let (node, flags) = (entry.node, file.flags.difference(NAME_FLAGS));
        let opened = Opened { attr: Some(entry.attr), ..opened };
        let pid = request.header.caller.pid;
        let fresh = Fresh { view: &spot.view, node, ino: answer.ino, flags, pid, opened, mount_use };
        Ok(Answer::Created(answer, self.admit(fresh, exchange)))
    }

    pub(super) fn tmpfile(
        &self,
        request: &Request,
        file: &NewFile<'_>,
        exchange: &mut dyn Exchange,
    ) -> Result<Answer> {
        self.refuse_if_closing()?;
        let (parent, view, dir) = self.node(request.header.ino, ErrorKind::ReadOnly)?;
        refuse_detached(&view)?;
        let mount_use = view.mount.begin_use()?;
        let flags = file.flags.difference(OpenFlags::TMPFILE | OpenFlags::CREATE | OpenFlags::TRUNCATE);
        let mode = permissions(file.mode);
        let (entry, opened) = on(&view, |provider| provider.tmpfile(&request.call, dir, mode, flags))?;
        let open = OpenNode { node: entry.node, handle: opened.handle };
        let entry = label(request, &view, (entry, Some(open)), None, &file.creation)?;
        let answer = self.remember(&view, &entry, parent.ino, None);
        let (node, flags) = (entry.node, flags.difference(NAME_FLAGS));
        let opened = Opened { attr: Some(entry.attr), ..opened };
        let pid = request.header.caller.pid;
        let fresh = Fresh { view: &view, node, ino: answer.ino, flags, pid, opened, mount_use };
        Ok(Answer::Created(answer, self.admit(fresh, exchange)))
    }
}

/// Makes and opens a file, or opens the one that exists. A provider that cannot do both at once does one after the other.
fn make_or_open(request: &Request, spot: &Spot<'_>, file: &NewFile<'_>) -> Result<(Entry, Opened)> {
    let (call, place) = (&request.call, spot.place());
    let permissions = permissions(file.mode);
    let created = on(&spot.view, |provider| provider.create(call, place, permissions, file.flags));
    match created {
        Err(error) if error.kind() == ErrorKind::NotImplemented => {}
        created => return created,
    }
    let new = NewNode { mode: FileType::Regular.mode_bits() | u32::from(permissions), rdev: 0 };
    let entry = match on(&spot.view, |provider| provider.mknod(call, spot.node, spot.name, new)) {
        Err(error)
            if error.kind() == ErrorKind::AlreadyExists && !file.flags.contains(OpenFlags::EXCLUSIVE) =>
        {
            return open_existing(request, spot, file.flags);
        }
        made => made?,
    };
    open_entry(request, spot, entry, file.flags.difference(CUTTING))
}

/// Does so where it matters whether the file existed: only a new one is labelled, only an old one stripped.
fn make_new_or_open(request: &Request, spot: &Spot<'_>, file: &NewFile<'_>) -> Result<(Entry, Opened)> {
    let flags = file.flags.difference(CUTTING) | OpenFlags::EXCLUSIVE;
    let exclusive = NewFile { mode: file.mode, flags, creation: Creation::default() };
    for _ in 0..CREATE_TRIES {
        match make_or_open(request, spot, &exclusive) {
            Err(error)
                if error.kind() == ErrorKind::AlreadyExists && !file.flags.contains(OpenFlags::EXCLUSIVE) => {
            }
            made => {
                let (entry, opened) = made?;
                let open = Some(OpenNode { node: entry.node, handle: opened.handle });
                let (place, creation) = (Some(spot.place()), &file.creation);
                return Ok((label(request, &spot.view, (entry, open), place, creation)?, opened));
            }
        }
        match open_existing(request, spot, file.flags) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return opened,
        }
    }
    Err(ErrorKind::NotFound.into())
}

fn open_existing(request: &Request, spot: &Spot<'_>, flags: OpenFlags) -> Result<(Entry, Opened)> {
    let entry = on(&spot.view, |provider| provider.lookup(&request.call, spot.node, spot.name))?;
    open_entry(request, spot, entry, flags)
}

/// Opens what was looked up; the lookup is taken back if that fails.
fn open_entry(request: &Request, spot: &Spot<'_>, entry: Entry, flags: OpenFlags) -> Result<(Entry, Opened)> {
    match open_and_strip(request, &spot.view, entry.node, flags.difference(NAME_FLAGS)) {
        Ok(opened) => Ok((Entry { attr: opened.attr.unwrap_or(entry.attr), ..entry }, opened)),
        Err(error) => {
            spot.view.forget(entry.node, 1);
            Err(error)
        }
    }
}
