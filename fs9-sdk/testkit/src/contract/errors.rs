//! Promise 9: the errors that the trait documents.

use super::failure::{Outcome, ensure, ensure_eq, refused};
use super::session::{ROOT, Session};
use crate::Features;
use fs9_sdk::{
    ErrorKind, FileType, IoctlFlags, IoctlRequest, LockFamily, LockOwner, OpenFlags, SetAttr, SetLock,
    WriteOptions, XattrFlags,
};

const MISSING: &[ErrorKind] = &[ErrorKind::NotFound];
const NOT_A_DIRECTORY: &[ErrorKind] = &[ErrorKind::NotADirectory];
const IS_A_DIRECTORY: &[ErrorKind] = &[ErrorKind::IsADirectory];
const EXISTS: &[ErrorKind] = &[ErrorKind::AlreadyExists];
const BAD_HANDLE: &[ErrorKind] = &[ErrorKind::BadDescriptor];
/// How a change is refused by a provider that makes none.
const NO_CHANGES: &[ErrorKind] = &[ErrorKind::NotImplemented, ErrorKind::ReadOnly, ErrorKind::NotPermitted];

pub(super) fn lookup_of_a_missing_name_is_enoent(s: &Session<'_>) -> Outcome {
    refused(s.lookup(ROOT, "no such name"), MISSING, "lookup")?;
    refused(s.lookup(ROOT, [0xff; 255]), MISSING, "lookup of 255 bytes")
}

pub(super) fn lookup_in_a_file_is_enotdir(s: &Session<'_>) -> Outcome {
    let (file, _) = s.sample()?;
    refused(s.lookup(file.node, "x"), NOT_A_DIRECTORY, "lookup in a file")
}

pub(super) fn listing_a_file_is_enotdir(s: &Session<'_>) -> Outcome {
    let (file, _) = s.sample()?;
    // Either step may say it: opendir may keep nothing and look at nothing.
    let listed = s.opendir(file.node).and_then(|dir| s.page(dir, 0, usize::MAX, false));
    refused(listed, NOT_A_DIRECTORY, "listing a file")
}

pub(super) fn readlink_of_a_file_is_einval(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "")?;
    let dir = s.dir(ROOT, "d")?;
    for node in [file.node, dir.node, ROOT] {
        let read = s.provider.readlink(&s.call, node);
        refused(read, &[ErrorKind::InvalidArgument], "readlink of what is no link")?;
    }
    Ok(())
}

pub(super) fn making_an_existing_name_is_eexist(s: &Session<'_>) -> Outcome {
    s.file(ROOT, "f", "data")?;
    s.dir(ROOT, "d")?;
    for name in ["f", "d"] {
        let exclusive = OpenFlags::READ_WRITE | OpenFlags::EXCLUSIVE;
        refused(s.create(ROOT, name, 0o644, exclusive), EXISTS, "create")?;
        refused(s.mknod(ROOT, name, FileType::Regular, 0o644), EXISTS, "mknod")?;
        refused(s.dir(ROOT, name), EXISTS, "mkdir")?;
    }
    ensure_eq!(s.content(s.lookup(ROOT, "f")?.node)?, b"data", "content of the existing file");
    Ok(())
}

pub(super) fn symlink_to_an_existing_name_is_eexist(s: &Session<'_>) -> Outcome {
    s.file(ROOT, "f", "data")?;
    refused(s.symlink(ROOT, "f", "target"), EXISTS, "symlink")?;
    s.symlink(ROOT, "l", "one")?;
    refused(s.symlink(ROOT, "l", "two"), EXISTS, "symlink over a link")?;
    refused(s.file(ROOT, "l", ""), EXISTS, "create over a link")?;
    refused(s.dir(ROOT, "l"), EXISTS, "mkdir over a link")
}

pub(super) fn create_without_exclusive_opens_what_exists(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?;
    let (entry, open) = match s.create(ROOT, "f", 0o600, OpenFlags::READ_WRITE) {
        // A provider without `create` of its own is asked only for names that do not exist.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        result => result?,
    };
    ensure_eq!(entry.node, file.node, "node");
    ensure_eq!(entry.attr.permissions, file.attr.permissions, "permissions, as they were");
    ensure_eq!(s.read(open, 0, 100)?, b"data", "content");
    s.release(open);
    let (_, cut) = s.create(ROOT, "f", 0o600, OpenFlags::READ_WRITE | OpenFlags::TRUNCATE)?;
    ensure_eq!(s.read(cut, 0, 100)?, b"", "content after create with TRUNCATE");
    s.release(cut);
    Ok(())
}

