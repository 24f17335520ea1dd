//! What call pools promise: bounds, isolation, and exactly one answer to each call.

use crate::support::Tree;
use fs9_core::{
    CallPool, Delivery, INTERRUPT_GRACE, MountOptions, Namespace, Reply, VfsPath, WAITS_MAX, Watchdog,
};
use fs9_sdk::{Call, Caller, Cancellation, Deadline, Error, ErrorKind, Execution, Name, NodeId, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
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
    let begun = Arc::new(AtomicUsize::new(0));
    const CALLS: u32 = 500;
    for number in 0..CALLS {
        let (told, late, begun) = (told.clone(), late.clone(), Arc::clone(&begun));
        let call = after(Duration::from_micros(u64::from(number) * 4));
        let work = move || {
            begun.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_micros(u64::from(number % 7) * 50));
        };
        pool.run(&watchdog, &call, Channel(told), work, move |delivery| match delivery {
            Delivery::InTime(reply, ()) => reply.0.send(Ok(0)).unwrap(),
            Delivery::Late(()) => late.send(()).unwrap(),
        });
    }
    drop((told, late));
    let answers: Vec<Told> = answers.iter().collect();
    assert_eq!(answers.len(), CALLS as usize);
    let timed_out = answers.iter().filter(|told| **told == Err(ErrorKind::TimedOut)).count();
    assert_eq!(pool.load().timed_out, timed_out as u64);
    // Of those that were let go, some had not begun, and these never do.
    let never_begun = CALLS as usize - begun.load(Ordering::Relaxed);
    assert_eq!(lates.iter().count() + never_begun, timed_out);
    assert!(answers.iter().all(|told| matches!(told, Ok(0) | Err(ErrorKind::TimedOut))));
}

/// A pool with one thread that is busy until the sender is dropped.
fn busy_pool(watchdog: &Watchdog) -> (Arc<CallPool>, Sender<()>, Call, Receiver<Told>, Receiver<u32>) {
    let pool = CallPool::new("test", 1, 8);
    let ((go, gate), call) = (channel::<()>(), call_until(Deadline::Unlimited));
    let ((begun, has_begun), gate) = (channel(), std::sync::Mutex::new(gate));
    let (told, late) = run(&pool, watchdog, &call, move || {
        begun.send(()).unwrap();
        gate.lock().unwrap().recv().ok();
        7
    });
    has_begun.recv().unwrap();
    (pool, go, call, told, late)
}

#[test]
fn an_interrupted_call_that_hangs_is_let_go_after_the_grace_and_its_result_comes_late() {
    let watchdog = Watchdog::default();
    let (pool, go, call, told, late) = busy_pool(&watchdog);
    let begin = Instant::now();
    call.cancellation.cancel();
    assert_eq!(told.recv().unwrap(), Err(ErrorKind::Interrupted));
    let took = begin.elapsed();
    assert!(took >= INTERRUPT_GRACE && took < 20 * INTERRUPT_GRACE, "{took:?}");
    assert_eq!((pool.load().interrupted, pool.load().timed_out), (1, 0));
    drop(go);
    assert_eq!(late.recv().unwrap(), 7);
    assert!(told.recv().is_err() && watchdog.is_empty());
}

#[test]
fn an_interrupted_call_that_ends_within_the_grace_is_answered_as_if_nothing_had_happened() {
    let watchdog = Watchdog::default();
    let (pool, go, call, told, late) = busy_pool(&watchdog);
    call.cancellation.cancel();
    drop(go);
    assert_eq!(told.recv().unwrap(), Ok(7));
    assert!(late.recv().is_err());
    assert_eq!(pool.load().interrupted, 0);
}

#[test]
fn an_interrupted_call_that_was_not_begun_is_dropped_at_once_and_makes_room() {
    let watchdog = Watchdog::default();
    let (pool, go, _, _, _) = busy_pool(&watchdog);
    let calls = [(); 8].map(|()| call_until(Deadline::Unlimited));
    let queued = calls.each_ref().map(|call| run(&pool, &watchdog, call, || panic!("begun")));
    assert_eq!(pool.load().queued, 8);
    let begin = Instant::now();
    calls.iter().for_each(|call| call.cancellation.cancel());
    for (told, late) in &queued {
        assert_eq!(told.recv().unwrap(), Err(ErrorKind::Interrupted));
        assert!(late.recv().is_err());
    }
    assert!(begin.elapsed() < INTERRUPT_GRACE);
    assert_eq!((pool.load().queued, pool.load().interrupted), (0, 8));
    drop(go);
}

#[test]
fn an_overdue_call_that_was_not_begun_is_never_done() {
    let watchdog = Watchdog::default();
    let (pool, go, _, _, _) = busy_pool(&watchdog);
    let (told, late) = run(&pool, &watchdog, &after(Duration::from_millis(5)), || panic!("begun"));
    assert_eq!(told.recv().unwrap(), Err(ErrorKind::TimedOut));
    assert!(late.recv().is_err());
    assert_eq!(pool.load().queued, 0);
    drop(go);
}

