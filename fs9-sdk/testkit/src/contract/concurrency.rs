//! What must hold while several threads call at once.
//!
//! Invariant: every loop is bounded by a number of rounds and by time, so that a case ends on its own also where
//! the storage is slow; a deadlock of the provider is noticed by the time limit of the runner.

use super::failure::{Failure, Outcome, ensure, ensure_eq};
use super::session::{ROOT, Session};
use fs9_sdk::{ErrorKind, FileType, NodeId, OpenFlags, RenameFlags};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Enough for the windows of a few instructions to be hit on two processors.
const ROUNDS: usize = 4_000;
/// Rounds that are run however long they take.
const ROUNDS_MIN: usize = 50;
/// Time after which no further round begins.
const ROUNDS_TIME: Duration = Duration::from_secs(1);
/// Names that several threads make or take: each is one system call or more on real storage.
const SHARED_NAMES: usize = 200;
/// Threads that do the same thing.
const THREADS: usize = 4;

/// Counts rounds, up to a number or until the time is up.
fn rounds(most: usize) -> impl Iterator<Item = usize> {
    let begun = Instant::now();
    (0..most).take_while(move |round| *round < ROUNDS_MIN || begun.elapsed() < ROUNDS_TIME)
}

/// Runs bodies at once and returns the first failure.
fn together<'env>(bodies: Vec<Box<dyn FnOnce() -> Outcome + Send + 'env>>) -> Outcome {
    std::thread::scope(|scope| {
        let threads: Vec<_> = bodies.into_iter().map(|body| scope.spawn(body)).collect();
        let outcomes: Vec<Outcome> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Failure::without_place("a thread panicked"))))
            .collect();
        outcomes.into_iter().collect()
    })
}

/// Runs `watch` again and again for as long as `change` runs.
fn while_changing(
    change: impl FnOnce() -> Outcome + Send,
    watch: impl Fn() -> Outcome + Send + Sync,
) -> Outcome {
    let done = AtomicBool::new(false);
    let (done, watch) = (&done, &watch);
    let watcher = move || {
        while !done.load(Ordering::Acquire) {
            watch()?;
        }
        watch()
    };
    let changer = move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(change));
        done.store(true, Ordering::Release);
        outcome.unwrap_or_else(|_| Err(Failure::without_place("the changing thread panicked")))
    };
    together(vec![Box::new(changer), Box::new(watcher), Box::new(watcher)])
}

pub(super) fn a_lookup_during_rename_finds_old_or_new(s: &Session<'_>) -> Outcome {
    let target = s.file(ROOT, "target", "old")?;
    s.provider.forget(target.node, 1);
    let change = || {
        for _ in rounds(ROUNDS) {
            let source = s.file(ROOT, "source", "new")?;
            s.mv("source", "target")?;
            s.provider.forget(source.node, 1);
        }
        Ok(())
    };
    let watch = || {
        let found = s.lookup(ROOT, "target").map_err(|error| {
            Failure::new(format!("the name was missing while another file was renamed over it: {error}"))
        })?;
        let size = s.getattr(found.node)?.size;
        s.provider.forget(found.node, 1);
        ensure_eq!(size, 3, "size of the old or the new file");
        Ok(())
    };
    while_changing(change, watch)
}

pub(super) fn readers_during_rename_see_a_whole_file(s: &Session<'_>) -> Outcome {
    s.file(ROOT, "target", "old content")?;
    let change = || {
        for round in rounds(ROUNDS / 4) {
            let content = if round % 2 == 0 { "new content" } else { "old content" };
            let source = s.file(ROOT, "source", content)?;
            s.mv("source", "target")?;
            s.provider.forget(source.node, 1);
        }
        Ok(())
    };
    let watch = || {
        let found = s.lookup(ROOT, "target")?;
        let content = s.content(found.node)?;
        s.provider.forget(found.node, 1);
        let whole = content == b"new content" || content == b"old content";
        ensure!(whole, "half a file was seen: {:?}", content.escape_ascii().to_string());
        Ok(())
    };
    while_changing(change, watch)
}

pub(super) fn an_exchange_never_hides_a_name(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let (one, two) = (s.file(ROOT, "one", "1")?, s.file(dir.node, "two", "2")?);
    let change = || {
        for _ in rounds(ROUNDS) {
            s.rename((ROOT, b"one"), (dir.node, b"two"), RenameFlags::EXCHANGE)?;
        }
        Ok(())
    };
    let watch = || {
        for (parent, name) in [(ROOT, "one"), (dir.node, "two")] {
            let found = s.lookup(parent, name)?.node;
            s.provider.forget(found, 1);
            ensure!(found == one.node || found == two.node, "a third file appeared");
        }
        Ok(())
    };
    while_changing(change, watch)
}

