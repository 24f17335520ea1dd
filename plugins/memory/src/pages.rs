//! The bytes of one file: a sparse set of pages.
//!
//! Leaves of 16 pages hang in an ordered map, so a hole of any length costs nothing and a 1 MiB transfer looks up 16
//! leaves. A page slot is a hole, reserved (counted, reads as zeros, no memory yet), or data.
//!
//! Invariants: `counted` is the number of slots that are not holes; a slot with data is not marked reserved; no leaf
//! is empty. Nothing here knows the size of the file: the owner keeps bytes beyond it zero by calling
//! [`Pages::punch`] when it shrinks.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes in a page, the unit of allocation and of holes.
pub(crate) const PAGE_BYTES: usize = 4096;
/// [`PAGE_BYTES`] for arithmetic on offsets.
const PAGE: u64 = PAGE_BYTES as u64;
/// Pages in a leaf: few enough that a small file stays small, enough that large transfers seldom walk the map.
const LEAF_PAGES: u64 = 16;

type Page = Box<[u8; PAGE_BYTES]>;

/// Sixteen neighbouring pages.
#[derive(Default)]
struct Leaf {
    pages: [Option<Page>; LEAF_PAGES as usize],
    /// Bit i: page i is reserved without data.
    reserved: u16,
}

impl Leaf {
    fn is_empty(&self) -> bool {
        self.reserved == 0 && self.pages.iter().all(Option::is_none)
    }

    fn is_counted(&self, slot: usize) -> bool {
        self.pages[slot].is_some() || self.is_reserved(slot)
    }

    fn is_reserved(&self, slot: usize) -> bool {
        self.reserved & (1 << slot) != 0
    }
}

/// What becomes of whole pages that are cleared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clear {
    ToHole,
    ToReserved,
}

/// The pages of one file.
#[derive(Default)]
pub(crate) struct Pages {
    leaves: BTreeMap<u64, Box<Leaf>>,
    counted: u64,
}

/// What a write achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Bytes written; fewer than asked if the new pages did not suffice.
    pub(crate) bytes: usize,
    /// Pages that became counted.
    pub(crate) new_pages: u64,
}

impl Pages {
    /// Returns the number of pages that are reserved or hold data.
    pub(crate) fn counted(&self) -> u64 {
        self.counted
    }

