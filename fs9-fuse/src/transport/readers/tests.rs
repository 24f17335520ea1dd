//! Threads as the kernel would use them.

use super::{Awake, Readers};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request that says when it begins and ends when it is told to.
struct Job {
    is_slow: bool,
    begun: Sender<()>,
    end: Receiver<()>,
}

/// A kernel that hands requests to whoever asks, and threads that serve them.
struct Mount {
    requests: Option<Sender<Job>>,
    threads: Vec<std::thread::JoinHandle<()>>,
    readers: Arc<Readers>,
}

impl Mount {
    fn new(threads: usize) -> Mount {
        let readers = Readers::new(threads, Awake::default());
        let (requests, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let serve = |_| {
            let (readers, queue) = (Arc::clone(&readers), Arc::clone(&queue));
            std::thread::spawn(move || {
                loop {
                    let Ok(job) = queue.lock().unwrap().recv() else { return readers.end() };
                    let turn = readers.take_turn();
                    if job.is_slow {
                        turn.relieve();
                    }
                    job.begun.send(()).unwrap();
                    job.end.recv().unwrap();
                }
            })
        };
        Mount { requests: Some(requests), threads: (0..threads).map(serve).collect(), readers }
    }

    /// Sends a request and returns how to know that it began and how to end it.
    fn ask(&self, is_slow: bool) -> (Receiver<()>, Sender<()>) {
        let ((begun, begins), (ends, end)) = (channel(), channel());
        self.requests.as_ref().unwrap().send(Job { is_slow, begun, end }).unwrap();
        (begins, ends)
    }

    /// Does one request from begin to end.
    fn do_one(&self) {
        let (begins, ends) = self.ask(false);
        begins.recv_timeout(PATIENCE).unwrap();
        ends.send(()).unwrap();
    }

    /// Waits until all but one of the threads rest.
    fn settle(&self) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.readers.rest.lock().resting + 1 < self.threads.len() {
            assert!(std::time::Instant::now() < deadline, "surplus threads do not rest");
            self.do_one();
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.requests = None;
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

#[test]
fn all_threads_but_one_rest_and_all_end_with_the_mount() {
    for threads in 1..5 {
        let mount = Mount::new(threads);
        mount.settle();
    }
}

#[test]
fn a_thread_that_rests_steps_in_for_one_that_is_stuck() {
    let mount = Mount::new(3);
    mount.settle();
    let (begins, stuck) = mount.ask(false);
    begins.recv_timeout(PATIENCE).unwrap();
    mount.do_one();
    let (begins, stuck_too) = mount.ask(false);
    begins.recv_timeout(PATIENCE).unwrap();
    mount.do_one();
    stuck.send(()).unwrap();
    stuck_too.send(()).unwrap();
    mount.settle();
}

#[test]
fn a_thread_that_runs_does_not_sleep_and_one_that_waits_does() {
    let myself = rustix::thread::gettid().as_raw_nonzero().get();
    assert!(!super::sleeps(myself));
    let (tell, told) = channel();
    let (end, ended) = channel::<()>();
    let other = std::thread::spawn(move || {
        tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        ended.recv().unwrap();
    });
    let other_thread = told.recv_timeout(PATIENCE).unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while !super::sleeps(other_thread) {
        assert!(std::time::Instant::now() < deadline, "a thread that waits never sleeps");
    }
    end.send(()).unwrap();
    other.join().unwrap();
}

/// Symptom: a request that was stuck was not relieved on the second mount that a thread served. Cause: the thread kept
/// its seat of the first, so that one of the second stayed empty. Fix: it gives it up.
#[test]
fn a_thread_that_serves_one_mount_after_the_other_has_a_seat_in_each() {
    for _ in 0..2 {
        let readers = Readers::new(1, Awake::default());
        drop(readers.take_turn());
        assert!(readers.all_are_seated());
        readers.end();
    }
}

#[test]
fn a_slow_request_is_relieved_at_once() {
    let mount = Mount::new(2);
    mount.settle();
    let (begins, slow) = mount.ask(true);
    begins.recv_timeout(PATIENCE).unwrap();
    mount.do_one();
    slow.send(()).unwrap();
}

#[test]
fn nobody_wakes_up_without_requests_and_watching_begins_again_with_them() {
    let mount = Mount::new(2);
    mount.settle();
    let asleep = || mount.readers.watcher_sleeps.load(super::Ordering::Acquire);
    let deadline = std::time::Instant::now() + PATIENCE;
    while !asleep() {
        assert!(std::time::Instant::now() < deadline, "the watcher never sleeps");
        std::thread::yield_now();
    }
    let (begins, stuck) = mount.ask(false);
    begins.recv_timeout(PATIENCE).unwrap();
    mount.do_one();
    stuck.send(()).unwrap();
}
