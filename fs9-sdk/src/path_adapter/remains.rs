//! What is left of an object whose last name is gone.

use super::open_files::Backing;
use crate::{Attr, ErrorKind, Result};
use std::sync::Arc;

/// What is left of an object whose last name is gone, so that it stays usable while it is known.
#[derive(Clone)]
pub(super) struct Remains {
    /// Attributes as they were, without the lost name.
    pub(super) attr: Attr,
    /// Of a symbolic link: its target.
    pub(super) target: Option<Vec<u8>>,
    /// Of a file: a handle of the provider that still reaches it.
    pub(super) anchor: Option<Arc<Backing>>,
}

impl Remains {
    /// Returns the handle by which a file without a name is reached.
    ///
    /// # Errors
    /// `ESTALE` where there is none.
    pub(super) fn anchor(&self) -> Result<Arc<Backing>> {
        self.anchor.clone().ok_or_else(|| ErrorKind::Stale.into())
    }
}

impl std::fmt::Debug for Remains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remains").field("attr", &self.attr).finish_non_exhaustive()
    }
}