    /// Fills the buffer with the bytes from `offset` on; holes read as zeros.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) {
        let mut rest = buffer;
        let mut at = offset;
        while !rest.is_empty() {
            let leaf = self.leaves.get(&(at / PAGE / LEAF_PAGES));
            let leaf_end = (at / PAGE / LEAF_PAGES + 1) * LEAF_PAGES * PAGE;
            let in_leaf = rest.len().min(usize::try_from(leaf_end - at).unwrap_or(usize::MAX));
            let (now, later) = rest.split_at_mut(in_leaf);
            match leaf {
                Some(leaf) => read_leaf(leaf, at, now),
                None => now.fill(0),
            }
            rest = later;
            at += in_leaf as u64;
        }
    }

    /// Returns how many pages a write of this range of bytes would have to add.
    pub(crate) fn missing(&self, bytes: Range<u64>) -> u64 {
        if bytes.is_empty() {
            return 0;
        }
        let pages = bytes.start / PAGE..bytes.end.div_ceil(PAGE);
        let leaves = pages.start / LEAF_PAGES..=(pages.end - 1) / LEAF_PAGES;
        let mut present = 0;
        for (&index, leaf) in self.leaves.range(leaves) {
            let slots = slots_within(index, &pages);
            present += slots.filter(|&slot| leaf.is_counted(slot)).count() as u64;
        }
        pages.end - pages.start - present
    }

    /// Writes as much of `data` as at most `new_pages_max` additional pages allow.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8], new_pages_max: u64) -> Written {
        let mut written = Written { bytes: 0, new_pages: 0 };
        while written.bytes < data.len() {
            let at = offset + written.bytes as u64;
            let index = at / PAGE / LEAF_PAGES;
            let leaf = self.leaves.entry(index).or_default();
            write_leaf(leaf, offset, data, new_pages_max, &mut written);
            if leaf.is_empty() {
                self.leaves.remove(&index);
            }
            let leaf_end = (index + 1) * LEAF_PAGES * PAGE;
            let stopped = offset + (written.bytes as u64) < leaf_end.min(offset + data.len() as u64);
            if stopped {
                break;
            }
        }
        self.counted += written.new_pages;
        written
    }

    /// Makes a range of bytes read as zeros and frees its whole pages; returns how many became holes.
    pub(crate) fn punch(&mut self, bytes: Range<u64>) -> u64 {
        self.clear(bytes, Clear::ToHole)
    }

    /// Reserves every page of the range that is a hole; returns how many became counted, which are those that
    /// [`Pages::missing`] announced.
    pub(crate) fn reserve(&mut self, bytes: Range<u64>) -> u64 {
        if bytes.is_empty() {
            return 0;
        }
        let pages = bytes.start / PAGE..bytes.end.div_ceil(PAGE);
        let before = self.counted;
        for index in pages.start / LEAF_PAGES..=(pages.end - 1) / LEAF_PAGES {
            let leaf = self.leaves.entry(index).or_default();
            for slot in slots_within(index, &pages) {
                if !leaf.is_counted(slot) {
                    leaf.reserved |= 1 << slot;
                    self.counted += 1;
                }
            }
        }
        self.counted - before
    }

    /// Makes a range of bytes read as zeros; whole pages that hold data become reserved. The number of counted
    /// pages stays as it is.
    pub(crate) fn zero(&mut self, bytes: Range<u64>) {
        let freed = self.clear(bytes, Clear::ToReserved);
        assert_eq!(freed, 0, "zeroing a range freed pages");
    }

    /// Returns the first offset at or after the given one that lies in a page with data.
    pub(crate) fn next_data(&self, offset: u64) -> Option<u64> {
        let page = offset / PAGE;
        for (&index, leaf) in self.leaves.range(page / LEAF_PAGES..) {
            let first = page.saturating_sub(index * LEAF_PAGES) as usize;
            let found = (first..LEAF_PAGES as usize).find(|&slot| leaf.pages[slot].is_some());
            if let Some(slot) = found {
                return Some(offset.max((index * LEAF_PAGES + slot as u64) * PAGE));
            }
        }
        None
    }

    /// Returns the first offset at or after the given one that does not lie in a page with data.
    pub(crate) fn next_hole(&self, offset: u64) -> u64 {
        let mut page = offset / PAGE;
        for (&index, leaf) in self.leaves.range(page / LEAF_PAGES..) {
            if index != page / LEAF_PAGES {
                break;
            }
            let first = (page % LEAF_PAGES) as usize;
            let hole = (first..LEAF_PAGES as usize).find(|&slot| leaf.pages[slot].is_none());
            if let Some(slot) = hole {
                return offset.max((index * LEAF_PAGES + slot as u64) * PAGE);
            }
            page = (index + 1) * LEAF_PAGES;
        }
        offset.max(page * PAGE)
    }

    fn clear(&mut self, bytes: Range<u64>, clear: Clear) -> u64 {
        if bytes.is_empty() {
            return 0;
        }
        let leaf_bytes = PAGE * LEAF_PAGES;
        let mut freed = 0;
        let mut emptied = Vec::new();
        for (&index, leaf) in self.leaves.range_mut(bytes.start / leaf_bytes..=(bytes.end - 1) / leaf_bytes) {
            freed += clear_leaf(leaf, index, &bytes, clear);
            if leaf.is_empty() {
                emptied.push(index);
            }
        }
        for index in emptied {
            self.leaves.remove(&index);
        }
        self.counted -= freed;
        freed
    }
}

/// Returns the slots of the leaf of this index that lie in a range of pages.
fn slots_within(index: u64, pages: &Range<u64>) -> Range<usize> {
    let base = index * LEAF_PAGES;
    let first = pages.start.saturating_sub(base).min(LEAF_PAGES);
    let end = pages.end.saturating_sub(base).min(LEAF_PAGES);
    first as usize..end as usize
}

