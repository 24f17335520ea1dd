//! Paths within a namespace.
//!
//! Invariant: a [`VfsPath`] is `/`, or `/NAME` once or more often with valid names; so equal paths are equal bytes.

use fs9_sdk::{Error, ErrorKind, Name, Result};
use std::fmt;
use std::iter::FusedIterator;

/// A normalised absolute path, in bytes.
///
/// `.` and empty components are dropped and `..` takes the component before it, as text: it does not follow symbolic
/// links. `..` of the root is the root (`path_resolution(7)`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VfsPath(Box<[u8]>);

impl VfsPath {
    /// Returns `/`.
    pub fn root() -> VfsPath {
        VfsPath(Box::new([b'/']))
    }

    /// Normalises an absolute path.
    ///
    /// # Errors
    /// `EINVAL` for a relative path or one with NUL, `ENAMETOOLONG` for a component of more than 255 bytes.
    pub fn parse(path: &[u8]) -> Result<VfsPath> {
        let refused = |kind, why: &'static str| Error::new(kind).at(path.escape_ascii()).because(why);
        if path.first() != Some(&b'/') {
            return Err(refused(ErrorKind::InvalidArgument, "the path is not absolute"));
        }
        let mut normal = Vec::with_capacity(path.len());
        for component in path.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => {
                    let end = normal.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                    normal.truncate(end);
                }
                name => {
                    let name = Name::new(name)
                        .map_err(|error| refused(error.kind(), "a component is not a valid name"))?;
                    normal.push(b'/');
                    normal.extend_from_slice(name.as_bytes());
                }
            }
        }
        if normal.is_empty() {
            return Ok(VfsPath::root());
        }
        Ok(VfsPath(normal.into_boxed_slice()))
    }

    /// Returns the bytes; they begin with `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// Returns the names from the root downwards.
    pub fn components(&self) -> Components<'_> {
        Components { rest: self.0.get(1..).unwrap_or_default() }
    }

    /// Returns the path without its last name, or `None` for the root.
    pub fn parent(&self) -> Option<VfsPath> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        Some(VfsPath(Box::from(self.0.get(..end.max(1)).unwrap_or(b"/"))))
    }

    /// Returns the last name, or `None` for the root.
    pub fn name(&self) -> Option<Name<'_>> {
        let start = self.0.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        Name::new(self.0.get(start..)?).ok()
    }

    /// Returns the path of an entry in this directory.
    #[must_use]
    pub fn join(&self, name: Name<'_>) -> VfsPath {
        let mut joined = Vec::with_capacity(self.0.len() + 1 + name.as_bytes().len());
        if !self.is_root() {
            joined.extend_from_slice(&self.0);
        }
        joined.push(b'/');
        joined.extend_from_slice(name.as_bytes());
        VfsPath(joined.into_boxed_slice())
    }

    /// Returns where this path, which lies at or below `from`, is after `from` has moved to `to`.
    ///
    /// # Panics
    /// If it does not lie there.
    pub(crate) fn moved(&self, from: &VfsPath, to: &VfsPath) -> VfsPath {
        assert!(self.starts_with(from), "{self} is not below {from}");
        self.components().skip(from.components().count()).fold(to.clone(), |path, name| path.join(name))
    }

    /// Returns whether this path is `ancestor` or lies below it.
    pub fn starts_with(&self, ancestor: &VfsPath) -> bool {
        let Some(rest) = self.0.strip_prefix(&*ancestor.0) else {
            return false;
        };
        ancestor.is_root() || rest.first().is_none_or(|&byte| byte == b'/')
    }
}

impl PartialOrd for VfsPath {
    fn partial_cmp(&self, other: &VfsPath) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for VfsPath {
    /// Orders by component, so that a directory is followed by what lies below it.
    fn cmp(&self, other: &VfsPath) -> std::cmp::Ordering {
        self.components().cmp(other.components())
    }
}

impl fmt::Display for VfsPath {
    /// Writes the path as text; bytes that are no UTF-8 become U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(&self.0).fmt(f)
    }
}

impl fmt::Debug for VfsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// The names of a path, or those that are left of it.
#[derive(Clone, Debug)]
pub struct Components<'a> {
    /// What was not returned yet, without a leading slash.
    rest: &'a [u8],
}

