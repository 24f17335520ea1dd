//! What the handle registry promises, also against a model and against its sweeper.

use fs9_core::{HandleId, HandleRegistry, OwnerId, Sweeper};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn a_handle_is_found_by_its_number_until_it_is_removed() {
    let registry = HandleRegistry::new();
    let ids: Vec<HandleId> = (0..1000).map(|number| registry.insert(OwnerId::KERNEL, number)).collect();
    assert!(ids.iter().enumerate().all(|(number, &id)| *registry.get(id).unwrap() == number));
    assert_eq!((registry.len(), registry.snapshot().len()), (1000, 1000));
    for &id in &ids {
        assert!(registry.remove(id).is_some());
        assert!(registry.get(id).is_none() && registry.remove(id).is_none());
    }
    assert!(registry.is_empty());
}

#[test]
fn a_removed_number_never_reaches_a_later_handle_in_the_same_slot() {
    let registry = HandleRegistry::new();
    let mut stale = Vec::new();
    for round in 0..1000 {
        let id = registry.insert(OwnerId::KERNEL, round);
        assert!(stale.iter().all(|&old| registry.get(old).is_none()), "round {round}");
        registry.remove(id);
        stale.push(id);
    }
    stale.sort_unstable();
    stale.dedup();
    assert_eq!(stale.len(), 1000, "a number was given twice");
}

#[test]
fn numbers_that_were_never_given_reach_nothing() {
    let registry = HandleRegistry::new();
    let id = registry.insert(OwnerId::KERNEL, ());
    for wrong in [0, 1, id.0 + 1, id.0 ^ (1 << 32), id.0 | (1 << 20), u64::MAX] {
        assert!(registry.get(HandleId(wrong)).is_none(), "{wrong:#x}");
        assert!(registry.remove(HandleId(wrong)).is_none(), "{wrong:#x}");
    }
    assert_eq!(registry.len(), 1);
}

#[test]
fn threads_that_open_and_close_never_see_each_others_handles() {
    let registry = HandleRegistry::new();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let registry = &registry;
            scope.spawn(move || {
                let mut open = Vec::new();
                for step in 0..20_000_u64 {
                    let value = thread << 32 | step;
                    open.push((registry.insert(OwnerId::KERNEL, value), value));
                    if step % 3 != 0 {
                        let (id, value) = open.swap_remove(step as usize * 7 % open.len());
                        assert_eq!(*registry.remove(id).unwrap(), value);
                        assert!(registry.get(id).is_none());
                    }
                }
                assert!(open.iter().all(|&(id, value)| *registry.get(id).unwrap() == value));
            });
        }
    });
}

#[test]
fn a_sweep_reaps_exactly_the_handles_whose_owner_is_gone() {
    let registry = HandleRegistry::new();
    for number in 0..300_u64 {
        registry.insert(OwnerId(number % 3), number);
    }
    assert_eq!(registry.mortal(), 200);
    // Nobody asks about the kernel, and its handles stay.
    let reaped = registry.sweep(|owner| {
        assert!(owner.can_vanish());
        owner == OwnerId(1)
    });
    assert_eq!(reaped.len(), 100);
    assert!(reaped.iter().all(|number| **number % 3 == 2));
    assert_eq!((registry.len(), registry.mortal()), (200, 100));
}

#[test]
fn the_sweepers_thread_lives_only_while_an_owner_can_vanish() {
    let registry = Arc::new(HandleRegistry::new());
    let (alive, (reaped, was_reaped)) = (Arc::new(AtomicBool::new(true)), channel());
    let is_alive = Arc::clone(&alive);
    let sweeper = Sweeper::attach(
        &registry,
        Duration::from_millis(2),
        move |_| is_alive.load(Ordering::Relaxed),
        move |value: Arc<u32>| reaped.send(*value).unwrap(),
    )
    .unwrap();
    let of_kernel = registry.insert(OwnerId::KERNEL, 1);
    assert!(!sweeper.is_running());
    for round in 2..5 {
        alive.store(true, Ordering::Relaxed);
        registry.insert(OwnerId(9), round);
        assert!(sweeper.is_running());
        alive.store(false, Ordering::Relaxed);
        assert_eq!(was_reaped.recv().unwrap(), round);
        while sweeper.is_running() {
            std::thread::yield_now();
        }
    }
    assert_eq!(*registry.get(of_kernel).unwrap(), 1);
    let second = Sweeper::attach(&registry, Duration::from_secs(1), |_| true, |_| ());
    assert!(second.is_none());
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Get(usize),
    Remove(usize),
    Sweep(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u64).prop_map(Step::Insert),
        3 => any::<usize>().prop_map(Step::Get),
        3 => any::<usize>().prop_map(Step::Remove),
        1 => (1..4_u64).prop_map(Step::Sweep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_registry_behaves_as_a_map_whose_numbers_are_never_reused(
        steps in proptest::collection::vec(step(), 1..400)
    ) {
        let registry = HandleRegistry::new();
        let (mut model, mut given) = (HashMap::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(owner) => {
                    let id = registry.insert(OwnerId(owner), number);
                    prop_assert!(!given.contains(&id));
                    given.push(id);
                    model.insert(id, (owner, number));
                }
                Step::Get(which) if !given.is_empty() => {
                    let id = given[which % given.len()];
                    let expected = model.get(&id).map(|&(_, value)| value);
                    prop_assert_eq!(registry.get(id).map(|value| *value), expected);
                }
                Step::Remove(which) if !given.is_empty() => {
                    let id = given[which % given.len()];
                    let expected = model.remove(&id).map(|(_, value)| value);
                    prop_assert_eq!(registry.remove(id).map(|value| *value), expected);
                }
                Step::Get(_) | Step::Remove(_) => {}
                Step::Sweep(gone) => {
                    let reaped = registry.sweep(|owner| owner != OwnerId(gone)).len();
                    let before = model.len();
                    model.retain(|_, (owner, _)| *owner != gone);
                    prop_assert_eq!(reaped, before - model.len());
                }
            }
            prop_assert_eq!(registry.len(), model.len());
            let mortal = model.values().filter(|(owner, _)| *owner != 0).count();
            prop_assert_eq!(registry.mortal(), mortal);
        }
    }
}
