//! Promise 6: what reads and writes give at, beyond and across the end of a file.

use super::failure::{Outcome, ensure, ensure_eq};
use super::session::{ROOT, Session};
use fs9_sdk::{OpenFlags, SetAttr, WriteOptions};

/// One that no provider can hold densely in memory, and that fits every file system's largest size.
const FAR: u64 = 1 << 40;

/// Bytes that differ from page to page, so that a page in the wrong place is seen.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at / 4_096) ^ at) as u8 | 1).collect()
}

pub(super) fn a_read_gives_what_the_file_holds(s: &Session<'_>) -> Outcome {
    let (entry, content) = s.sample()?;
    ensure_eq!(entry.attr.size, content.len() as u64, "size");
    let file = s.open(entry.node, OpenFlags::empty())?;
    ensure_eq!(s.read(file, 0, content.len() + 10)?, content, "content in one read");
    for at in 0..content.len() {
        let one = s.read(file, at as u64, 1)?;
        ensure_eq!(one, content[at..=at], "byte {at}");
        ensure_eq!(s.read(file, at as u64, 4_096)?, content[at..], "content from byte {at} on");
    }
    s.release(file);
    Ok(())
}

pub(super) fn a_read_beyond_the_end_gives_nothing(s: &Session<'_>) -> Outcome {
    let (entry, content) = s.sample()?;
    let file = s.open(entry.node, OpenFlags::empty())?;
    let end = content.len() as u64;
    for offset in [end, end + 1, end + 4_096, 1 << 32, 1 << 62, i64::MAX as u64 - 4_096] {
        ensure_eq!(s.read(file, offset, 4_096)?, b"", "bytes read at {offset}");
    }
    ensure_eq!(s.read(file, 0, 0)?, b"", "bytes read into an empty buffer");
    s.release(file);
    Ok(())
}

pub(super) fn a_read_is_short_only_at_the_end(s: &Session<'_>) -> Outcome {
    let data = pattern((3 << 20) + 13);
    let file = s.open(s.file(ROOT, "f", &data)?.node, OpenFlags::empty())?;
    for (offset, length) in [(0, 3 << 20), (1, 1 << 20), (4_095, 4_098), ((1 << 20) - 7, 1 << 20)] {
        let read = s.read(file, offset as u64, length)?;
        ensure_eq!(read.len(), length, "bytes of a read at {offset} within the file");
        ensure!(read == data[offset..offset + length], "wrong bytes read at {offset}");
    }
    let tail = s.read(file, 3 << 20, 4_096)?;
    ensure!(tail == data[3 << 20..], "wrong bytes at the end: {} of 13", tail.len());
    s.release(file);
    Ok(())
}

pub(super) fn a_write_in_the_middle_changes_only_its_range(s: &Session<'_>) -> Outcome {
    let mut expected = pattern(20_000);
    let entry = s.file(ROOT, "f", &expected)?;
    let file = s.open(entry.node, OpenFlags::READ_WRITE)?;
    for (offset, length) in [(0, 1), (4_095, 2), (4_096, 4_096), (10_000, 1), (8_191, 5_000), (19_999, 1)] {
        let data = vec![0xee; length];
        s.write(file, offset as u64, &data)?;
        expected[offset..offset + length].copy_from_slice(&data);
        ensure!(s.read(file, 0, 30_000)? == expected, "wrong content after a write of {length} at {offset}");
    }
    ensure_eq!(s.getattr_by(file)?.size, 20_000, "size");
    s.release(file);
    Ok(())
}

pub(super) fn a_write_beyond_the_end_leaves_a_hole_of_zeros(s: &Session<'_>) -> Outcome {
    let (_, file) = s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, 0, "head")?;
    s.write(file, 100_000, "tail")?;
    ensure_eq!(s.getattr_by(file)?.size, 100_004, "size");
    let content = s.read(file, 0, 200_000)?;
    ensure_eq!(content.len(), 100_004, "bytes read");
    ensure!(content[..4] == *b"head" && content[100_000..] == *b"tail", "the data is not where it was put");
    ensure!(content[4..100_000].iter().all(|&byte| byte == 0), "the hole does not read as zeros");
    s.release(file);
    Ok(())
}

pub(super) fn an_extended_file_ends_in_zeros(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "data")?;
    ensure_eq!(s.truncate(entry.node, 9_000)?.size, 9_000, "size after extending");
    let content = s.content(entry.node)?;
    ensure_eq!(content.len(), 9_000, "bytes read");
    ensure!(content[..4] == *b"data", "the old data is lost");
    ensure!(content[4..].iter().all(|&byte| byte == 0), "the extension does not read as zeros");
    Ok(())
}

