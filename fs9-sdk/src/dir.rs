//! The way of directory entries from a provider to whoever lists.

use crate::{Entry, FileType, Name};

/// The greatest cookie that a provider may use. Those above belong to whoever adds entries of its own (`.`, `..`,
/// mount points); all fit the signed 64-bit offset of `telldir(3)`.
pub const MAX_COOKIE: u64 = (1 << 63) - (1 << 20);

/// One entry of a listing.
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    /// Its name.
    pub name: Name<'a>,
    /// Where a listing goes on after this entry: 1 to [`MAX_COOKIE`], unique within the open directory.
    pub cookie: u64,
    /// Its type, if that is known without a further look.
    pub kind: Option<FileType>,
    /// Its device, as in [`ObjectId::device`](crate::ObjectId).
    pub device: u64,
    /// Its inode number on that device.
    pub number: u64,
    /// Node and attributes, where they were asked for and could be had. It counts as one lookup.
    pub entry: Option<&'a Entry>,
}

/// Whether a listing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The entry was taken; there is room for more.
    More,
    /// The entry was not taken: there is no room. The listing ends here, and a lookup that the entry brought is
    /// the provider's to forget.
    Full,
}

/// Receives the entries of a listing.
pub trait DirSink {
    /// Returns whether an entry with a name of this length would be taken, so that no attributes are fetched in vain.
    fn has_room(&self, name_len: usize) -> bool;

    /// Takes one entry.
    fn push(&mut self, entry: DirEntry<'_>) -> Fill;
}
