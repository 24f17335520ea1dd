//! Directories whose names are being taken away.
//!
//! Whoever takes a name from an object first makes sure that its node is not lost. Meanwhile nobody else may lead that
//! name to another object, which would be lost in its stead. So removals and renames that care have their directories for
//! themselves. They wait for nothing that the backing would not let them wait for: the kernel locks the same directories
//! for each of them (`Documentation/filesystems/directory-locking.rst` of Linux).
//!
//! Invariant: no directory is listed twice. Lock order: `list` alone; it is not held while a directory is busy.

use fs9_sdk::NodeId;
use parking_lot::{Condvar, Mutex};

/// The directories that are busy, as many as there are calls under way, or twice as many.
#[derive(Default)]
pub(crate) struct BusyDirectories {
    list: Mutex<Vec<NodeId>>,
    changed: Condvar,
}

/// Keeps one or two directories busy.
pub(crate) struct Busy<'a> {
    all: &'a BusyDirectories,
    directories: [NodeId; 2],
}

impl BusyDirectories {
    /// Waits until neither directory is busy, and makes both so; they may be the same.
    pub(crate) fn occupy(&self, first: NodeId, second: NodeId) -> Busy<'_> {
        let mut list = self.list.lock();
        // Both or none: who has one and waits for the other could wait for ever.
        while list.contains(&first) || list.contains(&second) {
            self.changed.wait(&mut list);
        }
        list.push(first);
        if second != first {
            list.push(second);
        }
        Busy { all: self, directories: [first, second] }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.all.list.lock().retain(|directory| !self.directories.contains(directory));
        self.all.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::BusyDirectories;
    use fs9_sdk::NodeId;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn two_who_need_the_same_directories_take_turns_whatever_the_order() {
        let busy = BusyDirectories::default();
        let inside = AtomicU32::new(0);
        let turns = |first, second| {
            for _ in 0..10_000 {
                let _busy = busy.occupy(NodeId(first), NodeId(second));
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                inside.fetch_sub(1, Ordering::SeqCst);
            }
        };
        let _other = busy.occupy(NodeId(7), NodeId(7));
        std::thread::scope(|scope| {
            scope.spawn(|| turns(1, 2));
            scope.spawn(|| turns(2, 1));
            scope.spawn(|| turns(2, 2));
        });
        assert_eq!(*busy.list.lock(), [NodeId(7)]);
    }
}
