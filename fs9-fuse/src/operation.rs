//! What the kernel asks for, decoded, without anything of the transport.
//!
//! Invariant: an operation borrows from the transport's buffer at most its bytes; [`Operation::into_owned`] turns it
//! into one that can go to another thread.

use crate::inode::Ino;
use fs9_core::HandleId;
use fs9_sdk::{
    Caller, FallocateMode, FileLock, IoctlFlags, LockFamily, LockOwner, OpenFlags,
    Operation as OperationKind, PollEvents, PollWaker, RenameFlags, SetTime, WriteOptions, XattrFlags,
};
use std::borrow::Cow;

/// By which the kernel knows a request while it waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

/// What accompanies every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which request it is.
    pub id: RequestId,
    /// The inode that the request is about; for operations on names, the directory.
    pub ino: Ino,
    /// On whose behalf the kernel asks.
    pub caller: Caller,
}

/// The bytes of a name, a target or a value.
pub type Bytes<'a> = Cow<'a, [u8]>;

/// The attributes that a `SETATTR` changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttributeChanges {
    /// New mode; its type bits mean nothing.
    pub mode: Option<u32>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New size in bytes.
    pub size: Option<u64>,
    /// New access time.
    pub atime: Option<SetTime>,
    /// New modification time.
    pub mtime: Option<SetTime>,
    /// Strip set-user-ID, set-group-ID and file capabilities.
    pub kill_privileges: bool,
}

/// What a new inode begins with besides what its maker says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Creation<'a> {
    /// Extended attributes that the security modules of the kernel want it to have: names and values.
    pub security: Vec<(Bytes<'a>, Bytes<'a>)>,
}

