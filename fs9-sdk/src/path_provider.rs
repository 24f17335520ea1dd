//! The provider seam by paths, like libfuse's high-level API: for those whose backing speaks of paths anyway.

use crate::{
    Attr, Call, Capabilities, ErrorKind, FallocateMode, FileHandle, FileType, Name, NewNode, ObjectId,
    OpenFlags, OpenTraits, RelPath, RenameFlags, Result, SetAttr, StatFs, Whence, WriteOptions, XattrFlags,
};

/// What an operation is about: a path, or an open file whose path is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The object at this path.
    Path(RelPath<'a>),
    /// The open file of this handle; it may have no name any more.
    Open(FileHandle),
}

impl<'a> Target<'a> {
    /// Returns the path, for a provider that never loses one: it removes and replaces nothing.
    ///
    /// # Errors
    /// `ENOSYS` for an open file without a path.
    pub fn path(self) -> Result<RelPath<'a>> {
        match self {
            Target::Path(path) => Ok(path),
            Target::Open(_) => Err(ErrorKind::NotImplemented.into()),
        }
    }
}

/// A range to be copied between two open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyBetween {
    /// The file to read, and the offset to begin at, in bytes.
    pub source: (FileHandle, u64),
    /// The file to write, and the offset to begin at, in bytes.
    pub target: (FileHandle, u64),
    /// The most bytes to copy.
    pub length: u64,
}

/// Receives the names in a directory.
#[derive(Debug, Default)]
pub struct Listing {
    pub(crate) entries: Vec<ListedName>,
}

/// One name of a listing, with what was known of it.
#[derive(Debug)]
pub(crate) struct ListedName {
    pub(crate) name: Box<[u8]>,
    pub(crate) known: Option<(FileType, ObjectId)>,
}

impl Listing {
    /// Takes a name. Its type and identity are asked for by [`PathProvider::getattr`] when they are needed.
    pub fn push(&mut self, name: Name<'_>) {
        self.entries.push(ListedName { name: name.as_bytes().into(), known: None });
    }

    /// Takes a name of which type and identity are known. An id with number 0 says nothing.
    pub fn push_known(&mut self, name: Name<'_>, kind: FileType, id: ObjectId) {
        let known = (id.number != 0).then_some((kind, id));
        self.entries.push(ListedName { name: name.as_bytes().into(), known });
    }
}

macro_rules! unsupported {
    ($($argument:expr),*) => {{
        // Named so that the signatures above read as documentation.
        $(let _ = &$argument;)*
        Err(ErrorKind::NotImplemented.into())
    }};
}

