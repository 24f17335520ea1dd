//! Reading a directory into a buffer that the caller keeps (`getdents64(2)`).
//!
//! Invariant: parsing never reads beyond the bytes that it is given, whatever they say.

use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// Bytes before the name in a `struct linux_dirent64`: inode, next offset, record length, type.
const HEADER: usize = 8 + 8 + 2 + 1;

/// One entry as the kernel wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEntry<'a> {
    /// Inode number.
    pub number: u64,
    /// Offset of the next entry, to be given to `lseek`.
    pub next: u64,
    /// `d_type`.
    pub kind: u8,
    /// Name without the NUL.
    pub name: &'a [u8],
    /// Length of the record, at least 1.
    pub length: usize,
}

/// Fills `buffer` with entries from the directory's position on and returns how many bytes they take; 0 at the end.
///
/// # Errors
/// `EINVAL` if not one entry fits, `ENOENT` if the directory is removed.
pub fn read_directory(dir: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes into `buffer`.
    let length = unsafe {
        libc::syscall(
            libc::SYS_getdents64,
            dir.as_fd().as_raw_fd(),
            buffer.as_mut_ptr(),
            buffer.len().min(i32::MAX as usize),
        )
    };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}

/// Returns the entry that begins at the first byte, or `None` if the bytes hold no whole one.
pub fn parse_entry(bytes: &[u8]) -> Option<RawEntry<'_>> {
    let number = u64::from_ne_bytes(bytes.get(..8)?.try_into().ok()?);
    let next = u64::from_ne_bytes(bytes.get(8..16)?.try_into().ok()?);
    let length = usize::from(u16::from_ne_bytes(bytes.get(16..18)?.try_into().ok()?));
    let kind = *bytes.get(18)?;
    let padded = bytes.get(HEADER..length)?;
    let name = padded.split(|&b| b == 0).next()?;
    Some(RawEntry { number, next, kind, name, length })
}

#[cfg(test)]
mod tests {
    use super::{parse_entry, read_directory};
    use rustix::fs::{Mode, OFlags, open};

    #[test]
    fn every_entry_of_a_directory_is_read() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..100 {
            std::fs::write(dir.path().join(format!("name-{n}")), b"").unwrap();
        }
        let fd = open(dir.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let mut buffer = vec![0; 700];
        let mut names = Vec::new();
        loop {
            let length = read_directory(&fd, &mut buffer).unwrap();
            if length == 0 {
                break;
            }
            let mut rest = &buffer[..length];
            while let Some(entry) = parse_entry(rest) {
                names.push(entry.name.to_vec());
                rest = &rest[entry.length..];
            }
            assert!(rest.is_empty(), "the kernel writes whole entries");
        }
        names.retain(|name| name != b"." && name != b"..");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 100);
    }

    #[test]
    fn cut_or_lying_records_give_nothing() {
        let mut record = vec![0; 24];
        record[16] = 24;
        record[19] = b'x';
        assert_eq!(parse_entry(&record).unwrap().name, b"x");
        assert_eq!(parse_entry(&record[..23]), None);
        for lie in [0, 18, 255] {
            record[16] = lie;
            assert_eq!(parse_entry(&record), None);
        }
    }
}
