//! Offsets of fields, as a C compiler has them for the kernel's header.

use super::*;

macro_rules! offsets {
    ($($name:ident { $($field:ident: $offset:literal),* })*) => {
        $($(assert_eq!(std::mem::offset_of!($name, $field), $offset, stringify!($name.$field));)*)*
    };
}

#[test]
fn every_field_stands_where_the_kernel_looks_for_it() {
    offsets! {
        InHeader { len: 0, opcode: 4, unique: 8, nodeid: 16, uid: 24, gid: 28, pid: 32, total_extlen: 36, padding: 38 }
        ForgetIn { nlookup: 0 }
        ForgetOne { nodeid: 0, nlookup: 8 }
        BatchForgetIn { count: 0, dummy: 4 }
        GetattrIn { getattr_flags: 0, dummy: 4, fh: 8 }
        StatxIn { getattr_flags: 0, reserved: 4, fh: 8, sx_flags: 16, sx_mask: 20 }
        MknodIn { mode: 0, rdev: 4, umask: 8, padding: 12 }
        MkdirIn { mode: 0, umask: 4 }
        RenameIn { newdir: 0 }
        Rename2In { newdir: 0, flags: 8, padding: 12 }
        LinkIn { oldnodeid: 0 }
        SetattrIn { valid: 0, padding: 4, fh: 8, size: 16, lock_owner: 24, atime: 32, mtime: 40, ctime: 48, atime_ns: 56, mtime_ns: 60, ctime_ns: 64, mode: 68, unused4: 72, uid: 76, gid: 80, unused5: 84 }
        OpenIn { flags: 0, open_flags: 4 }
        CreateIn { flags: 0, mode: 4, umask: 8, open_flags: 12 }
        ReleaseIn { fh: 0, flags: 8, release_flags: 12, lock_owner: 16 }
        FlushIn { fh: 0, unused: 8, padding: 12, lock_owner: 16 }
        ReadIn { fh: 0, offset: 8, size: 16, read_flags: 20, lock_owner: 24, flags: 32, padding: 36 }
        WriteIn { fh: 0, offset: 8, size: 16, write_flags: 20, lock_owner: 24, flags: 32, padding: 36 }
        FsyncIn { fh: 0, fsync_flags: 8, padding: 12 }
        SetxattrIn { size: 0, flags: 4, setxattr_flags: 8, padding: 12 }
        GetxattrIn { size: 0, padding: 4 }
        WireLock { start: 0, end: 8, kind: 16, pid: 20 }
        LkIn { fh: 0, owner: 8, lk: 16, lk_flags: 40, padding: 44 }
        AccessIn { mask: 0, padding: 4 }
        InterruptIn { unique: 0 }
        IoctlIn { fh: 0, flags: 8, cmd: 12, arg: 16, in_size: 24, out_size: 28 }
        PollIn { fh: 0, kh: 8, flags: 16, events: 20 }
        FallocateIn { fh: 0, offset: 8, length: 16, mode: 24, padding: 28 }
        LseekIn { fh: 0, offset: 8, whence: 16, padding: 20 }
        CopyFileRangeIn { fh_in: 0, off_in: 8, nodeid_out: 16, fh_out: 24, off_out: 32, len: 40, flags: 48 }
        RetrieveIn { dummy1: 0, offset: 8, size: 16, dummy2: 20, dummy3: 24, dummy4: 32 }
        InitIn { major: 0, minor: 4, max_readahead: 8, flags: 12, flags2: 16, unused: 20 }
        SecctxHeader { size: 0, nr_secctx: 4 }
        Secctx { size: 0, padding: 4 }
        ExtHeader { size: 0, kind: 4 }
        OutHeader { len: 0, error: 4, unique: 8 }
        WireAttr { ino: 0, size: 8, blocks: 16, atime: 24, mtime: 32, ctime: 40, atime_ns: 48, mtime_ns: 52, ctime_ns: 56, mode: 60, nlink: 64, uid: 68, gid: 72, rdev: 76, blksize: 80, flags: 84 }
        StatxTime { seconds: 0, nanoseconds: 8, reserved: 12 }
        WireStatx { mask: 0, blksize: 4, attributes: 8, nlink: 16, uid: 20, gid: 24, mode: 28, spare0: 30, ino: 32, size: 40, blocks: 48, attributes_mask: 56, atime: 64, btime: 80, ctime: 96, mtime: 112, rdev_major: 128, rdev_minor: 132, dev_major: 136, dev_minor: 140, spare2: 144 }
        StatxOut { attr_valid: 0, attr_valid_ns: 8, flags: 12, spare: 16, stat: 32 }
        AttrOut { attr_valid: 0, attr_valid_ns: 8, dummy: 12, attr: 16 }
        EntryOut { nodeid: 0, generation: 8, entry_valid: 16, attr_valid: 24, entry_valid_ns: 32, attr_valid_ns: 36, attr: 40 }
        OpenOut { fh: 0, open_flags: 8, backing_id: 12 }
        StatfsOut { blocks: 0, bfree: 8, bavail: 16, files: 24, ffree: 32, bsize: 40, namelen: 44, frsize: 48, padding: 52, spare: 56 }
        WriteOut { size: 0, padding: 4 }
        CopyFileRangeOut { bytes_copied: 0 }
        GetxattrOut { size: 0, padding: 4 }
        LkOut { lk: 0 }
        IoctlOut { result: 0, flags: 4, in_iovs: 8, out_iovs: 12 }
        PollOut { revents: 0, padding: 4 }
        LseekOut { offset: 0 }
        InitOut { major: 0, minor: 4, max_readahead: 8, flags: 12, max_background: 16, congestion_threshold: 18, max_write: 20, time_gran: 24, max_pages: 28, map_alignment: 30, flags2: 32, max_stack_depth: 36, request_timeout: 40, unused: 42 }
        Dirent { ino: 0, off: 8, namelen: 16, kind: 20 }
        DirentPlus { entry_out: 0, dirent: 128 }
        PollWakeupOut { kh: 0 }
        InvalInodeOut { ino: 0, off: 8, len: 16 }
        InvalEntryOut { parent: 0, namelen: 8, flags: 12 }
        DeleteOut { parent: 0, child: 8, namelen: 16, padding: 20 }
        StoreOut { nodeid: 0, offset: 8, size: 16, padding: 20 }
        RetrieveOut { notify_unique: 0, nodeid: 8, offset: 16, size: 24, padding: 28 }
        PruneOut { count: 0, padding: 4, spare: 8 }
    }
}
