//! From an [`Answer`] to the bytes that the kernel gets.
//!
//! Invariants: an answer that does not fit its request becomes `EIO`; nothing is allocated, and what is large is
//! borrowed; no number goes out that the kernel takes for an error of the file system. Only this module makes an
//! [`Encoded`], so that the error of one that goes out is an errno or 0, and one with an error has no bytes.

mod attributes;
mod listing;

pub(crate) use listing::DirBuffer;

use self::attributes::{attr_out, entry_out, statx_out};
use super::flags::OpenedFlags;
use super::wire::{
    CopyFileRangeOut, EntryOut, GetxattrOut, IoctlOut, LkOut, LseekOut, OpenOut, OutHeader, PollOut,
    StatfsOut, StatxOut, WriteOut,
};
use super::{Dialect, InitFlags, Opcode, locks};
use crate::reply::{Answer, EntryAnswer, OpenAnswer};
use crate::{Ino, RequestId};
use fs9_sdk::{ErrorKind, OpenTraits, StatFs};
use std::time::Duration;
use zerocopy::{FromZeros, IntoBytes};

/// The longest target of a symbolic link that the kernel takes: a page without the NUL. Pages are larger on some machines;
/// no target is longer than `PATH_MAX` on any.
const TARGET_MAX: usize = 4095;

/// Room for the records of one answer.
pub(crate) struct Scratch {
    bytes: [u8; SCRATCH_BYTES],
}

/// The longest records of an answer are those of `STATX`.
const SCRATCH_BYTES: usize = size_of::<StatxOut>();

const _: () = assert!(size_of::<EntryOut>() + size_of::<OpenOut>() <= SCRATCH_BYTES);

/// An answer as the kernel takes it, after its [`OutHeader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encoded<'b> {
    error: Option<ErrorKind>,
    fixed: &'b [u8],
    data: &'b [u8],
}

/// What belongs to an answer and only the transport has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attached<'b> {
    /// The entries of a listing ([`DirBuffer::bytes`]).
    pub(crate) listing: &'b [u8],
    /// What the kernel knows the backing of an opened file by, if it has one. Positive.
    pub(crate) backing: Option<i32>,
}

impl Scratch {
    /// Returns empty room.
    pub(crate) const fn new() -> Scratch {
        Scratch { bytes: [0; SCRATCH_BYTES] }
    }

    /// Returns an answer that consists of these records.
    pub(super) fn answer<'b>(&'b mut self, records: &[&[u8]]) -> Encoded<'b> {
        self.answer_with(records, &[])
    }

    fn answer_with<'b>(&'b mut self, records: &[&[u8]], data: &'b [u8]) -> Encoded<'b> {
        let mut filled = 0;
        for record in records {
            let room = self.bytes.get_mut(filled..filled + record.len());
            let Some(room) = room else { return misfit("the records are longer than their room") };
            room.copy_from_slice(record);
            filled += record.len();
        }
        Encoded { error: None, fixed: self.bytes.get(..filled).unwrap_or_default(), data }
    }
}

impl<'b> Encoded<'b> {
    /// Returns an answer that is an error.
    pub(crate) const fn error(kind: ErrorKind) -> Encoded<'b> {
        Encoded { error: Some(kind), fixed: &[], data: &[] }
    }

    const fn data_only(data: &'b [u8]) -> Encoded<'b> {
        Encoded { error: None, fixed: &[], data }
    }

    /// Returns the error as the header has it: 0 or below.
    pub(crate) fn errno(&self) -> i32 {
        self.error.map_or(0, |kind| -kind.errno())
    }

    /// Returns the records.
    pub(crate) const fn fixed(&self) -> &'b [u8] {
        self.fixed
    }

    /// Returns what follows the records.
    pub(crate) const fn data(&self) -> &'b [u8] {
        self.data
    }

    /// Returns the length without the header: what a ring is told as the size of its payload.
    pub(crate) const fn len(&self) -> usize {
        self.fixed.len() + self.data.len()
    }

    /// Returns the header that precedes it.
    pub(crate) fn header(&self, id: RequestId) -> OutHeader {
        let length = size_of::<OutHeader>() + self.len();
        // The kernel refuses a length that is not that of the bytes; no answer is longer than what was asked for.
        debug_assert!(u32::try_from(length).is_ok(), "an answer is longer than any request asks for");
        OutHeader { len: length as u32, error: self.errno(), unique: id.0 }
    }
}

