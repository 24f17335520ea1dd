//! Changes of attributes.

use crate::Timestamp;

/// A time to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The provider's present time.
    Now,
    /// A given time.
    At(Timestamp),
}

/// The attributes that one `setattr` changes; `None` leaves an attribute as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttr {
    /// New permission bits (`07777`).
    pub permissions: Option<u16>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New size in bytes: the file is cut, or extended with a hole.
    pub size: Option<u64>,
    /// New access time.
    pub atime: Option<SetTime>,
    /// New modification time.
    pub mtime: Option<SetTime>,
    /// Strip set-user-ID, set-group-ID and file capabilities, as a change by an ordinary user does.
    pub kill_privileges: bool,
}

impl SetAttr {
    /// Returns whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == SetAttr::default()
    }
}
