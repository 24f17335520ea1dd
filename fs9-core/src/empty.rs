//! An empty directory, for a place where others are to be mounted.

use fs9_sdk::{
    Attr, Call, Capabilities, DirSink, Entry, ErrorKind, Execution, FileHandle, FileType, Name, NodeId,
    ObjectId, OpenFlags, OpenNode, OpenTraits, Opened, Provider, Result, StatFs, Timestamp,
};
use rustix::process::{getegid, geteuid};

/// Everybody lists it, nobody changes it.
const PERMISSIONS: u16 = 0o555;

/// What its numbers are multiples of, in bytes.
const BLOCK_BYTES: u32 = 4096;

/// A directory of the daemon's user without entries of its own.
pub(crate) struct EmptyDirectory {
    made: Timestamp,
}

impl EmptyDirectory {
    /// Returns one that was made now.
    pub(crate) fn new() -> EmptyDirectory {
        EmptyDirectory { made: Timestamp::now() }
    }
}

impl Provider for EmptyDirectory {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            execution: Execution::Inline,
            read_only: true,
            stable_ids: true,
            complete_changes: true,
            ..Capabilities::default()
        }
    }

    fn lookup(&self, _call: &Call, _parent: NodeId, _name: Name<'_>) -> Result<Entry> {
        Err(ErrorKind::NotFound.into())
    }

    fn getattr(&self, _call: &Call, _node: NodeId, _handle: Option<FileHandle>) -> Result<Attr> {
        let id = ObjectId { device: 0, number: NodeId::ROOT.0, generation: 0 };
        Ok(Attr {
            nlink: 2,
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            block_size: BLOCK_BYTES,
            btime: Some(self.made),
            ..Attr::new(id, FileType::Directory, PERMISSIONS, self.made)
        })
    }

    fn open(&self, _call: &Call, _node: NodeId, _flags: OpenFlags) -> Result<Opened> {
        Err(ErrorKind::IsADirectory.into())
    }

    fn read(&self, _call: &Call, _file: OpenNode, _offset: u64, _buffer: &mut [u8]) -> Result<usize> {
        Err(ErrorKind::IsADirectory.into())
    }

    fn opendir(&self, _call: &Call, _node: NodeId) -> Result<Opened> {
        Ok(Opened { handle: FileHandle(0), attr: None, traits: OpenTraits::empty() })
    }

    fn readdir(&self, _: &Call, _: OpenNode, _: u64, _: bool, _: &mut dyn DirSink) -> Result<()> {
        Ok(())
    }

    fn fsyncdir(&self, _call: &Call, _dir: OpenNode, _data_only: bool) -> Result<()> {
        Ok(())
    }

    fn statfs(&self, _call: &Call, _node: NodeId) -> Result<StatFs> {
        let (block_size, fragment_size) = (BLOCK_BYTES, BLOCK_BYTES);
        Ok(StatFs { block_size, fragment_size, files: 1, name_max: 255, ..StatFs::default() })
    }
}
