//! Reading, writing, holes, allocation and copies.

use crate::session::{ROOT, Session, kind, name};
use fs9_sdk::{
    CopyRange, ErrorKind, FallocateMode, OpenFlags, OpenNode, Provider, Result, SetAttr, Whence, WriteOptions,
};

const TERABYTE: u64 = 1 << 40;

fn allocate(s: &Session, file: OpenNode, mode: FallocateMode, offset: u64, length: u64) -> Result<()> {
    s.provider.fallocate(&s.call, file, mode, offset, length)
}

fn copy(s: &Session, source: (OpenNode, u64), target: (OpenNode, u64), length: u64) -> Result<u64> {
    s.provider.copy_file_range(&s.call, CopyRange { source, target, length })
}

fn truncate(s: &Session, file: OpenNode, size: u64) {
    s.set(file.node, SetAttr { size: Some(size), ..SetAttr::default() });
}

#[test]
fn a_terabyte_with_a_hole_costs_one_page() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    assert_eq!(s.write(file, TERABYTE, b"end").unwrap(), 3);
    let attr = s.attr(file.node);
    assert_eq!((attr.size, attr.blocks), (TERABYTE + 3, 8));
    assert_eq!(s.read(file, TERABYTE - 2, 100), b"\0\0end");
    assert_eq!(s.read(file, 12345, 3), [0; 3]);
    assert_eq!(s.read(file, TERABYTE + 3, 1), b"");
    assert_eq!(s.read(file, u64::MAX >> 1, 1), b"");
    assert_eq!(s.used().0, 4096);
}

#[test]
fn what_was_cut_off_reads_as_zeros_after_growing_again() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    s.write(file, 0, &[7; 10_000]).unwrap();
    truncate(&s, file, 5000);
    truncate(&s, file, 20_000);
    let read = s.read(file, 0, 30_000);
    assert_eq!(read.len(), 20_000);
    assert!(read[..5000].iter().all(|&b| b == 7) && read[5000..].iter().all(|&b| b == 0));
    assert_eq!(s.attr(file.node).blocks, 16);
}

#[test]
fn appending_handles_write_at_the_end_but_not_for_the_page_cache() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    s.write(file, 0, b"12345").unwrap();
    let append = s.open(file.node, OpenFlags::WRITE_ONLY | OpenFlags::APPEND);
    s.write(append, 0, b"67").unwrap();
    assert_eq!(s.read(file, 0, 99), b"1234567");
    let cached = WriteOptions { from_cache: true, ..WriteOptions::default() };
    s.provider.write(&s.call, append, 1, b"x", cached).unwrap();
    assert_eq!(s.read(file, 0, 99), b"1x34567");
}

#[test]
fn a_handle_does_only_what_it_was_opened_for() {
    let s = Session::new();
    let node = s.touch(ROOT, "a");
    let (reader, writer) = (s.open(node, OpenFlags::empty()), s.open(node, OpenFlags::WRITE_ONLY));
    assert_ne!(reader.handle, writer.handle);
    assert_eq!(kind(s.write(reader, 0, b"x")), ErrorKind::BadDescriptor);
    assert_eq!(kind(s.provider.read(&s.call, writer, 0, &mut [0])), ErrorKind::BadDescriptor);
    assert_eq!(kind(allocate(&s, reader, FallocateMode::empty(), 0, 1)), ErrorKind::BadDescriptor);
    assert_eq!(kind(copy(&s, (writer, 0), (writer, 5), 1)), ErrorKind::BadDescriptor);
    assert_eq!(kind(copy(&s, (reader, 0), (reader, 5), 1)), ErrorKind::BadDescriptor);
}

#[test]
fn only_regular_files_are_opened() {
    let s = Session::new();
    let dir = s.mkdir(ROOT, "d");
    let link = s.provider.symlink(&s.call, ROOT, name("l"), b"t").unwrap().node;
    let open = |node| kind(s.provider.open(&s.call, node, OpenFlags::empty()));
    assert_eq!((open(dir), open(link)), (ErrorKind::IsADirectory, ErrorKind::TooManySymlinks));
    assert_eq!(kind(s.provider.opendir(&s.call, link)), ErrorKind::NotADirectory);
}

#[test]
fn sizes_beyond_the_largest_are_refused() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    let max = i64::MAX as u64;
    let resize = |node, size| {
        s.provider.setattr(&s.call, node, None, SetAttr { size: Some(size), ..SetAttr::default() })
    };
    assert_eq!(kind(resize(file.node, max + 1)), ErrorKind::FileTooLarge);
    assert_eq!(kind(resize(ROOT, 0)), ErrorKind::IsADirectory);
    assert_eq!(kind(s.write(file, max, b"x")), ErrorKind::FileTooLarge);
    assert_eq!(s.write(file, max - 1, b"xy").unwrap(), 1);
    assert_eq!(s.attr(file.node).size, max);
    let fallocate = allocate(&s, file, FallocateMode::empty(), max, 1);
    assert_eq!(kind(fallocate), ErrorKind::FileTooLarge);
    truncate(&s, file, 0);
    assert_eq!(s.used().0, 0);
}

