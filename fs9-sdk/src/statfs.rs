//! What `statfs(2)` tells of a file system.

/// Sizes and counts of a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatFs {
    /// All blocks, in units of `fragment_size`.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Free blocks for ordinary users.
    pub blocks_available: u64,
    /// All inodes.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
    /// Preferred size of an I/O, in bytes.
    pub block_size: u32,
    /// Longest name, in bytes.
    pub name_max: u32,
    /// Unit of the block counts, in bytes.
    pub fragment_size: u32,
}
