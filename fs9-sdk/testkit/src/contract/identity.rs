//! Promise 3: the identity that users see as `st_ino`.

use super::failure::{Outcome, ensure, ensure_eq};
use super::session::{ROOT, Session};
use fs9_sdk::{FileType, OpenFlags, RenameFlags};
use std::collections::HashSet;

pub(super) fn every_look_at_an_object_gives_one_id(s: &Session<'_>) -> Outcome {
    let (file, _) = s.sample()?;
    let id = file.attr.id;
    ensure!(id.number != 0, "the number of an object is 0");
    ensure_eq!(s.getattr(file.node)?.id, id, "id of getattr");
    let open = s.open(file.node, OpenFlags::empty())?;
    ensure_eq!(s.getattr_by(open)?.id, id, "id of getattr by handle");
    s.release(open);
    let opened = s.provider.open(&s.call, file.node, OpenFlags::empty())?;
    s.provider.release(fs9_sdk::OpenNode { node: file.node, handle: opened.handle });
    if let Some(attr) = opened.attr {
        ensure_eq!(attr.id, id, "id of open");
    }
    let root = s.getattr(ROOT)?.id;
    ensure_eq!(s.getattr(ROOT)?.id, root, "id of the root, second look");
    ensure!(root != id, "the root and a file share the id {id:?}");
    Ok(())
}

pub(super) fn a_listing_tells_the_id_and_type_of_the_attributes(s: &Session<'_>) -> Outcome {
    s.sample()?;
    if s.profile.has(crate::Features::WRITE) {
        s.dir(ROOT, "d")?;
    }
    let dir = s.opendir(ROOT)?;
    for attributes in [false, true] {
        let page = s.page(dir, 0, usize::MAX, attributes)?;
        ensure!(!page.is_empty(), "nothing is listed");
        for listed in page {
            let found = s.lookup(ROOT, &listed.name)?;
            let id = found.attr.id;
            ensure_eq!(listed.id, (id.device, id.number), "id in the listing");
            ensure_eq!(listed.kind.unwrap_or(found.attr.kind), found.attr.kind, "type in the listing");
            if let Some(entry) = listed.entry {
                ensure_eq!(entry.node, found.node, "node in the listing");
                ensure_eq!(entry.attr.id, id, "id of the attributes in the listing");
                ensure_eq!(entry.attr.size, found.attr.size, "size in the listing");
            }
        }
    }
    s.provider.releasedir(dir);
    Ok(())
}

pub(super) fn objects_that_exist_together_have_different_ids(s: &Session<'_>) -> Outcome {
    let mut seen = HashSet::from([s.getattr(ROOT)?.id]);
    for number in 0..100 {
        let dir = s.dir(ROOT, format!("d{number}"))?;
        let file = s.file(dir.node, "same name", "same content")?;
        let removed = s.file(ROOT, "removed", "")?;
        s.unlink(ROOT, "removed")?;
        for entry in [dir, file, removed] {
            ensure!(seen.insert(entry.attr.id), "two objects share the id {:?}", entry.attr.id);
        }
    }
    Ok(())
}

pub(super) fn an_id_outlives_forget(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    let dir = s.dir(ROOT, "d")?;
    s.provider.forget(file.node, 1);
    s.provider.forget(dir.node, 1);
    ensure_eq!(s.lookup(ROOT, "f")?.attr.id, file.attr.id, "id of the file");
    ensure_eq!(s.lookup(ROOT, "d")?.attr.id, dir.attr.id, "id of the directory");
    Ok(())
}

pub(super) fn an_id_outlives_rename(s: &Session<'_>) -> Outcome {
    let outer = s.dir(ROOT, "outer")?;
    let dir = s.dir(ROOT, "d")?;
    let file = s.file(dir.node, "f", "data")?;
    s.rename((ROOT, b"d"), (outer.node, b"e"), RenameFlags::empty())?;
    let moved = s.lookup(outer.node, "e")?;
    ensure_eq!(moved.attr.id, dir.attr.id, "id of a renamed directory");
    ensure_eq!(s.lookup(moved.node, "f")?.attr.id, file.attr.id, "id of a file in it");
    s.rename((moved.node, b"f"), (ROOT, b"g"), RenameFlags::empty())?;
    ensure_eq!(s.lookup(ROOT, "g")?.attr.id, file.attr.id, "id of a renamed file");
    Ok(())
}

pub(super) fn hard_links_share_their_id(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "a", "data")?;
    let link = s.link(file.node, ROOT, "b")?;
    ensure_eq!(link.attr.id, file.attr.id, "id of the new name");
    s.provider.forget(file.node, 2);
    let (a, b) = (s.lookup(ROOT, "a")?, s.lookup(ROOT, "b")?);
    ensure_eq!(a.attr.id, b.attr.id, "ids of two names after forget");
    ensure_eq!((a.attr.nlink, b.attr.nlink), (2, 2), "numbers of links");
    Ok(())
}

pub(super) fn the_type_of_an_object_is_told(s: &Session<'_>) -> Outcome {
    ensure_eq!(s.file(ROOT, "f", "")?.attr.kind, FileType::Regular, "type of a file");
    ensure_eq!(s.dir(ROOT, "d")?.attr.kind, FileType::Directory, "type of a directory");
    ensure_eq!(s.lookup(ROOT, "f")?.attr.kind, FileType::Regular, "type of a file on lookup");
    ensure_eq!(s.lookup(ROOT, "d")?.attr.kind, FileType::Directory, "type of a directory on lookup");
    Ok(())
}
