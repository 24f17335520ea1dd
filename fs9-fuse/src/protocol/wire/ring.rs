//! What FUSE over io_uring and the ioctls of the device add.

use super::records;

records! {
    /// What kernel and daemon tell each other of an entry of a ring (`fuse_uring_ent_in_out`).
    RingEntry: 32 {
        flags: u64,
        commit_id: u64,
        payload_sz: u32,
        padding: u32,
        reserved: u64,
    }

    /// The headers of an entry of a ring (`fuse_uring_req_header`).
    RingHeader: 288 {
        in_out: [u8; 128],
        op_in: [u8; 128],
        ring_ent_in_out: RingEntry,
    }

    /// The command area of a submission (`fuse_uring_cmd_req`).
    RingCommand: 24 {
        flags: u64,
        commit_id: u64,
        qid: u16,
        padding: [u8; 6],
    }

    /// The argument of `FUSE_DEV_IOC_BACKING_OPEN`.
    BackingMap: 16 {
        fd: i32,
        flags: u32,
        padding: u64,
    }
}
