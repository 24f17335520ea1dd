//! What it must not do: panic, or lose its footing, on anything that comes from outside.
//!
//! Each case calls with absurd arguments, takes any answer, and then looks whether the provider still works.

use super::failure::{Outcome, ensure, ensure_eq};
use super::session::{Page, ROOT, Session};
use fs9_sdk::{
    CopyRange, FallocateMode, FileType, Name, NewNode, OpenFlags, RenameFlags, SetAttr, SetTime, Timestamp,
    Whence, WriteOptions, XattrFlags,
};

/// Offsets at which sums overflow.
const OFFSETS: [u64; 8] =
    [0, 1, 4_095, 1 << 32, 1 << 62, i64::MAX as u64 - 4_096, i64::MAX as u64 - 1, i64::MAX as u64];

/// Looks whether the provider still works.
fn still_works(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "proof of life", "data")?;
    ensure_eq!(s.content(file.node)?, b"data", "content of a new file");
    s.unlink(ROOT, "proof of life")?;
    s.provider.forget(file.node, 1);
    Ok(())
}

pub(super) fn absurd_offsets_of_reads_are_answered(s: &Session<'_>) -> Outcome {
    let (entry, content) = s.sample()?;
    let file = s.open(entry.node, OpenFlags::empty())?;
    for offset in OFFSETS {
        // Offsets beyond i64 are not promised, yet must not bring the provider down.
        for offset in [offset, offset.wrapping_mul(2).wrapping_add(1)] {
            let mut buffer = vec![0; 10_000];
            if let Ok(count) = s.provider.read(&s.call, file, offset, &mut buffer) {
                let left = (content.len() as u64).saturating_sub(offset);
                ensure!(count as u64 <= left, "{count} bytes read at {offset} of {}", content.len());
            }
        }
    }
    ensure_eq!(s.read(file, 0, content.len())?, content, "content afterwards");
    s.release(file);
    Ok(())
}

pub(super) fn absurd_offsets_of_writes_are_answered(s: &Session<'_>) -> Outcome {
    for (number, offset) in OFFSETS.into_iter().enumerate() {
        let (entry, file) = s.create(ROOT, format!("f{number}"), 0o644, OpenFlags::READ_WRITE)?;
        let data = [0x5a; 4_097];
        let options = WriteOptions::default();
        let written = s.provider.write(&s.call, file, offset, &data, options).unwrap_or(0);
        ensure!(written <= data.len(), "a write of 4,097 bytes wrote {written}");
        let size = s.getattr(entry.node)?.size;
        let expected = if written == 0 { 0 } else { offset + written as u64 };
        ensure_eq!(size, expected, "size after {written} bytes at {offset}");
        let mut back = vec![0; written];
        if written > 0 {
            let count = s.provider.read(&s.call, file, offset, &mut back)?;
            ensure!(back[..count].iter().all(|&byte| byte == 0x5a), "wrong bytes at {offset}");
        }
        s.release(file);
        s.unlink(ROOT, format!("f{number}"))?;
    }
    still_works(s)
}

pub(super) fn absurd_sizes_are_answered(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "data")?;
    for size in OFFSETS.into_iter().chain([u64::MAX, u64::MAX - 4_095, 1 << 63]) {
        let before = s.getattr(entry.node)?.size;
        let after = match s.truncate(entry.node, size) {
            Ok(attr) => {
                ensure_eq!(attr.size, size, "size after it was set");
                size
            }
            Err(_) => before,
        };
        ensure_eq!(s.getattr(entry.node)?.size, after, "size after asking for {size}");
    }
    s.truncate(entry.node, 0)?;
    still_works(s)
}

pub(super) fn absurd_ranges_are_answered(s: &Session<'_>) -> Outcome {
    let (entry, file) = s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?;
    let (_, target) = s.create(ROOT, "target", 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, 0, "data")?;
    let modes = [0, 1, 3, 0x10, 0x11, 0x08, 0x20, 0x40, 0xff, u32::MAX].map(FallocateMode::from_bits_retain);
    for offset in OFFSETS {
        for length in [0, 1, 4_096, i64::MAX as u64 - offset, i64::MAX as u64, u64::MAX] {
            for mode in modes {
                // Reserving space that the machine may have is not what is tried here.
                let reserves = mode.bits() & !0x41 == 0 && length > 4_096;
                if !reserves && s.provider.fallocate(&s.call, file, mode, offset, length).is_ok() {
                    s.truncate(entry.node, 4)?;
                }
            }
            let range = CopyRange { source: (file, offset), target: (target, offset), length };
            if let Ok(count) = s.provider.copy_file_range(&s.call, range) {
                ensure!(count <= 4, "{count} bytes copied from a file of 4");
            }
        }
        for whence in [Whence::Data, Whence::Hole] {
            if let Ok(found) = s.provider.lseek(&s.call, file, offset, whence) {
                ensure!(found >= offset, "{whence:?} at {offset} was found at {found}, before it");
            }
        }
    }
    s.release(file);
    s.release(target);
    still_works(s)
}

