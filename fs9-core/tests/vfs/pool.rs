//! What call pools promise: bounds, isolation, and exactly one answer to each call.

use crate::support::Tree;
use fs9_core::{CallPool, Delivery, MountOptions, Namespace, Reply, VfsPath, Watchdog};
use fs9_sdk::{Call, Caller, Cancellation, Deadline, Error, ErrorKind, Execution, Name, NodeId, Result};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const PATIENT: Duration = Duration::from_secs(60);

fn call_until(deadline: Deadline) -> Call {
    Call { deadline, cancellation: Cancellation::new(), ..Call::by(Caller::ROOT) }
}

fn after(limit: Duration) -> Call {
    call_until(Deadline::At(Instant::now() + limit))
}

/// What a caller was told.
type Told = std::result::Result<u32, ErrorKind>;

struct Channel(Sender<Told>);

impl Reply for Channel {
    fn refuse(self, error: Error) {
        self.0.send(Err(error.kind())).unwrap();
    }
}

/// Runs work that gives a number; returns what the caller is told, and what comes late.
fn run(
    pool: &CallPool,
    watchdog: &Watchdog,
    call: &Call,
    work: impl FnOnce() -> u32 + Send + 'static,
) -> (Receiver<Told>, Receiver<u32>) {
    let ((told, was_told), (late, came_late)) = (channel(), channel());
    pool.run(watchdog, call, Channel(told), work, move |delivery| match delivery {
        Delivery::InTime(reply, value) => reply.0.send(Ok(value)).unwrap(),
        Delivery::Late(value) => late.send(value).unwrap(),
    });
    (was_told, came_late)
}

#[test]
fn a_result_in_time_reaches_the_reply() {
    let (pool, watchdog) = (CallPool::new("test", 1, 1), Watchdog::default());
    let (told, late) = run(&pool, &watchdog, &after(PATIENT), || 7);
    assert_eq!(told.recv().unwrap(), Ok(7));
    assert!(told.recv().is_err() && late.recv().is_err());
    assert!(watchdog.is_empty());
}

#[test]
fn an_overdue_call_is_refused_cancelled_and_its_late_result_is_handed_out_to_be_undone() {
    let (pool, watchdog) = (CallPool::new("test", 1, 1), Watchdog::default());
    let (go, gate) = channel::<()>();
    let call = after(Duration::from_millis(20));
    let (told, late) = run(&pool, &watchdog, &call, move || {
        gate.recv().unwrap();
        7
    });
    assert_eq!(told.recv().unwrap(), Err(ErrorKind::TimedOut));
    assert!(call.cancellation.is_cancelled());
    assert_eq!(pool.load().timed_out, 1);
    go.send(()).unwrap();
    assert_eq!(late.recv().unwrap(), 7);
    assert!(told.recv().is_err(), "the reply was used twice");
}

#[test]
fn a_panic_is_told_as_an_io_error_and_its_thread_goes_on() {
    let (pool, watchdog) = (CallPool::new("test", 1, 8), Watchdog::default());
    for _ in 0..3 {
        let (told, _) = run(&pool, &watchdog, &after(PATIENT), || panic!("on purpose"));
        assert_eq!(told.recv().unwrap(), Err(ErrorKind::Io));
    }
    let result: Result<u32> = pool.call(&after(PATIENT), || panic!("on purpose"), drop);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(pool.call(&after(PATIENT), || 5, drop).unwrap(), 5);
    assert_eq!(pool.load().threads, 1);
}

