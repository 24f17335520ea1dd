//! The kinds of file that a directory can hold.

/// The type of a file, as in the `S_IFMT` bits of `inode(7)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FileType {
    /// A named pipe (`S_IFIFO`).
    Fifo = 1,
    /// A character device (`S_IFCHR`).
    CharDevice = 2,
    /// A directory (`S_IFDIR`).
    Directory = 4,
    /// A block device (`S_IFBLK`).
    BlockDevice = 6,
    /// A regular file (`S_IFREG`).
    Regular = 8,
    /// A symbolic link (`S_IFLNK`).
    Symlink = 10,
    /// A socket (`S_IFSOCK`).
    Socket = 12,
}

/// The bits of a mode that hold the type (`S_IFMT`).
const MODE_TYPE_MASK: u32 = 0o170_000;

impl FileType {
    /// Returns the type that the upper bits of a mode name, or `None` if they name none.
    pub const fn from_mode(mode: u32) -> Option<FileType> {
        Self::from_dirent((((mode & MODE_TYPE_MASK) >> 12) & 0xf) as u8)
    }

    /// Returns the type of a `d_type` of `readdir(3)`, or `None` for `DT_UNKNOWN` and foreign values.
    pub const fn from_dirent(d_type: u8) -> Option<FileType> {
        match d_type {
            1 => Some(FileType::Fifo),
            2 => Some(FileType::CharDevice),
            4 => Some(FileType::Directory),
            6 => Some(FileType::BlockDevice),
            8 => Some(FileType::Regular),
            10 => Some(FileType::Symlink),
            12 => Some(FileType::Socket),
            _ => None,
        }
    }

    /// Returns the type as bits of a mode (`S_IFMT`).
    pub const fn mode_bits(self) -> u32 {
        (self as u32) << 12
    }
}

#[cfg(test)]
mod tests {
    use super::FileType;

    #[test]
    fn every_type_survives_the_way_to_mode_bits_and_back() {
        for d_type in 0..=255 {
            if let Some(kind) = FileType::from_dirent(d_type) {
                assert_eq!(FileType::from_mode(kind.mode_bits() | 0o7777), Some(kind));
            }
        }
    }

    #[test]
    fn a_mode_without_type_bits_has_no_type() {
        assert_eq!(FileType::from_mode(0o644), None);
    }
}
