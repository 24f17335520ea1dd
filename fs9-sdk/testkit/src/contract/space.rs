//! fallocate, lseek and copy_file_range.

use super::failure::{Outcome, ensure, ensure_eq, refused};
use super::session::{ROOT, Session};
use crate::Features;
use fs9_sdk::{CopyRange, ErrorKind, FallocateMode, OpenFlags, OpenNode, Result, Whence};

const NOT_SUPPORTED: &[ErrorKind] = &[ErrorKind::NotSupported, ErrorKind::NotImplemented];
const NO_SUCH_PLACE: &[ErrorKind] = &[ErrorKind::NoSuchDeviceOrAddress];
const KEEP: FallocateMode = FallocateMode::KEEP_SIZE;

/// Larger than any block of a file system that the suite runs on.
const PIECE: u64 = 1 << 18;

fn open_new(s: &Session<'_>, name: &str, content: &[u8]) -> Result<OpenNode> {
    let (_, file) = s.create(ROOT, name, 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, 0, content)?;
    Ok(file)
}

fn allocate(s: &Session<'_>, file: OpenNode, mode: FallocateMode, offset: u64, length: u64) -> Result<()> {
    s.provider.fallocate(&s.call, file, mode, offset, length)
}

fn size(s: &Session<'_>, file: OpenNode) -> Result<u64> {
    Ok(s.getattr_by(file)?.size)
}

pub(super) fn fallocate_extends_and_keeps_the_data(s: &Session<'_>) -> Outcome {
    let file = open_new(s, "f", b"data")?;
    allocate(s, file, FallocateMode::empty(), 0, 10_000)?;
    ensure_eq!(size(s, file)?, 10_000, "size");
    let content = s.read(file, 0, 20_000)?;
    ensure!(content.len() == 10_000 && content[..4] == *b"data", "the data changed");
    ensure!(content[4..].iter().all(|&byte| byte == 0), "what was allocated does not read as zeros");
    ensure!(s.getattr_by(file)?.blocks * 512 >= 10_000, "nothing was reserved");
    allocate(s, file, FallocateMode::empty(), 5, 10)?;
    ensure_eq!(size(s, file)?, 10_000, "size after allocating within the file");
    s.release(file);
    Ok(())
}

pub(super) fn fallocate_can_keep_the_size(s: &Session<'_>) -> Outcome {
    let file = open_new(s, "f", b"data")?;
    allocate(s, file, KEEP, 0, 1 << 20)?;
    ensure_eq!(size(s, file)?, 4, "size");
    ensure!(s.getattr_by(file)?.blocks * 512 >= 1 << 20, "nothing was reserved");
    ensure_eq!(s.read(file, 0, 100)?, b"data", "content");
    s.release(file);
    Ok(())
}

pub(super) fn punching_a_hole_zeroes_exactly_the_range(s: &Session<'_>) -> Outcome {
    let mut expected = vec![0x77; 20_000];
    let file = open_new(s, "f", &expected)?;
    let punch = KEEP | FallocateMode::PUNCH_HOLE;
    for (offset, length) in [(1, 1), (100, 5_000), (8_192, 4_096), (19_000, 50_000)] {
        allocate(s, file, punch, offset, length)?;
        let end = (offset + length).min(20_000);
        expected[offset as usize..end as usize].fill(0);
        ensure_eq!(size(s, file)?, 20_000, "size");
        ensure!(s.read(file, 0, 30_000)? == expected, "wrong content after a hole of {length} at {offset}");
    }
    s.release(file);
    Ok(())
}

pub(super) fn a_hole_gives_space_back(s: &Session<'_>) -> Outcome {
    let file = open_new(s, "f", &vec![0x77; 1 << 20])?;
    s.provider.fsync(&s.call, file, false)?;
    let before = s.getattr_by(file)?.blocks;
    allocate(s, file, KEEP | FallocateMode::PUNCH_HOLE, 0, 1 << 20)?;
    let after = s.getattr_by(file)?.blocks;
    ensure!(after + 1_024 <= before, "1 MiB of hole: {before} blocks before, {after} after");
    s.release(file);
    Ok(())
}

