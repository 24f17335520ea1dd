//! The listing of one open directory.
//!
//! Invariant: positions are sorted by cookie; a name keeps its cookie for as long as it is in every snapshot, and
//! no cookie is given twice, so that any cookie ever returned resumes after what came before it.

use crate::path_provider::{ListedName, Listing};
use crate::{FileType, ObjectId};
use std::collections::HashMap;

/// A name with its cookie, and what the provider said of it.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub(super) cookie: u64,
    pub(super) name: Box<[u8]>,
    pub(super) known: Option<(FileType, ObjectId)>,
}

/// What one open directory shows.
#[derive(Debug, Default)]
pub(super) struct OpenListing {
    positions: Vec<Position>,
    last: u64,
    /// Whether the directory was read at all.
    pub(super) filled: bool,
}

impl OpenListing {
    /// Replaces the snapshot by what the provider lists now.
    pub(super) fn refill(&mut self, listing: Listing) {
        let old = std::mem::take(&mut self.positions);
        let cookies: HashMap<Box<[u8]>, u64> =
            old.into_iter().map(|position| (position.name, position.cookie)).collect();
        for ListedName { name, known } in listing.entries {
            let cookie = cookies.get(&name).copied().unwrap_or_else(|| {
                self.last += 1;
                self.last
            });
            self.positions.push(Position { cookie, name, known });
        }
        self.positions.sort_by_key(|position| position.cookie);
        // A provider that lists a name twice would otherwise break the promise of cookies that differ.
        self.positions.dedup_by(|a, b| a.cookie == b.cookie);
        self.filled = true;
    }

    /// Returns the first entry after a cookie.
    pub(super) fn after(&self, cookie: u64) -> Option<Position> {
        let index = self.positions.partition_point(|position| position.cookie <= cookie);
        self.positions.get(index).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::OpenListing;
    use crate::{Listing, Name};

    fn listing(names: &[&str]) -> Listing {
        let mut listing = Listing::default();
        for name in names {
            listing.push(Name::new(name.as_bytes()).unwrap());
        }
        listing
    }

    fn all(open: &OpenListing) -> Vec<(u64, String)> {
        let mut at = 0;
        let next = || {
            let position = open.after(at)?;
            at = position.cookie;
            Some((at, String::from_utf8_lossy(&position.name).into_owned()))
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_name_keeps_its_cookie_and_a_new_one_gets_a_new_one() {
        let mut open = OpenListing::default();
        open.refill(listing(&["a", "b", "c"]));
        assert_eq!(all(&open), [(1, "a".into()), (2, "b".into()), (3, "c".into())]);
        open.refill(listing(&["d", "c", "a"]));
        assert_eq!(all(&open), [(1, "a".into()), (3, "c".into()), (4, "d".into())]);
        open.refill(listing(&["b", "a"]));
        assert_eq!(all(&open), [(1, "a".into()), (5, "b".into())]);
    }

    #[test]
    fn a_cookie_resumes_also_where_its_entry_is_gone() {
        let mut open = OpenListing::default();
        open.refill(listing(&["a", "b", "c"]));
        open.refill(listing(&["a", "c"]));
        assert_eq!(open.after(2).unwrap().cookie, 3);
        assert!(open.after(3).is_none() && open.after(u64::MAX).is_none());
    }

    #[test]
    fn a_name_that_is_listed_twice_is_shown_once() {
        let mut open = OpenListing::default();
        open.refill(listing(&["a"]));
        open.refill(listing(&["a", "a"]));
        assert_eq!(all(&open).len(), 1);
    }
}
