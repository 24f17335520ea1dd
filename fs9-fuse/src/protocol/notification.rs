//! What the kernel is told without having asked.

use super::flags::EXPIRE_ONLY;
use super::wire::{
    DeleteOut, InvalEntryOut, InvalInodeOut, OutHeader, PollWakeupOut, PruneOut, RetrieveOut, StoreOut,
};
use super::{Dialect, InitFlags};
use crate::Ino;
use zerocopy::IntoBytes;

/// A notification, by the number that stands in place of an error.
#[cfg_attr(not(test), expect(dead_code, reason = "nothing is stored, retrieved, pruned or sent again yet"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notification<'a> {
    /// A polled file may have become ready.
    Poll {
        /// As the request had it.
        kernel: u64,
    },
    /// Attributes of an inode changed, and data.
    InvalidateInode {
        /// The inode.
        ino: Ino,
        /// Where the changed data begins; negative for none.
        offset: i64,
        /// How many bytes changed; 0 for all to the end of the file.
        length: i64,
    },
    /// A name leads elsewhere, or nowhere.
    InvalidateEntry {
        /// The directory.
        parent: Ino,
        /// The name.
        name: &'a [u8],
        /// Look it up again before believing it, but keep what is mounted or open below it. A kernel without
        /// [`InitFlags::HAS_EXPIRE_ONLY`] drops the name instead.
        expire: bool,
    },
    /// A name was removed together with what it led to; unlike [`Self::InvalidateEntry`], watchers hear of it.
    Delete {
        /// The directory.
        parent: Ino,
        /// What was removed.
        child: Ino,
        /// The name.
        name: &'a [u8],
    },
    /// Put data into the page cache.
    Store {
        /// The inode.
        ino: Ino,
        /// Where it belongs, in bytes.
        offset: u64,
        /// The data.
        data: &'a [u8],
    },
    /// Ask for data of the page cache, which comes as [`Body::Retrieved`](super::Body::Retrieved).
    Retrieve {
        /// By which the data will be known.
        unique: u64,
        /// The inode.
        ino: Ino,
        /// Where it begins, in bytes.
        offset: u64,
        /// How many bytes at most.
        size: u32,
    },
    /// Send again what was sent and not answered.
    Resend,
    /// Forget every name that is cached.
    IncrementEpoch,
    /// Let go of these inodes, where nobody uses them.
    Prune {
        /// The inodes.
        inos: &'a [Ino],
    },
}

impl Notification<'_> {
    /// Returns whether the kernel knows this notification. One that does not answers `EINVAL` to it.
    pub(crate) const fn is_known(&self, dialect: Dialect) -> bool {
        match self {
            Notification::Resend => dialect.has(InitFlags::HAS_RESEND),
            Notification::IncrementEpoch => dialect.minor >= 44,
            Notification::Prune { .. } => dialect.minor >= 45,
            _ => true,
        }
    }

    /// Appends the notification with its header to a buffer. The kernel takes one at a time.
    pub(crate) fn encode(&self, dialect: Dialect, buffer: &mut Vec<u8>) {
        let zero = [0].as_slice();
        match *self {
            Notification::Poll { kernel } => self.append(buffer, &[PollWakeupOut { kh: kernel }.as_bytes()]),
            Notification::InvalidateInode { ino, offset, length } => {
                let record = InvalInodeOut { ino: ino.0, off: offset, len: length };
                self.append(buffer, &[record.as_bytes()]);
            }
            Notification::InvalidateEntry { parent, name, expire } => {
                let expire = expire && dialect.has(InitFlags::HAS_EXPIRE_ONLY);
                let flags = if expire { EXPIRE_ONLY } else { 0 };
                let record = InvalEntryOut { parent: parent.0, namelen: name.len() as u32, flags };
                self.append(buffer, &[record.as_bytes(), name, zero]);
            }
            Notification::Delete { parent, child, name } => {
                let (parent, child, namelen) = (parent.0, child.0, name.len() as u32);
                self.append(
                    buffer,
                    &[DeleteOut { parent, child, namelen, padding: 0 }.as_bytes(), name, zero],
                );
            }
            Notification::Store { ino, offset, data } => {
                let size = data.len() as u32;
                self.append(buffer, &[StoreOut { nodeid: ino.0, offset, size, padding: 0 }.as_bytes(), data]);
            }
            Notification::Retrieve { unique, ino, offset, size } => {
                let (notify_unique, nodeid) = (unique, ino.0);
                let record = RetrieveOut { notify_unique, nodeid, offset, size, padding: 0 };
                self.append(buffer, &[record.as_bytes()]);
            }
            Notification::Resend | Notification::IncrementEpoch => self.append(buffer, &[]),
            Notification::Prune { inos } => {
                let record = PruneOut { count: inos.len() as u32, padding: 0, spare: 0 };
                self.append_header(buffer, record.as_bytes().len() + size_of_val(inos));
                buffer.extend_from_slice(record.as_bytes());
                inos.iter().for_each(|ino| buffer.extend_from_slice(&ino.0.to_ne_bytes()));
            }
        }
    }

    fn append(&self, buffer: &mut Vec<u8>, parts: &[&[u8]]) {
        self.append_header(buffer, parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| buffer.extend_from_slice(part));
    }

    fn append_header(&self, buffer: &mut Vec<u8>, length: usize) {
        let length = size_of::<OutHeader>() + length;
        debug_assert!(u32::try_from(length).is_ok(), "a notification is longer than the kernel takes");
        let header = OutHeader { len: length as u32, error: self.code(), unique: 0 };
        buffer.extend_from_slice(header.as_bytes());
    }

    /// Returns the number (`enum fuse_notify_code`).
    const fn code(&self) -> i32 {
        match self {
            Notification::Poll { .. } => 1,
            Notification::InvalidateInode { .. } => 2,
            Notification::InvalidateEntry { .. } => 3,
            Notification::Store { .. } => 4,
            Notification::Retrieve { .. } => 5,
            Notification::Delete { .. } => 6,
            Notification::Resend => 7,
            Notification::IncrementEpoch => 8,
            Notification::Prune { .. } => 9,
        }
    }
}