pub(super) fn cut_data_does_not_come_back(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", pattern(10_000))?;
    for cut in [9_999, 8_192, 5_000, 4_096, 1, 0] {
        ensure_eq!(s.truncate(entry.node, cut)?.size, cut, "size after cutting");
        s.truncate(entry.node, 10_000)?;
        let content = s.content(entry.node)?;
        let zeros = content[cut as usize..].iter().all(|&byte| byte == 0);
        ensure!(zeros, "bytes beyond a cut at {cut} came back");
        ensure!(
            content[..cut as usize] == pattern(10_000)[..cut as usize],
            "bytes below a cut at {cut} changed"
        );
    }
    // A write beyond a cut within a block must not reveal what stood there either.
    let entry = s.file(ROOT, "g", pattern(4_096))?;
    s.truncate(entry.node, 100)?;
    let file = s.open(entry.node, OpenFlags::READ_WRITE)?;
    s.write(file, 4_000, "x")?;
    let between = s.read(file, 100, 3_900)?;
    ensure!(between.iter().all(|&byte| byte == 0), "a write beyond a cut reveals old bytes");
    s.release(file);
    Ok(())
}

pub(super) fn truncate_works_by_node_and_by_handle(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "0123456789")?;
    let file = s.open(entry.node, OpenFlags::READ_WRITE)?;
    let changes = |size| SetAttr { size: Some(size), ..SetAttr::default() };
    ensure_eq!(s.setattr_by(file, changes(8))?.size, 8, "size by handle");
    ensure_eq!(s.setattr(entry.node, changes(6))?.size, 6, "size by node");
    ensure_eq!(s.getattr(entry.node)?.size, 6, "size told by node");
    ensure_eq!(s.getattr_by(file)?.size, 6, "size told by handle");
    ensure_eq!(s.read(file, 0, 100)?, b"012345", "content");
    s.release(file);
    Ok(())
}

pub(super) fn open_with_truncate_cuts_the_file(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "data")?;
    let flags = OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE;
    let opened = s.provider.open(&s.call, entry.node, flags)?;
    let file = fs9_sdk::OpenNode { node: entry.node, handle: opened.handle };
    if let Some(attr) = opened.attr {
        ensure_eq!(attr.size, 0, "size told by open");
    }
    ensure_eq!(s.getattr(entry.node)?.size, 0, "size after open with TRUNCATE");
    s.release(file);
    ensure_eq!(s.content(entry.node)?, b"", "content");
    Ok(())
}

pub(super) fn append_writes_go_to_the_end(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "first ")?;
    let flags = OpenFlags::WRITE_ONLY | OpenFlags::APPEND;
    let one = s.open(entry.node, flags)?;
    let two = s.open(entry.node, flags)?;
    // The kernel gives the offset it believes to be the end; another writer may have moved it.
    for (file, data) in [(one, "second "), (two, "third "), (one, "fourth")] {
        s.write(file, 6, data)?;
    }
    s.release(one);
    s.release(two);
    ensure_eq!(s.content(entry.node)?, b"first second third fourth", "content");
    Ok(())
}

pub(super) fn an_empty_write_changes_nothing(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "data")?;
    let file = s.open(entry.node, OpenFlags::READ_WRITE)?;
    for offset in [0, 4, 1_000_000] {
        let count = s.provider.write(&s.call, file, offset, b"", WriteOptions::default())?;
        ensure_eq!(count, 0, "bytes of an empty write");
    }
    s.release(file);
    ensure_eq!(s.getattr(entry.node)?.size, 4, "size after empty writes");
    Ok(())
}

pub(super) fn what_one_handle_writes_another_reads(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "old")?;
    let reader = s.open(entry.node, OpenFlags::empty())?;
    let writer = s.open(entry.node, OpenFlags::WRITE_ONLY)?;
    s.write(writer, 0, "new and longer")?;
    ensure_eq!(s.read(reader, 0, 100)?, b"new and longer", "content by the reader, before any flush");
    ensure_eq!(s.getattr(entry.node)?.size, 14, "size by node, before any flush");
    s.release(writer);
    s.release(reader);
    Ok(())
}

pub(super) fn a_sparse_file_takes_little_space(s: &Session<'_>) -> Outcome {
    let (entry, file) = s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, FAR, "end")?;
    let attr = s.getattr(entry.node)?;
    ensure_eq!(attr.size, FAR + 3, "size");
    ensure!(attr.blocks <= 4_096, "a file with three bytes of data takes {} blocks", attr.blocks);
    ensure_eq!(s.read(file, FAR, 100)?, b"end", "data far out");
    let hole = s.read(file, FAR / 2, 1 << 20)?;
    ensure!(hole.len() == 1 << 20 && hole.iter().all(|&byte| byte == 0), "the hole is not 1 MiB of zeros");
    s.truncate(entry.node, FAR * 2)?;
    ensure!(s.getattr(entry.node)?.blocks <= 4_096, "extending a file took space");
    s.release(file);
    Ok(())
}

pub(super) fn space_comes_back_when_a_file_is_cut(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", pattern(1 << 20))?;
    let file = s.open(entry.node, OpenFlags::READ_WRITE)?;
    // File systems that allocate late count the space only once the data is durable.
    s.provider.fsync(&s.call, file, false)?;
    let full = s.getattr(entry.node)?.blocks;
    ensure!(full * 512 >= 1 << 20, "1 MiB of data takes {full} blocks of 512 bytes");
    s.truncate(entry.node, 0)?;
    let left = s.getattr(entry.node)?.blocks;
    ensure!(left <= 64, "an empty file takes {left} blocks");
    s.release(file);
    Ok(())
}
