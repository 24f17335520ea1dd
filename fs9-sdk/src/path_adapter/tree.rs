//! The map between nodes and paths.
//!
//! Invariants: the root is always there. A node that is not the root is there for as long as it has lookups, an
//! entry below it that is known or in use, or a number that the adapter gave it (which would otherwise change).
//! An entry is known in its directory's `entries` exactly if the directory and name are among the node's `names`.
//! A directory has at most one name.

use super::remains::Remains;
use crate::{Attr, FileType, Name, NodeId, ObjectId};
use std::collections::HashMap;

/// A directory and a name in it: one step of a path.
pub(super) type Step = (NodeId, Box<[u8]>);

/// One name in a directory: what is known to stand there, and who uses it now.
#[derive(Debug, Default)]
pub(super) struct TreeEntry {
    pub(super) node: Option<NodeId>,
    /// Operations under way through this name.
    pub(super) shared: u32,
    /// A rename or removal of this name waits or is under way.
    pub(super) exclusive: bool,
}

impl TreeEntry {
    fn is_idle(&self) -> bool {
        self.node.is_none() && self.shared == 0 && !self.exclusive
    }
}

/// A node and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) lookups: u64,
    pub(super) names: Vec<Step>,
    pub(super) entries: HashMap<Box<[u8]>, TreeEntry>,
    pub(super) id: ObjectId,
    pub(super) kind: FileType,
    /// The number of `id` was given by the tree.
    numbered_here: bool,
    /// What is left of the object when its last name is gone.
    pub(super) remains: Option<Remains>,
}

/// All that is known.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: HashMap<NodeId, Node>,
    by_id: HashMap<ObjectId, NodeId>,
    /// Node ids are counted up and never reused, so that a stale one reaches nothing.
    last: u64,
    /// Remains that nobody needs any more. They may hold handles of the provider, which are not released under the
    /// lock of the tree.
    discarded: Vec<Remains>,
}

impl Tree {
    pub(super) fn new() -> Tree {
        let root = Node {
            lookups: 0,
            names: Vec::new(),
            entries: HashMap::new(),
            id: ObjectId { device: 0, number: NodeId::ROOT.0, generation: 0 },
            kind: FileType::Directory,
            numbered_here: true,
            remains: None,
        };
        Tree {
            nodes: HashMap::from([(NodeId::ROOT, root)]),
            by_id: HashMap::new(),
            last: NodeId::ROOT.0,
            discarded: Vec::new(),
        }
    }

    pub(super) fn node(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(&node)
    }

    /// Returns the node that is known to stand at a name.
    pub(super) fn at(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        self.nodes.get(&parent)?.entries.get(name)?.node
    }

    /// Returns the entry of a name, for marks of use.
    pub(super) fn entry_mut(&mut self, parent: NodeId, name: &[u8]) -> Option<&mut TreeEntry> {
        let entries = &mut self.nodes.get_mut(&parent)?.entries;
        if !entries.contains_key(name) {
            entries.insert(name.into(), TreeEntry::default());
        }
        entries.get_mut(name)
    }

    /// Returns whether a rename or removal of a name waits or is under way.
    pub(super) fn is_exclusive(&self, parent: NodeId, name: &[u8]) -> bool {
        let entry = self.nodes.get(&parent).and_then(|node| node.entries.get(name));
        entry.is_some_and(|entry| entry.exclusive)
    }

    /// Returns the steps from the root to a node, or `None` if it has no name.
    pub(super) fn steps_to(&self, node: NodeId) -> Option<Vec<Step>> {
        let (mut steps, mut at) = (Vec::new(), node);
        while at != NodeId::ROOT {
            let step = self.nodes.get(&at)?.names.first()?;
            at = step.0;
            steps.push(step.clone());
        }
        steps.reverse();
        Some(steps)
    }

    /// Returns the identity under which a node is shown, given the one that the provider tells.
    pub(super) fn shown_id(&self, node: NodeId, told: ObjectId) -> ObjectId {
        match self.nodes.get(&node) {
            Some(known) if told.number == 0 => known.id,
            _ => told,
        }
    }

