//! One object of the tree: what it is, its attributes, and who still needs it.
//!
//! Invariant: an object lives while it has a name, a lookup that was not forgotten, or an open handle; whoever takes
//! the last of these away reaps it, and the decision is made with `meta` locked.
//! Lock order: `meta` is the last lock taken; no two are ever held at once.

use crate::acl::Acl;
use crate::directory::Directory;
use crate::file::File;
use crate::pages::PAGE_BYTES;
use crate::xattr::Extended;
use fs9_sdk::{Attr, ErrorKind, FileType, NodeId, ObjectId, Result, Timestamp};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What a directory says its size is, for each entry, in bytes: enough for programs that take it as a hint.
const ENTRY_BYTES: u64 = 32;
/// Units of [`Attr::blocks`] in a page.
const BLOCKS_PER_PAGE: u64 = PAGE_BYTES as u64 / 512;
/// Age in seconds at which relatime refreshes an access time in any case.
const RELATIME_SECONDS: i64 = 24 * 60 * 60;

/// The attributes that change.
pub(crate) struct Meta {
    /// Permission bits (`07777`).
    pub(crate) permissions: u16,
    /// Number of names; 0 once the last is gone.
    pub(crate) nlink: u32,
    /// Whether an object that was made without a name may still get its first one.
    pub(crate) may_get_name: bool,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Last access.
    pub(crate) atime: Timestamp,
    /// Last change of the data.
    pub(crate) mtime: Timestamp,
    /// Last change of data or attributes.
    pub(crate) ctime: Timestamp,
    /// Creation.
    pub(crate) btime: Timestamp,
    /// Extended attributes and access control lists, if there are any.
    pub(crate) extended: Option<Box<Extended>>,
}

impl Meta {
    /// Notes a change of the data, or of the entries.
    pub(crate) fn modified(&mut self, now: Timestamp) {
        self.mtime = now;
        self.ctime = now;
    }

    /// Notes a look at the data, as `relatime` of `mount(8)` does.
    pub(crate) fn accessed(&mut self, now: Timestamp) {
        let stale = now.seconds.saturating_sub(self.atime.seconds) >= RELATIME_SECONDS;
        if self.atime <= self.mtime || self.atime <= self.ctime || stale {
            self.atime = now;
        }
    }

    /// Returns the list that decides access beyond the permission bits.
    pub(crate) fn access_acl(&self) -> Option<&Acl> {
        self.extended.as_ref()?.access_acl.as_ref()
    }

    /// Returns the list that objects made in this directory begin with.
    pub(crate) fn default_acl(&self) -> Option<&Acl> {
        self.extended.as_ref()?.default_acl.as_ref()
    }

    /// Sets permission bits and keeps the access list in step.
    pub(crate) fn set_permissions(&mut self, permissions: u16) {
        self.permissions = permissions & 0o7777;
        if let Some(acl) = self.extended.as_mut().and_then(|extended| extended.access_acl.as_mut()) {
            acl.set_permissions(permissions & 0o777);
        }
    }
}

/// What an object is made of.
pub(crate) enum Body {
    /// A regular file.
    File(File),
    /// A directory.
    Directory(Box<Directory>),
    /// A symbolic link with its target.
    Symlink(Box<[u8]>),
    /// A named pipe, socket or device with its number; the kernel does the rest.
    Special(FileType, u32),
}

/// One object of the tree.
pub(crate) struct Node {
    number: u64,
    lookups: AtomicU64,
    opens: AtomicU32,
    /// The attributes that change.
    pub(crate) meta: Mutex<Meta>,
    /// What it is made of.
    pub(crate) body: Body,
}

impl Node {
    /// Returns an object that nobody knows yet.
    pub(crate) fn new(number: u64, meta: Meta, body: Body) -> Node {
        let (lookups, opens) = (AtomicU64::new(0), AtomicU32::new(0));
        Node { number, lookups, opens, meta: Mutex::new(meta), body }
    }

    /// Returns its number, which is never given to another object.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the number under which operations name it.
    pub(crate) fn id(&self) -> NodeId {
        NodeId(self.number)
    }