/// One request of the kernel, except `FORGET`, which has no answer.
pub enum Operation<'a> {
    /// Find a name.
    Lookup {
        /// The name.
        name: Bytes<'a>,
    },
    /// Tell the attributes.
    Getattr {
        /// The open file, if the asker has one.
        handle: Option<HandleId>,
    },
    /// Change attributes.
    Setattr {
        /// The open file, if the asker has one.
        handle: Option<HandleId>,
        /// The changes.
        changes: AttributeChanges,
    },
    /// Tell the target of a symbolic link.
    Readlink,
    /// Make a file that is neither directory nor symbolic link.
    Mknod {
        /// Its name.
        name: Bytes<'a>,
        /// Type and permissions before the mask.
        mode: u32,
        /// Device number.
        rdev: u32,
        /// What it begins with.
        creation: Creation<'a>,
    },
    /// Make a directory.
    Mkdir {
        /// Its name.
        name: Bytes<'a>,
        /// Permissions before the mask.
        mode: u32,
        /// What it begins with.
        creation: Creation<'a>,
    },
    /// Make a symbolic link.
    Symlink {
        /// Its name.
        name: Bytes<'a>,
        /// Its target.
        target: Bytes<'a>,
        /// What it begins with.
        creation: Creation<'a>,
    },
    /// Give an inode another name.
    Link {
        /// The inode; the header has the new directory.
        ino: Ino,
        /// The new name.
        name: Bytes<'a>,
    },
    /// Remove the name of a file.
    Unlink {
        /// The name.
        name: Bytes<'a>,
    },
    /// Remove a directory.
    Rmdir {
        /// The name.
        name: Bytes<'a>,
    },
    /// Move an entry.
    Rename {
        /// The old name; the header has the old directory.
        name: Bytes<'a>,
        /// The new directory.
        new_parent: Ino,
        /// The new name.
        new_name: Bytes<'a>,
        /// How.
        flags: RenameFlags,
    },
    /// Open a file.
    Open {
        /// How.
        flags: OpenFlags,
        /// Strip privileges, as a truncation by an ordinary user does.
        kill_privileges: bool,
    },
    /// Make and open a file.
    Create {
        /// Its name.
        name: Bytes<'a>,
        /// Permissions before the mask.
        mode: u32,
        /// How to open it.
        flags: OpenFlags,
        /// Strip privileges, as a truncation by an ordinary user does, if the file exists.
        kill_privileges: bool,
        /// What it begins with.
        creation: Creation<'a>,
    },
    /// Make and open a file without a name (`O_TMPFILE`).
    Tmpfile {
        /// Permissions before the mask.
        mode: u32,
        /// How to open it.
        flags: OpenFlags,
        /// What it begins with.
        creation: Creation<'a>,
    },
    /// Read from an open file.
    Read {
        /// The open file.
        handle: HandleId,
        /// Where, in bytes.
        offset: u64,
        /// The most bytes to read.
        length: u32,
    },
    /// Write to an open file.
    Write {
        /// The open file.
        handle: HandleId,
        /// Where, in bytes.
        offset: u64,
        /// What.
        data: Bytes<'a>,
        /// What the writer may keep, and where the data comes from.
        options: WriteOptions,
    },
    /// A descriptor was closed.
    Flush {
        /// The open file.
        handle: HandleId,
        /// Whose locks on ranges end with it.
        owner: LockOwner,
    },
    /// The last descriptor was closed.
    Release {
        /// The open file.
        handle: HandleId,
        /// Whose lock on the whole file ends with it, if there may be one.
        flock_owner: Option<LockOwner>,
    },
    /// Make an open file durable.
    Fsync {
        /// The open file.
        handle: HandleId,
        /// Leave out what reading the data does not need.
        data_only: bool,
    },
    /// Open a directory.
    Opendir,
    /// List a directory.
    Readdir {
        /// The open directory.
        handle: HandleId,
        /// Where the listing goes on: 0, or the cookie of an entry.
        cookie: u64,
        /// With the attributes of each entry.
        attributes: bool,
    },
    /// The last descriptor of a directory was closed.
    Releasedir {
        /// The open directory.
        handle: HandleId,
    },
    /// Make the entries of a directory durable.
    Fsyncdir {
        /// The open directory.
        handle: HandleId,
        /// Leave out what reading the entries does not need.
        data_only: bool,
    },
    /// Tell sizes and counts of the file system.
    Statfs,
    /// Tell the value of an extended attribute.
    Getxattr {
        /// Its name.
        name: Bytes<'a>,
        /// Room for the answer; 0 asks for its size.
        size: u32,
    },
    /// Set an extended attribute.
    Setxattr {
        /// Its name.
        name: Bytes<'a>,
        /// Its value.
        value: Bytes<'a>,
        /// How.
        flags: XattrFlags,
        /// Take set-group-ID away, as setting an ACL does for an outsider.
        kill_setgid: bool,
    },
    /// Tell the names of the extended attributes.
    Listxattr {
        /// Room for the answer; 0 asks for its size.
        size: u32,
    },
    /// Remove an extended attribute.
    Removexattr {
        /// Its name.
        name: Bytes<'a>,
    },
    /// Check permissions. The kernel does that itself on our mounts.
    Access,
    /// Allocate, free or zero a range.
    Fallocate {
        /// The open file.
        handle: HandleId,
        /// What to do.
        mode: FallocateMode,
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Find data or a hole.
    Lseek {
        /// The open file.
        handle: HandleId,
        /// Where to begin, in bytes.
        offset: u64,
        /// What to find, as the number of `lseek(2)`.
        whence: u32,
    },
    /// Copy between open files.
    CopyFileRange {
        /// Open file and offset to read from; the header has its inode.
        source: (HandleId, u64),
        /// Open file and offset to write to.
        target: (HandleId, u64),
        /// The most bytes to copy.
        length: u64,
    },
    /// Tell which lock stands in the way of another.
    Getlk {
        /// The open file.
        handle: HandleId,
        /// Who would take it.
        owner: LockOwner,
        /// The lock that is to be tried.
        lock: FileLock,
    },
    /// Take or release a lock.
    Setlk {
        /// The open file.
        handle: HandleId,
        /// Who takes it.
        owner: LockOwner,
        /// The lock, for those on whole files with the whole range.
        lock: FileLock,
        /// Of which family it is.
        family: LockFamily,
        /// Wait until it can be taken.
        wait: bool,
    },
    /// Something beyond the other operations.
    Ioctl {
        /// The open file.
        handle: HandleId,
        /// How it was issued.
        flags: IoctlFlags,
        /// The command.
        command: u32,
        /// What it passes in.
        input: Bytes<'a>,
        /// The most bytes that it takes back.
        output_max: u32,
    },
    /// Tell which events are ready.
    Poll {
        /// The open file.
        handle: HandleId,
        /// The events of interest.
        events: PollEvents,
        /// Called when that may have changed.
        waker: Option<PollWaker>,
    },
}

