//! Flag words of the protocol that only the kernel and a transport know.
//!
//! Those that providers know as well, such as the flags of `open(2)`, are taken over bit by bit into the types of the
//! SDK. Invariant: bits that have no name here are kept.

use bitflags::bitflags;

bitflags! {
    /// What is agreed upon by `INIT`: the word `flags`, and above it the word `flags2`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub(crate) struct InitFlags: u64 {
        /// Several reads of one file at a time.
        const ASYNC_READ = 1 << 0;
        /// Locks on ranges are asked for here.
        const POSIX_LOCKS = 1 << 1;
        /// Not in use.
        const FILE_OPS = 1 << 2;
        /// `O_TRUNC` reaches `OPEN`.
        const ATOMIC_O_TRUNC = 1 << 3;
        /// `.` and `..` can be looked up, as NFS needs.
        const EXPORT_SUPPORT = 1 << 4;
        /// Writes may be longer than a page.
        const BIG_WRITES = 1 << 5;
        /// The mask is applied here.
        const DONT_MASK = 1 << 6;
        /// Data can be spliced into the device.
        const SPLICE_WRITE = 1 << 7;
        /// Pages can be moved by a splice.
        const SPLICE_MOVE = 1 << 8;
        /// Data can be spliced out of the device.
        const SPLICE_READ = 1 << 9;
        /// Locks on whole files are asked for here.
        const FLOCK_LOCKS = 1 << 10;
        /// Directories take ioctls.
        const HAS_IOCTL_DIR = 1 << 11;
        /// Cached data goes when size or time change.
        const AUTO_INVAL_DATA = 1 << 12;
        /// Listings bring attributes.
        const DO_READDIRPLUS = 1 << 13;
        /// Listings bring attributes where they are likely to be used.
        const READDIRPLUS_AUTO = 1 << 14;
        /// Direct I/O in the background.
        const ASYNC_DIO = 1 << 15;
        /// Writes are cached.
        const WRITEBACK_CACHE = 1 << 16;
        /// `OPEN` may be answered with `ENOSYS` for good.
        const NO_OPEN_SUPPORT = 1 << 17;
        /// Lookups and listings of one directory at a time.
        const PARALLEL_DIROPS = 1 << 18;
        /// Privileges are stripped here on every write, change of owner and truncation.
        const HANDLE_KILLPRIV = 1 << 19;
        /// ACLs are kept here and enforced by the kernel.
        const POSIX_ACL = 1 << 20;
        /// Reading the device after an abort says so (`ECONNABORTED`).
        const ABORT_ERROR = 1 << 21;
        /// `max_pages` is meant.
        const MAX_PAGES = 1 << 22;
        /// Targets of symbolic links are cached.
        const CACHE_SYMLINKS = 1 << 23;
        /// `OPENDIR` may be answered with `ENOSYS` for good.
        const NO_OPENDIR_SUPPORT = 1 << 24;
        /// Cached data goes only when asked for.
        const EXPLICIT_INVAL_DATA = 1 << 25;
        /// `map_alignment` is meant.
        const MAP_ALIGNMENT = 1 << 26;
        /// Directories can be roots of mounts below.
        const SUBMOUNTS = 1 << 27;
        /// Privileges are stripped here where the request says so.
        const HANDLE_KILLPRIV_V2 = 1 << 28;
        /// `SETXATTR` has flags of its own.
        const SETXATTR_EXT = 1 << 29;
        /// There is a second word of flags.
        const INIT_EXT = 1 << 30;
        /// Not to be used.
        const INIT_RESERVED = 1 << 31;
        /// New inodes come with what the security module wants them to have.
        const SECURITY_CTX = 1 << 32;
        /// DAX for single inodes.
        const HAS_INODE_DAX = 1 << 33;
        /// New inodes come with the caller's group that is the parent's.
        const CREATE_SUPP_GROUP = 1 << 34;
        /// Entries can expire instead of going.
        const HAS_EXPIRE_ONLY = 1 << 35;
        /// Files with `FOPEN_DIRECT_IO` can be mapped shared.
        const DIRECT_IO_ALLOW_MMAP = 1 << 36;
        /// The kernel reads and writes registered files by itself.
        const PASSTHROUGH = 1 << 37;
        /// No export by NFS.
        const NO_EXPORT_SUPPORT = 1 << 38;
        /// Requests in hand can be sent again.
        const HAS_RESEND = 1 << 39;
        /// Mounts may map owners.
        const ALLOW_IDMAP = 1 << 40;
        /// Requests may come by io_uring.
        const OVER_IO_URING = 1 << 41;
        /// `request_timeout` is meant.
        const REQUEST_TIMEOUT = 1 << 42;

        const _ = !0;
    }
}

