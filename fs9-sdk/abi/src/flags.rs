//! Flag words of the Linux system calls that providers receive, with the numbers of the generic ABI.

use bitflags::bitflags;

bitflags! {
    /// Flags of `open(2)`. Bits that fs9 does not name are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct OpenFlags: u32 {
        /// Open for writing only. Reading only is the absence of this and of [`Self::READ_WRITE`].
        const WRITE_ONLY = 0o1;
        /// Open for reading and writing.
        const READ_WRITE = 0o2;
        /// Create the file if it does not exist.
        const CREATE = 0o100;
        /// With [`Self::CREATE`]: fail if the file exists.
        const EXCLUSIVE = 0o200;
        /// Cut the file to length zero.
        const TRUNCATE = 0o1000;
        /// Every write goes to the end of the file.
        const APPEND = 0o2000;
        /// Never wait.
        const NONBLOCK = 0o4000;
        /// Data is durable when a write returns.
        const DSYNC = 0o10000;
        /// Bypass caches.
        const DIRECT = 0o40000;
        /// Fail unless it is a directory.
        const DIRECTORY = 0o200_000;
        /// Fail if the last component is a symbolic link.
        const NOFOLLOW = 0o400_000;
        /// Leave the access time as it is.
        const NOATIME = 0o1_000_000;
        /// Data and metadata are durable when a write returns (includes [`Self::DSYNC`]).
        const SYNC = 0o4_010_000;
        /// The opening is for execution (`FMODE_EXEC`, as FUSE passes it).
        const EXEC = 0o40;
        /// The file has no name; includes [`Self::DIRECTORY`], since a directory stands for its file system.
        const TMPFILE = 0o20_200_000;
        /// With [`Self::TRUNCATE`], of a file that exists: strip set-user-ID, set-group-ID and file capabilities, as a
        /// truncation by somebody without `CAP_FSETID` does. It is not a flag of `open(2)`.
        const KILL_PRIVILEGES = 1 << 31;

        const _ = !0;
    }
}

impl OpenFlags {
    /// Returns whether the handle may read.
    pub const fn readable(self) -> bool {
        self.bits() & 3 != 1
    }

    /// Returns whether the handle may write.
    pub const fn writable(self) -> bool {
        self.bits() & 3 != 0
    }
}

bitflags! {
    /// Flags of `renameat2(2)`. Unknown bits are kept, so that a provider can refuse them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct RenameFlags: u32 {
        /// Fail with `EEXIST` if the new name exists.
        const NOREPLACE = 1;
        /// Exchange the two names atomically; both must exist.
        const EXCHANGE = 2;
        /// Leave a whiteout (a 0:0 character device) at the old name.
        const WHITEOUT = 4;

        const _ = !0;
    }
}

bitflags! {
    /// Flags of `setxattr(2)`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct XattrFlags: u32 {
        /// Fail with `EEXIST` if the attribute exists.
        const CREATE = 1;
        /// Fail with `ENODATA` if the attribute does not exist.
        const REPLACE = 2;
        /// Of an ACL of a file: take set-group-ID away, as it is done for somebody who is not in the file's group and has
        /// no `CAP_FSETID`; without it, set-group-ID stays. It is not a flag of `setxattr(2)`.
        const KILL_SETGID = 1 << 31;

        const _ = !0;
    }
}

bitflags! {
    /// Mode bits of `fallocate(2)`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct FallocateMode: u32 {
        /// The size stays as it is, also where the range reaches beyond it.
        const KEEP_SIZE = 0x01;
        /// Free the range; it reads as zeros. Requires [`Self::KEEP_SIZE`].
        const PUNCH_HOLE = 0x02;
        /// Remove the range and close the gap.
        const COLLAPSE_RANGE = 0x08;
        /// The range reads as zeros and is allocated.
        const ZERO_RANGE = 0x10;
        /// Insert a hole at the offset.
        const INSERT_RANGE = 0x20;
        /// Unshare shared extents of the range.
        const UNSHARE_RANGE = 0x40;

        const _ = !0;
    }
}

bitflags! {
    /// Events of `poll(2)`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct PollEvents: u32 {
        /// There is data to read (`POLLIN | POLLRDNORM`).
        const IN = 0x41;
        /// Writing does not block (`POLLOUT | POLLWRNORM`).
        const OUT = 0x104;
        /// An error is pending.
        const ERR = 0x08;
        /// The other end hung up.
        const HUP = 0x10;

        const _ = !0;
    }
}

bitflags! {
    /// Flags of an ioctl that arrives by FUSE (`FUSE_IOCTL_*`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct IoctlFlags: u32 {
        /// A 32-bit process calls on a 64-bit kernel.
        const COMPAT = 1;
        /// The ioctl is not restricted to well-formed commands.
        const UNRESTRICTED = 2;
        /// The handle is a directory.
        const DIRECTORY = 16;

        const _ = !0;
    }
}

/// What an offset of `lseek(2)` asks for. Only these two reach a provider; the kernel does the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Whence {
    /// The next offset at or after the given one that holds data (`SEEK_DATA`).
    Data = 3,
    /// The next hole at or after the given offset; the end of the file is one (`SEEK_HOLE`).
    Hole = 4,
}

#[cfg(test)]
mod tests {
    use super::OpenFlags;

    #[test]
    fn access_mode_decides_what_a_handle_may_do() {
        let read = OpenFlags::empty();
        let write = OpenFlags::WRITE_ONLY;
        let both = OpenFlags::READ_WRITE;
        assert!(read.readable() && !read.writable());
        assert!(!write.readable() && write.writable());
        assert!(both.readable() && both.writable());
    }

    #[test]
    fn unknown_bits_survive() {
        assert_eq!(OpenFlags::from_bits_retain(0x4000_0000).bits(), 0x4000_0000);
    }
}
