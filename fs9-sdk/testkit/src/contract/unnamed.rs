//! The documentation of `tmpfile`: files that are made without a name.

use super::failure::{Outcome, ensure, ensure_eq, refused};
use super::session::{ROOT, Session};
use fs9_sdk::{Entry, ErrorKind, NodeId, OpenFlags, OpenNode, Result, SetAttr};

/// Makes a file without a name in the file system of a directory.
fn unnamed(s: &Session<'_>, parent: NodeId, flags: OpenFlags) -> Result<(Entry, OpenNode)> {
    let (entry, opened) = s.provider.tmpfile(&s.call, parent, 0o666, flags | OpenFlags::READ_WRITE)?;
    Ok((entry, OpenNode { node: entry.node, handle: opened.handle }))
}

pub(super) fn an_unnamed_file_is_seen_nowhere_and_used_as_any_other(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let (made, file) = unnamed(s, dir.node, OpenFlags::empty())?;
    ensure_eq!((made.attr.nlink, made.attr.size), (0, 0), "links and size of a new file");
    ensure_eq!(s.names(dir.node)?, Vec::<Vec<u8>>::new(), "names in the directory");
    ensure_eq!(s.names(ROOT)?, [b"d".to_vec()], "names in the root");
    s.write(file, 0, "some data")?;
    ensure_eq!(s.read(file, 0, 100)?, b"some data", "content");
    ensure_eq!(s.getattr_by(file)?.size, 9, "size by handle");
    ensure_eq!(s.getattr(made.node)?.nlink, 0, "links by node");
    ensure_eq!(s.truncate(made.node, 4)?.size, 4, "size after truncate");
    s.rmdir(ROOT, "d")?;
    ensure_eq!(s.content(made.node)?, b"some", "content by another handle, without the directory");
    let (other, other_file) = unnamed(s, ROOT, OpenFlags::EXCLUSIVE)?;
    ensure!(other.attr.id != made.attr.id, "two files have one id");
    s.write(other_file, 0, "other")?;
    ensure_eq!(s.read(file, 0, 100)?, b"some", "content beside another file");
    s.release(other_file);
    s.release(file);
    ensure_eq!(s.content(made.node)?, b"some", "content after release, while the node is known");
    Ok(())
}

pub(super) fn an_unnamed_file_can_get_its_first_name(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let (made, file) = unnamed(s, ROOT, OpenFlags::empty())?;
    s.write(file, 0, "data")?;
    let linked = s.link(made.node, dir.node, "f")?;
    ensure_eq!((linked.node, linked.attr.nlink), (made.node, 1), "node and links after link");
    ensure_eq!(linked.attr.id, made.attr.id, "id after link");
    s.write(file, 4, " and more")?;
    s.release(file);
    s.provider.forget(made.node, 2);
    let found = s.lookup(dir.node, "f")?;
    ensure_eq!((found.attr.id, found.attr.nlink), (made.attr.id, 1), "id and links by lookup");
    ensure_eq!(s.content(found.node)?, b"data and more", "content by lookup");
    ensure_eq!(s.link(found.node, ROOT, "g")?.attr.nlink, 2, "links after a second name");
    s.unlink(dir.node, "f")?;
    ensure_eq!(s.getattr(found.node)?.nlink, 1, "links after the first name is gone");
    Ok(())
}

pub(super) fn exclusive_forbids_a_first_name(s: &Session<'_>) -> Outcome {
    let (made, file) = unnamed(s, ROOT, OpenFlags::EXCLUSIVE)?;
    refused(s.link(made.node, ROOT, "f"), &[ErrorKind::NotFound], "link")?;
    refused(s.lookup(ROOT, "f"), &[ErrorKind::NotFound], "lookup")?;
    ensure_eq!(s.getattr(made.node)?.nlink, 0, "links");
    s.release(file);
    Ok(())
}

pub(super) fn a_file_whose_first_name_is_gone_gets_no_other(s: &Session<'_>) -> Outcome {
    let (made, file) = unnamed(s, ROOT, OpenFlags::empty())?;
    s.write(file, 0, "data")?;
    s.link(made.node, ROOT, "f")?;
    s.unlink(ROOT, "f")?;
    refused(s.link(made.node, ROOT, "g"), &[ErrorKind::NotFound], "link")?;
    ensure_eq!(s.read(file, 0, 100)?, b"data", "content");
    s.release(file);
    Ok(())
}

pub(super) fn an_unnamed_file_is_made_in_a_directory_only(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    let made = unnamed(s, file.node, OpenFlags::empty());
    refused(made.map(|(_, file)| s.release(file)), &[ErrorKind::NotADirectory], "tmpfile in a file")
}

pub(super) fn an_unnamed_file_belongs_to_its_maker(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    s.setattr(dir.node, SetAttr { gid: Some(4_321), ..SetAttr::default() })?;
    s.chmod(ROOT, 0o777)?;
    let maker =
        |umask| s.by(|caller| (caller.uid, caller.gid, caller.pid, caller.umask) = (1_234, 5_678, 0, umask));
    for (umask, dir_bits, gid, permissions) in
        [(0o022, 0o777, 5_678, 0o644), (0o077, 0o777, 5_678, 0o600), (0, 0o2777, 4_321, 0o666)]
    {
        s.chmod(dir.node, dir_bits)?;
        let s = maker(umask);
        let (made, file) = unnamed(&s, dir.node, OpenFlags::empty())?;
        let attr = made.attr;
        let found = (attr.uid, attr.gid, attr.permissions);
        ensure_eq!(found, (1_234, gid, permissions), "maker's umask {umask:o}");
        s.release(file);
    }
    Ok(())
}