    /// Notes what a lookup found at a name, counts `lookups`, and returns the node.
    pub(super) fn found(&mut self, parent: NodeId, name: Name<'_>, attr: &Attr, lookups: u64) -> NodeId {
        let known = self.at(parent, name.as_bytes());
        let same = known.filter(|node| self.is_same(*node, attr));
        let node = same.unwrap_or_else(|| {
            if known.is_some() {
                // Somebody replaced the object behind our back.
                self.lose_name(parent, name.as_bytes());
            }
            let by_id = self.by_id.get(&attr.id).copied().filter(|_| attr.id.number != 0);
            let node = by_id.filter(|node| self.is_same(*node, attr)).unwrap_or_else(|| self.add(attr));
            self.gain_name(node, parent, name.as_bytes());
            node
        });
        if let Some(known) = self.nodes.get_mut(&node) {
            known.lookups += lookups;
        }
        node
    }

    fn is_same(&self, node: NodeId, attr: &Attr) -> bool {
        let Some(known) = self.nodes.get(&node) else { return false };
        let id_fits = if attr.id.number == 0 { known.numbered_here } else { known.id == attr.id };
        id_fits && known.kind == attr.kind
    }

    fn add(&mut self, attr: &Attr) -> NodeId {
        self.last += 1;
        let node = NodeId(self.last);
        let numbered_here = attr.id.number == 0;
        let given = ObjectId { device: attr.id.device, number: self.last, generation: 0 };
        let id = if numbered_here { given } else { attr.id };
        if !numbered_here {
            self.by_id.insert(id, node);
        }
        let (names, entries) = (Vec::new(), HashMap::new());
        let kind = attr.kind;
        self.nodes.insert(node, Node { lookups: 0, names, entries, id, kind, numbered_here, remains: None });
        node
    }

    /// Gives a node a name. A directory that was moved behind our back leaves its old one.
    pub(super) fn gain_name(&mut self, node: NodeId, parent: NodeId, name: &[u8]) {
        let old = match self.nodes.get(&node) {
            Some(known) if known.kind == FileType::Directory => known.names.first().cloned(),
            _ => None,
        };
        if let Some((old_parent, old_name)) = old {
            self.lose_name(old_parent, &old_name);
        }
        if let Some(entry) = self.entry_mut(parent, name) {
            entry.node = Some(node);
        }
        if let Some(known) = self.nodes.get_mut(&node) {
            known.names.push((parent, name.into()));
            self.discarded.extend(known.remains.take());
        }
    }

    /// Takes a name from whatever node stands there and returns the node.
    pub(super) fn lose_name(&mut self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let node = self.nodes.get_mut(&parent)?.entries.get_mut(name)?.node.take()?;
        self.drop_idle(parent, name);
        if let Some(known) = self.nodes.get_mut(&node) {
            known.names.retain(|(at, called)| (*at, &**called) != (parent, name));
        }
        Some(node)
    }

    /// Notes that the object at a name is gone from there; `remains` keeps it usable if it was the last name.
    pub(super) fn removed(&mut self, parent: NodeId, name: &[u8], remains: Option<Remains>) {
        let Some(node) = self.lose_name(parent, name) else { return };
        let Some(known) = self.nodes.get_mut(&node) else { return };
        if known.names.is_empty() {
            // Without a name, a number that we gave is told to nobody new.
            known.numbered_here = false;
            let id = known.id;
            // An anchor keeps the object alive, and then its id is not given to another.
            let anchored = remains.as_ref().is_some_and(|remains| remains.anchor.is_some());
            known.remains = remains;
            if !anchored {
                self.drop_id(id, node);
            }
        }
        self.tidy(node);
    }

    /// Takes back lookups.
    pub(super) fn forget(&mut self, node: NodeId, count: u64) {
        if let Some(known) = self.nodes.get_mut(&node) {
            known.lookups = known.lookups.saturating_sub(count);
        }
        self.tidy(node);
    }