pub(super) fn parallel_creates_in_one_directory_all_succeed(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?.node;
    let body = |thread: usize| {
        move || {
            for number in 0..SHARED_NAMES {
                let name = format!("{thread}-{number}");
                let made = match number % 3 {
                    0 => s.dir(dir, &name)?,
                    1 => s.mknod(dir, &name, FileType::Regular, 0o644)?,
                    _ => s.file(dir, &name, &name)?,
                };
                ensure_eq!(s.lookup(dir, &name)?.node, made.node, "node of what was just made");
            }
            Ok(())
        }
    };
    together((0..THREADS).map(|thread| Box::new(body(thread)) as Box<_>).collect())?;
    let names: HashSet<Vec<u8>> = s.list(dir)?.into_iter().map(|listed| listed.name).collect();
    ensure_eq!(names.len(), THREADS * SHARED_NAMES, "names after parallel creates");
    Ok(())
}

pub(super) fn exactly_one_of_many_makes_a_name(s: &Session<'_>) -> Outcome {
    let won: Vec<AtomicBool> = (0..SHARED_NAMES).map(|_| AtomicBool::new(false)).collect();
    let won = &won;
    let body = move || {
        for (number, taken) in won.iter().enumerate() {
            match s.file(ROOT, format!("f{number}"), "") {
                Ok(_) => ensure!(!taken.swap(true, Ordering::AcqRel), "two threads made one name"),
                Err(error) => ensure_eq!(error.kind(), ErrorKind::AlreadyExists, "error of who came late"),
            }
        }
        Ok(())
    };
    together((0..THREADS).map(|_| Box::new(body) as Box<_>).collect())?;
    ensure!(won.iter().all(|taken| taken.load(Ordering::Acquire)), "nobody made a name");
    Ok(())
}

pub(super) fn exactly_one_of_many_removes_a_name(s: &Session<'_>) -> Outcome {
    for number in 0..SHARED_NAMES {
        s.file(ROOT, format!("f{number}"), "")?;
    }
    let won: Vec<AtomicBool> = (0..SHARED_NAMES).map(|_| AtomicBool::new(false)).collect();
    let won = &won;
    let body = |by_rename: bool| {
        move || {
            for (number, taken) in won.iter().enumerate() {
                let name = format!("f{number}");
                let removed =
                    if by_rename { s.mv(&name, format!("g{number}")) } else { s.unlink(ROOT, &name) };
                match removed {
                    Ok(()) => ensure!(!taken.swap(true, Ordering::AcqRel), "two threads took one name"),
                    Err(error) => ensure_eq!(error.kind(), ErrorKind::NotFound, "error of who came late"),
                }
            }
            Ok(())
        }
    };
    together((0..THREADS).map(|thread| Box::new(body(thread % 2 == 0)) as Box<_>).collect())?;
    ensure!(won.iter().all(|taken| taken.load(Ordering::Acquire)), "a name was taken by nobody");
    Ok(())
}

pub(super) fn a_listing_during_changes_shows_stable_entries_once(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?.node;
    for number in 0..200 {
        s.mknod(dir, format!("stable-{number}"), FileType::Regular, 0o644)?;
    }
    let change = || {
        for round in rounds(ROUNDS) {
            let (name, renamed) = (format!("passing-{round}"), format!("renamed-{}", round % 50));
            s.mknod(dir, &name, FileType::Regular, 0o644)?;
            s.rename((dir, name.as_bytes()), (dir, renamed.as_bytes()), RenameFlags::empty())?;
            if round % 3 == 0 {
                s.unlink(dir, renamed)?;
            }
        }
        Ok(())
    };
    let watch = || {
        let open = s.opendir(dir)?;
        let listed = s.pages(open, 0, 17);
        s.provider.releasedir(open);
        let names = listed?.into_iter().map(|listed| listed.name);
        let mut stable: Vec<_> = names.filter(|name| name.starts_with(b"stable-")).collect();
        let count = stable.len();
        stable.sort();
        stable.dedup();
        ensure_eq!((stable.len(), count), (200, 200), "stable entries: different ones and all");
        Ok(())
    };
    while_changing(change, watch)
}

