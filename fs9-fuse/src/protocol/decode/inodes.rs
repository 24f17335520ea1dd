//! Requests on inodes: attributes, also extended ones.

use super::Decoder;
use crate::protocol::InitFlags;
use crate::protocol::flags::{GETATTR_FH, SETXATTR_ACL_KILL_SGID, SetattrValid};
use crate::protocol::malformed::Fault;
use crate::protocol::wire::{
    AccessIn, GetattrIn, GetxattrIn, SetattrIn, SetxattrCompatIn, SetxattrIn, StatxIn,
};
use crate::{AttributeChanges, Operation};
use fs9_core::HandleId;
use fs9_sdk::{SetTime, Timestamp, XattrFlags};
use std::borrow::Cow;

const NANOSECONDS: u32 = 1_000_000_000;

impl<'a> Decoder<'a> {
    pub(super) fn getattr(&mut self) -> Result<Operation<'a>, Fault> {
        let GetattrIn { getattr_flags, fh, .. } = self.arguments.record()?;
        Ok(attributes(getattr_flags, fh))
    }

    /// Which attributes are asked for is not told: all that are known are answered.
    pub(super) fn statx(&mut self) -> Result<Operation<'a>, Fault> {
        let StatxIn { getattr_flags, fh, .. } = self.arguments.record()?;
        Ok(attributes(getattr_flags, fh))
    }

    pub(super) fn setattr(&mut self) -> Result<Operation<'a>, Fault> {
        use SetattrValid as V;
        let record: SetattrIn = self.arguments.record()?;
        let valid = V::from_bits_retain(record.valid);
        let (atime, mtime) = ((record.atime, record.atime_ns), (record.mtime, record.mtime_ns));
        let changes = AttributeChanges {
            mode: valid.contains(V::MODE).then_some(record.mode),
            uid: valid.contains(V::UID).then_some(record.uid),
            gid: valid.contains(V::GID).then_some(record.gid),
            size: valid.contains(V::SIZE).then_some(record.size),
            atime: set_time(valid, (V::ATIME, V::ATIME_NOW), atime)?,
            mtime: set_time(valid, (V::MTIME, V::MTIME_NOW), mtime)?,
            kill_privileges: valid.contains(V::KILL_SUIDGID),
        };
        let handle = valid.contains(V::FH).then_some(HandleId(record.fh));
        Ok(Operation::Setattr { handle, changes })
    }

    pub(super) fn access(&mut self) -> Result<Operation<'a>, Fault> {
        self.arguments.record::<AccessIn>()?;
        Ok(Operation::Access)
    }

    pub(super) fn setxattr(&mut self) -> Result<Operation<'a>, Fault> {
        let (size, flags, own_flags) = if self.dialect.has(InitFlags::SETXATTR_EXT) {
            let SetxattrIn { size, flags, setxattr_flags, .. } = self.arguments.record()?;
            (size, flags, setxattr_flags)
        } else {
            let SetxattrCompatIn { size, flags } = self.arguments.record()?;
            (size, flags, 0)
        };
        Ok(Operation::Setxattr {
            name: self.arguments.name()?,
            value: Cow::Borrowed(self.arguments.bytes(size)?),
            flags: XattrFlags::from_bits_retain(flags),
            kill_setgid: own_flags & SETXATTR_ACL_KILL_SGID != 0,
        })
    }

    pub(super) fn getxattr(&mut self) -> Result<Operation<'a>, Fault> {
        let GetxattrIn { size, .. } = self.arguments.record()?;
        Ok(Operation::Getxattr { name: self.arguments.name()?, size })
    }

    pub(super) fn listxattr(&mut self) -> Result<Operation<'a>, Fault> {
        let GetxattrIn { size, .. } = self.arguments.record()?;
        Ok(Operation::Listxattr { size })
    }
}

fn attributes<'a>(flags: u32, fh: u64) -> Operation<'a> {
    Operation::Getattr { handle: (flags & GETATTR_FH != 0).then_some(HandleId(fh)) }
}

/// Returns a time to be set: the present one, or the given one, with seconds that may be negative.
fn set_time(
    valid: SetattrValid,
    (given, now): (SetattrValid, SetattrValid),
    (seconds, nanoseconds): (u64, u32),
) -> Result<Option<SetTime>, Fault> {
    if !valid.contains(given) {
        return Ok(None);
    }
    if valid.contains(now) {
        return Ok(Some(SetTime::Now));
    }
    if nanoseconds >= NANOSECONDS {
        return Err(Fault::value("there are more nanoseconds than a second has"));
    }
    Ok(Some(SetTime::At(Timestamp { seconds: seconds as i64, nanoseconds })))
}