    /// Drops a node that nothing keeps any more, and then its directories likewise.
    pub(super) fn tidy(&mut self, node: NodeId) {
        let mut candidates = vec![node];
        while let Some(node) = candidates.pop() {
            let Some(known) = self.nodes.get(&node) else { continue };
            let kept = known.lookups > 0 || known.numbered_here || !known.entries.is_empty();
            if kept || node == NodeId::ROOT {
                continue;
            }
            let Some(known) = self.nodes.remove(&node) else { continue };
            let (names, id) = (known.names, known.id);
            self.discarded.extend(known.remains);
            self.drop_id(id, node);
            for (parent, name) in names {
                if let Some(entry) = self.entry_mut(parent, &name) {
                    entry.node = None;
                }
                self.drop_idle(parent, &name);
                candidates.push(parent);
            }
        }
    }

    fn drop_id(&mut self, id: ObjectId, node: NodeId) {
        if self.by_id.get(&id) == Some(&node) {
            self.by_id.remove(&id);
        }
    }

    /// Notes that a file was given another name, and counts a lookup.
    pub(super) fn linked(&mut self, node: NodeId, parent: NodeId, name: &[u8]) {
        if self.at(parent, name).is_some() {
            self.lose_name(parent, name);
        }
        self.gain_name(node, parent, name);
        if let Some(known) = self.nodes.get_mut(&node) {
            known.lookups += 1;
        }
    }

    /// Notes that an entry was moved; `remains` are those of what it replaced.
    pub(super) fn moved(&mut self, from: (NodeId, &[u8]), to: (NodeId, &[u8]), remains: Option<Remains>) {
        let (source, target) = (self.at(from.0, from.1), self.at(to.0, to.1));
        if source.is_some() && source == target {
            // Two names of one file: rename(2) does nothing.
            return;
        }
        self.removed(to.0, to.1, remains);
        if let Some(node) = self.lose_name(from.0, from.1) {
            self.gain_name(node, to.0, to.1);
        }
    }

    /// Notes that two entries were exchanged.
    pub(super) fn exchanged(&mut self, one: (NodeId, &[u8]), two: (NodeId, &[u8])) {
        let (first, second) = (self.lose_name(one.0, one.1), self.lose_name(two.0, two.1));
        if let Some(node) = first {
            self.gain_name(node, two.0, two.1);
        }
        if let Some(node) = second {
            self.gain_name(node, one.0, one.1);
        }
    }

    /// Takes what nobody needs any more, to be dropped without the lock.
    pub(super) fn take_discarded(&mut self) -> Vec<Remains> {
        std::mem::take(&mut self.discarded)
    }

    /// Drops the entry of a name that is neither known nor in use.
    pub(super) fn drop_idle(&mut self, parent: NodeId, name: &[u8]) {
        if let Some(directory) = self.nodes.get_mut(&parent)
            && directory.entries.get(name).is_some_and(TreeEntry::is_idle)
        {
            directory.entries.remove(name);
        }
    }

    /// Returns how many nodes are known, the root among them.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Tree;
    use crate::{Attr, FileType, Name, NodeId, ObjectId, Timestamp};

    const ROOT: NodeId = NodeId::ROOT;

    fn attr(kind: FileType, number: u64) -> Attr {
        Attr::new(ObjectId { device: 0, number, generation: 0 }, kind, 0o644, Timestamp::default())
    }

    fn found(tree: &mut Tree, parent: NodeId, name: &str, number: u64) -> NodeId {
        let kind = if name.starts_with('d') { FileType::Directory } else { FileType::Regular };
        tree.found(parent, Name::new(name.as_bytes()).unwrap(), &attr(kind, number), 1)
    }

    fn path(tree: &Tree, node: NodeId) -> Option<String> {
        let steps = tree.steps_to(node)?;
        Some(steps.iter().map(|(_, name)| String::from_utf8_lossy(name)).collect::<Vec<_>>().join("/"))
    }

