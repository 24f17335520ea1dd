//! Listings, read back as the kernel reads them (`parse_dirfile` and `parse_dirplusfile` in `fs/fuse/readdir.c`).

use super::encoding::{entry, entry_fields};
use super::record;
use super::request::Field::{D, W};
use crate::Ino;
use crate::protocol::DirBuffer;
use crate::reply::{ListedEntry, Listing};
use fs9_sdk::FileType;
use proptest::prelude::*;

fn listed<'a>(name: &'a [u8], cookie: u64) -> ListedEntry<'a> {
    ListedEntry { name, cookie, ino: Ino(0x33), kind: Some(FileType::Directory), entry: None }
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

#[test]
fn an_entry_has_number_cookie_type_and_name() {
    let mut room = [0xff; 64];
    let mut buffer = DirBuffer::new(&mut room, false);
    assert!(buffer.push(listed(b".", 5)));
    assert!(buffer.push(ListedEntry { kind: None, ..listed(b"eight by", 6) }));
    let dot = [record(&[D(0x33), D(5), W(1), W(4)]), b".".to_vec()].concat();
    let eight = [record(&[D(0x33), D(6), W(8), W(0)]), b"eight by".to_vec()].concat();
    assert_eq!(buffer.bytes(), [padded(dot), padded(eight)].concat());
    assert_eq!(buffer.filled(), 64);
    assert!(!buffer.push(listed(b".", 7)));
    assert_eq!(buffer.filled(), 64);
}

#[test]
fn an_entry_with_attributes_is_looked_up_unless_it_is_only_listed() {
    let mut room = [0xff; 400];
    let mut buffer = DirBuffer::new(&mut room, true);
    let found = ListedEntry { ino: entry().ino, kind: Some(FileType::Regular), ..listed(b"f", 1) };
    assert!(buffer.push(ListedEntry { entry: Some(entry()), ..found }));
    assert!(buffer.push(ListedEntry { ino: Ino(1), ..listed(b"..", 2) }));
    assert!(!buffer.push(listed(b"no room", 3)));
    let dirent = record(&[D(entry().ino.0), D(1), W(1), W(8)]);
    let first = padded([record(&entry_fields()), dirent, b"f".to_vec()].concat());
    let second = [vec![0; 128], record(&[D(1), D(2), W(2), W(4)]), b"..".to_vec()].concat();
    assert_eq!(buffer.bytes(), [first, padded(second)].concat());
}

#[test]
fn names_that_would_spoil_the_listing_are_left_out() {
    let mut room = [0; 4096];
    let mut buffer = DirBuffer::new(&mut room, false);
    for name in [&b""[..], b"a/b", b"/", &[b'a'; 1025]] {
        assert!(buffer.push(listed(name, 1)));
        assert_eq!(buffer.filled(), 0);
    }
    assert!(buffer.push(listed(&[b'a'; 1024], 1)));
    assert_eq!(buffer.filled(), 24 + 1024);
}

#[test]
fn a_listing_without_room_takes_nothing() {
    for length in 0..32 {
        let mut room = vec![0xff; length];
        let mut buffer = DirBuffer::new(&mut room, false);
        assert!(!buffer.push(listed(b"n", 1)));
        assert_eq!(buffer.bytes(), b"");
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Reads a listing as the kernel does, and returns node, cookie and name of each entry.
fn read_back(mut bytes: &[u8], attributes: bool) -> Vec<(u64, u64, Vec<u8>)> {
    let head = if attributes { 128 } else { 0 };
    let mut entries = Vec::new();
    while bytes.len() >= head + 24 {
        let node = if attributes { number(bytes, 0) } else { 0 };
        let cookie = number(bytes, head + 8);
        let length = u32::from_ne_bytes(bytes[head + 16..head + 20].try_into().unwrap()) as usize;
        assert!((1..=1024).contains(&length));
        let whole = (head + 24 + length).next_multiple_of(8);
        assert!(whole <= bytes.len(), "a record is cut");
        assert!(bytes[head + 24 + length..whole].iter().all(|&byte| byte == 0), "padding leaks memory");
        entries.push((node, cookie, bytes[head + 24..head + 24 + length].to_vec()));
        bytes = &bytes[whole..];
    }
    assert_eq!(bytes, b"");
    entries
}

proptest! {
    #[test]
    fn what_was_pushed_is_read_back(
        names in prop::collection::vec((prop::collection::vec(1u8..=255, 0..300), any::<bool>()), 0..20),
        room in 0usize..3000,
        attributes: bool,
    ) {
        let mut room = vec![0xff; room];
        let length = room.len();
        let mut buffer = DirBuffer::new(&mut room, attributes);
        let mut expected = Vec::new();
        for (index, (name, found)) in names.iter().enumerate() {
            let cookie = index as u64 + 1;
            let looked_up = found.then(entry);
            let before = buffer.filled();
            let pushed = buffer.push(ListedEntry { entry: looked_up, ..listed(name, cookie) });
            let valid = !name.is_empty() && !name.contains(&b'/');
            if pushed && valid {
                let node = if *found && attributes { entry().ino.0 } else { 0 };
                expected.push((node, cookie, name.clone()));
            } else {
                prop_assert_eq!(buffer.filled(), before);
            }
            // There is room or there is none: nothing else decides.
            let needed = (name.len() + if attributes { 152 } else { 24 }).next_multiple_of(8);
            prop_assert_eq!(pushed, !valid || before + needed <= length);
        }
        prop_assert_eq!(read_back(buffer.bytes(), attributes), expected);
    }
}
