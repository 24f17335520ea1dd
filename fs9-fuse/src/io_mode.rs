//! How the data of an open inode moves: through the daemon, or past it.
//!
//! Invariant: the kernel answers `EIO` to a mixture, so the first open of an inode decides, all later ones get the mode
//! in force, and it ends with the last release. All opens of one inode share one registered descriptor.
//! Lock order: one shard alone; no provider and no kernel is called under it.

use crate::inode::Ino;
use crate::reply::Backing;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Shards: more than threads, so that two rarely want the same one.
const SHARDS: u64 = 64;

/// How the data of an inode moves.
#[derive(Clone)]
pub(crate) enum IoMode {
    /// Reads and writes reach the provider.
    Daemon,
    /// The kernel reads and writes the backing file.
    Passthrough(Backing),
}

impl IoMode {
    /// Returns the registered descriptor, if there is one.
    pub(crate) fn backing(self) -> Option<Backing> {
        match self {
            IoMode::Daemon => None,
            IoMode::Passthrough(backing) => Some(backing),
        }
    }
}

struct OpenInode {
    mode: IoMode,
    opens: u64,
}

/// The modes of all open inodes.
pub(crate) struct IoModes {
    shards: Box<[Mutex<HashMap<Ino, OpenInode>>]>,
}

impl IoModes {
    /// Returns a table without open inodes.
    pub(crate) fn new() -> IoModes {
        IoModes { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, ino: Ino) -> &Mutex<HashMap<Ino, OpenInode>> {
        &self.shards[(ino.0 % SHARDS) as usize]
    }

    /// Counts one open more and returns the mode in force, or the one that `choose` returns if it is the first.
    pub(crate) fn enter(&self, ino: Ino, choose: impl FnOnce() -> IoMode) -> IoMode {
        if let Some(open) = self.shard(ino).lock().get_mut(&ino) {
            open.opens += 1;
            return open.mode.clone();
        }
        // Without the lock, because this asks provider and kernel. Of two first opens, one wins and the other's
        // registration goes unused.
        let mode = choose();
        let mut shard = self.shard(ino).lock();
        let open = shard.entry(ino).or_insert(OpenInode { mode, opens: 0 });
        open.opens += 1;
        open.mode.clone()
    }

    /// Ends one open, and returns whether its data moved past the daemon.
    pub(crate) fn leave(&self, ino: Ino) -> bool {
        let mut shard = self.shard(ino).lock();
        let Some(open) = shard.get_mut(&ino) else { return false };
        open.opens -= 1;
        let passed = matches!(open.mode, IoMode::Passthrough(_));
        let ended = if open.opens == 0 { shard.remove(&ino) } else { None };
        drop(shard);
        // Ending a registration is a system call.
        drop(ended);
        passed
    }

    /// Returns the number of inodes that are open.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{IoMode, IoModes};
    use crate::inode::Ino;
    use crate::reply::Backing;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts registrations that were ended.
    struct Registration(Arc<AtomicUsize>);

    impl Drop for Registration {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn all_opens_share_the_first_registration_until_the_last_release() {
        let (modes, ended) = (IoModes::new(), Arc::new(AtomicUsize::new(0)));
        let choose = || IoMode::Passthrough(Backing::new(Registration(Arc::clone(&ended))));
        let first = modes.enter(Ino(7), choose).backing().unwrap();
        let second = modes.enter(Ino(7), || IoMode::Daemon).backing().unwrap();
        assert!(first.is(&second));
        drop((first, second));
        modes.leave(Ino(7));
        assert_eq!(ended.load(Ordering::Relaxed), 0);
        modes.leave(Ino(7));
        assert_eq!((ended.load(Ordering::Relaxed), modes.len()), (1, 0));
    }

    #[test]
    fn an_inode_that_goes_through_the_daemon_stays_so_until_the_last_release() {
        let modes = IoModes::new();
        assert!(modes.enter(Ino(7), || IoMode::Daemon).backing().is_none());
        let passthrough = || IoMode::Passthrough(Backing::new(()));
        assert!(modes.enter(Ino(7), passthrough).backing().is_none());
        assert!(modes.enter(Ino(8), passthrough).backing().is_some());
        modes.leave(Ino(7));
        modes.leave(Ino(7));
        assert!(modes.enter(Ino(7), passthrough).backing().is_some());
    }
}
