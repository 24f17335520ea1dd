//! A thread that reaps handles whose owner is gone.
//!
//! Invariant: the thread exists only while some handle has an owner that can vanish. It is woken by the first such
//! handle and ends when there is none left.
//! Lock order: `state` alone; it is not held during a sweep.

use crate::{HandleRegistry, OwnerId};
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Something that a registry wakes when there is something to sweep.
pub(crate) trait Wake: Send + Sync {
    /// There is something to sweep.
    fn wake(&self);
}

#[derive(Default)]
struct State {
    thread_runs: bool,
    closed: bool,
}

/// Tells whether an owner still exists.
type Alive = dyn Fn(OwnerId) -> bool + Send + Sync;
/// Takes what was open.
type Reaped<T> = dyn Fn(Arc<T>) + Send + Sync;

struct Shared<T> {
    registry: Weak<HandleRegistry<T>>,
    interval: Duration,
    alive: Box<Alive>,
    reaped: Box<Reaped<T>>,
    state: Mutex<State>,
    closed: Condvar,
    this: Weak<Shared<T>>,
}

/// Sweeps a registry while there is something to sweep; dropping it ends that.
pub struct Sweeper<T: Send + Sync + 'static> {
    shared: Arc<Shared<T>>,
}

impl<T: Send + Sync + 'static> Sweeper<T> {
    /// Sweeps `registry` every `interval`: handles for whose owner `alive` is false are removed and given to `reaped`.
    /// Returns `None` if the registry has a sweeper.
    pub fn attach(
        registry: &Arc<HandleRegistry<T>>,
        interval: Duration,
        alive: impl Fn(OwnerId) -> bool + Send + Sync + 'static,
        reaped: impl Fn(Arc<T>) + Send + Sync + 'static,
    ) -> Option<Sweeper<T>> {
        let shared = Arc::new_cyclic(|this| Shared {
            registry: Arc::downgrade(registry),
            interval,
            alive: Box::new(alive),
            reaped: Box::new(reaped),
            state: Mutex::default(),
            closed: Condvar::new(),
            this: Weak::clone(this),
        });
        let wake: Arc<dyn Wake> = Arc::clone(&shared) as Arc<dyn Wake>;
        registry.set_sweeper(wake).then_some(Sweeper { shared })
    }

    /// Returns whether its thread runs.
    pub fn is_running(&self) -> bool {
        self.shared.state.lock().thread_runs
    }
}

impl<T: Send + Sync + 'static> Drop for Sweeper<T> {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.closed.notify_one();
    }
}

impl<T: Send + Sync + 'static> Wake for Shared<T> {
    fn wake(&self) {
        let mut state = self.state.lock();
        let Some(this) = self.this.upgrade() else { return };
        if state.thread_runs || state.closed {
            return;
        }
        let started = std::thread::Builder::new().name("fs9-sweeper".into()).spawn(move || this.run());
        match started {
            Ok(_) => state.thread_runs = true,
            Err(error) => tracing::error!(%error, "no thread to sweep handles"),
        }
    }
}

impl<T> Shared<T> {
    fn run(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            let Some(registry) = self.registry.upgrade() else { break };
            // Looked at under the lock that `wake` takes: a handle that comes after this starts a new thread.
            if registry.mortal() == 0 {
                break;
            }
            drop(registry);
            let _ = self.closed.wait_for(&mut state, self.interval);
            if state.closed {
                break;
            }
            parking_lot::MutexGuard::unlocked(&mut state, || self.sweep());
        }
        state.thread_runs = false;
    }

    fn sweep(&self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.sweep(&self.alive).into_iter().for_each(&self.reaped);
        }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Sweeper<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweeper").field("running", &self.is_running()).finish_non_exhaustive()
    }
}
