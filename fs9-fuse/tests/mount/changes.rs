//! Changes that a provider reports reach the kernel's caches, however long their lifetime.

use crate::support::{Mounted, names};
use fs9_sdk::{
    Attr, Call, Capabilities, Change, ChangeSink, DirEntry, DirSink, Entry, ErrorKind, Execution, FileHandle,
    FileType, Fill, Name, NodeId, ObjectId, OpenFlags, OpenNode, OpenTraits, Opened, Provider, Result,
    Timestamp,
};
use parking_lot::Mutex;
use std::fs;
use std::sync::Arc;

const FILE: NodeId = NodeId(2);

#[derive(Default)]
struct State {
    name: String,
    text: String,
    sink: Option<Arc<dyn ChangeSink>>,
}

/// One file whose name and text change without the kernel's doing.
#[derive(Default)]
struct Feed(Mutex<State>);

impl Feed {
    fn publish(&self, name: &str, text: &str, changes: &[Change]) {
        let sink = {
            let mut state = self.0.lock();
            (state.name, state.text) = (name.into(), text.into());
            state.sink.clone()
        };
        changes.iter().for_each(|change| sink.as_ref().unwrap().changed(change.clone()));
    }

    fn attr(&self, node: NodeId) -> Attr {
        let time = Timestamp { seconds: 1, nanoseconds: 0 };
        let id = ObjectId { device: 0, number: 100 + node.0, generation: 0 };
        match node == FILE {
            true => {
                let size = self.0.lock().text.len() as u64;
                Attr { size, ..Attr::new(id, FileType::Regular, 0o644, time) }
            }
            false => Attr::new(id, FileType::Directory, 0o755, time),
        }
    }
}

impl Provider for Feed {
    fn capabilities(&self) -> Capabilities {
        Capabilities { execution: Execution::Inline, complete_changes: true, ..Capabilities::default() }
    }

    fn lookup(&self, _: &Call, _: NodeId, name: Name<'_>) -> Result<Entry> {
        if name.as_bytes() != self.0.lock().name.as_bytes() {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(Entry { node: FILE, attr: self.attr(FILE) })
    }

    fn getattr(&self, _: &Call, node: NodeId, _: Option<FileHandle>) -> Result<Attr> {
        Ok(self.attr(node))
    }

    fn open(&self, _: &Call, node: NodeId, _: OpenFlags) -> Result<Opened> {
        Ok(Opened { handle: FileHandle(0), attr: Some(self.attr(node)), traits: OpenTraits::empty() })
    }

    fn read(&self, _: &Call, _: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let text = self.0.lock().text.clone();
        let rest = text.as_bytes().get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn readdir(&self, _: &Call, _: OpenNode, cookie: u64, _: bool, sink: &mut dyn DirSink) -> Result<()> {
        let name = self.0.lock().name.clone();
        if cookie == 0 {
            let (name, kind) = (Name::new(name.as_bytes())?, Some(FileType::Regular));
            let entry = DirEntry { name, cookie: 1, kind, device: 0, number: 102, entry: None };
            assert_eq!(sink.push(entry), Fill::More);
        }
        Ok(())
    }

    fn report_changes_to(&self, sink: Arc<dyn ChangeSink>) {
        self.0.lock().sink = Some(sink);
    }
}

fn mounted_feed() -> (Arc<Feed>, Mounted) {
    let feed = Arc::new(Feed::default());
    let mounted = Mounted::of(Arc::clone(&feed) as Arc<dyn Provider>);
    feed.publish("f", "old", &[]);
    assert_eq!(fs::read_to_string(mounted.path().join("f")).unwrap(), "old");
    assert_eq!(names(mounted.path()), ["f"]);
    (feed, mounted)
}

#[test]
fn changed_data_is_read_anew() {
    let (feed, mounted) = mounted_feed();
    // Without a report, what is cached stays: that is what complete changes are for.
    feed.publish("f", "new text", &[]);
    assert_eq!(fs::read_to_string(mounted.path().join("f")).unwrap(), "old");
    feed.publish("f", "new text", &[Change::Data(FILE)]);
    mounted.settle();
    assert_eq!(fs::read_to_string(mounted.path().join("f")).unwrap(), "new text");
}

#[test]
fn changed_attributes_are_asked_for_anew() {
    let (feed, mounted) = mounted_feed();
    feed.publish("f", "longer text", &[Change::Attributes(FILE)]);
    mounted.settle();
    assert_eq!(fs::metadata(mounted.path().join("f")).unwrap().len(), 11);
}

#[test]
fn changed_entries_are_looked_up_anew() {
    let (feed, mounted) = mounted_feed();
    assert!(fs::metadata(mounted.path().join("g")).is_err());
    let entry = |name: &str| Change::Entry { parent: NodeId::ROOT, name: name.into() };
    feed.publish("g", "moved", &[entry("f"), entry("g")]);
    mounted.settle();
    assert!(fs::metadata(mounted.path().join("f")).is_err());
    assert!(fs::metadata(mounted.path().join("g")).is_ok());
    assert_eq!(names(mounted.path()), ["g"]);
}

#[test]
fn lost_events_make_everything_new() {
    let (feed, mounted) = mounted_feed();
    feed.publish("f", "who knows", &[Change::Everything]);
    mounted.settle();
    assert_eq!(fs::read_to_string(mounted.path().join("f")).unwrap(), "who knows");
}

#[test]
fn a_directory_that_lists_no_attributes_is_listed_with_them() {
    use std::os::unix::fs::{DirEntryExt, MetadataExt};
    let (_feed, mounted) = mounted_feed();
    for _ in 0..3 {
        for entry in fs::read_dir(mounted.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!((entry.ino(), entry.metadata().unwrap().ino()), (102, 102));
        }
    }
}