#[test]
fn allocation_counts_and_may_keep_the_size() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    allocate(&s, file, FallocateMode::KEEP_SIZE, 0, 10_000).unwrap();
    assert_eq!((s.attr(file.node).size, s.attr(file.node).blocks), (0, 24));
    allocate(&s, file, FallocateMode::empty(), 0, 5000).unwrap();
    assert_eq!((s.attr(file.node).size, s.attr(file.node).blocks), (5000, 24));
    assert_eq!(s.read(file, 0, 9000), [0; 5000]);
    assert_eq!(kind(s.provider.lseek(&s.call, file, 0, Whence::Data)), ErrorKind::NoSuchDeviceOrAddress);
    truncate(&s, file, 5000);
    assert_eq!(s.attr(file.node).blocks, 16, "a truncation frees what lies beyond the end");
}

#[test]
fn punching_and_zeroing_leave_zeros() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    s.write(file, 0, &[1; 16_384]).unwrap();
    let punch = FallocateMode::PUNCH_HOLE | FallocateMode::KEEP_SIZE;
    allocate(&s, file, punch, 4000, 4192).unwrap();
    assert_eq!(s.attr(file.node).blocks, 24);
    allocate(&s, file, FallocateMode::ZERO_RANGE, 12_288, 8192).unwrap();
    assert_eq!((s.attr(file.node).size, s.attr(file.node).blocks), (20_480, 32));
    let read = s.read(file, 0, 30_000);
    let ones = |range: std::ops::Range<usize>| read[range].iter().all(|&b| b == 1);
    assert!(ones(0..4000) && ones(8192..12_288));
    assert_eq!(read.iter().filter(|&&b| b == 1).count(), 4000 + 4096);
    allocate(&s, file, FallocateMode::ZERO_RANGE | FallocateMode::KEEP_SIZE, 0, 1 << 20).unwrap();
    assert_eq!(s.attr(file.node).size, 20_480);
}

#[test]
fn modes_that_memory_does_not_have_are_refused() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    for mode in [
        FallocateMode::PUNCH_HOLE,
        FallocateMode::COLLAPSE_RANGE,
        FallocateMode::INSERT_RANGE,
        FallocateMode::ZERO_RANGE | FallocateMode::PUNCH_HOLE | FallocateMode::KEEP_SIZE,
        FallocateMode::from_bits_retain(0x8000),
    ] {
        assert_eq!(kind(allocate(&s, file, mode, 0, 4096)), ErrorKind::NotSupported, "{mode:?}");
    }
    assert_eq!(kind(allocate(&s, file, FallocateMode::empty(), 0, 0)), ErrorKind::InvalidArgument);
}

#[test]
fn data_and_holes_are_found() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    s.write(file, TERABYTE, &[1; 5000]).unwrap();
    truncate(&s, file, 2 * TERABYTE);
    let seek = |offset, whence| s.provider.lseek(&s.call, file, offset, whence);
    assert_eq!(seek(0, Whence::Data).unwrap(), TERABYTE);
    assert_eq!(seek(0, Whence::Hole).unwrap(), 0);
    assert_eq!(seek(TERABYTE, Whence::Hole).unwrap(), TERABYTE + 8192);
    assert_eq!(kind(seek(TERABYTE + 8192, Whence::Data)), ErrorKind::NoSuchDeviceOrAddress);
    assert_eq!(kind(seek(2 * TERABYTE, Whence::Hole)), ErrorKind::NoSuchDeviceOrAddress);
    let full = s.create(ROOT, "b");
    s.write(full, 0, b"12345").unwrap();
    assert_eq!(s.provider.lseek(&s.call, full, 2, Whence::Hole).unwrap(), 5);
}

#[test]
fn copies_keep_holes_and_stop_at_the_end() {
    let s = Session::new();
    let (source, target) = (s.create(ROOT, "a"), s.create(ROOT, "b"));
    s.write(source, 0, b"begin").unwrap();
    s.write(source, TERABYTE, &vec![3; 3 << 20]).unwrap();
    s.write(target, 100_000, b"old").unwrap();
    let size = s.attr(source.node).size;
    assert_eq!(copy(&s, (source, 0), (target, 0), size + 4096).unwrap(), size);
    assert_eq!(s.attr(target.node).blocks, s.attr(source.node).blocks);
    assert_eq!(s.attr(target.node).size, size);
    assert_eq!(s.read(target, 0, 6), b"begin\0");
    assert_eq!(s.read(target, 100_000, 3), [0; 3]);
    assert!(s.read(target, TERABYTE, 4 << 20) == vec![3; 3 << 20]);
    assert_eq!(copy(&s, (source, size), (target, 0), 10).unwrap(), 0);
    let most = i64::MAX as u64;
    assert_eq!(copy(&s, (source, size - 1), (target, 1), most).unwrap(), 1, "the source ends first");
    assert_eq!(kind(copy(&s, (source, 0), (target, most - 1), 2)), ErrorKind::FileTooLarge);
}

#[test]
fn a_copy_onto_itself_must_not_overlap() {
    let s = Session::new();
    let file = s.create(ROOT, "a");
    s.write(file, 0, b"0123456789").unwrap();
    assert_eq!(kind(copy(&s, (file, 0), (file, 4), 5)), ErrorKind::InvalidArgument);
    assert_eq!(kind(copy(&s, (file, 4), (file, 0), 5)), ErrorKind::InvalidArgument);
    assert_eq!(copy(&s, (file, 0), (file, 5), 5).unwrap(), 5);
    assert_eq!(s.read(file, 0, 20), b"0123401234");
}
