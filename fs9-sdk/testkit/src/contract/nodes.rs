//! Promise 1: the root, lookup counts and the life of nodes.

use super::failure::{Outcome, ensure, ensure_eq};
use super::session::{ROOT, Session};
use fs9_sdk::{ErrorKind, FileType, OpenFlags};

pub(super) fn root_is_always_a_valid_directory(s: &Session<'_>) -> Outcome {
    ensure_eq!(s.getattr(ROOT)?.kind, FileType::Directory, "type of the root");
    // Nobody may forget the root, whatever the count.
    s.provider.forget(ROOT, 1_000);
    ensure_eq!(s.getattr(ROOT)?.kind, FileType::Directory, "type of the root after a forget");
    s.list(ROOT)?;
    Ok(())
}

pub(super) fn lookup_finds_the_same_node_while_it_is_known(s: &Session<'_>) -> Outcome {
    let (file, content) = s.sample()?;
    let name = s.list(ROOT)?.into_iter().find(|listed| listed.id.1 == file.attr.id.number);
    let Some(name) = name else {
        return Err(super::Failure::new("the sample is not listed under the number of its attributes"));
    };
    let again = s.lookup(ROOT, &name.name)?;
    ensure_eq!(again.node, file.node, "node of a second lookup");
    ensure_eq!(again.attr.size, content.len() as u64, "size of a second lookup");
    s.provider.forget(file.node, 1);
    ensure_eq!(s.getattr(file.node)?.id, file.attr.id, "node with one lookup left");
    Ok(())
}

pub(super) fn every_returned_entry_counts_as_one_lookup(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    for _ in 0..3 {
        ensure_eq!(s.lookup(ROOT, "f")?.node, file.node, "node of a lookup");
    }
    s.unlink(ROOT, "f")?;
    for left in (1..=3).rev() {
        s.provider.forget(file.node, 1);
        let attr = s.getattr(file.node).map_err(|error| {
            super::Failure::new(format!("the node is gone with {left} lookups left: {error}"))
        })?;
        ensure_eq!(attr.id, file.attr.id, "id with {left} lookups left");
        ensure_eq!(s.content(file.node)?, b"data", "content with {left} lookups left");
    }
    s.provider.forget(file.node, 1);
    Ok(())
}

pub(super) fn a_count_of_several_is_taken_back_at_once(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    for _ in 0..9 {
        s.lookup(ROOT, "f")?;
    }
    s.unlink(ROOT, "f")?;
    s.provider.forget(file.node, 9);
    ensure_eq!(s.content(file.node)?, b"data", "content with one of ten lookups left");
    s.provider.forget(file.node, 1);
    Ok(())
}

pub(super) fn entries_of_mkdir_and_mknod_count_as_lookups(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    s.rmdir(ROOT, "d")?;
    ensure_eq!(s.getattr(dir.node)?.id, dir.attr.id, "a removed directory that is still known");
    s.provider.forget(dir.node, 1);
    let file = s.mknod(ROOT, "f", FileType::Regular, 0o644)?;
    s.unlink(ROOT, "f")?;
    ensure_eq!(s.getattr(file.node)?.id, file.attr.id, "a removed file that is still known");
    s.provider.forget(file.node, 1);
    Ok(())
}

pub(super) fn an_entry_of_symlink_counts_as_a_lookup(s: &Session<'_>) -> Outcome {
    let link = s.symlink(ROOT, "l", "somewhere")?;
    s.unlink(ROOT, "l")?;
    let target = s.provider.readlink(&s.call, link.node)?;
    ensure_eq!(target, b"somewhere", "target of a removed link that is still known");
    s.provider.forget(link.node, 1);
    Ok(())
}

pub(super) fn an_entry_of_link_counts_as_a_lookup(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "a", "data")?;
    ensure_eq!(s.link(file.node, ROOT, "b")?.node, file.node, "node of the new name");
    s.unlink(ROOT, "a")?;
    s.unlink(ROOT, "b")?;
    s.provider.forget(file.node, 1);
    ensure_eq!(s.content(file.node)?, b"data", "content with the lookup of the link left");
    s.provider.forget(file.node, 1);
    Ok(())
}

