//! The provider on a thread of its own, as in a server: it may change the identity, umask and capabilities of the
//! threads that call it, which the native side must not inherit.

use super::answer::{Driver, Item, Outcome};
use super::in_process::InProcess;
use super::operation::Operation;
use crate::Subject;
use fs9_sdk::ErrorKind;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// Something to be done on the thread.
type Job = Box<dyn FnOnce(&mut InProcess) + Send>;

/// A provider that is called on a thread of its own, which ends with this.
pub(super) struct Worker {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread and moves the provider there.
    pub(super) fn start(subject: Subject, umask: u32) -> Worker {
        let (jobs, queue) = channel::<Job>();
        let thread = std::thread::spawn(move || {
            let mut provider = InProcess::new(subject, umask);
            for job in queue {
                job(&mut provider);
            }
        });
        Worker { jobs: Some(jobs), thread: Some(thread) }
    }

    fn ask<T: Send + 'static>(&self, f: impl FnOnce(&mut InProcess) -> T + Send + 'static) -> T {
        let (reply, answer) = channel();
        // Nobody waits for the reply only if this thread panicked meanwhile.
        let job = Box::new(move |provider: &mut InProcess| drop(reply.send(f(provider))));
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        match answer.recv() {
            Ok(answer) if sent => answer,
            _ => panic!("the provider panicked"),
        }
    }
}

impl Driver for Worker {
    fn apply(&mut self, operation: &Operation) -> Outcome {
        let operation = operation.clone();
        self.ask(move |provider| provider.apply(&operation))
    }

    fn tree(&mut self) -> Result<Vec<Item>, ErrorKind> {
        self.ask(Driver::tree)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // Its panic has failed the test already.
        drop(self.thread.take().map(JoinHandle::join));
    }
}
