//! Answers as `fuser` sends them.

use crate::Ino;
use crate::reply::{
    Answer, Backing, BufferedEntry, EntryAnswer, Exchange, ListedEntry, Listing, OpenAnswer, Reply,
};
use fs9_sdk::{Attr, ErrorKind, FileType, ObjectId, OpenTraits, StatFs, Timestamp};
use fuser::{BackingId, Errno, FileAttr, FopenFlags, Generation, INodeNo};
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, UNIX_EPOCH};

/// The reply of one request.
pub(super) enum FuserReply {
    Entry(fuser::ReplyEntry),
    Attr(fuser::ReplyAttr),
    Data(fuser::ReplyData),
    Empty(fuser::ReplyEmpty),
    Open(fuser::ReplyOpen),
    Create(fuser::ReplyCreate),
    Write(fuser::ReplyWrite),
    Statfs(fuser::ReplyStatfs),
    Xattr(fuser::ReplyXattr),
    Directory(DirectoryReply),
    DirectoryPlus(DirectoryPlusReply),
    Ioctl(fuser::ReplyIoctl),
    Poll(fuser::ReplyPoll),
    Lseek(fuser::ReplyLseek),
}

/// A listing without attributes.
pub(super) struct DirectoryReply(fuser::ReplyDirectory);

/// A listing with attributes.
pub(super) struct DirectoryPlusReply(fuser::ReplyDirectoryPlus);

macro_rules! replies {
    ($($kind:ident($type:ident)),*) => {
        $(impl From<fuser::$type> for FuserReply {
            fn from(reply: fuser::$type) -> FuserReply {
                FuserReply::$kind(reply)
            }
        })*
    };
}

replies! {
    Entry(ReplyEntry), Attr(ReplyAttr), Data(ReplyData), Empty(ReplyEmpty), Open(ReplyOpen), Create(ReplyCreate),
    Write(ReplyWrite), Statfs(ReplyStatfs), Xattr(ReplyXattr), Ioctl(ReplyIoctl), Poll(ReplyPoll), Lseek(ReplyLseek)
}

impl From<fuser::ReplyDirectory> for FuserReply {
    fn from(reply: fuser::ReplyDirectory) -> FuserReply {
        FuserReply::Directory(DirectoryReply(reply))
    }
}

impl From<fuser::ReplyDirectoryPlus> for FuserReply {
    fn from(reply: fuser::ReplyDirectoryPlus) -> FuserReply {
        FuserReply::DirectoryPlus(DirectoryPlusReply(reply))
    }
}

impl Exchange for FuserReply {
    fn listing(&mut self) -> Option<&mut dyn Listing> {
        match self {
            FuserReply::Directory(reply) => Some(reply),
            FuserReply::DirectoryPlus(reply) => Some(reply),
            _ => None,
        }
    }

