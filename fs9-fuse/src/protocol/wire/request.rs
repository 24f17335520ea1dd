//! What the kernel sends.

use super::records;

records! {
    /// Precedes every request (`fuse_in_header`).
    InHeader: 40 {
        len: u32,
        opcode: u32,
        unique: u64,
        nodeid: u64,
        uid: u32,
        gid: u32,
        pid: u32,
        total_extlen: u16,
        padding: u16,
    }

    /// `FORGET`.
    ForgetIn: 8 {
        nlookup: u64,
    }

    /// One of `BATCH_FORGET`.
    ForgetOne: 16 {
        nodeid: u64,
        nlookup: u64,
    }

    /// `BATCH_FORGET`, followed by [`ForgetOne`]s.
    BatchForgetIn: 8 {
        count: u32,
        dummy: u32,
    }

    /// `GETATTR`.
    GetattrIn: 16 {
        getattr_flags: u32,
        dummy: u32,
        fh: u64,
    }

    /// `STATX`.
    StatxIn: 24 {
        getattr_flags: u32,
        reserved: u32,
        fh: u64,
        sx_flags: u32,
        sx_mask: u32,
    }

    /// `MKNOD`.
    MknodIn: 16 {
        mode: u32,
        rdev: u32,
        umask: u32,
        padding: u32,
    }

    /// `MKDIR`.
    MkdirIn: 8 {
        mode: u32,
        umask: u32,
    }

    /// `RENAME`.
    RenameIn: 8 {
        newdir: u64,
    }

    /// `RENAME2`.
    Rename2In: 16 {
        newdir: u64,
        flags: u32,
        padding: u32,
    }

    /// `LINK`.
    LinkIn: 8 {
        oldnodeid: u64,
    }

    /// `SETATTR`.
    SetattrIn: 88 {
        valid: u32,
        padding: u32,
        fh: u64,
        size: u64,
        lock_owner: u64,
        atime: u64,
        mtime: u64,
        ctime: u64,
        atime_ns: u32,
        mtime_ns: u32,
        ctime_ns: u32,
        mode: u32,
        unused4: u32,
        uid: u32,
        gid: u32,
        unused5: u32,
    }

    /// `OPEN` and `OPENDIR`.
    OpenIn: 8 {
        flags: u32,
        open_flags: u32,
    }

    /// `CREATE` and `TMPFILE`.
    CreateIn: 16 {
        flags: u32,
        mode: u32,
        umask: u32,
        open_flags: u32,
    }

    /// `RELEASE` and `RELEASEDIR`.
    ReleaseIn: 24 {
        fh: u64,
        flags: u32,
        release_flags: u32,
        lock_owner: u64,
    }

    /// `FLUSH`.
    FlushIn: 24 {
        fh: u64,
        unused: u32,
        padding: u32,
        lock_owner: u64,
    }

    /// `READ`, `READDIR` and `READDIRPLUS`.
    ReadIn: 40 {
        fh: u64,
        offset: u64,
        size: u32,
        read_flags: u32,
        lock_owner: u64,
        flags: u32,
        padding: u32,
    }

    /// `WRITE`.
    WriteIn: 40 {
        fh: u64,
        offset: u64,
        size: u32,
        write_flags: u32,
        lock_owner: u64,
        flags: u32,
        padding: u32,
    }

    /// `FSYNC` and `FSYNCDIR`.
    FsyncIn: 16 {
        fh: u64,
        fsync_flags: u32,
        padding: u32,
    }

    /// `SETXATTR` with `SETXATTR_EXT`.
    SetxattrIn: 16 {
        size: u32,
        flags: u32,
        setxattr_flags: u32,
        padding: u32,
    }

    /// `SETXATTR` without `SETXATTR_EXT`.
    SetxattrCompatIn: 8 {
        size: u32,
        flags: u32,
    }

    /// `GETXATTR` and `LISTXATTR`.
    GetxattrIn: 8 {
        size: u32,
        padding: u32,
    }

    /// A lock (`fuse_file_lock`).
    WireLock: 24 {
        start: u64,
        end: u64,
        kind: u32,
        pid: u32,
    }

    /// `GETLK`, `SETLK` and `SETLKW`.
    LkIn: 48 {
        fh: u64,
        owner: u64,
        lk: WireLock,
        lk_flags: u32,
        padding: u32,
    }

    /// `ACCESS`.
    AccessIn: 8 {
        mask: u32,
        padding: u32,
    }

    /// `INTERRUPT`.
    InterruptIn: 8 {
        unique: u64,
    }

    /// `IOCTL`.
    IoctlIn: 32 {
        fh: u64,
        flags: u32,
        cmd: u32,
        arg: u64,
        in_size: u32,
        out_size: u32,
    }

    /// `POLL`.
    PollIn: 24 {
        fh: u64,
        kh: u64,
        flags: u32,
        events: u32,
    }

    /// `FALLOCATE`.
    FallocateIn: 32 {
        fh: u64,
        offset: u64,
        length: u64,
        mode: u32,
        padding: u32,
    }

    /// `LSEEK`.
    LseekIn: 24 {
        fh: u64,
        offset: u64,
        whence: u32,
        padding: u32,
    }

    /// `COPY_FILE_RANGE` and `COPY_FILE_RANGE_64`.
    CopyFileRangeIn: 56 {
        fh_in: u64,
        off_in: u64,
        nodeid_out: u64,
        fh_out: u64,
        off_out: u64,
        len: u64,
        flags: u64,
    }

    /// `NOTIFY_REPLY`, followed by the data.
    RetrieveIn: 40 {
        dummy1: u64,
        offset: u64,
        size: u32,
        dummy2: u32,
        dummy3: u64,
        dummy4: u64,
    }

    /// `INIT`; before 7.36, only as far as `flags`.
    InitIn: 64 {
        major: u32,
        minor: u32,
        max_readahead: u32,
        flags: u32,
        flags2: u32,
        unused: [u32; 11],
    }

    /// Precedes the security contexts; the size includes it.
    SecctxHeader: 8 {
        size: u32,
        nr_secctx: u32,
    }

    /// A security context: its name, with NUL, and `size` bytes of value follow.
    Secctx: 8 {
        size: u32,
        padding: u32,
    }

    /// Precedes an extension; the size includes it.
    ExtHeader: 8 {
        size: u32,
        kind: u32,
    }
}