#[test]
fn threads_and_queue_are_bounded_and_what_exceeds_them_is_told_to_try_again() {
    let (pool, watchdog) = (CallPool::new("test", 2, 3), Watchdog::default());
    let gate = Arc::new(Barrier::new(3));
    let hang = || {
        let gate = Arc::clone(&gate);
        move || {
            gate.wait();
            1
        }
    };
    let hanging = [(); 2].map(|()| run(&pool, &watchdog, &after(PATIENT), hang()).0);
    // Both threads have taken their call before the queue is filled.
    while pool.load().queued > 0 {
        std::thread::yield_now();
    }
    let queued = [(); 3].map(|()| run(&pool, &watchdog, &after(PATIENT), || 2).0);
    let (refused, _) = run(&pool, &watchdog, &after(PATIENT), || 3);
    assert_eq!(refused.recv().unwrap(), Err(ErrorKind::WouldBlock));
    let load = pool.load();
    assert_eq!((load.threads, load.queued, load.refused), (2, 3, 1));
    gate.wait();
    assert!(hanging.iter().all(|told| told.recv().unwrap() == Ok(1)));
    assert!(queued.iter().all(|told| told.recv().unwrap() == Ok(2)));
    assert!(watchdog.is_empty());
}

#[test]
fn waiting_for_a_call_ends_at_its_deadline_and_the_late_result_is_undone() {
    let pool = CallPool::new("test", 1, 1);
    let ((go, gate), (undo, undone)) = (channel::<()>(), channel());
    let result = pool.call(
        &after(Duration::from_millis(20)),
        move || {
            gate.recv().unwrap();
            9
        },
        move |late| undo.send(late).unwrap(),
    );
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
    go.send(()).unwrap();
    assert_eq!(undone.recv().unwrap(), 9);
}

#[test]
fn every_call_of_many_is_answered_exactly_once_however_close_to_its_deadline() {
    let (pool, watchdog) = (CallPool::new("test", 4, 1024), Watchdog::default());
    let ((told, answers), (late, lates)) = (channel(), channel());
    const CALLS: u32 = 500;
    for number in 0..CALLS {
        let (told, late) = (told.clone(), late.clone());
        let call = after(Duration::from_micros(u64::from(number) * 4));
        let work = move || std::thread::sleep(Duration::from_micros(u64::from(number % 7) * 50));
        pool.run(&watchdog, &call, Channel(told), work, move |delivery| match delivery {
            Delivery::InTime(reply, ()) => reply.0.send(Ok(0)).unwrap(),
            Delivery::Late(()) => late.send(()).unwrap(),
        });
    }
    drop((told, late));
    let answers: Vec<Told> = answers.iter().collect();
    assert_eq!(answers.len(), CALLS as usize);
    let timed_out = answers.iter().filter(|told| **told == Err(ErrorKind::TimedOut)).count();
    assert_eq!((timed_out, pool.load().timed_out), (lates.iter().count(), timed_out as u64));
    assert!(answers.iter().all(|told| matches!(told, Ok(0) | Err(ErrorKind::TimedOut))));
}

#[test]
fn a_provider_that_hangs_does_not_delay_another() {
    let namespace = Namespace::new();
    let options = MountOptions { threads_max: 2, queue_max: 4, ..MountOptions::default() };
    let mounted = ["/hangs", "/works"].map(|at| {
        let tree = Tree::new(Execution::MayBlock, &["x"]);
        let path = VfsPath::parse(at.as_bytes()).unwrap();
        (Arc::clone(&tree), namespace.mount(&path, tree, options.clone()).unwrap())
    });
    let look = |mount: &Arc<fs9_core::Mount>| {
        let (provider, call) = (Arc::clone(mount.provider()), after(PATIENT));
        let pool = mount.pool().unwrap();
        let mine = call.clone();
        run(pool, namespace.watchdog(), &call, move || {
            provider.lookup(&mine, NodeId::ROOT, Name::new(b"x").unwrap()).unwrap().node.0 as u32
        })
        .0
    };
    let [(hanging, hung_mount), (_, healthy)] = &mounted;
    hanging.hang(true);
    let hung: Vec<_> = (0..2).map(|_| look(hung_mount)).collect();
    hanging.wait_until(|waiting, _| waiting == 2);
    let queued: Vec<_> = (0..4).map(|_| look(hung_mount)).collect();
    assert_eq!(look(hung_mount).recv().unwrap(), Err(ErrorKind::WouldBlock));
    for _ in 0..100 {
        assert_eq!(look(healthy).recv().unwrap(), Ok(2));
    }
    hanging.hang(false);
    assert!(hung.iter().chain(&queued).all(|told| told.recv().unwrap() == Ok(2)));
}
