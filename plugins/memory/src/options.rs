//! What can be chosen when a tree is made.

use fs9_sdk::{Error, ErrorKind, Result};

/// Used where the system does not say how much memory it has.
const SIZE_FALLBACK: u64 = 512 << 20;
/// Bytes of `size_max` for each inode of the default `inodes_max`, as tmpfs has it.
const BYTES_PER_INODE: u64 = 4096;
/// The least default of `inodes_max`.
const INODES_MIN: u64 = 16 * 1024;

/// What can be chosen when a tree is made.
#[derive(Clone, Copy, Debug)]
pub struct MemoryOptions {
    /// The most bytes of data, extended attributes and link targets. Default: half of the machine's memory, as for
    /// tmpfs. Data counts in pages of 4 KiB, reserved ranges included.
    pub size_max: u64,
    /// The most objects and further names of them (hard links) together; the root is one. Each costs about 330
    /// bytes of memory beyond `size_max`. Default: one for each 4 KiB of `size_max`, at least 16,384.
    pub inodes_max: Option<u64>,
    /// Permission bits of the root. Default: 0755.
    pub root_permissions: u16,
    /// Owner of the root. Default: 0.
    pub root_uid: u32,
    /// Group of the root. Default: 0.
    pub root_gid: u32,
    /// Reading never changes access times. Default: false, which means relatime.
    pub noatime: bool,
    /// Called, on a thread of its own and never twice at a time, after 64 MiB of data were freed: for an allocator
    /// that returns memory to the system only when asked, as glibc's does (`malloc_trim(3)`). Default: none.
    pub after_freeing: Option<fn()>,
}

impl Default for MemoryOptions {
    fn default() -> MemoryOptions {
        MemoryOptions {
            size_max: half_of_memory().unwrap_or(SIZE_FALLBACK),
            inodes_max: None,
            root_permissions: 0o755,
            root_uid: 0,
            root_gid: 0,
            noatime: false,
            after_freeing: None,
        }
    }
}

impl MemoryOptions {
    /// Returns the limit of inodes, chosen or by default.
    pub(crate) fn inode_limit(&self) -> u64 {
        self.inodes_max.unwrap_or((self.size_max / BYTES_PER_INODE).max(INODES_MIN))
    }

    /// Refuses what no tree can be made with.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: &'static str| Err(Error::new(ErrorKind::InvalidArgument).because(what));
        match self {
            _ if self.size_max < 4096 => wrong("size_max is less than one page of 4096 bytes"),
            _ if self.inodes_max == Some(0) => wrong("inodes_max leaves no inode for the root"),
            _ if self.root_permissions > 0o7777 => wrong("root_permissions are more than 07777"),
            _ => Ok(()),
        }
    }
}

/// Returns half of the machine's memory (`MemTotal` of `proc_meminfo(5)`).
fn half_of_memory() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024 / 2)
}

#[cfg(test)]
mod tests {
    use super::{MemoryOptions, half_of_memory};

    #[test]
    fn the_default_size_is_half_of_the_memory() {
        assert_eq!(Some(MemoryOptions::default().size_max), half_of_memory());
    }

    #[test]
    fn impossible_options_are_refused() {
        let good = MemoryOptions::default();
        good.check().unwrap();
        let bad = [
            MemoryOptions { size_max: 4095, ..good },
            MemoryOptions { inodes_max: Some(0), ..good },
            MemoryOptions { root_permissions: 0o10_000, ..good },
        ];
        for options in bad {
            options.check().unwrap_err();
        }
    }
}