pub(super) fn zeroing_a_range_zeroes_exactly_the_range(s: &Session<'_>) -> Outcome {
    let mut expected = vec![0x77; 20_000];
    let file = open_new(s, "f", &expected)?;
    let zero = FallocateMode::ZERO_RANGE;
    for (offset, length) in [(1, 1), (100, 5_000), (8_192, 4_096)] {
        allocate(s, file, zero, offset, length)?;
        expected[offset as usize..(offset + length) as usize].fill(0);
        ensure!(s.read(file, 0, 30_000)? == expected, "wrong content after zeroing {length} at {offset}");
    }
    allocate(s, file, zero | KEEP, 19_000, 50_000)?;
    ensure_eq!(size(s, file)?, 20_000, "size after zeroing beyond the end with KEEP_SIZE");
    allocate(s, file, zero, 19_000, 50_000)?;
    ensure_eq!(size(s, file)?, 69_000, "size after zeroing beyond the end");
    expected[19_000..].fill(0);
    expected.resize(69_000, 0);
    ensure!(s.read(file, 0, 100_000)? == expected, "wrong content after zeroing beyond the end");
    s.release(file);
    Ok(())
}

pub(super) fn modes_that_are_not_supported_are_refused(s: &Session<'_>) -> Outcome {
    let file = open_new(s, "f", b"data")?;
    let punch = FallocateMode::PUNCH_HOLE;
    let mut foreign = vec![FallocateMode::from_bits_retain(0x8000), FallocateMode::from_bits_retain(1 << 31)];
    // fallocate(2): punching without KEEP_SIZE is not supported by anybody.
    foreign.push(punch);
    for (feature, mode) in [
        (Features::FALLOCATE, FallocateMode::empty()),
        (Features::FALLOCATE, KEEP),
        (Features::PUNCH_HOLE, KEEP | punch),
        (Features::ZERO_RANGE, FallocateMode::ZERO_RANGE),
    ] {
        if !s.profile.has(feature) {
            foreign.push(mode);
        }
    }
    for mode in foreign {
        refused(allocate(s, file, mode, 0, 4_096), NOT_SUPPORTED, &format!("fallocate with {mode:?}"))?;
        ensure_eq!(s.read(file, 0, 100)?, b"data", "content after fallocate with {mode:?}");
    }
    s.release(file);
    Ok(())
}

pub(super) fn a_reading_handle_allocates_nothing(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "data")?;
    let file = s.open(entry.node, OpenFlags::empty())?;
    let bad = [ErrorKind::BadDescriptor];
    refused(allocate(s, file, FallocateMode::empty(), 0, 4_096), &bad, "fallocate by a reading handle")?;
    s.release(file);
    ensure_eq!(s.getattr(entry.node)?.size, 4, "size");
    Ok(())
}

pub(super) fn seeking_finds_data_and_the_hole_at_the_end(s: &Session<'_>) -> Outcome {
    let file = open_new(s, "f", b"0123456789")?;
    let seek = |offset, whence| s.provider.lseek(&s.call, file, offset, whence);
    for offset in [0, 5, 9] {
        ensure_eq!(seek(offset, Whence::Data)?, offset, "data from within data");
        ensure_eq!(seek(offset, Whence::Hole)?, 10, "hole from within data: the end is one");
    }
    for offset in [10, 11, 1 << 40] {
        refused(seek(offset, Whence::Data), NO_SUCH_PLACE, &format!("data at {offset} of 10"))?;
        refused(seek(offset, Whence::Hole), NO_SUCH_PLACE, &format!("hole at {offset} of 10"))?;
    }
    s.release(file);
    let empty = open_new(s, "empty", b"")?;
    let found = s.provider.lseek(&s.call, empty, 0, Whence::Data);
    refused(found, NO_SUCH_PLACE, "data in an empty file")?;
    s.release(empty);
    Ok(())
}

pub(super) fn seeking_finds_holes_in_sparse_files(s: &Session<'_>) -> Outcome {
    let file = open_new(s, "f", b"")?;
    let piece = vec![0x77; PIECE as usize];
    s.write(file, PIECE, &piece)?;
    s.write(file, 5 * PIECE, &piece)?;
    s.truncate(file.node, 8 * PIECE)?;
    let seek = |offset, whence| s.provider.lseek(&s.call, file, offset, whence);
    ensure_eq!(seek(0, Whence::Hole)?, 0, "hole at the beginning");
    ensure_eq!(seek(0, Whence::Data)?, PIECE, "first data");
    ensure_eq!(seek(PIECE, Whence::Hole)?, 2 * PIECE, "hole after the first data");
    ensure_eq!(seek(3 * PIECE + 5, Whence::Data)?, 5 * PIECE, "second data");
    ensure_eq!(seek(5 * PIECE + 5, Whence::Hole)?, 6 * PIECE, "hole after the second data");
    refused(seek(6 * PIECE, Whence::Data), NO_SUCH_PLACE, "data where only a hole follows")?;
    ensure_eq!(seek(7 * PIECE, Whence::Hole)?, 7 * PIECE, "hole within the last hole");
    s.release(file);
    Ok(())
}

