//! A persistent map by name, made for finding one of very many with few steps through memory that no cache holds.
//!
//! A trie over the bits of a hash, sixteen ways wide, with up to [`LEAF_MAX`] values in a leaf. A copy is cheap, and
//! changing it copies O(log n): one node on each level. A search goes through branches, which are few and stay cached,
//! one leaf, which is one piece of memory, and the value that it looks for, which holds a short name itself.
//!
//! Invariants: a leaf is sorted by hash; the hashes in a node agree in the bits that led to it; a leaf has more than
//! [`LEAF_MAX`] values only where all their hash bits agree; a branch has more than [`MERGE_AT`] values, unless it has
//! branches below it.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Hash bits that one branch looks at.
const BITS: u32 = 4;
/// Ways out of a branch.
const WAYS: usize = 1 << BITS;
/// Levels after which no hash bits are left.
const LEVELS_MAX: u32 = u64::BITS / BITS;
/// Values in a leaf: eight cache lines. The branches above 100,000 values then fit the second-level cache.
const LEAF_MAX: usize = 32;
/// A branch with no more values becomes a leaf; well below [`LEAF_MAX`], so that one name that comes and goes does not
/// split and merge each time.
const MERGE_AT: usize = LEAF_MAX / 2;

/// Something with a name that never changes.
pub(crate) trait Named {
    /// Returns the name.
    fn name(&self) -> &[u8];
}

struct Entry<V> {
    hash: u64,
    value: Arc<V>,
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Entry<V> {
        Entry { hash: self.hash, value: Arc::clone(&self.value) }
    }
}

enum Node<V> {
    Branch(Arc<[Node<V>]>),
    Leaf(Arc<[Entry<V>]>),
}

impl<V> Clone for Node<V> {
    fn clone(&self) -> Node<V> {
        match self {
            Node::Branch(ways) => Node::Branch(Arc::clone(ways)),
            Node::Leaf(entries) => Node::Leaf(Arc::clone(entries)),
        }
    }
}

/// A persistent map of named values.
pub(crate) struct NameMap<V, S = foldhash::quality::RandomState> {
    root: Node<V>,
    len: usize,
    hasher: S,
}

impl<V, S: Clone> Clone for NameMap<V, S> {
    fn clone(&self) -> NameMap<V, S> {
        NameMap { root: self.root.clone(), len: self.len, hasher: self.hasher.clone() }
    }
}

impl<V, S: Default> Default for NameMap<V, S> {
    fn default() -> NameMap<V, S> {
        NameMap { root: Node::Leaf(Arc::default()), len: 0, hasher: S::default() }
    }
}

impl<V: Named, S: BuildHasher> NameMap<V, S> {
    /// Returns the value of that name.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&Arc<V>> {
        let hash = self.hasher.hash_one(name);
        let (mut node, mut level) = (&self.root, 0);
        loop {
            match node {
                Node::Branch(ways) => node = ways.get(way(hash, level))?,
                Node::Leaf(entries) => {
                    let same_hash = entries.get(position(entries, hash, level)..)?;
                    let mut same_hash = same_hash.iter().take_while(|entry| entry.hash == hash);
                    return same_hash.find(|entry| entry.value.name() == name).map(|entry| &entry.value);
                }
            }
            level += 1;
        }
    }

    /// Adds a value, or replaces the one of its name.
    pub(crate) fn insert(&mut self, value: Arc<V>) {
        let hash = self.hasher.hash_one(value.name());
        if insert(&mut self.root, 0, Entry { hash, value }) {
            self.len += 1;
        }
    }

    /// Removes the value of that name.
    pub(crate) fn remove(&mut self, name: &[u8]) {
        let hash = self.hasher.hash_one(name);
        if self.get(name).is_some() {
            remove(&mut self.root, 0, hash, name);
            self.len -= 1;
        }
    }

    /// Returns whether there are no values.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<V, S> fmt::Debug for NameMap<V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameMap").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Returns which way a hash goes on a level; upper bits first, so that hashes sort as their ways.