/// Fills a buffer that lies wholly within one leaf.
fn read_leaf(leaf: &Leaf, offset: u64, buffer: &mut [u8]) {
    let mut slot = (offset / PAGE % LEAF_PAGES) as usize;
    let mut start = (offset % PAGE) as usize;
    let mut rest = buffer;
    while !rest.is_empty() {
        let length = rest.len().min(PAGE_BYTES - start);
        let (now, later) = rest.split_at_mut(length);
        match &leaf.pages[slot] {
            Some(page) => now.copy_from_slice(&page[start..start + length]),
            None => now.fill(0),
        }
        rest = later;
        slot += 1;
        start = 0;
    }
}

/// Writes the part of `data` that falls into one leaf, beginning where `written` stands.
fn write_leaf(leaf: &mut Leaf, offset: u64, data: &[u8], new_pages_max: u64, written: &mut Written) {
    let mut slot = ((offset + written.bytes as u64) / PAGE % LEAF_PAGES) as usize;
    while written.bytes < data.len() && slot < LEAF_PAGES as usize {
        let start = ((offset + written.bytes as u64) % PAGE) as usize;
        let rest = &data[written.bytes..];
        let piece = &rest[..rest.len().min(PAGE_BYTES - start)];
        match &mut leaf.pages[slot] {
            Some(page) => page[start..start + piece.len()].copy_from_slice(piece),
            empty => {
                if leaf.reserved & (1 << slot) == 0 {
                    if written.new_pages == new_pages_max {
                        return;
                    }
                    written.new_pages += 1;
                }
                leaf.reserved &= !(1 << slot);
                *empty = Some(new_page(start, piece));
            }
        }
        written.bytes += piece.len();
        slot += 1;
    }
}

/// Clears the part of a range that falls into one leaf; returns how many pages became holes.
fn clear_leaf(leaf: &mut Leaf, index: u64, bytes: &Range<u64>, clear: Clear) -> u64 {
    let mut freed = 0;
    for slot in slots_within(index, &(bytes.start / PAGE..bytes.end.div_ceil(PAGE))) {
        let base = (index * LEAF_PAGES + slot as u64) * PAGE;
        let start = bytes.start.saturating_sub(base).min(PAGE) as usize;
        let end = (bytes.end - base).min(PAGE) as usize;
        let whole = start == 0 && end == PAGE_BYTES;
        if !whole {
            if let Some(page) = &mut leaf.pages[slot] {
                page[start..end].fill(0);
            }
            continue;
        }
        let had_data = leaf.pages[slot].take().is_some();
        match clear {
            Clear::ToReserved if had_data => leaf.reserved |= 1 << slot,
            Clear::ToReserved => {}
            Clear::ToHole => {
                freed += u64::from(had_data || leaf.is_reserved(slot));
                leaf.reserved &= !(1 << slot);
            }
        }
    }
    freed
}

/// Returns a page that holds `piece` at `start` and zeros elsewhere, without writing any byte twice where the piece
/// fills it.
fn new_page(start: usize, piece: &[u8]) -> Page {
    let mut bytes = Vec::with_capacity(PAGE_BYTES);
    bytes.resize(start, 0);
    bytes.extend_from_slice(piece);
    bytes.resize(PAGE_BYTES, 0);
    #[expect(clippy::expect_used, reason = "the vector was just resized to the length of the array")]
    bytes.into_boxed_slice().try_into().expect("a page has the length of a page")
}

#[cfg(test)]
mod tests {
    use super::{PAGE, PAGE_BYTES, Pages, Written};

    fn content(pages: &Pages, length: usize) -> Vec<u8> {
        let mut bytes = vec![0xee; length];
        pages.read(0, &mut bytes);
        bytes
    }

