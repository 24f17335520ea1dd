//! The locks of one owner on the ranges of one file.
//!
//! Invariant: ranges are disjoint, and neighbours of one kind are one range, so that what is kept depends on what is
//! locked and not on how it came about (`fcntl(2)`: locks of a process split and merge).

use crate::{FileLock, LockKind};
use std::collections::BTreeMap;

/// What is kept of a range besides its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    end: u64,
    kind: LockKind,
    pid: u32,
}

/// The locks of one owner on the ranges of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockRanges(BTreeMap<u64, Rest>);

impl LockRanges {
    /// Sets the kind of lock on a range, whatever was there before; [`LockKind::Unlock`] takes locks away. A range that
    /// ends before it begins is none.
    pub fn set(&mut self, lock: FileLock) {
        if lock.start > lock.end {
            return;
        }
        self.clear(lock.start, lock.end);
        if lock.kind == LockKind::Unlock {
            return;
        }
        let FileLock { kind, mut start, mut end, pid } = lock;
        if let Some((&before, rest)) = self.0.range(..start).next_back()
            && rest.kind == kind
            && rest.end + 1 == start
        {
            start = before;
        }
        if let Some(next) = end.checked_add(1)
            && let Some(rest) = self.0.get(&next).copied()
            && rest.kind == kind
        {
            self.0.remove(&next);
            end = rest.end;
        }
        self.0.insert(start, Rest { end, kind, pid });
    }

    /// Takes away what lies in a range; what sticks out stays.
    fn clear(&mut self, start: u64, end: u64) {
        if let Some((_, before)) = self.0.range_mut(..start).next_back()
            && before.end >= start
        {
            let cut = *before;
            before.end = start - 1;
            // The part behind the range is treated below, if it sticks out there.
            self.0.insert(start, cut);
        }
        while let Some((&at, &rest)) = self.0.range(start..=end).next() {
            self.0.remove(&at);
            if rest.end > end {
                self.0.insert(end + 1, rest);
                return;
            }
        }
    }

    /// Returns the first lock that keeps another owner from taking this one, if there is any.
    pub fn conflict(&self, wanted: &FileLock) -> Option<FileLock> {
        if wanted.kind == LockKind::Unlock {
            return None;
        }
        let reaching = self.0.range(..wanted.start).next_back().filter(|(_, rest)| rest.end >= wanted.start);
        let within = self.0.range(wanted.start..).take_while(|(start, _)| **start <= wanted.end);
        let in_the_way = |kind| kind == LockKind::Write || wanted.kind == LockKind::Write;
        reaching.into_iter().chain(within).find(|(_, rest)| in_the_way(rest.kind)).map(whole)
    }

    /// Returns the locks, in the order of their ranges.
    pub fn iter(&self) -> impl Iterator<Item = FileLock> {
        self.0.iter().map(whole)
    }

    /// Returns whether there is no lock.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn whole((&start, rest): (&u64, &Rest)) -> FileLock {
    FileLock { kind: rest.kind, start, end: rest.end, pid: rest.pid }
}

#[cfg(test)]
mod tests {
    use super::LockRanges;
    use crate::LockKind::{self, Read, Unlock, Write};
    use crate::{FileLock, LOCK_END};

    fn lock(kind: LockKind, start: u64, end: u64) -> FileLock {
        FileLock { kind, start, end, pid: 7 }
    }

    fn ranges(locks: &LockRanges) -> Vec<(LockKind, u64, u64)> {
        locks.iter().map(|lock| (lock.kind, lock.start, lock.end)).collect()
    }

    #[test]
    fn an_unlock_in_the_middle_leaves_both_ends_and_a_lock_of_the_gap_joins_them() {
        let mut locks = LockRanges::default();
        locks.set(lock(Write, 0, LOCK_END));
        locks.set(lock(Unlock, 100, 199));
        assert_eq!(ranges(&locks), [(Write, 0, 99), (Write, 200, LOCK_END)]);
        locks.set(lock(Read, 100, 199));
        assert_eq!(ranges(&locks), [(Write, 0, 99), (Read, 100, 199), (Write, 200, LOCK_END)]);
        locks.set(lock(Write, 100, 199));
        assert_eq!(ranges(&locks), [(Write, 0, LOCK_END)]);
        locks.set(lock(Unlock, 0, LOCK_END));
        assert!(locks.is_empty());
    }

    #[test]
    fn the_ends_of_all_numbers_do_not_overflow() {
        let mut locks = LockRanges::default();
        locks.set(lock(Read, 0, u64::MAX));
        locks.set(lock(Write, u64::MAX, u64::MAX));
        locks.set(lock(Unlock, 0, 0));
        locks.set(lock(Write, 9, 8));
        assert_eq!(ranges(&locks), [(Read, 1, u64::MAX - 1), (Write, u64::MAX, u64::MAX)]);
    }

    /// What each byte is locked by, the long way.
    fn apply(model: &mut [LockKind], lock: &FileLock) {
        model[lock.start as usize..=lock.end as usize].fill(lock.kind);
    }

    #[test]
    fn random_changes_leave_what_a_map_of_bytes_has() {
        const BYTES: u64 = 24;
        let (mut locks, mut model) = (LockRanges::default(), [Unlock; BYTES as usize]);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for _ in 0..20_000 {
            let start = random(BYTES);
            let end = start + random(BYTES - start);
            let change = lock([Read, Write, Unlock][random(3) as usize], start, end);
            let probe = &model[start as usize..=end as usize];
            let expected = match change.kind {
                Read => probe.contains(&Write),
                Write => probe.iter().any(|&kind| kind != Unlock),
                Unlock => false,
            };
            assert_eq!(locks.conflict(&change).is_some(), expected, "{change:?} in {locks:?}");
            locks.set(change);
            apply(&mut model, &change);
            let mut rebuilt = [Unlock; BYTES as usize];
            locks.iter().for_each(|lock| apply(&mut rebuilt, &lock));
            assert_eq!(rebuilt, model, "after {change:?}");
            let kept = ranges(&locks);
            let apart = |pair: &[(LockKind, u64, u64)]| pair[0].2 + 1 < pair[1].1 || pair[0].0 != pair[1].0;
            assert!(kept.windows(2).all(apart), "{kept:?}");
        }
    }
}