impl Operation<'_> {
    /// Returns the provider's operation that this one leads to, for counting.
    pub const fn kind(&self) -> OperationKind {
        use {Operation as O, OperationKind as K};
        match self {
            O::Lookup { .. } => K::Lookup,
            O::Getattr { .. } | O::Access => K::Getattr,
            O::Setattr { .. } => K::Setattr,
            O::Readlink => K::Readlink,
            O::Mknod { .. } => K::Mknod,
            O::Mkdir { .. } => K::Mkdir,
            O::Symlink { .. } => K::Symlink,
            O::Link { .. } => K::Link,
            O::Unlink { .. } => K::Unlink,
            O::Rmdir { .. } => K::Rmdir,
            O::Rename { .. } => K::Rename,
            O::Open { .. } => K::Open,
            O::Create { .. } => K::Create,
            O::Read { .. } => K::Read,
            O::Write { .. } => K::Write,
            O::Flush { .. } => K::Flush,
            O::Release { .. } => K::Release,
            O::Fsync { .. } => K::Fsync,
            O::Opendir => K::Opendir,
            O::Readdir { .. } => K::Readdir,
            O::Releasedir { .. } => K::Releasedir,
            O::Fsyncdir { .. } => K::Fsyncdir,
            O::Statfs => K::Statfs,
            O::Getxattr { .. } => K::Getxattr,
            O::Setxattr { .. } => K::Setxattr,
            O::Listxattr { .. } => K::Listxattr,
            O::Removexattr { .. } => K::Removexattr,
            O::Fallocate { .. } => K::Fallocate,
            O::Lseek { .. } => K::Lseek,
            O::CopyFileRange { .. } => K::CopyFileRange,
            O::Ioctl { .. } => K::Ioctl,
            O::Poll { .. } => K::Poll,
            O::Tmpfile { .. } => K::Tmpfile,
            O::Getlk { .. } => K::Getlk,
            O::Setlk { .. } => K::Setlk,
        }
    }

    /// Copies what is borrowed, so that the operation can go to another thread.
    #[must_use]
    pub fn into_owned(self) -> Operation<'static> {
        use Operation as O;
        match self {
            O::Lookup { name } => O::Lookup { name: own(name) },
            O::Getattr { handle } => O::Getattr { handle },
            O::Setattr { handle, changes } => O::Setattr { handle, changes },
            O::Readlink => O::Readlink,
            O::Mknod { name, mode, rdev, creation } => {
                O::Mknod { name: own(name), mode, rdev, creation: creation.into_owned() }
            }
            O::Mkdir { name, mode, creation } => {
                O::Mkdir { name: own(name), mode, creation: creation.into_owned() }
            }
            O::Symlink { name, target, creation } => {
                O::Symlink { name: own(name), target: own(target), creation: creation.into_owned() }
            }
            O::Link { ino, name } => O::Link { ino, name: own(name) },
            O::Unlink { name } => O::Unlink { name: own(name) },
            O::Rmdir { name } => O::Rmdir { name: own(name) },
            O::Rename { name, new_parent, new_name, flags } => {
                O::Rename { name: own(name), new_parent, new_name: own(new_name), flags }
            }
            O::Open { flags, kill_privileges } => O::Open { flags, kill_privileges },
            O::Create { name, mode, flags, kill_privileges, creation } => {
                let creation = creation.into_owned();
                O::Create { name: own(name), mode, flags, kill_privileges, creation }
            }
            O::Tmpfile { mode, flags, creation } => {
                O::Tmpfile { mode, flags, creation: creation.into_owned() }
            }
            O::Read { handle, offset, length } => O::Read { handle, offset, length },
            O::Write { handle, offset, data, options } => {
                O::Write { handle, offset, data: own(data), options }
            }
            O::Flush { handle, owner } => O::Flush { handle, owner },
            O::Release { handle, flock_owner } => O::Release { handle, flock_owner },
            O::Fsync { handle, data_only } => O::Fsync { handle, data_only },
            O::Opendir => O::Opendir,
            O::Readdir { handle, cookie, attributes } => O::Readdir { handle, cookie, attributes },
            O::Releasedir { handle } => O::Releasedir { handle },
            O::Fsyncdir { handle, data_only } => O::Fsyncdir { handle, data_only },
            O::Statfs => O::Statfs,
            O::Getxattr { name, size } => O::Getxattr { name: own(name), size },
            O::Setxattr { name, value, flags, kill_setgid } => {
                O::Setxattr { name: own(name), value: own(value), flags, kill_setgid }
            }
            O::Listxattr { size } => O::Listxattr { size },
            O::Removexattr { name } => O::Removexattr { name: own(name) },
            O::Access => O::Access,
            O::Fallocate { handle, mode, offset, length } => O::Fallocate { handle, mode, offset, length },
            O::Lseek { handle, offset, whence } => O::Lseek { handle, offset, whence },
            O::CopyFileRange { source, target, length } => O::CopyFileRange { source, target, length },
            O::Ioctl { handle, flags, command, input, output_max } => {
                O::Ioctl { handle, flags, command, input: own(input), output_max }
            }
            O::Getlk { handle, owner, lock } => O::Getlk { handle, owner, lock },
            O::Setlk { handle, owner, lock, family, wait } => O::Setlk { handle, owner, lock, family, wait },
            O::Poll { handle, events, waker } => O::Poll { handle, events, waker },
        }
    }
}

impl Creation<'_> {
    /// Copies what is borrowed.
    #[must_use]
    pub fn into_owned(self) -> Creation<'static> {
        let security = self.security.into_iter().map(|(name, value)| (own(name), own(value)));
        Creation { security: security.collect() }
    }
}

fn own(bytes: Bytes<'_>) -> Bytes<'static> {
    Cow::Owned(bytes.into_owned())
}