    /// Returns its type.
    pub(crate) fn kind(&self) -> FileType {
        match &self.body {
            Body::File(_) => FileType::Regular,
            Body::Directory(_) => FileType::Directory,
            Body::Symlink(_) => FileType::Symlink,
            Body::Special(kind, _) => *kind,
        }
    }

    /// Returns whether it is a directory.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    /// Returns the entries, or `ENOTDIR`.
    pub(crate) fn directory(&self) -> Result<&Directory> {
        match &self.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Returns the data: `EISDIR` for a directory, `EINVAL` for what has none.
    pub(crate) fn file(&self) -> Result<&File> {
        match &self.body {
            Body::File(file) => Ok(file),
            Body::Directory(_) => Err(ErrorKind::IsADirectory.into()),
            Body::Symlink(_) | Body::Special(..) => Err(ErrorKind::InvalidArgument.into()),
        }
    }

    /// Returns the attributes at this moment.
    pub(crate) fn attr(&self) -> Attr {
        let (size, pages, rdev) = match &self.body {
            Body::File(file) => (file.size(), file.counted_pages(), 0),
            Body::Directory(directory) => (directory.population() * ENTRY_BYTES, 0, 0),
            Body::Symlink(target) => (target.len() as u64, 0, 0),
            Body::Special(_, rdev) => (0, 0, *rdev),
        };
        let meta = self.meta.lock();
        Attr {
            id: ObjectId { device: 0, number: self.number, generation: 0 },
            kind: self.kind(),
            permissions: meta.permissions,
            nlink: meta.nlink,
            uid: meta.uid,
            gid: meta.gid,
            rdev,
            size,
            blocks: pages * BLOCKS_PER_PAGE,
            block_size: PAGE_BYTES as u32,
            atime: meta.atime,
            mtime: meta.mtime,
            ctime: meta.ctime,
            btime: Some(meta.btime),
        }
    }

    /// Counts a lookup.
    pub(crate) fn look_up(&self) {
        self.lookups.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes lookups back; more than were counted take all.
    pub(crate) fn forget(&self, count: u64) {
        let step = |lookups: u64| Some(lookups.saturating_sub(count));
        self.lookups.fetch_update(Ordering::AcqRel, Ordering::Acquire, step).ok();
    }

    /// Counts an open handle.
    pub(crate) fn open(&self) {
        self.opens.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes an open handle back.
    pub(crate) fn release(&self) {
        let step = |opens: u32| Some(opens.saturating_sub(1));
        self.opens.fetch_update(Ordering::AcqRel, Ordering::Acquire, step).ok();
    }

    /// Returns whether neither name, lookup nor handle is left.
    pub(crate) fn is_unused(&self, meta: &Meta) -> bool {
        meta.nlink == 0
            && self.lookups.load(Ordering::Acquire) == 0
            && self.opens.load(Ordering::Acquire) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Meta, RELATIME_SECONDS};
    use fs9_sdk::Timestamp;

    fn read_at(now: i64, atime: i64, mtime: i64, ctime: i64) -> i64 {
        let at = |seconds| Timestamp { seconds, nanoseconds: 0 };
        let (permissions, nlink, may_get_name, uid, gid, extended) = (0, 1, false, 0, 0, None);
        let (atime, mtime, ctime, btime) = (at(atime), at(mtime), at(ctime), at(0));
        let mut meta =
            Meta { permissions, nlink, may_get_name, uid, gid, atime, mtime, ctime, btime, extended };
        meta.accessed(at(now));
        meta.atime.seconds
    }

    #[test]
    fn an_access_time_moves_when_older_than_a_change_or_a_day() {
        let now = 10 * RELATIME_SECONDS;
        assert_eq!(read_at(now, now - 10, now - 20, now - 20), now - 10);
        assert_eq!(read_at(now, now - 10, now - 10, now - 20), now);
        assert_eq!(read_at(now, now - 10, now - 20, now - 5), now);
        assert_eq!(read_at(now, now - RELATIME_SECONDS + 1, 0, 0), now - RELATIME_SECONDS + 1);
        assert_eq!(read_at(now, now - RELATIME_SECONDS, 0, 0), now);
        assert_eq!(read_at(i64::MIN, i64::MAX, 0, 0), i64::MAX);
    }
}