impl InitFlags {
    /// Joins the two words of the protocol.
    pub(super) fn from_words(flags: u32, flags2: u32) -> InitFlags {
        InitFlags::from_bits_retain(u64::from(flags) | u64::from(flags2) << 32)
    }

    /// Returns the two words of the protocol.
    pub(super) fn words(self) -> (u32, u32) {
        let bits = self.bits();
        (bits as u32, (bits >> 32) as u32)
    }
}

bitflags! {
    /// Which fields of `SETATTR` are meant (`FATTR_*`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct SetattrValid: u32 {
        const MODE = 1 << 0;
        const UID = 1 << 1;
        const GID = 1 << 2;
        const SIZE = 1 << 3;
        const ATIME = 1 << 4;
        const MTIME = 1 << 5;
        const FH = 1 << 6;
        const ATIME_NOW = 1 << 7;
        const MTIME_NOW = 1 << 8;
        const LOCKOWNER = 1 << 9;
        const CTIME = 1 << 10;
        const KILL_SUIDGID = 1 << 11;

        const _ = !0;
    }

    /// How the kernel treats an open file (`FOPEN_*`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct OpenedFlags: u32 {
        const DIRECT_IO = 1 << 0;
        const KEEP_CACHE = 1 << 1;
        const NONSEEKABLE = 1 << 2;
        const CACHE_DIR = 1 << 3;
        const STREAM = 1 << 4;
        const NOFLUSH = 1 << 5;
        const PARALLEL_DIRECT_WRITES = 1 << 6;
        const PASSTHROUGH = 1 << 7;
    }

    /// Flags of `WRITE` (`FUSE_WRITE_*`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct WriteFlags: u32 {
        const CACHE = 1 << 0;
        const LOCKOWNER = 1 << 1;
        const KILL_SUIDGID = 1 << 2;

        const _ = !0;
    }
}

/// `FUSE_GETATTR_FH`: the handle is meant.
pub(super) const GETATTR_FH: u32 = 1;

/// `FUSE_OPEN_KILL_SUIDGID`: strip privileges.
pub(super) const OPEN_KILL_SUIDGID: u32 = 1;

/// `FUSE_RELEASE_FLOCK_UNLOCK`: the owner's lock on the whole file ends.
pub(super) const RELEASE_FLOCK_UNLOCK: u32 = 1 << 1;

/// `FUSE_LK_FLOCK`: the lock is one on a whole file.
pub(super) const LK_FLOCK: u32 = 1;

/// `FUSE_FSYNC_FDATASYNC`: the data only.
pub(super) const FSYNC_FDATASYNC: u32 = 1;

/// `FUSE_SETXATTR_ACL_KILL_SGID`: take set-group-ID away.
pub(super) const SETXATTR_ACL_KILL_SGID: u32 = 1;

/// `FUSE_POLL_SCHEDULE_NOTIFY`: whoever polls wants to be woken.
pub(super) const POLL_SCHEDULE_NOTIFY: u32 = 1;

/// `FUSE_EXPIRE_ONLY`: the entry is looked up again before it is believed, but stays.
pub(super) const EXPIRE_ONLY: u32 = 1;

/// `FUSE_UNIQUE_RESEND`: set in the number of a request that was sent before.
pub(super) const UNIQUE_RESEND: u64 = 1 << 63;