fn copy(s: &Session<'_>, source: (OpenNode, u64), target: (OpenNode, u64), length: u64) -> Result<u64> {
    s.provider.copy_file_range(&s.call, CopyRange { source, target, length })
}

/// Copies everything, in as many calls as the provider wants.
fn copy_all(s: &Session<'_>, source: (OpenNode, u64), target: (OpenNode, u64), length: u64) -> Result<u64> {
    let mut done = 0;
    while done < length {
        match copy(s, (source.0, source.1 + done), (target.0, target.1 + done), length - done)? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

pub(super) fn a_copied_range_arrives(s: &Session<'_>) -> Outcome {
    let data: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
    let source = open_new(s, "source", &data)?;
    let target = open_new(s, "target", b"0123456789")?;
    ensure_eq!(copy_all(s, (source, 1_000), (target, 5), 50_000)?, 50_000, "bytes copied");
    let expected = [b"01234", &data[1_000..51_000]].concat();
    ensure!(s.read(target, 0, 200_000)? == expected, "the copy differs");
    ensure!(s.read(source, 0, 200_000)? == data, "the source changed");
    s.release(source);
    s.release(target);
    Ok(())
}

pub(super) fn a_copy_ends_at_the_end_of_the_source(s: &Session<'_>) -> Outcome {
    let source = open_new(s, "source", b"0123456789")?;
    let target = open_new(s, "target", b"")?;
    ensure_eq!(copy_all(s, (source, 4), (target, 0), 1_000)?, 6, "bytes copied");
    ensure_eq!(s.read(target, 0, 100)?, b"456789", "content of the target");
    for offset in [10, 11, 1 << 40] {
        ensure_eq!(copy(s, (source, offset), (target, 0), 10)?, 0, "bytes copied from {offset} on");
    }
    ensure_eq!(size(s, target)?, 6, "size of the target");
    s.release(source);
    s.release(target);
    Ok(())
}

pub(super) fn overlapping_ranges_of_one_file_are_einval(s: &Session<'_>) -> Outcome {
    let one = open_new(s, "f", &[b"0123456789".repeat(1_000), vec![0; 10]].concat())?;
    let two = s.open(one.node, OpenFlags::READ_WRITE)?;
    let before = s.read(one, 0, 20_000)?;
    for (source, target) in [(0, 0), (0, 999), (999, 0), (500, 1)] {
        let copied = copy(s, (one, source), (two, target), 1_000);
        refused(copied, &[ErrorKind::InvalidArgument], &format!("copy of 1,000 from {source} to {target}"))?;
    }
    ensure!(s.read(one, 0, 20_000)? == before, "a refused copy changed the file");
    ensure_eq!(copy_all(s, (one, 0), (two, 5_003), 1_000)?, 1_000, "bytes copied within one file");
    ensure!(s.read(one, 5_003, 1_000)? == before[..1_000], "the copy within one file differs");
    s.release(one);
    s.release(two);
    Ok(())
}

pub(super) fn a_copy_minds_what_its_handles_may(s: &Session<'_>) -> Outcome {
    let (a, b) = (s.file(ROOT, "a", "aaaa")?, s.file(ROOT, "b", "bbbb")?);
    let reader = s.open(a.node, OpenFlags::empty())?;
    let writer = s.open(b.node, OpenFlags::WRITE_ONLY)?;
    let bad = [ErrorKind::BadDescriptor];
    refused(copy(s, (writer, 0), (writer, 100), 4), &bad, "copy from a writing handle")?;
    let other = s.open(b.node, OpenFlags::empty())?;
    refused(copy(s, (reader, 0), (other, 0), 4), &bad, "copy to a reading handle")?;
    for file in [reader, writer, other] {
        s.release(file);
    }
    ensure_eq!(s.content(b.node)?, b"bbbb", "content of the target");
    Ok(())
}