    #[test]
    fn moving_a_directory_moves_what_is_known_below_it() {
        let mut tree = Tree::new();
        let dir = found(&mut tree, ROOT, "d", 2);
        let sub = found(&mut tree, dir, "d2", 3);
        let file = found(&mut tree, sub, "f", 4);
        tree.moved((ROOT, b"d"), (ROOT, b"elsewhere"), None);
        assert_eq!(path(&tree, file).unwrap(), "elsewhere/d2/f");
        assert_eq!(tree.at(ROOT, b"d"), None);
        tree.moved((dir, b"d2"), (ROOT, b"up"), None);
        assert_eq!(path(&tree, file).unwrap(), "up/f");
    }

    #[test]
    fn what_is_forgotten_is_dropped_with_the_directories_that_it_kept() {
        let mut tree = Tree::new();
        let dir = found(&mut tree, ROOT, "d", 2);
        let file = found(&mut tree, dir, "f", 3);
        tree.forget(dir, 1);
        assert_eq!((tree.len(), path(&tree, file).unwrap().as_str()), (3, "d/f"));
        tree.forget(file, 1);
        assert_eq!(tree.len(), 1);
        assert_eq!(tree.at(ROOT, b"d"), None);
    }

    #[test]
    fn a_number_that_the_tree_gave_is_kept_after_forget() {
        let mut tree = Tree::new();
        let file = found(&mut tree, ROOT, "f", 0);
        let id = tree.shown_id(file, ObjectId { device: 0, number: 0, generation: 0 });
        tree.forget(file, 1);
        let again = found(&mut tree, ROOT, "f", 0);
        assert_eq!(tree.shown_id(again, ObjectId { device: 0, number: 0, generation: 0 }), id);
        tree.forget(again, 1);
        tree.removed(ROOT, b"f", None);
        assert_eq!(tree.len(), 1);
    }

    #[test]
    fn names_of_one_id_are_one_node_until_the_last_is_removed() {
        let mut tree = Tree::new();
        let one = found(&mut tree, ROOT, "a", 7);
        assert_eq!(found(&mut tree, ROOT, "b", 7), one);
        tree.removed(ROOT, b"a", None);
        assert_eq!(path(&tree, one).unwrap(), "b");
        tree.removed(ROOT, b"b", None);
        assert_eq!(path(&tree, one), None);
        // Somebody else may have the number now.
        assert_ne!(found(&mut tree, ROOT, "b", 7), one);
    }

    #[test]
    fn an_object_replaced_behind_our_back_is_another_node() {
        let mut tree = Tree::new();
        let old = found(&mut tree, ROOT, "f", 7);
        let new = found(&mut tree, ROOT, "f", 8);
        assert_ne!(old, new);
        assert_eq!((path(&tree, old), path(&tree, new).unwrap().as_str()), (None, "f"));
    }

    #[test]
    fn a_rename_between_names_of_one_file_changes_nothing() {
        let mut tree = Tree::new();
        let file = found(&mut tree, ROOT, "a", 7);
        tree.linked(file, ROOT, b"b");
        tree.moved((ROOT, b"a"), (ROOT, b"b"), None);
        assert_eq!((tree.at(ROOT, b"a"), tree.at(ROOT, b"b")), (Some(file), Some(file)));
    }

    #[test]
    fn exchanged_directories_take_their_subtrees_along() {
        let mut tree = Tree::new();
        let (one, two) = (found(&mut tree, ROOT, "d1", 2), found(&mut tree, ROOT, "d2", 3));
        let (a, b) = (found(&mut tree, one, "a", 4), found(&mut tree, two, "b", 5));
        tree.exchanged((ROOT, b"d1"), (ROOT, b"d2"));
        assert_eq!(path(&tree, a).unwrap(), "d2/a");
        assert_eq!(path(&tree, b).unwrap(), "d1/b");
    }
}
