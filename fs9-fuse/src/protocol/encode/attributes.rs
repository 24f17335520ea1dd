//! Attributes as the kernel takes them: of `stat(2)` and of `statx(2)`.

use crate::Ino;
use crate::protocol::wire::{AttrOut, EntryOut, StatxOut, StatxTime, WireAttr, WireStatx};
use crate::reply::EntryAnswer;
use fs9_sdk::{Attr, Timestamp};
use std::time::Duration;
use zerocopy::FromZeros;

/// Every attribute of `stat(2)` (`STATX_BASIC_STATS`).
const STATX_BASIC: u32 = 0x7ff;

/// The time of creation (`STATX_BTIME`).
const STATX_BTIME: u32 = 0x800;

/// Returns a lifetime as seconds and nanoseconds. The kernel counts longer ones than it can as endless.
pub(super) fn seconds(lifetime: Duration) -> (u64, u32) {
    (lifetime.as_secs().min(i64::MAX as u64), lifetime.subsec_nanos())
}

pub(super) fn attr_out(ino: Ino, attr: &Attr, lifetime: Duration) -> AttrOut {
    let (attr_valid, attr_valid_ns) = seconds(lifetime);
    AttrOut { attr_valid, attr_valid_ns, dummy: 0, attr: wire_attr(ino, attr) }
}

pub(super) fn entry_out(entry: &EntryAnswer) -> EntryOut {
    let (entry_valid, entry_valid_ns) = seconds(entry.entry_lifetime);
    let (attr_valid, attr_valid_ns) = seconds(entry.attr_lifetime);
    EntryOut {
        nodeid: entry.ino.0,
        generation: entry.attr.id.generation,
        entry_valid,
        attr_valid,
        entry_valid_ns,
        attr_valid_ns,
        attr: wire_attr(entry.ino, &entry.attr),
    }
}

fn wire_attr(ino: Ino, attr: &Attr) -> WireAttr {
    WireAttr {
        ino: ino.0,
        size: shown_size(attr),
        blocks: attr.blocks,
        atime: attr.atime.seconds as u64,
        mtime: attr.mtime.seconds as u64,
        ctime: attr.ctime.seconds as u64,
        atime_ns: attr.atime.nanoseconds,
        mtime_ns: attr.mtime.nanoseconds,
        ctime_ns: attr.ctime.nanoseconds,
        mode: attr.mode(),
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: attr.block_size,
        flags: 0,
    }
}

pub(super) fn statx_out(ino: Ino, attr: &Attr, lifetime: Duration) -> StatxOut {
    let (attr_valid, attr_valid_ns) = seconds(lifetime);
    StatxOut { attr_valid, attr_valid_ns, stat: wire_statx(ino, attr), ..StatxOut::new_zeroed() }
}

fn wire_statx(ino: Ino, attr: &Attr) -> WireStatx {
    let (rdev_major, rdev_minor) = device_numbers(attr.rdev);
    WireStatx {
        mask: if attr.btime.is_some() { STATX_BASIC | STATX_BTIME } else { STATX_BASIC },
        blksize: attr.block_size,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        // Type and permissions are 16 bits.
        mode: attr.mode() as u16,
        ino: ino.0,
        size: shown_size(attr),
        blocks: attr.blocks,
        atime: statx_time(attr.atime),
        btime: statx_time(attr.btime.unwrap_or_default()),
        ctime: statx_time(attr.ctime),
        mtime: statx_time(attr.mtime),
        rdev_major,
        rdev_minor,
        ..WireStatx::new_zeroed()
    }
}

/// The kernel takes more for an error of the file system.
fn shown_size(attr: &Attr) -> u64 {
    attr.size.min(i64::MAX as u64)
}

fn statx_time(time: Timestamp) -> StatxTime {
    StatxTime { seconds: time.seconds, nanoseconds: time.nanoseconds, reserved: 0 }
}

/// Returns major and minor number of a device number as the kernel packs it (`new_decode_dev`).
const fn device_numbers(rdev: u32) -> (u32, u32) {
    ((rdev & 0x000f_ff00) >> 8, (rdev & 0xff) | ((rdev >> 12) & 0x000f_ff00))
}
