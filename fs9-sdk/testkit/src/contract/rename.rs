//! Promise 5: rename, its flags and its errors. Its atomicity is tested in `concurrency`.

use super::failure::{Outcome, ensure_eq, refused};
use super::session::{ROOT, Session};
use crate::Features;
use fs9_sdk::{ErrorKind, FileType, OpenFlags, RenameFlags};

const NONE: RenameFlags = RenameFlags::empty();

pub(super) fn a_renamed_file_keeps_node_and_content(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let file = s.file(ROOT, "f", "data")?;
    s.rename((ROOT, b"f"), (dir.node, b"g"), NONE)?;
    refused(s.lookup(ROOT, "f"), &[ErrorKind::NotFound], "lookup of the old name")?;
    ensure_eq!(s.lookup(dir.node, "g")?.node, file.node, "node of the new name");
    ensure_eq!(s.content(file.node)?, b"data", "content by the old node");
    ensure_eq!(s.names(ROOT)?, [b"d".to_vec()], "names in the old directory");
    ensure_eq!(s.names(dir.node)?, [b"g".to_vec()], "names in the new directory");
    Ok(())
}

pub(super) fn a_renamed_directory_keeps_its_subtree_and_nodes(s: &Session<'_>) -> Outcome {
    let outer = s.dir(ROOT, "outer")?;
    let dir = s.dir(ROOT, "d")?;
    let sub = s.dir(dir.node, "sub")?;
    let file = s.file(sub.node, "f", "data")?;
    let handle = s.open(file.node, OpenFlags::READ_WRITE)?;
    s.rename((ROOT, b"d"), (outer.node, b"moved"), NONE)?;
    ensure_eq!(s.lookup(outer.node, "moved")?.node, dir.node, "node of the directory");
    ensure_eq!(s.lookup(dir.node, "sub")?.node, sub.node, "node of the directory in it");
    ensure_eq!(s.lookup(sub.node, "f")?.node, file.node, "node of the file below");
    ensure_eq!(s.getattr(file.node)?.size, 4, "size by the old node");
    ensure_eq!(s.content(file.node)?, b"data", "content by the old node");
    s.write(handle, 4, "+")?;
    s.release(handle);
    s.file(sub.node, "new", "made after the move")?;
    // What has the old path now must not be confused with what moved away.
    let other = s.dir(ROOT, "d")?;
    ensure_eq!(s.names(other.node)?, Vec::<Vec<u8>>::new(), "names in a new directory at the old path");
    ensure_eq!(s.names(sub.node)?, [b"f".to_vec(), b"new".to_vec()], "names in the moved directory");
    ensure_eq!(s.content(file.node)?, b"data+", "content written through the old handle");
    Ok(())
}

pub(super) fn a_subtree_can_be_moved_again_and_again(s: &Session<'_>) -> Outcome {
    let (a, b) = (s.dir(ROOT, "a")?, s.dir(ROOT, "b")?);
    let dir = s.dir(a.node, "d")?;
    let file = s.file(dir.node, "f", "data")?;
    for _ in 0..10 {
        s.rename((a.node, b"d"), (b.node, b"d"), NONE)?;
        s.rename((b.node, b"d"), (a.node, b"d"), NONE)?;
        ensure_eq!(s.lookup(dir.node, "f")?.node, file.node, "node of the file");
    }
    s.provider.forget(file.node, 11);
    ensure_eq!(s.content(s.lookup(dir.node, "f")?.node)?, b"data", "content of the file");
    Ok(())
}

pub(super) fn rename_replaces_a_file(s: &Session<'_>) -> Outcome {
    let (a, b) = (s.file(ROOT, "a", "new")?, s.file(ROOT, "b", "old")?);
    s.mv("a", "b")?;
    ensure_eq!(s.lookup(ROOT, "b")?.node, a.node, "node of the new name");
    ensure_eq!(s.names(ROOT)?, [b"b".to_vec()], "names");
    ensure_eq!(s.content(b.node)?, b"old", "content of the replaced node");
    Ok(())
}

pub(super) fn rename_replaces_an_empty_directory(s: &Session<'_>) -> Outcome {
    let (a, b) = (s.dir(ROOT, "a")?, s.dir(ROOT, "b")?);
    s.file(a.node, "f", "data")?;
    s.mv("a", "b")?;
    ensure_eq!(s.lookup(ROOT, "b")?.node, a.node, "node of the new name");
    ensure_eq!(s.names(a.node)?, [b"f".to_vec()], "names in the moved directory");
    ensure_eq!(s.getattr(b.node)?.kind, FileType::Directory, "type of the replaced directory");
    refused(s.file(b.node, "x", ""), &[ErrorKind::NotFound], "create in a replaced directory")
}