pub(super) fn unknown_flags_are_answered(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "data")?;
    for bit in 0..32 {
        let flags = OpenFlags::from_bits_retain(1 << bit);
        if let Ok(file) = s.open(entry.node, flags) {
            s.release(file);
        }
        s.file(ROOT, "g", "more")?;
        // Whether the flag is known or not, both names or exactly the moved one stand afterwards.
        let flags = RenameFlags::from_bits_retain(1 << bit);
        let moved = s.rename((ROOT, b"g"), (ROOT, b"f2"), flags).is_ok();
        ensure_eq!(s.lookup(ROOT, "f2").is_ok(), moved, "whether rename with {flags:?} moved the file");
        for name in ["g", "f2"] {
            if s.lookup(ROOT, name).is_ok() {
                s.unlink(ROOT, name)?;
            }
        }
        let flags = XattrFlags::from_bits_retain(1 << bit);
        // Any answer is right, as long as there is one.
        drop(s.provider.setxattr(&s.call, entry.node, b"user.x", b"1", flags));
    }
    still_works(s)
}

pub(super) fn absurd_attribute_names_are_answered(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "data")?.node;
    let long = [b"user.".to_vec(), vec![b'n'; 100_000]].concat();
    let names: [&[u8]; 10] =
        [b"", b".", b"user", b"user.", b"\xff\xfe", b"user.\xff", b"user.a\0b", b"/", b"system.", &long];
    for name in names {
        // Any answer is right, as long as there is one.
        drop(s.provider.setxattr(&s.call, node, name, b"1", XattrFlags::empty()));
        drop(s.provider.getxattr(&s.call, node, name));
        drop(s.provider.removexattr(&s.call, node, name));
    }
    drop(s.provider.listxattr(&s.call, node));
    still_works(s)
}

pub(super) fn unknown_cookies_are_answered(s: &Session<'_>) -> Outcome {
    let (file, _) = s.sample()?;
    let dir = s.opendir(ROOT)?;
    for cookie in OFFSETS.into_iter().chain([2, 3, u64::MAX, 1 << 63, fs9_sdk::MAX_COOKIE]) {
        let mut page = Page::of(10);
        // Any answer is right, as long as there is one.
        drop(s.provider.readdir(&s.call, dir, cookie, true, &mut page));
    }
    let afresh = s.page(dir, 0, usize::MAX, false)?;
    s.provider.releasedir(dir);
    let number = file.attr.id.number;
    ensure!(afresh.iter().any(|listed| listed.id.1 == number), "the listing lost an entry afterwards");
    Ok(())
}

pub(super) fn absurd_modes_and_times_are_answered(s: &Session<'_>) -> Outcome {
    for (number, mode) in [0, 0o777, 0o170_000, 0o160_000, u32::MAX, 1 << 31].into_iter().enumerate() {
        let name = format!("node{number}");
        let new = NewNode { mode, rdev: u32::MAX };
        if s.provider.mknod(&s.call, ROOT, Name::new(name.as_bytes())?, new).is_ok() {
            let kind = s.lookup(ROOT, &name)?.attr.kind;
            ensure!(kind != FileType::Directory, "mknod with mode {mode:o} made a directory");
            s.unlink(ROOT, &name)?;
        }
    }
    let node = s.file(ROOT, "f", "data")?.node;
    for seconds in [i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX] {
        for nanoseconds in [0, 999_999_999] {
            let time = Some(SetTime::At(Timestamp { seconds, nanoseconds }));
            let changes = SetAttr { atime: time, mtime: time, ..SetAttr::default() };
            // A provider may bring times that it cannot keep to its nearest, or refuse them.
            drop(s.setattr(node, changes));
            s.getattr(node)?;
        }
    }
    s.chmod(node, u16::MAX).map_or(Ok(()), |attr| {
        ensure_eq!(attr.permissions & !0o7777, 0, "bits beyond the permissions");
        Ok(())
    })?;
    still_works(s)
}

pub(super) fn deep_trees_are_answered(s: &Session<'_>) -> Outcome {
    // By names of 255 bytes, the whole path is seven times as long as PATH_MAX.
    const DEPTH: usize = 120;
    let name = vec![b'd'; 255];
    let mut nodes = vec![ROOT];
    for _ in 0..DEPTH {
        nodes.push(s.dir(nodes[nodes.len() - 1], &name)?.node);
    }
    let deepest = nodes[DEPTH];
    let file = s.file(deepest, "f", "deep down")?;
    ensure_eq!(s.content(file.node)?, b"deep down", "content of the deepest file");
    s.rename((nodes[1], &name), (ROOT, b"moved"), RenameFlags::empty())?;
    ensure_eq!(s.content(s.lookup(deepest, "f")?.node)?, b"deep down", "content after a move high above");
    s.unlink(deepest, "f")?;
    for at in (2..DEPTH).rev() {
        s.rmdir(nodes[at], &name)?;
    }
    Ok(())
}
