//! All objects that are alive, by number.
//!
//! Invariant: an object is here from its creation until it is reaped. Sharded, so that lookups of different objects
//! seldom meet. Lock order: a shard's lock is taken last and nothing is dropped or called with it held.

use crate::node::Node;
use fs9_sdk::{Error, ErrorKind, NodeId, Result};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Number of shards: a power of two well above the number of request threads.
const SHARDS: u64 = 64;

/// Spreads consecutive numbers by a multiplication (Fibonacci hashing); the numbers are our own, so nobody can
/// choose them to collide.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

type Shard = RwLock<HashMap<u64, Arc<Node>, BuildHasherDefault<NumberHasher>>>;

/// All objects that are alive, by number.
pub(crate) struct NodeTable {
    shards: Box<[Shard]>,
    last_number: AtomicU64,
}

impl NodeTable {
    /// Returns an empty table, which gives the root's number first.
    pub(crate) fn new() -> NodeTable {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        NodeTable { shards, last_number: AtomicU64::new(NodeId::ROOT.0 - 1) }
    }

    /// Returns a number that no object had or will have.
    pub(crate) fn next_number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds an object.
    pub(crate) fn insert(&self, node: Arc<Node>) {
        let number = node.number();
        let former = self.shard(number).write().insert(number, node);
        assert!(former.is_none(), "object number {number} was given twice");
    }

    /// Returns an object that is alive.
    ///
    /// # Errors
    /// `ESTALE` if it is not.
    pub(crate) fn get(&self, id: NodeId) -> Result<Arc<Node>> {
        let found = self.shard(id.0).read().get(&id.0).cloned();
        found.ok_or_else(|| Error::new(ErrorKind::Stale))
    }

    /// Takes an object out; of several who try, one gets it.
    pub(crate) fn remove(&self, number: u64) -> Option<Arc<Node>> {
        self.shard(number).write().remove(&number)
    }

    /// Takes the entries out of every directory.
    ///
    /// Directories own what they hold; without this, dropping a tree would recurse as deeply as the tree is.
    pub(crate) fn unlink_all(&self) {
        for shard in &self.shards {
            for node in shard.write().values() {
                if let Ok(directory) = node.directory() {
                    directory.entries.write().clear();
                }
            }
        }
    }

    fn shard(&self, number: u64) -> &Shard {
        &self.shards[(number % SHARDS) as usize]
    }
}
