//! What the backing says of an object, in the words of the seam.
//!
//! Invariant: two objects that exist at the same time have different keys; a later object under the same key has
//! another generation wherever the file system keeps birth times.

use fs9_sdk::{Attr, Error, ErrorKind, FileType, Name, ObjectId, Result, Timestamp};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Statx, StatxFlags, StatxTimestamp, statx};

/// What is asked for: birth time comes at no cost.
const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// What the backing says of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    /// Device that holds it, as major and minor number.
    pub(crate) device: u64,
    /// Inode number on it.
    pub(crate) number: u64,
    /// Hash of the birth time; 0 where there is none.
    pub(crate) generation: u64,
    /// Type.
    pub(crate) kind: FileType,
    raw: Statx,
}

impl Stat {
    /// Looks at an open object; an `O_PATH` descriptor will do.
    pub(crate) fn of(file: impl AsFd) -> Result<Stat> {
        Stat::with(file, AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT)
    }

    /// Looks without asking a remote or user-space file system again: it cannot block on a daemon.
    pub(crate) fn cached(file: impl AsFd) -> Result<Stat> {
        Stat::with(file, AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC)
    }

    /// Looks at an entry of a directory; what is mounted there is not asked.
    pub(crate) fn entry(dir: impl AsFd, name: Name<'_>) -> Result<Stat> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
        Stat::at(dir, name.as_bytes(), flags)
    }

    fn with(file: impl AsFd, flags: AtFlags) -> Result<Stat> {
        Stat::at(file, b"", flags)
    }

    fn at(dir: impl AsFd, name: &[u8], flags: AtFlags) -> Result<Stat> {
        let raw = statx(dir, name, flags, WANTED).map_err(refused)?;
        // Anonymous inodes have no type; nothing else in a directory tree lacks one.
        let kind = FileType::from_mode(raw.stx_mode.into()).ok_or(ErrorKind::Io)?;
        let generation = match raw.stx_mask & StatxFlags::BTIME.bits() {
            0 => 0,
            _ => mix(raw.stx_btime.tv_sec as u64 ^ mix(raw.stx_btime.tv_nsec.into())) | 1,
        };
        Ok(Stat {
            device: join(raw.stx_dev_major, raw.stx_dev_minor),
            number: raw.stx_ino,
            generation,
            kind,
            raw,
        })
    }

    /// Returns how many names it has.
    pub(crate) const fn nlink(&self) -> u32 {
        self.raw.stx_nlink
    }

    /// Returns the owner.
    pub(crate) const fn uid(&self) -> u32 {
        self.raw.stx_uid
    }

    /// Returns the group.
    pub(crate) const fn gid(&self) -> u32 {
        self.raw.stx_gid
    }

    /// Returns the permission bits.
    pub(crate) const fn permissions(&self) -> u16 {
        self.raw.stx_mode & 0o7777
    }

    /// Returns the attributes; `device` is the public number of the device.
    pub(crate) fn attr(&self, device: u64) -> Attr {
        let raw = &self.raw;
        let has_btime = raw.stx_mask & StatxFlags::BTIME.bits() != 0;
        Attr {
            id: ObjectId { device, number: self.number, generation: self.generation },
            kind: self.kind,
            permissions: self.permissions(),
            nlink: raw.stx_nlink,
            uid: raw.stx_uid,
            gid: raw.stx_gid,
            rdev: encode_device(raw.stx_rdev_major, raw.stx_rdev_minor),
            size: raw.stx_size,
            blocks: raw.stx_blocks,
            block_size: raw.stx_blksize,
            atime: timestamp(&raw.stx_atime),
            mtime: timestamp(&raw.stx_mtime),
            ctime: timestamp(&raw.stx_ctime),
            btime: has_btime.then(|| timestamp(&raw.stx_btime)),
        }
    }
}

/// Turns a refusal of the system into an error of the seam.
pub(crate) fn refused(errno: rustix::io::Errno) -> Error {
    Error::from_errno(errno.raw_os_error())
}

/// Spreads the bits of a number (the finalizer of splitmix64).
pub(crate) const fn mix(number: u64) -> u64 {
    let a = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

/// Returns one number for a device.
pub(crate) const fn join(major: u32, minor: u32) -> u64 {
    (major as u64) << 32 | minor as u64
}

const fn timestamp(time: &StatxTimestamp) -> Timestamp {
    Timestamp { seconds: time.tv_sec, nanoseconds: time.tv_nsec }
}

/// Encodes a device number as the kernel's 32-bit `new_encode_dev` does.
const fn encode_device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12)
}

/// Decodes a 32-bit device number into major and minor.
pub(crate) const fn decode_device(device: u32) -> (u32, u32) {
    ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xf_ff00))
}

#[cfg(test)]
mod tests {
    use super::{decode_device, encode_device};

    #[test]
    fn device_numbers_survive_the_way_there_and_back() {
        for (major, minor) in [(0, 0), (1, 3), (8, 255), (259, 256), (0xfff, 0xf_ffff)] {
            assert_eq!(decode_device(encode_device(major, minor)), (major, minor));
        }
        assert_eq!(encode_device(1, 3), 0x103);
    }
}
