//! What was agreed upon with the kernel and changes how messages read.

use super::InitFlags;

/// The major version of the protocol.
pub(crate) const MAJOR: u32 = 7;

/// The newest minor version that is spoken here: Linux 6.18.
pub(crate) const MINOR: u32 = 45;

/// The oldest minor version that is spoken here: Linux 5.4 and 5.10 (7.31, 7.32).
pub(crate) const MINOR_MIN: u32 = 31;

/// From this minor version on, the header tells how long the extensions are (`total_extlen`).
pub(super) const MINOR_EXTENSION_LENGTH: u32 = 38;

/// What was agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// The minor version.
    pub(crate) minor: u32,
    /// The features in force: offered by the kernel, and taken.
    pub(crate) flags: InitFlags,
}

impl Dialect {
    /// What holds before anything was agreed upon. `INIT` reads the same in each dialect.
    pub(crate) const BEFORE_INIT: Dialect = Dialect { minor: MINOR, flags: InitFlags::empty() };

    /// Returns whether a feature is in force.
    pub(crate) const fn has(self, feature: InitFlags) -> bool {
        self.flags.contains(feature)
    }
}
