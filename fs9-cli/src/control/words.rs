//! How a control command is cut into words.
//!
//! Blanks and tabs separate words. Inside `"..."` they do not. A backslash takes the next character as it is, or, before
//! three octal digits, stands for that byte, as in `fstab(5)`: `/my\040files`, `"/my files"` and `/my\ files` are the
//! same path.

use crate::mountinfo::octal;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// Cuts a line into words.
///
/// # Errors
/// A sentence for a quote that is not closed, a backslash at the end, or a NUL byte.
pub(super) fn split(line: &[u8]) -> Result<Vec<OsString>, String> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut is_quoted = false;
    let mut rest = line;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            0 => return Err("a NUL byte".into()),
            b' ' | b'\t' if !is_quoted => words.extend(word.take()),
            b'"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            b'\\' => {
                let (byte, taken) = escaped(tail).ok_or("a backslash at the end of the line")?;
                word.get_or_insert_default().push(byte);
                rest = tail.get(taken..).unwrap_or_default();
            }
            other => word.get_or_insert_default().push(*other),
        }
    }
    if is_quoted {
        return Err("a quote that is not closed".into());
    }
    words.extend(word);
    Ok(words.into_iter().map(OsString::from_vec).collect())
}

/// Returns the byte that follows a backslash, and how many bytes wrote it.
fn escaped(tail: &[u8]) -> Option<(u8, usize)> {
    if let Some(byte) = tail.first_chunk::<3>().and_then(octal) {
        return (byte != 0).then_some((byte, 3));
    }
    tail.first().map(|byte| (*byte, 1))
}

#[cfg(test)]
mod tests {
    use super::split;
    use std::ffi::OsString;

    fn words(line: &str) -> Vec<OsString> {
        split(line.as_bytes()).unwrap()
    }

    #[test]
    fn three_spellings_of_a_path_with_a_blank_are_the_same() {
        for line in [
            r"unmount /my\040files",
            r#"unmount "/my files""#,
            r"unmount /my\ files",
            "\tunmount  /my\\040files ",
        ] {
            assert_eq!(words(line), ["unmount", "/my files"], "{line}");
        }
    }

    #[test]
    fn quotes_and_backslashes_are_written_with_a_backslash() {
        assert_eq!(words(r#"a\"b c\\d "e\"f" """#), [r#"a"b"#, r"c\d", r#"e"f"#, ""]);
    }

    #[test]
    fn what_is_not_finished_is_refused() {
        for line in [&b"a \"b"[..], b"a\\", b"a\0b", b"a\\000"] {
            split(line).unwrap_err();
        }
        assert_eq!(words(""), Vec::<OsString>::new());
    }
}
