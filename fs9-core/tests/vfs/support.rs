//! A small provider for the tests of the VFS: a fixed tree of directories and empty files, that counts lookups and can
//! be made to hang.

use fs9_sdk::{
    Attr, Call, Capabilities, DirSink, Entry, ErrorKind, Execution, FileHandle, FileType, Name, NodeId,
    ObjectId, OpenFlags, OpenNode, OpenTraits, Opened, Provider, Result, Timestamp,
};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};

/// A tree that is told as paths; those that end with `/` are directories.
pub(crate) struct Tree {
    execution: Execution,
    entries: HashMap<(NodeId, Vec<u8>), NodeId>,
    directories: Vec<NodeId>,
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    lookups: HashMap<NodeId, u64>,
    /// While true, lookups wait.
    hangs: bool,
    waiting: usize,
}

impl Tree {
    /// Returns a tree of these paths, parents before children.
    pub(crate) fn new(execution: Execution, paths: &[&str]) -> Arc<Tree> {
        let mut tree = Tree {
            execution,
            entries: HashMap::new(),
            directories: vec![NodeId::ROOT],
            state: Mutex::default(),
            opened: Condvar::new(),
        };
        let mut nodes = HashMap::from([(String::new(), NodeId::ROOT)]);
        for (index, path) in paths.iter().enumerate() {
            let (node, path_only) = (NodeId(index as u64 + 2), path.trim_end_matches('/'));
            let (parent, name) = path_only.rsplit_once('/').unwrap_or(("", path_only));
            tree.entries.insert((nodes[parent], name.as_bytes().to_vec()), node);
            nodes.insert(path_only.to_owned(), node);
            if path.ends_with('/') {
                tree.directories.push(node);
            }
        }
        Arc::new(tree)
    }

    /// Returns the number of lookups of all nodes that were not forgotten.
    pub(crate) fn lookups(&self) -> u64 {
        self.state.lock().unwrap().lookups.values().sum()
    }

    /// Makes lookups wait until this is called with false.
    pub(crate) fn hang(&self, hangs: bool) {
        self.state.lock().unwrap().hangs = hangs;
        self.opened.notify_all();
    }

    /// Waits until a condition holds that lookups and forgets change.
    pub(crate) fn wait_until(&self, condition: impl Fn(usize, u64) -> bool) {
        let state = self.state.lock().unwrap();
        let holds = |state: &mut State| !condition(state.waiting, state.lookups.values().sum());
        drop(self.opened.wait_while(state, holds).unwrap());
    }

    fn attr(&self, node: NodeId) -> Attr {
        let is_directory = self.directories.contains(&node);
        let kind = if is_directory { FileType::Directory } else { FileType::Regular };
        let id = ObjectId { device: 0, number: node.0, generation: 0 };
        Attr::new(id, kind, 0o755, Timestamp::default())
    }
}

impl Provider for Tree {
    fn capabilities(&self) -> Capabilities {
        Capabilities { execution: self.execution, ..Capabilities::default() }
    }

    fn lookup(&self, _call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.opened.notify_all();
        let mut state = self.opened.wait_while(state, |state| state.hangs).unwrap();
        state.waiting -= 1;
        self.opened.notify_all();
        let key = (parent, name.as_bytes().to_vec());
        let node = *self.entries.get(&key).ok_or(ErrorKind::NotFound)?;
        *state.lookups.entry(node).or_default() += 1;
        Ok(Entry { node, attr: self.attr(node) })
    }

    fn forget(&self, node: NodeId, count: u64) {
        let mut state = self.state.lock().unwrap();
        let lookups = state.lookups.get_mut(&node).expect("a node that was not looked up is forgotten");
        *lookups = lookups.checked_sub(count).expect("a node is forgotten more often than looked up");
        self.opened.notify_all();
    }

    fn getattr(&self, _call: &Call, node: NodeId, _handle: Option<FileHandle>) -> Result<Attr> {
        Ok(self.attr(node))
    }

    fn open(&self, _call: &Call, _node: NodeId, _flags: OpenFlags) -> Result<Opened> {
        Ok(Opened { handle: FileHandle(1), attr: None, traits: OpenTraits::empty() })
    }

    fn read(&self, _call: &Call, _file: OpenNode, _offset: u64, _buffer: &mut [u8]) -> Result<usize> {
        Ok(0)
    }

    fn readdir(&self, _: &Call, _: OpenNode, _: u64, _: bool, _: &mut dyn DirSink) -> Result<()> {
        Ok(())
    }
}
