//! One component of a path.

use crate::{Error, ErrorKind, Result};

/// The longest name, in bytes (`NAME_MAX` of Linux).
pub const NAME_MAX: usize = 255;

/// One path component: 1 to 255 bytes, neither `/` nor NUL among them, and not `.` or `..`.
///
/// Being built at all proves these facts; receivers do not check them again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// Checks bytes and returns them as a name.
    ///
    /// # Errors
    /// `ENAMETOOLONG` beyond 255 bytes; `EINVAL` for an empty name, `.`, `..`, or a name with `/` or NUL.
    pub fn new(bytes: &'a [u8]) -> Result<Name<'a>> {
        if bytes.len() > NAME_MAX {
            return Err(Error::new(ErrorKind::NameTooLong));
        }
        let is_dot = matches!(bytes, b"" | b"." | b"..");
        if is_dot || bytes.iter().any(|&b| b == b'/' || b == 0) {
            return Err(Error::new(ErrorKind::InvalidArgument));
        }
        Ok(Name(bytes))
    }

    /// Returns the bytes.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns the bytes as the standard library's string of the system.
    pub fn as_os_str(self) -> &'a std::ffi::OsStr {
        std::os::unix::ffi::OsStrExt::from_bytes(self.0)
    }
}

impl std::fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        String::from_utf8_lossy(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;
    use crate::ErrorKind;

    #[test]
    fn any_bytes_but_slash_and_nul_make_a_name() {
        for ok in [&b"a"[..], b"...", b"\xff\xfe", &[b'x'; 255], b" ", b"\n"] {
            assert_eq!(Name::new(ok).unwrap().as_bytes(), ok);
        }
    }

    #[test]
    fn names_that_no_directory_can_hold_are_refused() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0", b"/"] {
            assert_eq!(Name::new(bad).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
        assert_eq!(Name::new(&[b'x'; 256]).unwrap_err().kind(), ErrorKind::NameTooLong);
    }
}