pub(super) fn rename_onto_itself_changes_nothing(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    s.mv("f", "f")?;
    ensure_eq!(s.lookup(ROOT, "f")?.node, file.node, "node");
    ensure_eq!(s.getattr(file.node)?.nlink, 1, "number of links");
    ensure_eq!(s.content(file.node)?, b"data", "content");
    let dir = s.dir(ROOT, "d")?;
    s.mv("d", "d")?;
    ensure_eq!(s.lookup(ROOT, "d")?.node, dir.node, "node of the directory");
    Ok(())
}

pub(super) fn rename_between_two_names_of_one_file_keeps_both(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "a", "data")?;
    s.link(file.node, ROOT, "b")?;
    s.mv("a", "b")?;
    ensure_eq!(s.names(ROOT)?, [b"a".to_vec(), b"b".to_vec()], "names, by rename(2) unchanged");
    ensure_eq!(s.getattr(file.node)?.nlink, 2, "number of links");
    Ok(())
}

pub(super) fn noreplace_refuses_an_existing_name(s: &Session<'_>) -> Outcome {
    let (a, b) = (s.file(ROOT, "a", "a")?, s.file(ROOT, "b", "b")?);
    let flag = RenameFlags::NOREPLACE;
    let renamed = s.rename((ROOT, b"a"), (ROOT, b"b"), flag);
    refused(renamed, &[ErrorKind::AlreadyExists], "NOREPLACE onto a file")?;
    ensure_eq!(s.lookup(ROOT, "a")?.node, a.node, "node of the first name");
    ensure_eq!(s.lookup(ROOT, "b")?.node, b.node, "node of the second name");
    s.rename((ROOT, b"a"), (ROOT, b"c"), flag)?;
    ensure_eq!(s.lookup(ROOT, "c")?.node, a.node, "node of the new name");
    Ok(())
}

pub(super) fn exchange_swaps_two_names(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let below = s.file(dir.node, "below", "below")?;
    let file = s.file(ROOT, "f", "data")?;
    let flag = RenameFlags::EXCHANGE;
    s.rename((ROOT, b"f"), (ROOT, b"d"), flag)?;
    ensure_eq!(s.lookup(ROOT, "f")?.node, dir.node, "node under the file's name");
    ensure_eq!(s.lookup(ROOT, "d")?.node, file.node, "node under the directory's name");
    ensure_eq!(s.content(below.node)?, b"below", "content below the exchanged directory");
    ensure_eq!(s.lookup(dir.node, "below")?.node, below.node, "node below the exchanged directory");
    let other = s.dir(ROOT, "other")?;
    let moved = s.file(other.node, "g", "g")?;
    s.rename((other.node, b"g"), (ROOT, b"f"), flag)?;
    ensure_eq!(s.lookup(other.node, "g")?.node, dir.node, "directory exchanged across directories");
    ensure_eq!(s.lookup(ROOT, "f")?.node, moved.node, "file exchanged across directories");
    ensure_eq!(s.content(below.node)?, b"below", "content below, after the second exchange");
    Ok(())
}

pub(super) fn exchange_needs_both_names(s: &Session<'_>) -> Outcome {
    s.file(ROOT, "f", "data")?;
    let flag = RenameFlags::EXCHANGE;
    let missing = [ErrorKind::NotFound];
    refused(s.rename((ROOT, b"f"), (ROOT, b"x"), flag), &missing, "EXCHANGE with a missing new name")?;
    refused(s.rename((ROOT, b"x"), (ROOT, b"f"), flag), &missing, "EXCHANGE of a missing old name")?;
    ensure_eq!(s.names(ROOT)?, [b"f".to_vec()], "names");
    Ok(())
}

pub(super) fn exchange_refuses_a_directory_and_its_own_ancestor(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let sub = s.dir(dir.node, "sub")?;
    let flag = RenameFlags::EXCHANGE;
    let invalid = [ErrorKind::InvalidArgument];
    refused(s.rename((ROOT, b"d"), (dir.node, b"sub"), flag), &invalid, "EXCHANGE with a descendant")?;
    let into = [ErrorKind::InvalidArgument, ErrorKind::DirectoryNotEmpty];
    refused(s.rename((dir.node, b"sub"), (ROOT, b"d"), flag), &into, "EXCHANGE with an ancestor")?;
    ensure_eq!(s.lookup(dir.node, "sub")?.node, sub.node, "node of the descendant");
    Ok(())
}