/// A tree of files, spoken of by paths. [`PathAdapter`](crate::PathAdapter) makes a [`Provider`](crate::Provider)
/// of it and keeps the promises about nodes, lookup counts, cookies and unlinked files on its behalf.
///
/// The smallest provider implements four methods. Those that change something come in addition as they are wanted.
///
/// # What every implementation promises
///
/// - **Identity.** [`Attr::id`] is as for [`Provider`](crate::Provider), or has the number 0: then the adapter gives
///   the object a number, and keeps it in mind for as long as the object is known to exist.
/// - **Handles.** Where something can be removed or replaced, a handle stays usable when its path is gone, and
///   `getattr` and `setattr` take [`Target::Open`].
/// - Errors are those of [`Provider`](crate::Provider).
///
/// # What an implementation may assume
///
/// Any operation may be called from any thread, several at a time. While an operation runs on a path, the adapter
/// starts no rename, unlink or rmdir of it or of a directory above it. Reading and writing handles are used only
/// for what they were opened for. Ranges of [`PathProvider::copy_file_range`] do not overlap.
pub trait PathProvider: Send + Sync + 'static {
    /// Returns what the provider can do and how it must be run.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Returns how caches treat the files of this provider.
    fn open_traits(&self) -> OpenTraits {
        OpenTraits::empty()
    }

    /// Returns the attributes of an object. Required.
    ///
    /// # Errors
    /// `ENOENT`.
    fn getattr(&self, call: &Call, target: Target<'_>) -> Result<Attr>;

    /// Lists a directory from beginning to end, without `.` and `..`. Required.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EIO`.
    fn readdir(&self, call: &Call, path: RelPath<'_>, listing: &mut Listing) -> Result<()>;

    /// Opens a file and returns a handle of the provider's choice. Required. The flags are those of [`Provider::open`](crate::Provider::open): not all of
    /// them are the system's.
    ///
    /// # Errors
    /// As [`Provider::open`](crate::Provider::open).
    fn open(&self, call: &Call, path: RelPath<'_>, flags: OpenFlags) -> Result<FileHandle>;

    /// Reads into `buffer` from `offset` and returns the number of bytes read. Required.
    ///
    /// # Errors
    /// `EIO`.
    fn read(&self, call: &Call, file: FileHandle, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Ends a handle.
    fn release(&self, file: FileHandle) {
        let _ = file;
    }

    /// Changes attributes, in the order of [`Provider::setattr`](crate::Provider::setattr).
    ///
    /// # Errors
    /// As there.
    fn setattr(&self, call: &Call, target: Target<'_>, changes: SetAttr) -> Result<()> {
        unsupported!(call, target, changes)
    }

    /// Returns the target of a symbolic link.
    ///
    /// # Errors
    /// `EINVAL` for what is not a symbolic link.
    fn readlink(&self, call: &Call, path: RelPath<'_>) -> Result<Vec<u8>> {
        unsupported!(call, path)
    }

    /// Makes a regular file, device, named pipe or socket.
    ///
    /// # Errors
    /// As [`Provider::mknod`](crate::Provider::mknod).
    fn mknod(&self, call: &Call, path: RelPath<'_>, new: NewNode) -> Result<()> {
        unsupported!(call, path, new)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// As [`Provider::mknod`](crate::Provider::mknod).
    fn mkdir(&self, call: &Call, path: RelPath<'_>, permissions: u16) -> Result<()> {
        unsupported!(call, path, permissions)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As [`Provider::symlink`](crate::Provider::symlink).
    fn symlink(&self, call: &Call, path: RelPath<'_>, target: &[u8]) -> Result<()> {
        unsupported!(call, path, target)
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// As [`Provider::link`](crate::Provider::link).
    fn link(&self, call: &Call, path: RelPath<'_>, new_path: RelPath<'_>) -> Result<()> {
        unsupported!(call, path, new_path)
    }

    /// Takes a name from a file.
    ///
    /// # Errors
    /// As [`Provider::unlink`](crate::Provider::unlink).
    fn unlink(&self, call: &Call, path: RelPath<'_>) -> Result<()> {
        unsupported!(call, path)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// As [`Provider::rmdir`](crate::Provider::rmdir).
    fn rmdir(&self, call: &Call, path: RelPath<'_>) -> Result<()> {
        unsupported!(call, path)
    }

    /// Moves an entry, replacing what has the new name.
    ///
    /// # Errors
    /// As [`Provider::rename`](crate::Provider::rename).
    fn rename(&self, call: &Call, from: RelPath<'_>, to: RelPath<'_>, flags: RenameFlags) -> Result<()> {
        unsupported!(call, from, to, flags)
    }

    /// Makes a regular file and opens it, as [`Provider::create`](crate::Provider::create). Where this is left as
    /// it is, [`PathProvider::mknod`] and [`PathProvider::open`] are called instead.
    ///
    /// # Errors
    /// As there.
    fn create(
        &self,
        call: &Call,
        path: RelPath<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<FileHandle> {
        unsupported!(call, path, permissions, flags)
    }

    /// Writes `data` at `offset`, or at the end for a handle opened with `APPEND`.
    ///
    /// # Errors
    /// As [`Provider::write`](crate::Provider::write).
    fn write(
        &self,
        call: &Call,
        file: FileHandle,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize> {
        unsupported!(call, file, offset, data, options)
    }

    /// Is called at each close of a descriptor, to report what went wrong with earlier writes.
    ///
    /// # Errors
    /// Those of writes that were still under way.
    fn flush(&self, call: &Call, file: FileHandle) -> Result<()> {
        unsupported!(call, file)
    }

    /// Makes data durable, and unless `data_only` the attributes as well.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`, `EDQUOT`.
    fn fsync(&self, call: &Call, file: FileHandle, data_only: bool) -> Result<()> {
        unsupported!(call, file, data_only)
    }

    /// Makes the entries of a directory durable.
    ///
    /// # Errors
    /// As [`PathProvider::fsync`].
    fn fsyncdir(&self, call: &Call, path: RelPath<'_>, data_only: bool) -> Result<()> {
        unsupported!(call, path, data_only)
    }

    /// Returns sizes and counts of the file system that holds the path.
    ///
    /// # Errors
    /// `EIO`.
    fn statfs(&self, call: &Call, path: RelPath<'_>) -> Result<StatFs> {
        unsupported!(call, path)
    }

    /// Returns the value of an extended attribute.
    ///
    /// # Errors
    /// As [`Provider::getxattr`](crate::Provider::getxattr).
    fn getxattr(&self, call: &Call, path: RelPath<'_>, name: &[u8]) -> Result<Vec<u8>> {
        unsupported!(call, path, name)
    }

    /// Sets an extended attribute. The flags are those of [`Provider::setxattr`](crate::Provider::setxattr): not all of them
    /// are the system's.
    ///
    /// # Errors
    /// As [`Provider::setxattr`](crate::Provider::setxattr).
    fn setxattr(
        &self,
        call: &Call,
        path: RelPath<'_>,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        unsupported!(call, path, name, value, flags)
    }

    /// Returns the names of all extended attributes, each followed by a NUL.
    ///
    /// # Errors
    /// `EOPNOTSUPP`.
    fn listxattr(&self, call: &Call, path: RelPath<'_>) -> Result<Vec<u8>> {
        unsupported!(call, path)
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP`.
    fn removexattr(&self, call: &Call, path: RelPath<'_>, name: &[u8]) -> Result<()> {
        unsupported!(call, path, name)
    }

    /// Allocates, frees or zeroes a range.
    ///
    /// # Errors
    /// As [`Provider::fallocate`](crate::Provider::fallocate).
    fn fallocate(
        &self,
        call: &Call,
        file: FileHandle,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        unsupported!(call, file, mode, offset, length)
    }

    /// Finds data or a hole.
    ///
    /// # Errors
    /// As [`Provider::lseek`](crate::Provider::lseek).
    fn lseek(&self, call: &Call, file: FileHandle, offset: u64, whence: Whence) -> Result<u64> {
        unsupported!(call, file, offset, whence)
    }

    /// Copies between two open files and returns the number of bytes copied.
    ///
    /// # Errors
    /// `ENOSPC`, `EFBIG`.
    fn copy_file_range(&self, call: &Call, range: CopyBetween) -> Result<u64> {
        unsupported!(call, range)
    }
}
