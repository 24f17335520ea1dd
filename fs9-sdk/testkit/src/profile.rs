//! What a provider under test is expected to do.
//!
//! A feature that is missing from a profile is not merely skipped: where the trait says how its absence shows
//! (`ENOSYS`, `EINVAL`, `EOPNOTSUPP`), the suite checks that as well.

use bitflags::bitflags;

bitflags! {
    /// What a provider offers beyond the five required methods.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Features: u32 {
        /// Files and directories can be made, written, cut, renamed and removed.
        const WRITE = 1;
        /// Symbolic links can be made.
        const SYMLINKS = 1 << 1;
        /// A file can have several names.
        const HARD_LINKS = 1 << 2;
        /// Named pipes and sockets can be made.
        const SPECIAL_FILES = 1 << 3;
        /// Device files can be made.
        const DEVICES = 1 << 4;
        /// Extended attributes of the `user.` namespace are kept.
        const XATTRS = 1 << 5;
        /// [`RenameFlags::NOREPLACE`](fs9_sdk::RenameFlags::NOREPLACE).
        const RENAME_NOREPLACE = 1 << 6;
        /// [`RenameFlags::EXCHANGE`](fs9_sdk::RenameFlags::EXCHANGE).
        const RENAME_EXCHANGE = 1 << 7;
        /// [`RenameFlags::WHITEOUT`](fs9_sdk::RenameFlags::WHITEOUT).
        const RENAME_WHITEOUT = 1 << 8;
        /// Holes take no space.
        const SPARSE = 1 << 9;
        /// Space can be reserved, within and beyond the size.
        const FALLOCATE = 1 << 10;
        /// Holes can be punched.
        const PUNCH_HOLE = 1 << 11;
        /// Ranges can be zeroed.
        const ZERO_RANGE = 1 << 12;
        /// Data and holes can be told apart.
        const SEEK_HOLE = 1 << 13;
        /// Ranges can be copied between open files.
        const COPY_RANGE = 1 << 14;
        /// Permission bits are kept.
        const PERMISSIONS = 1 << 15;
        /// Owner and group are kept, and the caller owns what it makes.
        const OWNERSHIP = 1 << 16;
        /// Access and modification times can be set, to the nanosecond.
        const TIMES = 1 << 17;
        /// Privileges are stripped where a call asks for it.
        const PRIVILEGES = 1 << 18;
        /// Sizes and counts of the file system are told.
        const STATFS = 1 << 19;
        /// Files and directories can be made durable.
        const FSYNC = 1 << 20;
        /// A cookie stays with its entry. It does not where cookies are offsets of whatever comes next, as in the
        /// directories of ext4 and tmpfs: an entry that is made before the next one gets the cookie of the one
        /// before it. Resuming is right either way.
        const ENTRY_COOKIES = 1 << 21;
        /// Files can be made without a name ([`Provider::tmpfile`](fs9_sdk::Provider::tmpfile)).
        const TMPFILE = 1 << 22;
        /// Locks are kept ([`Provider::setlk`](fs9_sdk::Provider::setlk)).
        const LOCKS = 1 << 23;
    }
}

/// A file that a read-only provider serves in its root, by which the suite tests it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The name of a regular file in the root.
    pub name: Vec<u8>,
    /// What it holds, at least one byte.
    pub content: Vec<u8>,
}

/// What the suite expects of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What it offers.
    pub features: Features,
    /// A file that it serves from the start; needed where [`Features::WRITE`] is missing.
    pub sample: Option<Sample>,
}

impl Profile {
    /// Returns the profile of a provider that offers everything. Its tree is empty at the start.
    pub const fn full() -> Profile {
        Profile { features: Features::all(), sample: None }
    }

    /// Returns the profile of a provider that only reads and serves this file.
    pub fn read_only(name: impl Into<Vec<u8>>, content: impl Into<Vec<u8>>) -> Profile {
        let sample = Sample { name: name.into(), content: content.into() };
        Profile { features: Features::empty(), sample: Some(sample) }
    }

    /// Returns this profile without some features.
    #[must_use]
    pub fn without(mut self, features: Features) -> Profile {
        self.features.remove(features);
        self
    }

    /// Returns whether all of these are offered.
    pub const fn has(&self, features: Features) -> bool {
        self.features.contains(features)
    }
}
