//! Which providers were told where to report their changes: each once, however often it is bound.
//!
//! Invariant: those that are not mounted any more do not add up. They are dropped when as many are known as at the last
//! look once more, so that a look costs little for each mount.

use fs9_core::{MountTable, OriginId};
use std::collections::HashSet;

/// Fewer than so many are not looked through.
const LOOK_MIN: usize = 16;

/// Providers that were told.
#[derive(Default)]
pub(super) struct Reporting {
    told: HashSet<OriginId>,
    /// So many were still mounted at the last look.
    mounted: usize,
}

impl Reporting {
    /// Notes that a provider is told, and returns whether it was not before. `table` is the present one.
    pub(super) fn begin(&mut self, origin: OriginId, table: &MountTable) -> bool {
        if self.told.len() >= LOOK_MIN.max(2 * self.mounted) {
            let mounted: HashSet<OriginId> = table.mounts().map(|mount| mount.origin()).collect();
            self.told.retain(|origin| mounted.contains(origin));
            self.mounted = self.told.len();
        }
        self.told.insert(origin)
    }

    /// Notes that a provider that was told is in the table by now: a look before that may have dropped it.
    pub(super) fn keep(&mut self, origin: OriginId) {
        self.told.insert(origin);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Frontend, FuseOptions};
    use fs9_core::{MountOptions, Namespace, VfsPath};
    use fs9_memory::{MemoryOptions, MemoryProvider};
    use std::sync::Arc;

    /// Symptom: memory grew with every mount and unmount in a loop. Cause: each provider ever served was remembered. Fix:
    /// those that are gone are dropped.
    #[test]
    fn providers_that_come_and_go_do_not_add_up() {
        const STAYING: usize = 20;
        let namespace = Namespace::new();
        let frontend = Frontend::new(Arc::clone(&namespace), FuseOptions::default());
        let path = |text: &str| VfsPath::parse(text.as_bytes()).unwrap();
        let mount = |text: &str| {
            let provider = Arc::new(MemoryProvider::new(MemoryOptions::default()).unwrap());
            namespace.mount(&path(text), provider, MountOptions::default()).unwrap().origin()
        };
        let staying: Vec<_> = (0..STAYING).map(|number| mount(&format!("/stays{number}"))).collect();
        for _ in 0..1000 {
            mount("/goes");
            namespace.unmount(&path("/goes"), false).unwrap();
        }
        let reporting = frontend.reporting.lock();
        assert!(reporting.told.len() <= 2 * STAYING + 1, "{} are remembered", reporting.told.len());
        assert!(staying.iter().all(|origin| reporting.told.contains(origin)), "a bind would be told again");
    }
}
