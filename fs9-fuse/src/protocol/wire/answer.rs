//! What the kernel is answered.

use super::WireLock;
use super::records;

records! {
    /// Precedes every answer and notification (`fuse_out_header`).
    OutHeader: 16 {
        len: u32,
        error: i32,
        unique: u64,
    }

    /// Attributes (`fuse_attr`).
    WireAttr: 88 {
        ino: u64,
        size: u64,
        blocks: u64,
        atime: u64,
        mtime: u64,
        ctime: u64,
        atime_ns: u32,
        mtime_ns: u32,
        ctime_ns: u32,
        mode: u32,
        nlink: u32,
        uid: u32,
        gid: u32,
        rdev: u32,
        blksize: u32,
        flags: u32,
    }

    /// A time (`fuse_sx_time`).
    StatxTime: 16 {
        seconds: i64,
        nanoseconds: u32,
        reserved: i32,
    }

    /// Attributes as `statx(2)` has them (`fuse_statx`).
    WireStatx: 256 {
        mask: u32,
        blksize: u32,
        attributes: u64,
        nlink: u32,
        uid: u32,
        gid: u32,
        mode: u16,
        spare0: [u16; 1],
        ino: u64,
        size: u64,
        blocks: u64,
        attributes_mask: u64,
        atime: StatxTime,
        btime: StatxTime,
        ctime: StatxTime,
        mtime: StatxTime,
        rdev_major: u32,
        rdev_minor: u32,
        dev_major: u32,
        dev_minor: u32,
        spare2: [u64; 14],
    }

    /// `STATX`.
    StatxOut: 288 {
        attr_valid: u64,
        attr_valid_ns: u32,
        flags: u32,
        spare: [u64; 2],
        stat: WireStatx,
    }

    /// `GETATTR` and `SETATTR`.
    AttrOut: 104 {
        attr_valid: u64,
        attr_valid_ns: u32,
        dummy: u32,
        attr: WireAttr,
    }

    /// `LOOKUP` and whatever makes a name.
    EntryOut: 128 {
        nodeid: u64,
        generation: u64,
        entry_valid: u64,
        attr_valid: u64,
        entry_valid_ns: u32,
        attr_valid_ns: u32,
        attr: WireAttr,
    }

    /// `OPEN`, `OPENDIR`, and after an [`EntryOut`] `CREATE` and `TMPFILE`.
    OpenOut: 16 {
        fh: u64,
        open_flags: u32,
        backing_id: i32,
    }

    /// `STATFS`.
    StatfsOut: 80 {
        blocks: u64,
        bfree: u64,
        bavail: u64,
        files: u64,
        ffree: u64,
        bsize: u32,
        namelen: u32,
        frsize: u32,
        padding: u32,
        spare: [u32; 6],
    }

    /// `WRITE` and `COPY_FILE_RANGE`.
    WriteOut: 8 {
        size: u32,
        padding: u32,
    }

    /// `COPY_FILE_RANGE_64`.
    CopyFileRangeOut: 8 {
        bytes_copied: u64,
    }

    /// The size that was asked for by `GETXATTR` or `LISTXATTR`.
    GetxattrOut: 8 {
        size: u32,
        padding: u32,
    }

    /// `GETLK`.
    LkOut: 24 {
        lk: WireLock,
    }

    /// `IOCTL`, followed by what the command takes back.
    IoctlOut: 16 {
        result: i32,
        flags: u32,
        in_iovs: u32,
        out_iovs: u32,
    }

    /// `POLL`.
    PollOut: 8 {
        revents: u32,
        padding: u32,
    }

    /// `LSEEK`.
    LseekOut: 8 {
        offset: u64,
    }

    /// `INIT`.
    InitOut: 64 {
        major: u32,
        minor: u32,
        max_readahead: u32,
        flags: u32,
        max_background: u16,
        congestion_threshold: u16,
        max_write: u32,
        time_gran: u32,
        max_pages: u16,
        map_alignment: u16,
        flags2: u32,
        max_stack_depth: u32,
        request_timeout: u16,
        unused: [u16; 11],
    }

    /// An entry of `READDIR`, followed by its name and padding to 8 bytes.
    Dirent: 24 {
        ino: u64,
        off: u64,
        namelen: u32,
        kind: u32,
    }

    /// An entry of `READDIRPLUS`, followed as a [`Dirent`] is.
    DirentPlus: 152 {
        entry_out: EntryOut,
        dirent: Dirent,
    }
}
