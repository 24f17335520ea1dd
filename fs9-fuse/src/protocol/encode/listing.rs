//! Entries of a directory as the kernel takes them.
//!
//! Invariants: each record begins at a multiple of 8 bytes; what pads it is zero, whatever was in the memory; no record is
//! cut. The kernel refuses a whole listing for one name that is empty, too long, or has a slash (`parse_dirfile`),
//! so that such an entry is left out.

use super::attributes::entry_out;
use crate::protocol::wire::{Dirent, EntryOut};
use crate::reply::{ListedEntry, Listing};
use zerocopy::{FromZeros, IntoBytes};

/// The longest name that every kernel takes (`FUSE_NAME_MAX`).
const NAME_MAX: usize = 1024;

/// The type that says that the type is not known (`DT_UNKNOWN`).
const TYPE_UNKNOWN: u32 = 0;

/// Collects a listing in the memory of its caller.
pub(crate) struct DirBuffer<'a> {
    room: &'a mut [u8],
    filled: usize,
    attributes: bool,
}

impl<'a> DirBuffer<'a> {
    /// Returns an empty listing that fills `room` at most: as many bytes as the request asks for. `attributes`: for
    /// `READDIRPLUS`.
    pub(crate) fn new(room: &'a mut [u8], attributes: bool) -> DirBuffer<'a> {
        DirBuffer { room, filled: 0, attributes }
    }

    /// Returns the records.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.room.get(..self.filled).unwrap_or_default()
    }

    /// Returns the length of the records.
    pub(crate) const fn filled(&self) -> usize {
        self.filled
    }

    fn record(&mut self, entry: &ListedEntry<'_>) -> bool {
        let dirent = Dirent {
            ino: entry.ino.0,
            off: entry.cookie,
            namelen: entry.name.len() as u32,
            kind: entry.kind.map_or(TYPE_UNKNOWN, |kind| kind as u32),
        };
        if !self.attributes {
            return self.append(&[dirent.as_bytes(), entry.name]);
        }
        // An entry without an inode has number 0 here: the kernel shows it and looks nothing up (`fuse_direntplus_link`).
        let looked_up = entry.entry.as_ref().map_or_else(EntryOut::new_zeroed, entry_out);
        self.append(&[looked_up.as_bytes(), dirent.as_bytes(), entry.name])
    }

    /// Appends one record and zeros up to the next multiple of 8.
    fn append(&mut self, parts: &[&[u8]]) -> bool {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let padded = length.next_multiple_of(8);
        let Some(mut room) = self.room.get_mut(self.filled..).and_then(|room| room.get_mut(..padded)) else {
            return false;
        };
        for part in parts {
            let Some((begin, rest)) = room.split_at_mut_checked(part.len()) else { return false };
            begin.copy_from_slice(part);
            room = rest;
        }
        room.fill(0);
        self.filled += padded;
        true
    }
}

impl Listing for DirBuffer<'_> {
    fn push(&mut self, entry: ListedEntry<'_>) -> bool {
        if entry.name.is_empty() || entry.name.len() > NAME_MAX || entry.name.contains(&b'/') {
            tracing::error!(length = entry.name.len(), "a name that no directory can have is not listed");
            return true;
        }
        self.record(&entry)
    }
}
