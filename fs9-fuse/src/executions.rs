//! Which inodes are running programs.
//!
//! The kernel refuses to write to them by itself. Only an open for reading that also cuts the file (`O_RDONLY|O_TRUNC`)
//! reaches a file system with atomic `O_TRUNC` before the kernel looks for `ETXTBSY`, so that the program would be lost.
//!
//! Invariant: an inode is in the table as long as a handle that was opened for execution is. No lock is held across a
//! call of a provider.

use crate::inode::Ino;
use parking_lot::Mutex;
use std::collections::HashMap;

/// The inodes that are open for execution, and how often each is.
#[derive(Default)]
pub(crate) struct Executions(Mutex<HashMap<Ino, u64>>);

impl Executions {
    /// Counts one execution more.
    pub(crate) fn begin(&self, ino: Ino) {
        *self.0.lock().entry(ino).or_default() += 1;
    }

    /// Ends one.
    pub(crate) fn end(&self, ino: Ino) {
        let mut running = self.0.lock();
        let left = running.get(&ino).map_or(0, |count| count - 1);
        if left == 0 {
            running.remove(&ino);
        } else {
            running.insert(ino, left);
        }
    }

    /// Returns whether an inode is open for execution.
    pub(crate) fn runs(&self, ino: Ino) -> bool {
        self.0.lock().contains_key(&ino)
    }
}

#[cfg(test)]
mod tests {
    use super::Executions;
    use crate::inode::Ino;

    #[test]
    fn a_program_runs_until_its_last_execution_ends() {
        let executions = Executions::default();
        executions.begin(Ino(7));
        executions.begin(Ino(7));
        executions.end(Ino(7));
        assert!(executions.runs(Ino(7)) && !executions.runs(Ino(8)));
        executions.end(Ino(7));
        executions.end(Ino(7));
        assert!(!executions.runs(Ino(7)));
    }
}