pub(super) fn making_something_in_a_removed_directory_is_enoent(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    s.file(ROOT, "f", "data")?;
    s.rmdir(ROOT, "d")?;
    refused(s.file(dir.node, "x", ""), MISSING, "create")?;
    refused(s.mknod(dir.node, "x", FileType::Regular, 0o644), MISSING, "mknod")?;
    refused(s.dir(dir.node, "x"), MISSING, "mkdir")?;
    let flags = fs9_sdk::RenameFlags::empty();
    refused(s.rename((ROOT, b"f"), (dir.node, b"x"), flags), MISSING, "rename")?;
    ensure_eq!(s.names(ROOT)?, [b"f".to_vec()], "names in the root");
    Ok(())
}

pub(super) fn making_something_in_a_file_is_enotdir(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "")?;
    refused(s.file(file.node, "x", ""), NOT_A_DIRECTORY, "create")?;
    refused(s.dir(file.node, "x"), NOT_A_DIRECTORY, "mkdir")?;
    refused(s.unlink(file.node, "x"), NOT_A_DIRECTORY, "unlink")?;
    refused(s.rmdir(file.node, "x"), NOT_A_DIRECTORY, "rmdir")
}

pub(super) fn a_link_target_beyond_the_limit_is_enametoolong(s: &Session<'_>) -> Outcome {
    for length in [4_096, 10_000] {
        let made = s.symlink(ROOT, "l", vec![b't'; length]);
        refused(made, &[ErrorKind::NameTooLong], &format!("symlink to {length} bytes"))?;
    }
    ensure_eq!(s.names(ROOT)?, Vec::<Vec<u8>>::new(), "names");
    Ok(())
}

pub(super) fn link_errors_are_those_of_the_man_page(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "")?;
    let dir = s.dir(ROOT, "d")?;
    refused(s.link(file.node, ROOT, "d"), EXISTS, "link to an existing name")?;
    refused(s.link(file.node, ROOT, "f"), EXISTS, "link to its own name")?;
    refused(s.link(dir.node, ROOT, "x"), &[ErrorKind::NotPermitted], "link of a directory")?;
    s.unlink(ROOT, "f")?;
    refused(s.link(file.node, ROOT, "x"), MISSING, "link of a file without names")?;
    ensure_eq!(s.names(ROOT)?, [b"d".to_vec()], "names");
    Ok(())
}

pub(super) fn unlink_errors_are_those_of_the_man_page(s: &Session<'_>) -> Outcome {
    s.dir(ROOT, "d")?;
    refused(s.unlink(ROOT, "x"), MISSING, "unlink of a missing name")?;
    refused(s.unlink(ROOT, "d"), IS_A_DIRECTORY, "unlink of a directory")?;
    ensure_eq!(s.names(ROOT)?, [b"d".to_vec()], "names");
    Ok(())
}

pub(super) fn rmdir_errors_are_those_of_the_man_page(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    s.file(dir.node, "f", "")?;
    refused(s.rmdir(ROOT, "x"), MISSING, "rmdir of a missing name")?;
    refused(s.rmdir(dir.node, "f"), NOT_A_DIRECTORY, "rmdir of a file")?;
    let full = [ErrorKind::DirectoryNotEmpty, ErrorKind::AlreadyExists];
    refused(s.rmdir(ROOT, "d"), &full, "rmdir of a full directory")?;
    ensure_eq!(s.names(dir.node)?, [b"f".to_vec()], "names in the directory");
    s.unlink(dir.node, "f")?;
    s.rmdir(ROOT, "d")?;
    Ok(())
}

pub(super) fn a_directory_cannot_be_opened_for_writing(s: &Session<'_>) -> Outcome {
    let dir = s.dir(ROOT, "d")?;
    for flags in [OpenFlags::WRITE_ONLY, OpenFlags::READ_WRITE] {
        refused(s.open(dir.node, flags), IS_A_DIRECTORY, "open of a directory for writing")?;
    }
    let size = SetAttr { size: Some(0), ..SetAttr::default() };
    refused(s.setattr(dir.node, size), IS_A_DIRECTORY, "size of a directory")
}

pub(super) fn a_handle_does_only_what_it_was_opened_for(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "data")?;
    let reader = s.open(entry.node, OpenFlags::empty())?;
    let written = s.provider.write(&s.call, reader, 0, b"DATA", WriteOptions::default());
    refused(written, BAD_HANDLE, "write by a reading handle")?;
    let writer = s.open(entry.node, OpenFlags::WRITE_ONLY)?;
    refused(s.read(writer, 0, 4), BAD_HANDLE, "read by a writing handle")?;
    s.release(reader);
    s.release(writer);
    ensure_eq!(s.content(entry.node)?, b"data", "content");
    Ok(())
}