#[test]
fn work_that_runs_to_the_end_is_done_although_its_asker_was_let_go_before_it_began() {
    let watchdog = Watchdog::default();
    let (pool, go, _, _, _) = busy_pool(&watchdog);
    let ((told, was_told), (late, came_late)) = (channel(), channel());
    let call = call_until(Deadline::Unlimited);
    pool.run_to_the_end(
        &watchdog,
        &call,
        Channel(told),
        || 9,
        move |delivery| match delivery {
            Delivery::InTime(..) => panic!("in time"),
            Delivery::Late(value) => late.send(value).unwrap(),
        },
    );
    call.cancellation.cancel();
    assert_eq!(was_told.recv().unwrap(), Err(ErrorKind::Interrupted));
    assert_eq!(pool.load().queued, 1);
    drop(go);
    assert_eq!(came_late.recv().unwrap(), 9);
}

#[test]
fn a_job_that_is_kept_is_done_although_the_queue_is_full() {
    let pool = CallPool::new("test", 1, 1);
    let (go, gate) = channel::<()>();
    let (begun, begins) = channel();
    let hangs = move || {
        begun.send(()).unwrap();
        gate.recv().unwrap_err();
    };
    pool.submit(Box::new(hangs)).unwrap();
    begins.recv().unwrap();
    pool.submit(Box::new(|| ())).unwrap();
    assert_eq!(pool.submit(Box::new(|| ())).unwrap_err().kind(), ErrorKind::WouldBlock);
    let (done, is_done) = channel();
    pool.submit_kept(Box::new(move || done.send(()).unwrap())).unwrap();
    assert_eq!(pool.load().queued, 2);
    drop(go);
    is_done.recv().unwrap();
}

#[test]
fn a_call_that_was_cancelled_before_it_came_is_answered_once() {
    let watchdog = Watchdog::default();
    let (pool, go, _, _, _) = busy_pool(&watchdog);
    let call = call_until(Deadline::Unlimited);
    call.cancellation.cancel();
    let (told, _) = run(&pool, &watchdog, &call, || panic!("begun"));
    assert_eq!(told.recv().unwrap(), Err(ErrorKind::Interrupted));
    assert!(told.recv().is_err());
    drop(go);
}

#[test]
fn every_call_of_many_is_answered_exactly_once_however_close_to_its_interrupt() {
    const CALLS: u32 = 240;
    let (pool, watchdog) = (CallPool::new("test", 48, 1024), Watchdog::default());
    let ((told, answers), (late, lates)) = (channel(), channel());
    let begun = Arc::new(AtomicUsize::new(0));
    let calls: Vec<Call> = (0..CALLS).map(|_| call_until(Deadline::Unlimited)).collect();
    for (number, call) in calls.iter().enumerate() {
        let (told, late, begun) = (told.clone(), late.clone(), Arc::clone(&begun));
        // Those that begin at once end about when their grace does, some before and some after.
        let work = move || {
            begun.fetch_add(1, Ordering::Relaxed);
            let early = Duration::from_micros(100 * (number as u64 % 48));
            std::thread::sleep(INTERRUPT_GRACE + Duration::from_millis(1) - early / 2);
        };
        pool.run(&watchdog, call, Channel(told), work, move |delivery| match delivery {
            Delivery::InTime(reply, ()) => reply.0.send(Ok(0)).unwrap(),
            Delivery::Late(()) => late.send(()).unwrap(),
        });
        if number < 200 {
            call.cancellation.cancel();
        }
    }
    drop((told, late));
    let answers: Vec<Told> = answers.iter().collect();
    assert_eq!(answers.len(), CALLS as usize);
    let interrupted = answers.iter().filter(|told| **told == Err(ErrorKind::Interrupted)).count();
    let answered = answers.iter().filter(|told| told.is_ok()).count();
    assert_eq!(interrupted + answered, CALLS as usize);
    assert_eq!(pool.load().interrupted, interrupted as u64);
    let never_begun = CALLS as usize - begun.load(Ordering::Relaxed);
    assert_eq!(lates.iter().count() + never_begun, interrupted);
}

#[test]
fn waits_have_threads_up_to_a_bound_and_no_queue() {
    let (pool, watchdog) = (CallPool::for_waits("test"), Watchdog::default());
    let gate = Arc::new(Barrier::new(WAITS_MAX + 1));
    let wait = || {
        let gate = Arc::clone(&gate);
        let call = call_until(Deadline::Wait);
        run(&pool, &watchdog, &call, move || u32::from(gate.wait().is_leader())).0
    };
    let waits: Vec<_> = (0..WAITS_MAX).map(|_| wait()).collect();
    assert_eq!(wait().recv().unwrap(), Err(ErrorKind::WouldBlock));
    gate.wait();
    assert!(waits.iter().all(|told| told.recv().unwrap().is_ok()));
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
