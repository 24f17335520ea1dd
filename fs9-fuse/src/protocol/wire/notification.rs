//! What the kernel is told without having asked.

use super::records;

records! {
    /// `NOTIFY_POLL`.
    PollWakeupOut: 8 {
        kh: u64,
    }

    /// `NOTIFY_INVAL_INODE`.
    InvalInodeOut: 24 {
        ino: u64,
        off: i64,
        len: i64,
    }

    /// `NOTIFY_INVAL_ENTRY`, followed by the name with NUL.
    InvalEntryOut: 16 {
        parent: u64,
        namelen: u32,
        flags: u32,
    }

    /// `NOTIFY_DELETE`, followed by the name with NUL.
    DeleteOut: 24 {
        parent: u64,
        child: u64,
        namelen: u32,
        padding: u32,
    }

    /// `NOTIFY_STORE`, followed by the data.
    StoreOut: 24 {
        nodeid: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }

    /// `NOTIFY_RETRIEVE`.
    RetrieveOut: 32 {
        notify_unique: u64,
        nodeid: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }

    /// `NOTIFY_PRUNE`, followed by the numbers of the inodes.
    PruneOut: 16 {
        count: u32,
        padding: u32,
        spare: u64,
    }
}
