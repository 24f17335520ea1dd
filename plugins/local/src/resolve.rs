//! From a node to a descriptor on its object, and back again under a bound on descriptors.
//!
//! Invariants: what is found again is the same inode, or the answer is `ESTALE`; a descriptor is given up only if
//! something else leads to its inode.

use crate::LocalProvider;
use crate::backing::is_out_of_descriptors;
use crate::node::{Access, Found, Key, Node, Recall, Victim, Whereabouts};
use crate::stat::Stat;
use fs9_sdk::{Entry, Error, ErrorKind, Name, NodeId, Place, Result};
use fs9_sys::take_handle;
use rustix::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Directories between a node and the nearest one that is open. Deeper trees exist, but a walk is bounded, since
/// renames behind our back can tie recorded places into a circle.
const WALK_MAX: usize = 1 << 16;

/// How often a node is looked for. Once more is enough unless it moves again in the same moment, as a name does that a
/// program renames in a loop.
const RESOLVE_TRIES: usize = 32;

/// Descriptors given up for each that is one too many: more than one, so that a shard that grew shrinks again.
const EVICTED_AT_ONCE: usize = 2;

/// How long to wait for a descriptor: for thousands of files that are gone, closing the last descriptor deletes the data.
const ROOM_PATIENCE: Duration = Duration::from_secs(5);

/// How often to look for one meanwhile.
const ROOM_STEP: Duration = Duration::from_millis(1);

/// Descriptors given up when the process has none left.
const RELIEF: usize = 32;

impl LocalProvider {
    /// Returns a node to work with.
    pub(crate) fn node(&self, id: NodeId) -> Result<Node> {
        if id == NodeId::ROOT {
            return Ok(self.root.clone());
        }
        // Between learning where a node is and going there, it may move or lose its name. Whoever does that leaves the
        // node open before, so that the next look finds it.
        for _ in 1..RESOLVE_TRIES {
            match self.resolve(id) {
                Err(error) if error.kind() == ErrorKind::Stale => {}
                resolved => return resolved,
            }
        }
        self.resolve(id)
    }

    fn resolve(&self, id: NodeId) -> Result<Node> {
        match self.nodes.access(id) {
            Access::Open(node) => Ok(node),
            Access::Handle(found, handle) => {
                let device = self.devices.get(found.key.device);
                let fd = self.with_room(|| Ok(device.open_by_handle(&handle)?))?;
                self.adopt(id, &found, fd)
            }
            Access::Place(found, place) => self.walk(id, found, place),
            Access::Gone => Err(ErrorKind::Stale.into()),
        }
    }

    fn adopt(&self, id: NodeId, found: &Found, fd: OwnedFd) -> Result<Node> {
        let node = self.nodes.adopt(id, found, fd).ok_or(ErrorKind::Stale)?;
        self.make_room(id);
        Ok(node)
    }

    /// Finds a node by the names that led to it.
    fn walk(&self, id: NodeId, found: Found, place: Whereabouts) -> Result<Node> {
        let mut way = vec![(id, found, place)];
        let mut dir = loop {
            let parent = way.last().map_or(NodeId::ROOT, |(_, _, place)| place.parent);
            if parent == NodeId::ROOT {
                break self.root.clone();
            }
            match self.nodes.access(parent) {
                Access::Place(found, place) if way.len() < WALK_MAX => way.push((parent, found, place)),
                Access::Place(..) => return Err(ErrorKind::Stale.into()),
                Access::Open(_) | Access::Handle(..) | Access::Gone => break self.node(parent)?,
            }
        };
        while let Some((id, found, place)) = way.pop() {
            let name = Name::new(&place.name)?;
            let opened = self.with_room(|| self.backing.open_entry(&dir.descriptor, name));
            let fd = opened.map_err(lost)?;
            let stat = Stat::of(&fd)?;
            if !self.found(&fd, &stat).is_same(&found) {
                return Err(ErrorKind::Stale.into());
            }
            dir = self.adopt(id, &found, fd)?;
        }
        Ok(dir)
    }