fn way(hash: u64, level: u32) -> usize {
    (hash >> (u64::BITS - BITS * (level + 1))) as usize & (WAYS - 1)
}

/// Returns where the first of this hash is in a leaf, or would be. The bits below those that led here are as good as
/// evenly spread: they tell about where to look, so that few of the leaf's cache lines are touched.
fn position<V>(entries: &[Entry<V>], hash: u64, level: u32) -> usize {
    let fraction = if level < LEVELS_MAX { (hash << (BITS * level)) >> u32::BITS } else { 0 };
    let mut at = ((fraction * entries.len() as u64) >> u32::BITS) as usize;
    while at > 0 && entries.get(at - 1).is_some_and(|entry| entry.hash >= hash) {
        at -= 1;
    }
    while entries.get(at).is_some_and(|entry| entry.hash < hash) {
        at += 1;
    }
    at
}

/// Adds an entry below a node and returns whether its name is new.
fn insert<V: Named>(node: &mut Node<V>, level: u32, entry: Entry<V>) -> bool {
    let entries = match node {
        Node::Branch(ways) => {
            return insert(&mut Arc::make_mut(ways)[way(entry.hash, level)], level + 1, entry);
        }
        Node::Leaf(entries) => entries,
    };
    let at = position(entries, entry.hash, level);
    let same = entries.iter().enumerate().skip(at).take_while(|(_, old)| old.hash == entry.hash);
    let same = same.map(|(index, old)| (index, old.value.name() == entry.value.name()));
    if let Some((index, _)) = same.into_iter().find(|&(_, is_same)| is_same) {
        Arc::make_mut(entries)[index] = entry;
        return false;
    }
    let (before, after) = entries.split_at(at);
    let all = before.iter().cloned().chain([entry]).chain(after.iter().cloned());
    *node = leaf_or_branch(all.collect(), level);
    true
}

/// Returns a node for sorted entries.
fn leaf_or_branch<V>(entries: Vec<Entry<V>>, level: u32) -> Node<V> {
    if entries.len() <= LEAF_MAX || level == LEVELS_MAX {
        return Node::Leaf(entries.into());
    }
    let mut rest = entries.into_iter().peekable();
    let ways = (0..WAYS).map(|this| {
        let mut below = Vec::new();
        while let Some(entry) = rest.next_if(|entry| way(entry.hash, level) == this) {
            below.push(entry);
        }
        leaf_or_branch(below, level + 1)
    });
    Node::Branch(ways.collect())
}

/// Removes a name that is there.
fn remove<V: Named>(node: &mut Node<V>, level: u32, hash: u64, name: &[u8]) {
    match node {
        Node::Leaf(entries) => {
            let kept = entries.iter().filter(|entry| entry.hash != hash || entry.value.name() != name);
            *entries = kept.cloned().collect();
        }
        Node::Branch(ways) => {
            remove(&mut Arc::make_mut(ways)[way(hash, level)], level + 1, hash, name);
            if let Some(entries) = few_entries(ways) {
                *node = Node::Leaf(entries.into());
            }
        }
    }
}

/// Returns the entries of a branch that has few and only leaves, in their order.
fn few_entries<V>(ways: &[Node<V>]) -> Option<Vec<Entry<V>>> {
    let leaves = ways.iter().map(|way| match way {
        Node::Leaf(entries) => Some(entries),
        Node::Branch(_) => None,
    });
    let leaves: Vec<_> = leaves.collect::<Option<_>>()?;
    let few = leaves.iter().map(|entries| entries.len()).sum::<usize>() <= MERGE_AT;
    few.then(|| leaves.into_iter().flat_map(|entries| entries.iter().cloned()).collect())
}

/// A name, held in place where it is short.
#[derive(Clone)]
pub(crate) enum Label {
    /// Up to [`SHORT_MAX`] bytes.
    Short(u8, [u8; SHORT_MAX]),
    /// More.
    Long(Arc<[u8]>),
}

/// The longest name that is held in place: as long as it costs no more room than a long one.
const SHORT_MAX: usize = 22;

