//! What looking up and opening give back.

use crate::{Attr, FileHandle, NodeId};
use bitflags::bitflags;

/// A node that was found or made, with its attributes. Each counts as one lookup of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The node.
    pub node: NodeId,
    /// Its attributes at this moment.
    pub attr: Attr,
}

bitflags! {
    /// How an open file or directory wants to be treated by caches.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct OpenTraits: u32 {
        /// Every read and write reaches the provider, whatever the size says; nothing is cached. Of a directory: its
        /// listing is not cached.
        const DIRECT_IO = 1;
        /// What was cached by earlier opens is still true.
        const KEEP_CACHE = 1 << 1;
        /// The listing of this directory may be cached.
        const CACHE_DIR = 1 << 2;
        /// There are no offsets to seek to.
        const NONSEEKABLE = 1 << 3;
        /// There is no file position at all.
        const STREAM = 1 << 4;
        /// Closing needs no flush.
        const NO_FLUSH = 1 << 5;
        /// Of a file: writes past the cache that stay within the size may reach the provider several at a time. Without
        /// it, they come one after the other.
        const PARALLEL_DIRECT_WRITES = 1 << 6;
    }
}

/// An open file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The handle, to be released once.
    pub handle: FileHandle,
    /// The attributes after opening (and truncating), so that nobody asks again; `None` if they cost extra.
    pub attr: Option<Attr>,
    /// How caches treat it.
    pub traits: OpenTraits,
}
