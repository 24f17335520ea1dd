//! Directories whose names are being taken away.
//!
//! Whoever takes a name from an object first makes sure that its node is not lost. Meanwhile nobody else may lead that
//! name to another object, which would be lost in its stead. So removals and renames that care have their directories for
//! themselves. They wait for nothing that the backing would not let them wait for: the kernel locks the same directories
//! for each of them (`Documentation/filesystems/directory-locking.rst` of Linux).
//!
//! Invariant: no directory is listed twice. Lock order: `state` alone; it is not held while a directory is busy.

use fs9_sdk::NodeId;
use parking_lot::{Condvar, Mutex};

/// The directories that are busy.
#[derive(Default)]
pub(crate) struct BusyDirectories {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// One or two of each call under way.
    busy: Vec<NodeId>,
    /// Calls that wait for their turn.
    waiting: usize,
}

/// Keeps one or two directories busy.
pub(crate) struct Busy<'a> {
    all: &'a BusyDirectories,
    directories: [NodeId; 2],
}

impl BusyDirectories {
    /// Waits until neither directory is busy, and makes both so; they may be the same.
    pub(crate) fn occupy(&self, first: NodeId, second: NodeId) -> Busy<'_> {
        let mut state = self.state.lock();
        // Both or none: who has one and waits for the other could wait for ever.
        while state.busy.contains(&first) || state.busy.contains(&second) {
            state.waiting += 1;
            self.changed.wait(&mut state);
            state.waiting -= 1;
        }
        state.busy.push(first);
        if second != first {
            state.busy.push(second);
        }
        Busy { all: self, directories: [first, second] }
    }

    /// Returns how many calls wait for their turn.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.all.state.lock();
        state.busy.retain(|directory| !self.directories.contains(directory));
        if state.waiting > 0 {
            self.all.changed.notify_all();
        }
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
        assert_eq!(busy.state.lock().busy, [NodeId(7)]);
    }
}