    fn register_backing(&self, descriptor: BorrowedFd<'_>) -> io::Result<Backing> {
        match self {
            FuserReply::Open(reply) => reply.open_backing(descriptor).map(Backing::new),
            FuserReply::Create(reply) => reply.open_backing(descriptor).map(Backing::new),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Reply for FuserReply {
    fn send(self, answer: Result<Answer, ErrorKind>) {
        use {Answer as A, FuserReply as R};
        match (self, answer) {
            (reply, Err(kind)) => reply.refuse(kind),
            (R::Entry(reply), Ok(A::Entry(entry))) => send_entry(reply, &entry),
            (R::Entry(reply), Ok(A::Missing(lifetime))) => send_missing(reply, lifetime),
            (R::Attr(reply), Ok(A::Attributes(ino, attr, lifetime))) => {
                reply.attr(&lifetime, &file_attr(ino, &attr));
            }
            (R::Data(reply), Ok(A::Data(buffer))) => reply.data(buffer.bytes()),
            (R::Data(reply), Ok(A::Bytes(bytes))) => reply.data(&bytes),
            (R::Xattr(reply), Ok(A::Bytes(bytes))) => reply.data(&bytes),
            (R::Xattr(reply), Ok(A::Size(size))) => reply.size(size),
            (R::Empty(reply), Ok(A::Done)) => reply.ok(),
            (R::Open(reply), Ok(A::Opened(opened))) => send_opened(reply, &opened),
            (R::Create(reply), Ok(A::Created(entry, opened))) => send_created(reply, &entry, &opened),
            (R::Write(reply), Ok(A::Written(size))) => reply.written(u32::try_from(size).unwrap_or(u32::MAX)),
            (R::Statfs(reply), Ok(A::Statfs(statfs))) => send_statfs(reply, &statfs),
            (R::Directory(reply), Ok(A::Listing)) => reply.0.ok(),
            (R::DirectoryPlus(reply), Ok(A::Listing)) => reply.0.ok(),
            (R::Ioctl(reply), Ok(A::Ioctl(ioctl))) => reply.ioctl(ioctl.result, &ioctl.output),
            (R::Poll(reply), Ok(A::Events(events))) => {
                reply.poll(fuser::PollEvents::from_bits_retain(events.bits()));
            }
            (R::Lseek(reply), Ok(A::Offset(offset))) => reply.offset(offset.min(i64::MAX as u64) as i64),
            (reply, Ok(_)) => {
                // A broken promise of ours; whoever waits is not left waiting for it.
                tracing::error!("an answer does not fit its request");
                reply.refuse(ErrorKind::Io);
            }
        }
    }

    fn send_listing(mut self, entries: &[BufferedEntry]) -> usize {
        let mut sent = 0;
        if let Some(listing) = self.listing() {
            sent = entries.iter().take_while(|entry| listing.push(entry.listed())).count();
        }
        self.send(Ok(Answer::Listing));
        sent
    }
}

impl FuserReply {
    fn refuse(self, kind: ErrorKind) {
        let errno = Errno::from_i32(kind.errno());
        match self {
            FuserReply::Entry(reply) => reply.error(errno),
            FuserReply::Attr(reply) => reply.error(errno),
            FuserReply::Data(reply) => reply.error(errno),
            FuserReply::Empty(reply) => reply.error(errno),
            FuserReply::Open(reply) => reply.error(errno),
            FuserReply::Create(reply) => reply.error(errno),
            FuserReply::Write(reply) => reply.error(errno),
            FuserReply::Statfs(reply) => reply.error(errno),
            FuserReply::Xattr(reply) => reply.error(errno),
            FuserReply::Directory(reply) => reply.0.error(errno),
            FuserReply::DirectoryPlus(reply) => reply.0.error(errno),
            FuserReply::Ioctl(reply) => reply.error(errno),
            FuserReply::Poll(reply) => reply.error(errno),
            FuserReply::Lseek(reply) => reply.error(errno),
        }
    }
}

impl Listing for DirectoryReply {
    fn push(&mut self, entry: ListedEntry<'_>) -> bool {
        let name = OsStr::from_bytes(entry.name);
        // The transport cannot say that it does not know the type; a regular file is what most are, and the kernel
        // looks before it believes.
        let kind = file_type(entry.kind.unwrap_or(FileType::Regular));
        !self.0.add(INodeNo(entry.ino.0), entry.cookie, kind, name)
    }
}

impl Listing for DirectoryPlusReply {
    fn push(&mut self, entry: ListedEntry<'_>) -> bool {
        let (attr, lifetime) = match &entry.entry {
            Some(answer) => (answer.attr, answer.entry_lifetime.min(answer.attr_lifetime)),
            None => (attr_of_kind(entry.kind.unwrap_or(FileType::Regular)), Duration::ZERO),
        };
        let generation = Generation(attr.id.generation);
        let (name, attr) = (OsStr::from_bytes(entry.name), file_attr(entry.ino, &attr));
        !self.0.add(attr.ino, entry.cookie, name, &lifetime, &attr, generation)
    }
}

fn send_entry(reply: fuser::ReplyEntry, entry: &EntryAnswer) {
    let attr = file_attr(entry.ino, &entry.attr);
    let generation = Generation(entry.attr.id.generation);
    reply.entry_with_ttls(&entry.attr_lifetime, &entry.entry_lifetime, &attr, generation);
}

/// A name that does not exist is cached as an entry without an inode.
fn send_missing(reply: fuser::ReplyEntry, lifetime: Duration) {
    if lifetime.is_zero() {
        return reply.error(Errno::ENOENT);
    }
    let nothing = file_attr(Ino(0), &attr_of_kind(FileType::Regular));
    reply.entry_with_ttls(&Duration::ZERO, &lifetime, &nothing, Generation(0));
}

fn send_opened(reply: fuser::ReplyOpen, opened: &OpenAnswer) {
    let (handle, flags) = (fuser::FileHandle(opened.handle.0), open_flags(opened.traits));
    match opened.backing.as_ref().and_then(Backing::registration::<BackingId>) {
        Some(backing) => reply.opened_passthrough(handle, flags, backing),
        None => reply.opened(handle, flags),
    }
}

fn send_created(reply: fuser::ReplyCreate, entry: &EntryAnswer, opened: &OpenAnswer) {
    let attr = file_attr(entry.ino, &entry.attr);
    let generation = Generation(entry.attr.id.generation);
    let lifetime = entry.entry_lifetime.min(entry.attr_lifetime);
    let (handle, flags) = (fuser::FileHandle(opened.handle.0), open_flags(opened.traits));
    match opened.backing.as_ref().and_then(Backing::registration::<BackingId>) {
        Some(backing) => reply.created_passthrough(&lifetime, &attr, generation, handle, flags, backing),
        None => reply.created(&lifetime, &attr, generation, handle, flags),
    }
}

fn send_statfs(reply: fuser::ReplyStatfs, statfs: &StatFs) {
    reply.statfs(
        statfs.blocks,
        statfs.blocks_free,
        statfs.blocks_available,
        statfs.files,
        statfs.files_free,
        statfs.block_size,
        statfs.name_max,
        statfs.fragment_size,
    );
}

fn open_flags(traits: OpenTraits) -> FopenFlags {
    const PAIRS: [(OpenTraits, FopenFlags); 6] = [
        (OpenTraits::DIRECT_IO, FopenFlags::FOPEN_DIRECT_IO),
        (OpenTraits::KEEP_CACHE, FopenFlags::FOPEN_KEEP_CACHE),
        (OpenTraits::CACHE_DIR, FopenFlags::FOPEN_CACHE_DIR),
        (OpenTraits::NONSEEKABLE, FopenFlags::FOPEN_NONSEEKABLE),
        (OpenTraits::STREAM, FopenFlags::FOPEN_STREAM),
        (OpenTraits::NO_FLUSH, FopenFlags::FOPEN_NOFLUSH),
    ];
    let given = PAIRS.into_iter().filter(|&(trait_, _)| traits.contains(trait_));
    given.fold(FopenFlags::empty(), |flags, (_, flag)| flags | flag)
}

fn file_type(kind: FileType) -> fuser::FileType {
    match kind {
        FileType::Fifo => fuser::FileType::NamedPipe,
        FileType::CharDevice => fuser::FileType::CharDevice,
        FileType::Directory => fuser::FileType::Directory,
        FileType::BlockDevice => fuser::FileType::BlockDevice,
        FileType::Regular => fuser::FileType::RegularFile,
        FileType::Symlink => fuser::FileType::Symlink,
        FileType::Socket => fuser::FileType::Socket,
    }
}

/// Returns the attributes of an entry of which only the type is known.
fn attr_of_kind(kind: FileType) -> Attr {
    Attr {
        id: ObjectId { device: 0, number: 0, generation: 0 },
        kind,
        permissions: 0,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        size: 0,
        blocks: 0,
        block_size: 0,
        atime: Timestamp::default(),
        mtime: Timestamp::default(),
        ctime: Timestamp::default(),
        btime: None,
    }
}

fn file_attr(ino: Ino, attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(ino.0),
        // The kernel takes more for an error of the file system.
        size: attr.size.min(i64::MAX as u64),
        blocks: attr.blocks,
        atime: attr.atime.into(),
        mtime: attr.mtime.into(),
        ctime: attr.ctime.into(),
        crtime: UNIX_EPOCH,
        kind: file_type(attr.kind),
        perm: attr.permissions & 0o7777,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: attr.block_size,
        flags: 0,
    }
}
