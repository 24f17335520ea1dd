//! Which files are running programs.
//!
//! The kernel refuses to write to them by itself. Only an open for reading that also cuts the file (`O_RDONLY|O_TRUNC`)
//! reaches a file system with atomic `O_TRUNC` before the kernel looks for `ETXTBSY`, so that the program would be lost.
//!
//! Invariant: a file is in the table as long as a handle that was opened for execution is. No lock is held across a
//! call of a provider.

use fs9_core::{Mount, OriginId};
use fs9_sdk::NodeId;
use parking_lot::Mutex;
use std::collections::HashMap;

/// The files that are open for execution, and how often each is. They are told apart by node, not by inode: a bind shows
/// the same file under another number.
#[derive(Default)]
pub(crate) struct Executions(Mutex<HashMap<(OriginId, NodeId), u64>>);

impl Executions {
    /// Counts one execution more.
    pub(crate) fn begin(&self, mount: &Mount, node: NodeId) {
        *self.0.lock().entry((mount.origin(), node)).or_default() += 1;
    }

    /// Ends one.
    pub(crate) fn end(&self, mount: &Mount, node: NodeId) {
        let (mut running, file) = (self.0.lock(), (mount.origin(), node));
        let left = running.get(&file).map_or(0, |count| count - 1);
        if left == 0 {
            running.remove(&file);
        } else {
            running.insert(file, left);
        }
    }

    /// Returns whether a file is open for execution, through whatever mount.
    pub(crate) fn runs(&self, mount: &Mount, node: NodeId) -> bool {
        self.0.lock().contains_key(&(mount.origin(), node))
    }
}

#[cfg(test)]
mod tests {
    use super::Executions;
    use fs9_core::{Mount, MountOptions, Namespace, VfsPath};
    use fs9_memory::{MemoryOptions, MemoryProvider};
    use fs9_sdk::NodeId;
    use std::sync::Arc;

    fn path(text: &str) -> VfsPath {
        VfsPath::parse(text.as_bytes()).unwrap()
    }

    fn mounted(namespace: &Namespace, at: &str) -> Arc<Mount> {
        let provider = Arc::new(MemoryProvider::new(MemoryOptions::default()).unwrap());
        namespace.mount(&path(at), provider, MountOptions::default()).unwrap()
    }

    #[test]
    fn a_program_runs_until_its_last_execution_ends() {
        let (namespace, executions) = (Namespace::new(), Executions::default());
        let mount = mounted(&namespace, "/a");
        executions.begin(&mount, NodeId(7));
        executions.begin(&mount, NodeId(7));
        executions.end(&mount, NodeId(7));
        assert!(executions.runs(&mount, NodeId(7)) && !executions.runs(&mount, NodeId(8)));
        executions.end(&mount, NodeId(7));
        executions.end(&mount, NodeId(7));
        assert!(!executions.runs(&mount, NodeId(7)));
    }

    #[test]
    fn a_program_runs_in_every_bind_and_in_no_other_mount() {
        let (namespace, executions) = (Namespace::new(), Executions::default());
        let (mount, other) = (mounted(&namespace, "/a"), mounted(&namespace, "/b"));
        let bind = namespace.bind(&path("/a"), &path("/c")).unwrap();
        executions.begin(&mount, NodeId(7));
        assert!(executions.runs(&bind, NodeId(7)) && !executions.runs(&other, NodeId(7)));
    }
}