pub(super) fn lookups_and_forgets_in_parallel_keep_the_count(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    let body = || {
        for _ in rounds(ROUNDS) {
            let found = s.lookup(ROOT, "f")?;
            ensure_eq!(found.node, file.node, "node, which is known throughout");
            ensure_eq!(s.getattr(found.node)?.size, 4, "size");
            s.provider.forget(found.node, 1);
        }
        Ok(())
    };
    together((0..THREADS).map(|_| Box::new(body) as Box<_>).collect())?;
    s.unlink(ROOT, "f")?;
    ensure_eq!(s.content(file.node)?, b"data", "content with the first lookup left");
    Ok(())
}

pub(super) fn the_last_forget_and_a_new_lookup_do_not_collide(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    s.provider.forget(file.node, 1);
    let body = || {
        for _ in rounds(ROUNDS) {
            // The count runs to zero again and again, while others look the name up.
            let found = s.lookup(ROOT, "f")?;
            let attr = s.getattr(found.node)?;
            ensure_eq!((attr.id, attr.size), (file.attr.id, 4), "attributes of a node that was just found");
            s.provider.forget(found.node, 1);
        }
        Ok(())
    };
    together((0..THREADS).map(|_| Box::new(body) as Box<_>).collect())
}

pub(super) fn crossing_directory_renames_make_no_cycle(s: &Session<'_>) -> Outcome {
    let (a, b) = (s.dir(ROOT, "a")?.node, s.dir(ROOT, "b")?.node);
    // One moves a into b, the other b into a: at most one of them may succeed at a time.
    let body = |from: &'static [u8], into: NodeId| {
        move || {
            for _ in rounds(ROUNDS / 2) {
                match s.rename((ROOT, from), (into, from), RenameFlags::empty()) {
                    Ok(()) => s.rename((into, from), (ROOT, from), RenameFlags::empty())?,
                    Err(error) => {
                        let lost = [ErrorKind::InvalidArgument, ErrorKind::NotFound];
                        ensure!(lost.contains(&error.kind()), "a crossing rename failed: {error}");
                    }
                }
            }
            Ok(())
        }
    };
    together(vec![Box::new(body(b"a", b)), Box::new(body(b"b", a))])?;
    ensure_eq!(s.names(ROOT)?, [b"a".to_vec(), b"b".to_vec()], "names in the root at the end");
    Ok(())
}

pub(super) fn parallel_writes_to_one_file_all_arrive(s: &Session<'_>) -> Outcome {
    const RECORD: usize = 1_000;
    let entry = s.file(ROOT, "f", "")?;
    let body = |thread: usize| {
        move || {
            let file = s.open(entry.node, OpenFlags::READ_WRITE)?;
            for number in 0..100 {
                let record = [thread as u8 + 1; RECORD];
                let offset = ((number * THREADS + thread) * RECORD) as u64;
                s.write(file, offset, record)?;
                ensure!(s.read(file, offset, RECORD)? == record, "a record reads differently at once");
            }
            s.release(file);
            Ok(())
        }
    };
    together((0..THREADS).map(|thread| Box::new(body(thread)) as Box<_>).collect())?;
    let content = s.content(entry.node)?;
    ensure_eq!(content.len(), 100 * THREADS * RECORD, "size");
    for (number, record) in content.chunks(RECORD).enumerate() {
        let expected = (number % THREADS) as u8 + 1;
        ensure!(record.iter().all(|&byte| byte == expected), "record {number} is damaged");
    }
    Ok(())
}

pub(super) fn creating_in_a_directory_that_is_removed_loses_nothing(s: &Session<'_>) -> Outcome {
    for _ in rounds(ROUNDS / 10) {
        let dir = s.dir(ROOT, "d")?.node;
        let made = AtomicBool::new(false);
        let maker = || {
            match s.file(dir, "f", "data") {
                Ok(_) => made.store(true, Ordering::Release),
                Err(error) => ensure_eq!(error.kind(), ErrorKind::NotFound, "error of who makes a file"),
            }
            Ok(())
        };
        let remover = || {
            if let Err(error) = s.rmdir(ROOT, "d") {
                ensure_eq!(error.kind(), ErrorKind::DirectoryNotEmpty, "error of who removes the directory");
            }
            Ok(())
        };
        together(vec![Box::new(maker), Box::new(remover)])?;
        let made = made.load(Ordering::Acquire);
        ensure_eq!(
            s.lookup(ROOT, "d").is_ok(),
            made,
            "whether the directory stands, as a file in it was made"
        );
        ensure_eq!(s.lookup(dir, "f").is_ok(), made, "whether the file stands, as it was made");
        if made {
            s.unlink(dir, "f")?;
            s.rmdir(ROOT, "d")?;
        }
    }
    Ok(())
}