    /// Describes an inode to the node table.
    pub(crate) fn found(&self, file: impl AsFd, stat: &Stat) -> Found {
        Found {
            key: Key { device: self.devices.index_of(file, stat), number: stat.number },
            generation: stat.generation,
            kind: stat.kind,
            privileged: stat.permissions() & 0o6000 != 0,
        }
    }

    /// Counts a lookup of what was found at a place, or was made without one, and returns it.
    pub(crate) fn admit(&self, place: Option<Place<'_>>, fd: OwnedFd, stat: &Stat) -> Entry {
        let found = self.found(&fd, stat);
        let attr = stat.attr(self.devices.public(found.key.device));
        if found.key == self.root_key {
            return Entry { node: NodeId::ROOT, attr };
        }
        // What has neither keeps its descriptor: an eviction finds it without a name.
        let by_name = place.filter(|_| !self.devices.has_handles(found.key.device));
        let node = self.nodes.intern(&found, fd, by_name.map(Whereabouts::from).as_ref());
        self.make_room(node);
        Entry { node, attr }
    }

    /// Gives up descriptors if there are too many around this node.
    fn make_room(&self, near: NodeId) {
        for _ in 0..EVICTED_AT_ONCE {
            let Some((shard, victim)) = self.nodes.victim_near(near) else { return };
            self.give_up(shard, &victim);
        }
    }

    /// Does something that takes a descriptor. If the process has none left, nodes give up theirs and it is tried again.
    /// Nodes that lost their last name keep theirs until the kernel forgets them. It says so in messages that may come behind
    /// those that remove names, so that they are waited for before it is given up.
    pub(crate) fn with_room<T>(&self, f: impl Fn() -> Result<T>) -> Result<T> {
        let begin = Instant::now();
        loop {
            match f() {
                Err(error) if is_out_of_descriptors(&error) && begin.elapsed() < ROOM_PATIENCE => {
                    if !self.relieve() {
                        std::thread::sleep(ROOM_STEP);
                    }
                }
                result => return result,
            }
        }
    }

    fn relieve(&self) -> bool {
        let mut relieved = false;
        for _ in 0..RELIEF {
            let Some((shard, victim)) = self.nodes.victim_anywhere() else { break };
            relieved |= self.give_up(shard, &victim);
        }
        relieved
    }

    /// Gives up a descriptor if its inode can be found again.
    fn give_up(&self, shard: usize, victim: &Victim) -> bool {
        if !self.evictions.begin() {
            return false;
        }
        let Ok(stat) = Stat::of(&victim.descriptor) else { return false };
        if stat.nlink() == 0 {
            self.nodes.spare(shard, victim);
            return false;
        }
        let recall = match victim.wants_handle.then(|| take_handle(&victim.descriptor)) {
            None => None,
            Some(Ok(handle)) => Some(Recall::Handle(handle)),
            Some(Err(_)) => {
                self.nodes.spare(shard, victim);
                return false;
            }
        };
        self.nodes.retire(shard, victim, recall)
    }
}

/// Turns "it is not there" into "the node is lost".
fn lost(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::TooManySymlinks => {
            ErrorKind::Stale.into()
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use crate::{LocalOptions, LocalProvider};
    use fs9_sdk::ErrorKind;
    use std::cell::Cell;

    /// Symptom: `rm -r` of some ten thousand files gave EMFILE on a busy machine. Likely cause: by io_uring, what the kernel
    /// forgets comes apart from what is removed, and later, so that files that are gone keep all descriptors. Fix: whoever
    /// needs one waits for it.
    #[test]
    fn who_needs_a_descriptor_waits_for_one_that_is_about_to_be_closed() {
        let directory = tempfile::tempdir().unwrap();
        let provider = LocalProvider::open(directory.path(), LocalOptions::default()).unwrap();
        let in_vain = Cell::new(5);
        let taken = provider.with_room(|| match in_vain.get() {
            0 => Ok(()),
            left => {
                in_vain.set(left - 1);
                Err(ErrorKind::TooManyOpenFiles.into())
            }
        });
        taken.unwrap();
        let other = provider.with_room(|| Err::<(), _>(ErrorKind::NotFound.into()));
        assert_eq!(other.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