impl Label {
    /// Returns a label of these bytes.
    pub(crate) fn new(name: &[u8]) -> Label {
        let mut bytes = [0; SHORT_MAX];
        match bytes.get_mut(..name.len()) {
            Some(place) => {
                place.copy_from_slice(name);
                Label::Short(name.len() as u8, bytes)
            }
            None => Label::Long(Arc::from(name)),
        }
    }

    /// Returns the bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Label::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Label::Long(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LEAF_MAX, Label, NameMap, Named, Node};
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::hash::{BuildHasher, Hasher};
    use std::sync::Arc;

    #[derive(Debug, PartialEq)]
    struct Value(Vec<u8>, usize);

    impl Named for Value {
        fn name(&self) -> &[u8] {
            &self.0
        }
    }

    /// A hasher whose hashes agree in all but two bits, so that every branch down to the last level is used.
    #[derive(Clone, Default)]
    struct Poor(u64);

    impl Hasher for Poor {
        fn finish(&self) -> u64 {
            self.0 & 3
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0 = bytes.iter().fold(self.0, |sum, &byte| sum + u64::from(byte));
        }
    }

    impl BuildHasher for Poor {
        type Hasher = Poor;
        fn build_hasher(&self) -> Poor {
            self.clone()
        }
    }

    /// Inserts (true) and removes (false) names, and compares with a map of the standard library after each step; at
    /// the end, the copies taken on the way are as they were.
    fn compare<S: BuildHasher + Clone + Default>(steps: &[(bool, u8)]) {
        let (mut map, mut model) = (NameMap::<Value, S>::default(), HashMap::new());
        let mut copies = Vec::new();
        let check = |map: &NameMap<Value, S>, model: &HashMap<Vec<u8>, usize>| {
            for name in 0..=u8::MAX {
                let found = map.get(&[name]).map(|value| value.1);
                assert_eq!(found, model.get(&vec![name]).copied(), "{name}");
            }
            assert_eq!((map.len, map.is_empty()), (model.len(), model.is_empty()));
        };
        for (number, &(adds, name)) in steps.iter().enumerate() {
            if number % 16 == 0 {
                copies.push((map.clone(), model.clone()));
            }
            if adds {
                map.insert(Arc::new(Value(vec![name], number)));
                model.insert(vec![name], number);
            } else {
                map.remove(&[name]);
                model.remove(&vec![name]);
            }
        }
        copies.push((map, model));
        copies.iter().for_each(|(map, model)| check(map, model));
    }

    fn steps() -> impl Strategy<Value = Vec<(bool, u8)>> {
        // Rises and falls, so that branches are made and merged.
        let phase = |weight| {
            let adds = prop::bool::weighted(weight);
            prop::collection::vec((adds, any::<u8>()), 0..300)
        };
        (phase(0.9), phase(0.1), phase(0.5)).prop_map(|(a, b, c)| [a, b, c].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn it_behaves_as_a_map_and_copies_never_change(steps in steps()) {
            compare::<foldhash::quality::RandomState>(&steps);
        }

        #[test]
        fn it_behaves_as_a_map_also_when_hashes_collide(steps in steps()) {
            compare::<Poor>(&steps);
        }
    }

    #[test]
    fn a_map_that_shrinks_gives_its_branches_back() {
        let mut map = NameMap::<Value>::default();
        let name = |number: u32| number.to_be_bytes().to_vec();
        (0..5000).for_each(|number| map.insert(Arc::new(Value(name(number), 0))));
        assert!(matches!(map.root, Node::Branch(_)));
        (0..5000 - 3).for_each(|number| map.remove(&name(number)));
        assert!(matches!(&map.root, Node::Leaf(entries) if entries.len() == 3));
        const { assert!(super::MERGE_AT < LEAF_MAX) };
    }

    #[test]
    fn labels_keep_every_length() {
        for length in 0..=255 {
            let name: Vec<u8> = (0..length).collect();
            assert_eq!(Label::new(&name).as_bytes(), name);
        }
        assert_eq!(size_of::<Label>(), 24);
    }
}
