//! Promise 4: what has lost its last name stays usable and is seen nowhere.

use super::failure::{Outcome, ensure, ensure_eq, refused};
use super::session::{ROOT, Session};
use fs9_sdk::{ErrorKind, OpenFlags, RenameFlags, SetAttr};

pub(super) fn an_open_file_outlives_its_name(s: &Session<'_>) -> Outcome {
    let (_, file) = s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, 0, "before")?;
    s.unlink(ROOT, "f")?;
    ensure_eq!(s.read(file, 0, 100)?, b"before", "content read after unlink");
    s.write(file, 6, " and after")?;
    ensure_eq!(s.read(file, 0, 100)?, b"before and after", "content written after unlink");
    let attr = s.getattr_by(file)?;
    ensure_eq!(attr.nlink, 0, "number of links");
    ensure_eq!(attr.size, 16, "size");
    let shorter = s.setattr_by(file, SetAttr { size: Some(6), ..SetAttr::default() })?;
    ensure_eq!(shorter.size, 6, "size after truncate by handle");
    ensure_eq!(s.read(file, 0, 100)?, b"before", "content after truncate");
    s.release(file);
    Ok(())
}

pub(super) fn an_unlinked_file_is_seen_nowhere(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let (_, file) = s.create(dir.node, "f", 0o644, OpenFlags::READ_WRITE)?;
    s.unlink(dir.node, "f")?;
    ensure_eq!(s.names(dir.node)?, Vec::<Vec<u8>>::new(), "names in the directory");
    ensure_eq!(s.names(ROOT)?, [b"d".to_vec()], "names in the root");
    refused(s.lookup(dir.node, "f"), &[ErrorKind::NotFound], "lookup of an unlinked name")?;
    s.rmdir(ROOT, "d")?;
    s.write(file, 0, "still here")?;
    ensure_eq!(s.read(file, 0, 100)?, b"still here", "content after the directory is gone too");
    s.release(file);
    Ok(())
}

pub(super) fn an_unlinked_known_node_can_be_opened_and_written(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    s.unlink(ROOT, "f")?;
    let open = s.open(file.node, OpenFlags::READ_WRITE)?;
    s.write(open, 4, " more")?;
    ensure_eq!(s.read(open, 0, 100)?, b"data more", "content through a handle opened after unlink");
    s.release(open);
    ensure_eq!(s.truncate(file.node, 2)?.size, 2, "size after truncate by node");
    ensure_eq!(s.content(file.node)?, b"da", "content after truncate by node");
    ensure_eq!(s.getattr(file.node)?.nlink, 0, "number of links");
    Ok(())
}

pub(super) fn a_file_replaced_by_rename_stays_open(s: &Session<'_>) -> Outcome {
    let (old, file) = s.create(ROOT, "target", 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, 0, "old")?;
    let new = s.file(ROOT, "source", "new")?;
    s.mv("source", "target")?;
    ensure_eq!(s.read(file, 0, 100)?, b"old", "content of the replaced file");
    s.write(file, 3, "er")?;
    ensure_eq!(s.read(file, 0, 100)?, b"older", "content written to the replaced file");
    ensure_eq!(s.getattr(old.node)?.nlink, 0, "number of links of the replaced file");
    ensure_eq!(s.content(new.node)?, b"new", "content of the new file");
    s.release(file);
    Ok(())
}

pub(super) fn a_name_made_anew_leaves_the_unlinked_file_alone(s: &Session<'_>) -> Outcome {
    let (old, file) = s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, 0, "old")?;
    s.unlink(ROOT, "f")?;
    let new = s.file(ROOT, "f", "brand new")?;
    ensure!(new.attr.id != old.attr.id, "the new file has the id of the unlinked one, which is still open");
    ensure_eq!(s.read(file, 0, 100)?, b"old", "content of the unlinked file");
    s.write(file, 0, "OLD")?;
    ensure_eq!(s.content(new.node)?, b"brand new", "content of the new file");
    ensure_eq!(s.getattr(old.node)?.size, 3, "size of the unlinked file by its node");
    s.release(file);
    ensure_eq!(s.content(new.node)?, b"brand new", "content of the new file after release");
    Ok(())
}

pub(super) fn an_open_file_in_a_renamed_and_removed_place_stays_usable(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let (_, file) = s.create(dir.node, "f", 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, 0, "data")?;
    s.mv("d", "e")?;
    s.unlink(dir.node, "f")?;
    s.rmdir(ROOT, "e")?;
    // Something else now has the old path; it must not be what the handle reaches.
    let other = s.dir(ROOT, "d")?;
    s.file(other.node, "f", "other")?;
    ensure_eq!(s.read(file, 0, 100)?, b"data", "content");
    ensure_eq!(s.getattr_by(file)?.size, 4, "size");
    s.release(file);
    Ok(())
}

pub(super) fn a_second_handle_survives_the_release_of_the_first(s: &Session<'_>) -> Outcome {
    let (entry, first) = s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?;
    s.write(first, 0, "data")?;
    s.unlink(ROOT, "f")?;
    let second = s.open(entry.node, OpenFlags::empty())?;
    s.release(first);
    ensure_eq!(s.read(second, 0, 100)?, b"data", "content through the second handle");
    s.provider.forget(entry.node, 1);
    // The node is forgotten, the handle is not: promise 4 names both.
    ensure_eq!(s.read(second, 0, 100)?, b"data", "content through a handle of a forgotten node");
    s.release(second);
    Ok(())
}

pub(super) fn one_of_two_names_can_go(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "a", "data")?;
    s.link(file.node, ROOT, "b")?;
    s.file(ROOT, "c", "other")?;
    s.rename((ROOT, b"c"), (ROOT, b"a"), RenameFlags::empty())?;
    ensure_eq!(s.getattr(file.node)?.nlink, 1, "number of links");
    let open = s.open(file.node, OpenFlags::READ_WRITE)?;
    s.write(open, 0, "DATA")?;
    s.release(open);
    let other_name = s.lookup(ROOT, "b")?;
    ensure_eq!(s.content(other_name.node)?, b"DATA", "content by the other name");
    Ok(())
}