pub(super) fn entries_of_a_listing_count_as_lookups(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    let dir = s.opendir(ROOT)?;
    let page = s.page(dir, 0, usize::MAX, true)?;
    s.provider.releasedir(dir);
    let Some(entry) = page.iter().find_map(|listed| listed.entry) else {
        // A provider may list without nodes where it has them not at hand.
        return Ok(());
    };
    ensure_eq!(entry.node, file.node, "node of the listing");
    s.unlink(ROOT, "f")?;
    s.provider.forget(file.node, 1);
    ensure_eq!(s.content(file.node)?, b"data", "content with the lookup of the listing left");
    s.provider.forget(file.node, 1);
    Ok(())
}

pub(super) fn two_names_of_one_file_are_one_node(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "a", "data")?;
    s.link(file.node, ROOT, "b")?;
    ensure_eq!(s.lookup(ROOT, "a")?.node, file.node, "node of the first name");
    ensure_eq!(s.lookup(ROOT, "b")?.node, file.node, "node of the second name");
    s.unlink(ROOT, "a")?;
    ensure_eq!(s.lookup(ROOT, "b")?.node, file.node, "node after the first name is gone");
    ensure_eq!(s.getattr(file.node)?.nlink, 1, "number of links after the first name is gone");
    Ok(())
}

pub(super) fn a_forgotten_node_is_found_again(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    let dir = s.dir(ROOT, "d")?;
    let inner = s.file(dir.node, "inner", "deep")?;
    for entry in [inner, dir, file] {
        s.provider.forget(entry.node, 1);
    }
    let again = s.lookup(ROOT, "f")?;
    ensure_eq!(again.attr.id, file.attr.id, "id after the node was forgotten");
    ensure_eq!(s.content(again.node)?, b"data", "content after the node was forgotten");
    let dir = s.lookup(ROOT, "d")?;
    let inner = s.lookup(dir.node, "inner")?;
    ensure_eq!(s.content(inner.node)?, b"deep", "content below a forgotten directory");
    Ok(())
}

pub(super) fn a_directory_may_be_forgotten_before_what_is_in_it(s: &Session<'_>) -> Outcome {
    let outer = s.dir(ROOT, "outer")?;
    let dir = s.dir(outer.node, "d")?;
    let file = s.file(dir.node, "f", "data")?;
    s.provider.forget(outer.node, 1);
    s.provider.forget(dir.node, 1);
    ensure_eq!(s.content(file.node)?, b"data", "content of a file in a forgotten directory");
    let file = s.open(file.node, OpenFlags::READ_WRITE)?;
    s.write(file, 4, "+")?;
    s.release(file);
    ensure_eq!(s.content(file.node)?, b"data+", "content written in a forgotten directory");
    Ok(())
}

pub(super) fn a_removed_directory_stays_a_valid_empty_node(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    s.rmdir(ROOT, "d")?;
    ensure_eq!(s.getattr(dir.node)?.kind, FileType::Directory, "type of a removed directory");
    let found = s.lookup(dir.node, "x");
    super::failure::refused(found, &[ErrorKind::NotFound], "lookup in a removed directory")?;
    Ok(())
}

pub(super) fn the_node_of_a_name_that_was_made_anew_is_another(s: &Session<'_>) -> Outcome {
    let old = s.file(ROOT, "f", "old")?;
    s.unlink(ROOT, "f")?;
    let new = s.file(ROOT, "f", "new")?;
    ensure!(new.node != old.node, "two living files share the node {:?}", old.node);
    ensure_eq!(s.content(old.node)?, b"old", "content of the removed file");
    ensure_eq!(s.content(new.node)?, b"new", "content of the new file");
    Ok(())
}
