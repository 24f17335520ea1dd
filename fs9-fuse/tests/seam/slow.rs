//! A provider that runs on threads of its own and hangs in one operation while a gate is closed.

use fs9_core::layers::{Intent, Interceptor, Layered};
use fs9_sdk::{Call, Capabilities, ErrorKind, Execution, Operation, Provider, Result};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Within so long everything happens that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct State {
    closed: bool,
    waiting: usize,
    begun: usize,
}

/// Where calls wait.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().closed = false;
        self.opened.notify_all();
    }

    /// Returns how many calls have come here, ever.
    pub(crate) fn begun(&self) -> usize {
        self.state.lock().begun
    }

    /// Waits until so many calls wait here.
    pub(crate) fn wait_for(&self, waiting: usize) {
        self.wait_until(|state| state.waiting == waiting);
    }

    fn wait_until(&self, condition: impl Fn(&State) -> bool) {
        let begin = Instant::now();
        loop {
            let state = self.state.lock();
            if condition(&state) {
                return;
            }
            let State { begun, waiting, .. } = *state;
            assert!(begin.elapsed() < PATIENCE, "{begun} calls came and {waiting} wait");
            drop(state);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn pass(&self) {
        let mut state = self.state.lock();
        state.begun += 1;
        state.waiting += 1;
        while state.closed {
            self.opened.wait(&mut state);
        }
        state.waiting -= 1;
    }
}

/// How a provider hangs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hangs {
    /// Before the operation is done.
    Before,
    /// When it is done.
    After,
    /// Until the call is cancelled, which it notices at once.
    UntilCancelled,
}

struct Slow(Arc<Gate>, Operation, Hangs);

impl Interceptor for Slow {
    fn call<T>(&self, intent: Intent, call: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        if intent.operation != self.1 {
            return forward();
        }
        match (self.2, call) {
            (Hangs::Before, _) => {
                self.0.pass();
                forward()
            }
            (Hangs::After, _) => {
                let result = forward();
                self.0.pass();
                result
            }
            (Hangs::UntilCancelled, Some(call)) if self.0.state.lock().closed => {
                self.0.state.lock().waiting += 1;
                let cancelled = call.cancellation.wait_for(Duration::from_secs(60));
                assert!(cancelled, "nobody cancels");
                Err(ErrorKind::Interrupted.into())
            }
            (Hangs::UntilCancelled, _) => forward(),
        }
    }

    fn capabilities(&self, inner: Capabilities) -> Capabilities {
        Capabilities { execution: Execution::MayBlock, ..inner }
    }
}

/// Opens the gate at the end of a test, also when it panics, so that no thread stays.
pub(crate) struct OpenAtEnd(pub(crate) Arc<Gate>);

impl Drop for OpenAtEnd {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Returns a provider that hangs so in one operation, while the gate is closed, and otherwise does what `inner` does.
pub(crate) fn slow(
    inner: Arc<dyn Provider>,
    operation: Operation,
    hangs: Hangs,
) -> (Arc<dyn Provider>, OpenAtEnd) {
    let gate = Arc::new(Gate::default());
    let slow = Layered::new(inner, Slow(Arc::clone(&gate), operation, hangs));
    (Arc::new(slow), OpenAtEnd(gate))
}
