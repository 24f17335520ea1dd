//! The suite on the smallest provider there can be: the five required methods and nothing else.

use fs9_sdk::{
    Attr, Call, DirEntry, DirSink, Entry, ErrorKind, FileHandle, FileType, Fill, Name, NodeId, ObjectId,
    OpenFlags, OpenNode, OpenTraits, Opened, Provider, Result, Timestamp,
};
use fs9_testkit::{Profile, Subject, contract_suite};

const CONTENT: &[u8] = b"hello, world\n";
const FILE: NodeId = NodeId(2);

/// Serves one file.
struct Hello;

fn attr(node: NodeId) -> Attr {
    let id = ObjectId { device: 0, number: node.0, generation: 0 };
    let (kind, permissions, size) = match node {
        FILE => (FileType::Regular, 0o444, CONTENT.len() as u64),
        _ => (FileType::Directory, 0o555, 0),
    };
    Attr { size, blocks: 1, ..Attr::new(id, kind, permissions, Timestamp::default()) }
}

impl Provider for Hello {
    fn lookup(&self, _: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        match (parent, name.as_bytes()) {
            (NodeId::ROOT, b"hello") => Ok(Entry { node: FILE, attr: attr(FILE) }),
            (NodeId::ROOT, _) => Err(ErrorKind::NotFound.into()),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn getattr(&self, _: &Call, node: NodeId, _: Option<FileHandle>) -> Result<Attr> {
        Ok(attr(node))
    }

    fn open(&self, _: &Call, _: NodeId, _: OpenFlags) -> Result<Opened> {
        Ok(Opened { handle: FileHandle(0), attr: None, traits: OpenTraits::empty() })
    }

    fn read(&self, _: &Call, _: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(CONTENT.len());
        let count = buffer.len().min(CONTENT.len() - start);
        buffer[..count].copy_from_slice(&CONTENT[start..start + count]);
        Ok(count)
    }

    fn readdir(&self, _: &Call, dir: OpenNode, cookie: u64, _: bool, sink: &mut dyn DirSink) -> Result<()> {
        if dir.node != NodeId::ROOT {
            return Err(ErrorKind::NotADirectory.into());
        }
        if cookie == 0 {
            let name = Name::new(b"hello")?;
            let kind = Some(FileType::Regular);
            let entry = DirEntry { name, cookie: 1, kind, device: 0, number: FILE.0, entry: None };
            let (Fill::More | Fill::Full) = sink.push(entry);
        }
        Ok(())
    }
}

contract_suite!(hello, || Subject::new(Hello), Profile::read_only("hello", CONTENT));