pub(super) fn whiteout_leaves_a_device_at_the_old_name(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    s.rename((ROOT, b"f"), (ROOT, b"g"), RenameFlags::WHITEOUT)?;
    ensure_eq!(s.lookup(ROOT, "g")?.node, file.node, "node of the new name");
    let left = s.lookup(ROOT, "f")?.attr;
    ensure_eq!((left.kind, left.rdev), (FileType::CharDevice, 0), "what is left at the old name");
    Ok(())
}

pub(super) fn contradictory_flags_are_refused(s: &Session<'_>) -> Outcome {
    s.file(ROOT, "a", "a")?;
    s.file(ROOT, "b", "b")?;
    for with in [RenameFlags::NOREPLACE, RenameFlags::WHITEOUT] {
        let renamed = s.rename((ROOT, b"a"), (ROOT, b"b"), RenameFlags::EXCHANGE | with);
        refused(renamed, &[ErrorKind::InvalidArgument], "EXCHANGE with another flag")?;
    }
    ensure_eq!(s.content(s.lookup(ROOT, "a")?.node)?, b"a", "content of the first name");
    ensure_eq!(s.content(s.lookup(ROOT, "b")?.node)?, b"b", "content of the second name");
    Ok(())
}

pub(super) fn flags_that_are_unknown_or_not_supported_are_refused(s: &Session<'_>) -> Outcome {
    s.file(ROOT, "a", "a")?;
    s.file(ROOT, "b", "b")?;
    let mut foreign = vec![RenameFlags::from_bits_retain(1 << 20), RenameFlags::from_bits_retain(8)];
    for (feature, flag) in [
        (Features::RENAME_NOREPLACE, RenameFlags::NOREPLACE),
        (Features::RENAME_EXCHANGE, RenameFlags::EXCHANGE),
        (Features::RENAME_WHITEOUT, RenameFlags::WHITEOUT),
    ] {
        if !s.profile.has(feature) {
            foreign.push(flag);
        }
    }
    for flags in foreign {
        let renamed = s.rename((ROOT, b"a"), (ROOT, b"b"), flags);
        refused(renamed, &[ErrorKind::InvalidArgument], &format!("rename with {flags:?}"))?;
        ensure_eq!(s.names(ROOT)?, [b"a".to_vec(), b"b".to_vec()], "names after {flags:?}");
        ensure_eq!(s.content(s.lookup(ROOT, "b")?.node)?, b"b", "content after {flags:?}");
    }
    Ok(())
}

pub(super) fn a_directory_cannot_move_into_its_own_subtree(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let sub = s.dir(dir.node, "sub")?;
    let deep = s.dir(sub.node, "deep")?;
    for target in [dir, sub, deep] {
        let renamed = s.rename((ROOT, b"d"), (target.node, b"x"), NONE);
        refused(renamed, &[ErrorKind::InvalidArgument], "rename into its own subtree")?;
    }
    ensure_eq!(s.lookup(ROOT, "d")?.node, dir.node, "node of the directory");
    ensure_eq!(s.names(deep.node)?, Vec::<Vec<u8>>::new(), "names in the deepest directory");
    Ok(())
}

pub(super) fn rename_of_a_missing_name_is_refused(s: &Session<'_>) -> Outcome {
    s.file(ROOT, "b", "b")?;
    refused(s.mv("x", "b"), &[ErrorKind::NotFound], "rename of a missing name")?;
    refused(s.mv("x", "y"), &[ErrorKind::NotFound], "rename of a missing name to a new one")?;
    ensure_eq!(s.names(ROOT)?, [b"b".to_vec()], "names");
    Ok(())
}

pub(super) fn rename_minds_what_it_replaces(s: &Session<'_>) -> Outcome {
    let full = s.dir(ROOT, "full")?;
    s.file(full.node, "f", "data")?;
    s.dir(ROOT, "dir")?;
    s.file(ROOT, "file", "data")?;
    let not_empty = [ErrorKind::DirectoryNotEmpty, ErrorKind::AlreadyExists];
    refused(s.mv("dir", "full"), &not_empty, "directory onto a full directory")?;
    refused(s.mv("file", "dir"), &[ErrorKind::IsADirectory], "file onto a directory")?;
    refused(s.mv("dir", "file"), &[ErrorKind::NotADirectory], "directory onto a file")?;
    let expected = [b"dir".to_vec(), b"file".to_vec(), b"full".to_vec()];
    ensure_eq!(s.names(ROOT)?, expected, "names");
    Ok(())
}