impl<'a> Components<'a> {
    /// Returns the names of what [`Components::as_bytes`] gave.
    pub(crate) fn of(rest: &'a [u8]) -> Components<'a> {
        Components { rest }
    }

    /// Returns what is left, as a relative path without a leading slash; empty at the end.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Components<'a> {
    type Item = Name<'a>;

    fn next(&mut self) -> Option<Name<'a>> {
        let end = self.rest.iter().position(|&byte| byte == b'/').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        // The empty rest is the end; every other component was checked when the path was made.
        Name::new(name).ok()
    }
}

impl FusedIterator for Components<'_> {}

#[cfg(test)]
mod tests {
    use super::VfsPath;
    use fs9_sdk::{ErrorKind, Name};

    fn path(text: &str) -> VfsPath {
        VfsPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn dots_and_repeated_slashes_are_normalised() {
        for (given, normal) in [
            ("/", "/"),
            ("//", "/"),
            ("/.", "/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a/", "/a"),
            ("/a//b", "/a/b"),
            ("/a/./b/.", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/../../..", "/"),
            ("/...", "/..."),
            ("/a/..b", "/a/..b"),
        ] {
            assert_eq!(path(given).as_bytes(), normal.as_bytes(), "{given}");
        }
    }

    #[test]
    fn relative_paths_nul_and_long_names_are_refused() {
        for bad in [&b""[..], b"a", b"./a", b"..", b"/a\0b"] {
            assert_eq!(VfsPath::parse(bad).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
        let long = [b"/".as_slice(), &[b'x'; 256]].concat();
        assert_eq!(VfsPath::parse(&long).unwrap_err().kind(), ErrorKind::NameTooLong);
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let odd = VfsPath::parse(b"/\xff\n/\x01").unwrap();
        let names: Vec<_> = odd.components().map(Name::as_bytes).collect();
        assert_eq!(names, [b"\xff\n".as_slice(), b"\x01"]);
    }

    #[test]
    fn joining_and_taking_the_parent_are_inverse() {
        let mut walked = VfsPath::root();
        for name in ["usr", "share", "x"] {
            let longer = walked.join(Name::new(name.as_bytes()).unwrap());
            assert_eq!(longer.parent().unwrap(), walked);
            assert_eq!(longer.name().unwrap().as_bytes(), name.as_bytes());
            walked = longer;
        }
        assert_eq!(walked, path("/usr/share/x"));
        assert_eq!(VfsPath::root().parent(), None);
        assert_eq!(VfsPath::root().name(), None);
    }

    #[test]
    fn what_lies_below_a_path_moves_with_it() {
        for (at, from, to, moved) in [
            ("/a/b/c", "/a", "/x", "/x/b/c"),
            ("/a/b", "/a/b", "/x/y", "/x/y"),
            ("/a", "/", "/x", "/x/a"),
            ("/a/b", "/a", "/", "/b"),
        ] {
            assert_eq!(path(at).moved(&path(from), &path(to)), path(moved));
        }
    }

    #[test]
    fn an_ancestor_ends_at_a_slash() {
        assert!(path("/ab/c").starts_with(&path("/ab")));
        assert!(path("/ab").starts_with(&path("/ab")));
        assert!(path("/ab").starts_with(&VfsPath::root()));
        assert!(!path("/abc").starts_with(&path("/ab")));
        assert!(!path("/a").starts_with(&path("/ab")));
    }

    #[test]
    fn a_directory_sorts_directly_before_what_lies_below_it() {
        let mut paths = [path("/a.b"), path("/a/z"), path("/a"), path("/")];
        paths.sort();
        assert_eq!(paths, [path("/"), path("/a"), path("/a/z"), path("/a.b")]);
    }

    #[test]
    fn what_is_left_of_the_components_is_a_relative_path() {
        let path = path("/a/b/c");
        let mut components = path.components();
        components.next();
        assert_eq!(components.as_bytes(), b"b/c");
        assert_eq!(components.by_ref().count(), 2);
        assert_eq!((components.as_bytes(), components.next()), (&b""[..], None));
    }
}
