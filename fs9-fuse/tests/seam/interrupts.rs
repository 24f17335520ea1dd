//! Interrupts: whoever waits is let go, and what the call does later is taken back.

use crate::kernel::{Kernel, memory};
use crate::requests::{serve, wait_until};
use crate::slow::{Hangs, OpenAtEnd, slow};
use fs9_core::{INTERRUPT_GRACE, MountOptions};
use fs9_fuse::{Answer, FuseOptions, Ino, RequestId};
use fs9_sdk::{ErrorKind, Operation as Kind};
use std::time::{Duration, Instant};

/// Within so long an interrupted program ends.
const EINTR_MAX: Duration = Duration::from_millis(100);

fn kernel(operation: Kind, hangs: Hangs, threads_max: usize) -> (Kernel, OpenAtEnd) {
    let (provider, gate) = slow(memory(), operation, hangs);
    let options = MountOptions { threads_max, ..MountOptions::default() };
    (serve(provider, options, FuseOptions::default()), gate)
}

#[test]
fn a_read_of_a_provider_that_hangs_ends_within_100_ms() {
    let (kernel, gate) = kernel(Kind::Read, Hangs::Before, 16);
    let (file, _) = kernel.create_open("f");
    gate.0.close();
    // On a busy machine a single one may be late.
    let took = (1..=5).map(|number| {
        let read = kernel.reading(file);
        gate.0.wait_for(number);
        let begin = Instant::now();
        kernel.frontend.interrupt(read.id);
        assert_eq!(read.refusal(), Some(ErrorKind::Interrupted));
        begin.elapsed()
    });
    let took: Vec<_> = took.collect();
    assert!(took.iter().all(|&took| took >= INTERRUPT_GRACE), "{took:?}");
    assert!(took.iter().any(|&took| took < EINTR_MAX), "{took:?}");
    assert_eq!(kernel.frontend.requests_in_flight(), 0);
}

#[test]
fn a_call_that_ends_within_the_grace_is_answered_as_if_nothing_had_happened() {
    let (kernel, gate) = kernel(Kind::Read, Hangs::Before, 16);
    let (file, _) = kernel.create_open("f");
    gate.0.close();
    let read = kernel.reading(file);
    gate.0.wait_for(1);
    kernel.frontend.interrupt(read.id);
    gate.0.open();
    assert!(matches!(read.answer(), Ok(Answer::Data(_))));
}

#[test]
fn a_provider_that_waits_hears_of_it_at_once() {
    let (kernel, gate) = kernel(Kind::Read, Hangs::UntilCancelled, 16);
    let (file, _) = kernel.create_open("f");
    gate.0.close();
    let read = kernel.reading(file);
    gate.0.wait_for(1);
    let begin = Instant::now();
    kernel.frontend.interrupt(read.id);
    assert_eq!(read.refusal(), Some(ErrorKind::Interrupted));
    assert!(begin.elapsed() < INTERRUPT_GRACE, "{:?}", begin.elapsed());
}

#[test]
fn a_request_that_was_not_begun_is_dropped_and_never_done() {
    let (kernel, gate) = kernel(Kind::Read, Hangs::Before, 1);
    let (file, _) = kernel.create_open("f");
    gate.0.close();
    let hanging = kernel.reading(file);
    gate.0.wait_for(1);
    let queued: Vec<_> = (0..10).map(|_| kernel.reading(file)).collect();
    queued.iter().for_each(|read| kernel.frontend.interrupt(read.id));
    assert!(queued.iter().all(|read| read.refusal() == Some(ErrorKind::Interrupted)));
    gate.0.open();
    assert!(hanging.answer().is_ok());
    assert_eq!(gate.0.begun(), 1);
}

#[test]
fn an_interrupt_may_come_before_its_request() {
    let (kernel, gate) = kernel(Kind::Read, Hangs::Before, 1);
    let (file, _) = kernel.create_open("f");
    gate.0.close();
    let hanging = kernel.reading(file);
    gate.0.wait_for(1);
    kernel.frontend.interrupt(kernel.next_request());
    assert_eq!(kernel.reading(file).refusal(), Some(ErrorKind::Interrupted));
    gate.0.open();
    assert!(hanging.answer().is_ok());
    assert!(kernel.reading(file).answer().is_ok());
}

#[test]
fn what_an_interrupted_call_opened_or_found_is_given_back() {
    let (kernel, gate) = kernel(Kind::Create, Hangs::After, 16);
    gate.0.close();
    let created = kernel.creating("f");
    gate.0.wait_for(1);
    kernel.frontend.interrupt(created.id);
    assert_eq!(created.refusal(), Some(ErrorKind::Interrupted));
    gate.0.open();
    wait_until(|| kernel.frontend.counters().of(Kind::Create) == 1);
    wait_until(|| kernel.frontend.open_handles() == 0 && kernel.frontend.known_inodes() == 0);
    let entry = kernel.lookup(Ino::ROOT, "f").unwrap();
    kernel.frontend.forget(entry.ino, 1);
    wait_until(|| kernel.frontend.known_inodes() == 0);
}

#[test]
fn a_flush_is_done_although_whoever_closes_the_file_was_killed() {
    let (kernel, gate) = kernel(Kind::Flush, Hangs::Before, 1);
    let (file, _) = kernel.create_open("f");
    gate.0.close();
    let flushes: Vec<_> = (0..3).map(|owner| kernel.flushing(file, owner)).collect();
    gate.0.wait_for(1);
    let begin = Instant::now();
    flushes.iter().for_each(|flush| kernel.frontend.interrupt(flush.id));
    assert!(flushes.iter().all(|flush| flush.refusal() == Some(ErrorKind::Interrupted)));
    assert!(begin.elapsed() < 10 * EINTR_MAX, "{:?}", begin.elapsed());
    gate.0.open();
    wait_until(|| gate.0.begun() == 3);
}

#[test]
fn a_request_that_is_answered_at_once_is_in_nobodys_way() {
    let kernel = Kernel::of(memory());
    let (file, _) = kernel.create_open("f");
    for number in 0..10_000 {
        kernel.frontend.interrupt(RequestId(number));
    }
    assert!(matches!(kernel.reading(file).answer(), Ok(Answer::Data(_))));
    assert_eq!(kernel.frontend.requests_in_flight(), 0);
}