pub(super) fn an_impossible_size_is_efbig(s: &Session<'_>) -> Outcome {
    let entry = s.file(ROOT, "f", "data")?;
    match s.truncate(entry.node, i64::MAX as u64) {
        // A provider may hold files of any size that an offset can name.
        Ok(attr) => ensure_eq!(attr.size, i64::MAX as u64, "size"),
        Err(error) => {
            refused::<()>(Err(error), &[ErrorKind::FileTooLarge], "size of 8 EiB")?;
            ensure_eq!(s.content(entry.node)?, b"data", "content");
        }
    }
    Ok(())
}

pub(super) fn an_unknown_ioctl_is_enotty(s: &Session<'_>) -> Outcome {
    let (entry, _) = s.sample()?;
    let file = s.open(entry.node, OpenFlags::empty())?;
    let flags = IoctlFlags::empty();
    let request = IoctlRequest { command: 0x1234_5678, flags, input: &[], output_max: 0 };
    let answer = s.provider.ioctl(&s.call, file, request).map(|_| ());
    s.release(file);
    refused(answer, &[ErrorKind::InappropriateIoctl, ErrorKind::NotImplemented], "an unknown ioctl")
}

pub(super) fn statfs_tells_sizes_that_fit_together(s: &Session<'_>) -> Outcome {
    let told = s.provider.statfs(&s.call, ROOT)?;
    ensure!(told.fragment_size > 0 && told.block_size > 0, "block sizes of zero: {told:?}");
    ensure!(told.blocks_free <= told.blocks, "more blocks free than there are: {told:?}");
    ensure!(told.blocks_available <= told.blocks_free, "more blocks available than free: {told:?}");
    ensure!(told.files_free <= told.files, "more inodes free than there are: {told:?}");
    ensure_eq!(told.name_max, 255, "longest name");
    Ok(())
}

pub(super) fn what_is_not_implemented_says_so(s: &Session<'_>) -> Outcome {
    let (entry, _) = s.sample()?;
    let lacks = |features| !s.profile.has(features);
    let no = [NO_CHANGES, &[ErrorKind::NotSupported]].concat();
    if lacks(Features::WRITE) {
        refused(s.dir(ROOT, "x"), NO_CHANGES, "mkdir")?;
        refused(s.file(ROOT, "x", ""), NO_CHANGES, "create")?;
        refused(s.truncate(entry.node, 0), NO_CHANGES, "truncate")?;
        refused(s.mv("x", "y"), NO_CHANGES, "rename")?;
        // Such a provider may leave the flags of open alone, since no write follows on a read-only mount.
        let written = s.open(entry.node, OpenFlags::READ_WRITE).and_then(|file| s.write(file, 0, "x"));
        refused(written, NO_CHANGES, "write")?;
    }
    if lacks(Features::SYMLINKS) {
        refused(s.symlink(ROOT, "x", "target"), &no, "symlink")?;
    }
    if lacks(Features::HARD_LINKS) {
        refused(s.link(entry.node, ROOT, "x"), &no, "link")?;
    }
    if lacks(Features::TMPFILE) {
        let made = s.provider.tmpfile(&s.call, ROOT, 0o600, OpenFlags::READ_WRITE);
        let no = [&no[..], &[ErrorKind::IsADirectory]].concat();
        refused(made.map(drop), if lacks(Features::WRITE) { NO_CHANGES } else { &no }, "tmpfile")?;
    }
    if lacks(Features::XATTRS) {
        let flags = XattrFlags::empty();
        let set = s.provider.setxattr(&s.call, entry.node, b"user.x", b"value", flags);
        refused(set, &no, "setxattr")?;
    }
    if lacks(Features::LOCKS) {
        let file = s.open(entry.node, OpenFlags::empty())?;
        let change = SetLock::unlock_all(LockOwner(1), LockFamily::Range);
        let set = s.provider.setlk(&s.call, file, change);
        s.release(file);
        refused(set, &[ErrorKind::NotImplemented], "setlk")?;
        ensure!(!s.provider.capabilities().locks, "the capabilities promise locks");
    }
    if lacks(Features::STATFS) {
        refused(s.provider.statfs(&s.call, ROOT), &[ErrorKind::NotImplemented], "statfs")?;
    }
    refused(s.lookup(ROOT, "x"), MISSING, "lookup of a name that was refused")
}
