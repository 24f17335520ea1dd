//! The smallest provider: a tree of one file, told by path. `PathAdapter::new(Hello)` is a complete `Provider`.
#![forbid(unsafe_code)]

use fs9_sdk::{
    Attr, Call, ErrorKind, FileHandle, FileType, Listing, Name, ObjectId, OpenFlags, PathProvider, RelPath,
    Result, Target, Timestamp,
};

/// What the file holds.
pub const CONTENT: &[u8] = b"Hello, world.\n";

/// Serves `hello.txt`.
pub struct Hello;

impl PathProvider for Hello {
    fn getattr(&self, _: &Call, target: Target<'_>) -> Result<Attr> {
        let (kind, permissions, size) = match target.path()?.as_bytes() {
            b"" => (FileType::Directory, 0o555, 0),
            b"hello.txt" => (FileType::Regular, 0o444, CONTENT.len() as u64),
            _ => return Err(ErrorKind::NotFound.into()),
        };
        // Number 0: the adapter numbers the objects.
        let id = ObjectId { device: 0, number: 0, generation: 0 };
        Ok(Attr {
            size,
            blocks: size.div_ceil(512),
            ..Attr::new(id, kind, permissions, Timestamp::default())
        })
    }

    fn readdir(&self, _: &Call, _: RelPath<'_>, listing: &mut Listing) -> Result<()> {
        listing.push(Name::new(b"hello.txt")?);
        Ok(())
    }

    fn open(&self, _: &Call, _: RelPath<'_>, _: OpenFlags) -> Result<FileHandle> {
        Ok(FileHandle(0))
    }

    fn read(&self, _: &Call, _: FileHandle, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| CONTENT.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}