    #[test]
    fn what_was_written_is_read_across_pages_and_leaves() {
        let mut pages = Pages::default();
        let data: Vec<u8> = (0..200_000).map(|i| (i % 251) as u8).collect();
        let missing = pages.missing(1000..201_000);
        let written = pages.write(1000, &data, missing);
        assert_eq!(written, Written { bytes: data.len(), new_pages: 50 });
        assert_eq!(missing, 50);
        let read = content(&pages, 201_500);
        assert!(read[..1000].iter().chain(&read[201_000..]).all(|&b| b == 0));
        assert_eq!(&read[1000..201_000], data);
    }

    #[test]
    fn a_write_stops_where_the_allowed_pages_end() {
        let mut pages = Pages::default();
        pages.write(2 * PAGE, b"x", 1);
        let written = pages.write(100, &vec![7; 20 * PAGE_BYTES], 3);
        assert_eq!(written, Written { bytes: 5 * PAGE_BYTES - 100 - PAGE_BYTES, new_pages: 3 });
        assert_eq!(pages.counted(), 4);
        assert_eq!(Pages::default().write(0, b"x", 0), Written { bytes: 0, new_pages: 0 });
    }

    #[test]
    fn a_write_stops_at_a_leaf_border_if_no_page_is_left() {
        let mut pages = Pages::default();
        let written = pages.write(0, &vec![7; 40 * PAGE_BYTES], 16);
        assert_eq!(written, Written { bytes: 16 * PAGE_BYTES, new_pages: 16 });
        assert_eq!(pages.leaves.len(), 1);
    }

    #[test]
    fn reserved_pages_count_read_as_zeros_and_are_no_data() {
        let mut pages = Pages::default();
        assert_eq!(pages.reserve(0..20 * PAGE), 20);
        assert_eq!(pages.missing(0..20 * PAGE), 0);
        assert_eq!(pages.next_data(0), None);
        assert_eq!(pages.write(PAGE, b"a", 0), Written { bytes: 1, new_pages: 0 });
        assert_eq!(pages.counted(), 20);
        assert_eq!(pages.next_data(0), Some(PAGE));
        assert_eq!(pages.next_hole(PAGE), 2 * PAGE);
    }

    #[test]
    fn punching_frees_whole_pages_and_zeroes_the_edges() {
        let mut pages = Pages::default();
        pages.write(0, &vec![1; 40 * PAGE_BYTES], 40);
        assert_eq!(pages.punch(100..39 * PAGE + 5), 38);
        let read = content(&pages, 40 * PAGE_BYTES);
        assert!(read[..100].iter().all(|&b| b == 1));
        assert!(read[100..39 * PAGE_BYTES + 5].iter().all(|&b| b == 0));
        assert!(read[39 * PAGE_BYTES + 5..].iter().all(|&b| b == 1));
        assert_eq!(pages.punch(0..i64::MAX as u64), 2);
        assert_eq!((pages.counted(), pages.leaves.len()), (0, 0));
    }

    #[test]
    fn zeroing_keeps_the_count() {
        let mut pages = Pages::default();
        pages.write(0, &[1; 3 * PAGE_BYTES], 3);
        pages.zero(10..2 * PAGE + 10);
        assert_eq!(pages.counted(), 3);
        assert_eq!(pages.next_hole(0), PAGE);
        assert_eq!(pages.next_data(PAGE), Some(2 * PAGE));
        assert_eq!(content(&pages, 3 * PAGE_BYTES).iter().filter(|&&b| b == 1).count(), 10 + PAGE_BYTES - 10);
    }

    #[test]
    fn data_and_holes_are_found_from_any_offset() {
        let mut pages = Pages::default();
        pages.write(100 * PAGE, &[1; 32 * PAGE_BYTES], 32);
        assert_eq!(pages.next_data(5), Some(100 * PAGE));
        assert_eq!(pages.next_data(100 * PAGE + 7), Some(100 * PAGE + 7));
        assert_eq!(pages.next_data(132 * PAGE), None);
        assert_eq!(pages.next_hole(5), 5);
        assert_eq!(pages.next_hole(110 * PAGE), 132 * PAGE);
    }
}
