//! Mounts that are made by writing to a file of the mount itself, as the control directory does it.

use crate::support::{Mounted, memory, names};
use fs9_core::layers::{Intent, Interceptor, Layered};
use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_fuse::FuseOptions;
use fs9_sdk::{Call, Operation, Result};
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

/// Mounts something at `/new-NUMBER` at each write.
pub(crate) struct MountsAtWrite {
    namespace: Weak<Namespace>,
    number: AtomicU32,
}

impl MountsAtWrite {
    pub(crate) fn new(namespace: &Arc<Namespace>) -> MountsAtWrite {
        MountsAtWrite { namespace: Arc::downgrade(namespace), number: AtomicU32::new(0) }
    }
}

impl Interceptor for MountsAtWrite {
    fn call<T>(&self, intent: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        if intent.operation == Operation::Write
            && let Some(namespace) = self.namespace.upgrade()
        {
            let path = format!("/new-{}", self.number.fetch_add(1, Ordering::Relaxed));
            namespace.mount(&VfsPath::parse(path.as_bytes())?, memory(), MountOptions::default())?;
        }
        forward()
    }
}

#[test]
fn a_mount_is_there_when_the_write_that_asked_for_it_returns() {
    for threads in [1, 2] {
        let namespace = Namespace::new();
        namespace.mount(&VfsPath::root(), memory(), MountOptions::default()).unwrap();
        let policy = MountsAtWrite::new(&namespace);
        let control = Arc::new(Layered::new(memory(), policy));
        let path = VfsPath::parse(b"/control").unwrap();
        namespace.mount(&path, control, MountOptions::default()).unwrap();
        let options = FuseOptions { max_threads: Some(threads), ..FuseOptions::default() };
        let mounted = Mounted::namespace(namespace, options);
        for number in 0..50 {
            let new = mounted.path().join(format!("new-{number}"));
            assert!(fs::metadata(&new).is_err());
            fs::write(mounted.path().join("control/ctl"), "mount").unwrap();
            assert_eq!(names(&new), [""; 0]);
        }
        assert_eq!(names(mounted.path()).len(), 51);
    }
}