/// Encodes an answer. One that does not fit the request is logged and becomes `EIO`, so that nobody waits for good.
pub(crate) fn encode<'b>(
    opcode: Opcode,
    answer: &'b Answer,
    attached: Attached<'b>,
    dialect: Dialect,
    scratch: &'b mut Scratch,
) -> Encoded<'b> {
    use {Answer as A, Opcode as O};
    match (opcode, answer) {
        (O::Lookup, A::Missing(lifetime)) => encode_missing(*lifetime, scratch),
        (O::Lookup | O::Mknod | O::Mkdir | O::Symlink | O::Link, A::Entry(entry)) => {
            encode_entry(entry, scratch)
        }
        (O::Getattr | O::Setattr, A::Attributes(ino, attr, lifetime)) => {
            scratch.answer(&[attr_out(*ino, attr, *lifetime).as_bytes()])
        }
        (O::Statx, A::Attributes(ino, attr, lifetime)) => {
            scratch.answer(&[statx_out(*ino, attr, *lifetime).as_bytes()])
        }
        (O::Readlink, A::Bytes(target)) if target.len() > TARGET_MAX => {
            Encoded::error(ErrorKind::NameTooLong)
        }
        (O::Readlink | O::Read | O::Getxattr | O::Listxattr, A::Bytes(bytes)) => Encoded::data_only(bytes),
        (O::Read, A::Data(buffer)) => Encoded::data_only(buffer.bytes()),
        (O::Getxattr | O::Listxattr, A::Size(size)) => {
            scratch.answer(&[GetxattrOut { size: *size, padding: 0 }.as_bytes()])
        }
        (O::Open | O::Opendir, A::Opened(opened)) => {
            scratch.answer(&[open_out(opened, attached.backing, dialect).as_bytes()])
        }
        (O::Create | O::Tmpfile, A::Created(entry, opened)) => {
            encode_created(entry, &open_out(opened, attached.backing, dialect), scratch)
        }
        (O::Write | O::CopyFileRange, A::Written(size)) => {
            let size = u32::try_from(*size).unwrap_or(u32::MAX);
            scratch.answer(&[WriteOut { size, padding: 0 }.as_bytes()])
        }
        (O::CopyFileRange64, A::Written(size)) => {
            scratch.answer(&[CopyFileRangeOut { bytes_copied: *size }.as_bytes()])
        }
        (O::Statfs, A::Statfs(statfs)) => scratch.answer(&[statfs_out(statfs).as_bytes()]),
        (O::Readdir | O::Readdirplus, A::Listing) => Encoded::data_only(attached.listing),
        (O::Getlk, A::Lock(lock)) => scratch.answer(&[LkOut { lk: locks::to_wire(lock) }.as_bytes()]),
        (O::Ioctl, A::Ioctl(reply)) => {
            let record = IoctlOut { result: reply.result, flags: 0, in_iovs: 0, out_iovs: 0 };
            scratch.answer_with(&[record.as_bytes()], &reply.output)
        }
        (O::Poll, A::Events(events)) => {
            scratch.answer(&[PollOut { revents: events.bits(), padding: 0 }.as_bytes()])
        }
        (O::Lseek, A::Offset(offset)) => {
            scratch.answer(&[LseekOut { offset: (*offset).min(i64::MAX as u64) }.as_bytes()])
        }
        (opcode, A::Done) if is_done(opcode) => Encoded::data_only(&[]),
        _ => misfit("an answer does not fit its request"),
    }
}

