//! Promise 7: fsync, flush, and what is there after a restart.

use super::failure::{Outcome, ensure, ensure_eq};
use super::session::{ROOT, Session};
use fs9_sdk::{Call, ErrorKind, FileHandle, Name, OpenFlags, OpenNode};

pub(super) fn fsync_and_flush_succeed_and_keep_the_data(s: &Session<'_>) -> Outcome {
    let (entry, file) = s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?;
    for (data_only, data) in [(false, "one"), (true, "two")] {
        s.write(file, 0, data)?;
        s.provider.fsync(&s.call, file, data_only)?;
        ensure_eq!(s.read(file, 0, 100)?, data.as_bytes(), "content after fsync");
    }
    flush(s, file)?;
    s.release(file);
    ensure_eq!(s.content(entry.node)?, b"two", "content after release");
    Ok(())
}

pub(super) fn fsync_of_an_unlinked_file_succeeds(s: &Session<'_>) -> Outcome {
    let (_, file) = s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, 0, "data")?;
    s.unlink(ROOT, "f")?;
    s.provider.fsync(&s.call, file, false)?;
    flush(s, file)?;
    ensure_eq!(s.read(file, 0, 100)?, b"data", "content");
    s.release(file);
    Ok(())
}

pub(super) fn fsync_of_a_directory_succeeds(s: &Session<'_>) -> Outcome {
    let entry = s.dir(ROOT, "d")?;
    s.file(entry.node, "f", "data")?;
    for node in [ROOT, entry.node] {
        let dir = s.opendir(node)?;
        s.provider.fsyncdir(&s.call, dir, false)?;
        s.provider.fsyncdir(&s.call, dir, true)?;
        s.provider.releasedir(dir);
    }
    ensure_eq!(s.names(entry.node)?, [b"f".to_vec()], "names after fsync");
    Ok(())
}

pub(super) fn what_was_synced_is_there_after_a_restart(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    let (entry, file) = s.create(dir.node, "f", 0o640, OpenFlags::READ_WRITE)?;
    s.write(file, 0, "durable")?;
    s.provider.fsync(&s.call, file, false)?;
    for node in [dir.node, ROOT] {
        let open = s.opendir(node)?;
        s.provider.fsyncdir(&s.call, open, false)?;
        s.provider.releasedir(open);
    }
    let Some(second) = s.subject.reopen() else { return Ok(()) };
    let call = Call::by(s.call.caller);
    let found_dir = second.lookup(&call, ROOT, Name::new(b"d")?)?;
    let found = second.lookup(&call, found_dir.node, Name::new(b"f")?)?;
    let opened = second.open(&call, found.node, OpenFlags::empty())?;
    let again = OpenNode { node: found.node, handle: opened.handle };
    let mut buffer = [0; 100];
    let count = second.read(&call, again, 0, &mut buffer)?;
    second.release(again);
    ensure_eq!(&buffer[..count], b"durable", "content after a restart");
    ensure_eq!(found.attr.permissions, entry.attr.permissions, "permissions after a restart");
    if second.capabilities().stable_ids {
        ensure_eq!(found.attr.id, entry.attr.id, "id after a restart, though stable ids are promised");
        ensure_eq!(found_dir.attr.id, dir.attr.id, "id of a directory after a restart");
    }
    s.release(file);
    Ok(())
}

pub(super) fn a_lost_write_is_reported(s: &Session<'_>) -> Outcome {
    let (_, file) = s.create(ROOT, "f", 0o644, OpenFlags::READ_WRITE)?;
    s.write(file, 0, "safe")?;
    s.provider.fsync(&s.call, file, false)?;
    if !s.subject.break_storage() {
        return Ok(());
    }
    let written = s.write(file, 0, "lost");
    let synced = s.provider.fsync(&s.call, file, false);
    s.release(file);
    ensure!(written.is_err() || synced.is_err(), "write and fsync succeed on broken storage");
    Ok(())
}

pub(super) fn an_opendir_that_keeps_nothing_needs_no_release(s: &Session<'_>) -> Outcome {
    // The default of opendir gives the same handle to everybody; each must work on its own.
    s.sample()?;
    let (one, two) = (s.opendir(ROOT)?, s.opendir(ROOT)?);
    let first = s.pages(one, 0, usize::MAX)?;
    s.provider.releasedir(one);
    let second = s.pages(two, 0, usize::MAX)?;
    s.provider.releasedir(two);
    ensure_eq!(second.len(), first.len(), "entries by a second handle after the first was released");
    let reopened = s.opendir(ROOT)?;
    let _: FileHandle = reopened.handle;
    ensure_eq!(s.pages(reopened, 0, 1)?.len(), first.len(), "entries one by one");
    s.provider.releasedir(reopened);
    Ok(())
}

/// Flushes; a provider for which closing means nothing leaves it at the default.
fn flush(s: &Session<'_>, file: OpenNode) -> fs9_sdk::Result<()> {
    match s.provider.flush(&s.call, file) {
        Err(error) if error.kind() == ErrorKind::NotImplemented => Ok(()),
        result => result,
    }
}
