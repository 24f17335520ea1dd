//! Paths below a provider's root.
//!
//! Invariant: a path is a sequence of valid names joined by single slashes; the root is the empty path. It has no
//! length limit: how long a path a backing takes is the backing's matter.

use crate::{Name, Result};
use std::fmt;

/// A path relative to a provider's root, as bytes: no leading slash, no `.`, no `..`; the root is empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelPath<'a>(&'a [u8]);

impl<'a> RelPath<'a> {
    /// The root.
    pub const ROOT: RelPath<'static> = RelPath(b"");

    /// Checks bytes and returns them as a path.
    ///
    /// # Errors
    /// `EINVAL` for empty components (also a leading or trailing slash), `.`, `..` or NUL; `ENAMETOOLONG` for a
    /// component beyond 255 bytes.
    pub fn new(bytes: &'a [u8]) -> Result<RelPath<'a>> {
        if !bytes.is_empty() {
            for component in bytes.split(|&byte| byte == b'/') {
                Name::new(component)?;
            }
        }
        Ok(RelPath(bytes))
    }

    /// Returns the bytes.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns the path as the standard library's, relative; the root is empty.
    pub fn as_path(self) -> &'a std::path::Path {
        let text: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(self.0);
        text.as_ref()
    }

    /// Returns whether this is the root.
    pub const fn is_root(self) -> bool {
        self.0.is_empty()
    }

    /// Returns the components from the root on.
    pub fn components(self) -> impl DoubleEndedIterator<Item = Name<'a>> {
        let parts = self.0.split(|&byte| byte == b'/');
        // The path was checked when it was built, so that only the root's empty component is left out here.
        parts.filter_map(|part| Name::new(part).ok())
    }

    /// Returns the last component and the path of the directory that holds it, or `None` for the root.
    pub fn split_last(self) -> Option<(RelPath<'a>, Name<'a>)> {
        let name = self.components().next_back()?;
        let rest = self.0.len() - name.as_bytes().len();
        Some((RelPath(&self.0[..rest.saturating_sub(1)]), name))
    }
}

impl fmt::Debug for RelPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Display for RelPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(self.0).fmt(f)
    }
}

/// A path below a provider's root that owns its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RelPathBuf(Vec<u8>);

impl RelPathBuf {
    /// Appends a name.
    pub fn push(&mut self, name: Name<'_>) {
        if !self.0.is_empty() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name.as_bytes());
    }

    /// Returns the path.
    pub fn as_rel_path(&self) -> RelPath<'_> {
        RelPath(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{RelPath, RelPathBuf};
    use crate::{ErrorKind, Name};

    #[test]
    fn a_path_is_names_joined_by_slashes() {
        for ok in [&b""[..], b"a", b"a/b", b"a/.../\xff"] {
            assert_eq!(RelPath::new(ok).unwrap().as_bytes(), ok);
        }
        for bad in [&b"/"[..], b"/a", b"a/", b"a//b", b"a/../b", b".", b"a/\0"] {
            assert_eq!(RelPath::new(bad).unwrap_err().kind(), ErrorKind::InvalidArgument, "{bad:?}");
        }
    }

    #[test]
    fn a_path_is_built_and_taken_apart_by_names() {
        let mut path = RelPathBuf::default();
        assert!(path.as_rel_path().split_last().is_none());
        for name in [b"a", b"b", b"c"] {
            path.push(Name::new(name).unwrap());
        }
        let (parent, name) = path.as_rel_path().split_last().unwrap();
        assert_eq!((parent.as_bytes(), name.as_bytes()), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(parent.components().count(), 2);
        let (root, _) = RelPath::new(b"a").unwrap().split_last().unwrap();
        assert!(root.is_root() && root.components().next().is_none());
    }
}