/// Returns whether there is nothing to tell of a request but that it is done.
const fn is_done(opcode: Opcode) -> bool {
    use Opcode as O;
    matches!(
        opcode,
        O::Unlink
            | O::Rmdir
            | O::Rename
            | O::Rename2
            | O::Release
            | O::Releasedir
            | O::Fsync
            | O::Fsyncdir
            | O::Flush
            | O::Setxattr
            | O::Removexattr
            | O::Setlk
            | O::Setlkw
            | O::Access
            | O::Fallocate
            | O::Destroy
    )
}

/// A broken promise of ours; whoever waits is not left waiting for it.
fn misfit<'b>(what: &'static str) -> Encoded<'b> {
    tracing::error!("{what}");
    Encoded::error(ErrorKind::Io)
}

fn encode_entry<'b>(entry: &EntryAnswer, scratch: &'b mut Scratch) -> Encoded<'b> {
    // Number 0 means that there is none.
    if entry.ino == Ino(0) {
        return misfit("an entry has no number");
    }
    scratch.answer(&[entry_out(entry).as_bytes()])
}

fn encode_created<'b>(entry: &EntryAnswer, opened: &OpenOut, scratch: &'b mut Scratch) -> Encoded<'b> {
    if entry.ino == Ino(0) {
        return misfit("an entry has no number");
    }
    scratch.answer(&[entry_out(entry).as_bytes(), opened.as_bytes()])
}

/// A name that does not exist is cached as an entry without an inode.
fn encode_missing(lifetime: Duration, scratch: &mut Scratch) -> Encoded<'_> {
    if lifetime.is_zero() {
        return Encoded::error(ErrorKind::NotFound);
    }
    let (entry_valid, entry_valid_ns) = attributes::seconds(lifetime);
    let record = EntryOut { entry_valid, entry_valid_ns, ..EntryOut::new_zeroed() };
    scratch.answer(&[record.as_bytes()])
}

fn open_out(opened: &OpenAnswer, backing: Option<i32>, dialect: Dialect) -> OpenOut {
    // What the kernel accepts beside a backing (`FOPEN_PASSTHROUGH_MASK` in `fs/fuse/iomode.c`).
    const BESIDE_BACKING: OpenedFlags =
        OpenedFlags::DIRECT_IO.union(OpenedFlags::NOFLUSH).union(OpenedFlags::PARALLEL_DIRECT_WRITES);
    let flags = opened_flags(opened.traits);
    let backing = backing.filter(|id| *id > 0 && dialect.has(InitFlags::PASSTHROUGH));
    let (flags, backing_id) = match backing {
        Some(id) => (flags & BESIDE_BACKING | OpenedFlags::PASSTHROUGH, id),
        None => (flags, 0),
    };
    OpenOut { fh: opened.handle.0, open_flags: flags.bits(), backing_id }
}

fn opened_flags(traits: OpenTraits) -> OpenedFlags {
    const PAIRS: [(OpenTraits, OpenedFlags); 7] = [
        (OpenTraits::DIRECT_IO, OpenedFlags::DIRECT_IO),
        (OpenTraits::KEEP_CACHE, OpenedFlags::KEEP_CACHE),
        (OpenTraits::CACHE_DIR, OpenedFlags::CACHE_DIR),
        (OpenTraits::NONSEEKABLE, OpenedFlags::NONSEEKABLE),
        (OpenTraits::STREAM, OpenedFlags::STREAM),
        (OpenTraits::NO_FLUSH, OpenedFlags::NOFLUSH),
        (OpenTraits::PARALLEL_DIRECT_WRITES, OpenedFlags::PARALLEL_DIRECT_WRITES),
    ];
    let given = PAIRS.into_iter().filter(|&(trait_, _)| traits.contains(trait_));
    given.fold(OpenedFlags::empty(), |flags, (_, flag)| flags | flag)
}

fn statfs_out(statfs: &StatFs) -> StatfsOut {
    StatfsOut {
        blocks: statfs.blocks,
        bfree: statfs.blocks_free,
        bavail: statfs.blocks_available,
        files: statfs.files,
        ffree: statfs.files_free,
        bsize: statfs.block_size,
        namelen: statfs.name_max,
        frsize: statfs.fragment_size,
        ..StatfsOut::new_zeroed()
    }
}
