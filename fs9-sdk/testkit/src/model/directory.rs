//! A directory of a mounted file system, driven by system calls relative to directory descriptors.
//!
//! Invariant: no path is followed through a symbolic link, and nothing outside the directory is reached.

use super::answer::{
    Answer, Driver, Id, Item, Outcome, Stat, comparable_time, refusal_to_open, refusal_to_truncate,
    xattr_name,
};
use super::operation::{ModelTime, OpenMode, Operation, Path, SLOTS};
use fs9_sdk::{ErrorKind, FileType};
use rustix::fs::{self, AtFlags, CWD, Dir, FallocateFlags, Mode, OFlags, RenameFlags, Timespec, XattrFlags};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

type Result<T> = std::result::Result<T, ErrorKind>;

fn kind(errno: Errno) -> ErrorKind {
    ErrorKind::from_errno(errno.raw_os_error()).unwrap_or(ErrorKind::Io)
}

/// A descriptor of a directory and a name in it.
struct At {
    dir: OwnedFd,
    name: Vec<u8>,
}

/// A directory and the files that are open in it.
pub(super) struct Directory {
    root: OwnedFd,
    open: [Option<OwnedFd>; SLOTS],
}

impl Directory {
    pub(super) fn open(path: &std::path::Path) -> std::io::Result<Directory> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(Directory { root, open: Default::default() })
    }

    fn at(&self, path: &Path) -> Result<At> {
        let mut names = path.names();
        let Some(name) = names.pop() else { return Err(ErrorKind::InvalidArgument) };
        let mut dir = self.root.try_clone().map_err(|_| ErrorKind::TooManyOpenFiles)?;
        for step in names {
            dir = subdirectory(&dir, &step)?;
        }
        Ok(At { dir, name })
    }

    fn slot(&self, slot: usize) -> Result<&OwnedFd> {
        self.open[slot].as_ref().ok_or(ErrorKind::BadDescriptorState)
    }

    fn open_into(&mut self, at: &At, flags: OFlags, mode: u16, slot: usize) -> Outcome {
        if let Ok(kind) = at.kind()
            && !flags.contains(OFlags::EXCL)
            && let Some(refusal) = refusal_to_open(kind)
        {
            return Err(refusal);
        }
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mode = Mode::from_raw_mode(u32::from(mode));
        let file = fs::openat(&at.dir, &*at.name, flags, mode).map_err(kind)?;
        self.open[slot] = Some(file);
        Ok(Answer::Done)
    }

    fn list(&self, path: &Path) -> Outcome {
        let at = self.at(path)?;
        let dir = subdirectory(&at.dir, &at.name)?;
        Ok(Answer::Names(entries(&dir)?))
    }

    fn names(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Mkdir { path, mode } => {
                let at = self.at(path)?;
                done(fs::mkdirat(&at.dir, &*at.name, Mode::from_raw_mode(u32::from(*mode))))
            }
            Operation::Symlink { path, target } => {
                let at = self.at(path)?;
                done(fs::symlinkat(&**target, &at.dir, &*at.name))
            }
            Operation::Link { from, to } => {
                let (from, to) = (self.at(from)?, self.at(to)?);
                done(fs::linkat(&from.dir, &*from.name, &to.dir, &*to.name, AtFlags::empty()))
            }
            Operation::Mkfifo { path, mode } => {
                let at = self.at(path)?;
                let mode = Mode::from_raw_mode(u32::from(*mode));
                done(fs::mknodat(&at.dir, &*at.name, fs::FileType::Fifo, mode, 0))
            }
            Operation::Unlink { path } => {
                let at = self.at(path)?;
                done(fs::unlinkat(&at.dir, &*at.name, AtFlags::empty()))
            }
            Operation::Rmdir { path } => {
                let at = self.at(path)?;
                done(fs::unlinkat(&at.dir, &*at.name, AtFlags::REMOVEDIR))
            }
            Operation::Rename { from, to, flags } => {
                let (from, to) = (self.at(from)?, self.at(to)?);
                let flags = RenameFlags::from_bits_retain(*flags);
                done(fs::renameat_with(&from.dir, &*from.name, &to.dir, &*to.name, flags))
            }
            Operation::List { path, .. } => self.list(path),
            Operation::Readlink { path } => {
                let at = self.at(path)?;
                let target = fs::readlinkat(&at.dir, &*at.name, Vec::new()).map_err(kind)?;
                Ok(Answer::Bytes(target.into_bytes()))
            }
            _ => self.data(operation),
        }
    }

    fn data(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Create { path, mode, exclusive, open, slot } => {
                let at = self.at(path)?;
                let exclusive = if *exclusive { OFlags::EXCL } else { OFlags::empty() };
                self.open_into(&at, open_flags(*open) | OFlags::CREATE | exclusive, *mode, *slot)
            }
            Operation::Open { path, open, slot } => {
                let at = self.at(path)?;
                self.open_into(&at, open_flags(*open), 0, *slot)
            }
            Operation::Close { slot } => {
                self.slot(*slot)?;
                self.open[*slot] = None;
                Ok(Answer::Done)
            }
            Operation::Write { slot, offset, length, fill } => {
                let count =
                    rustix::io::pwrite(self.slot(*slot)?, &vec![*fill; *length], *offset).map_err(kind)?;
                Ok(Answer::Count(count as u64))
            }
            Operation::Read { slot, offset, length } => {
                let mut buffer = vec![0; *length];
                let count = rustix::io::pread(self.slot(*slot)?, &mut *buffer, *offset).map_err(kind)?;
                buffer.truncate(count);
                Ok(Answer::Bytes(buffer))
            }
            Operation::TruncateOpen { slot, size } => done(fs::ftruncate(self.slot(*slot)?, *size)),
            Operation::Fallocate { slot, mode, offset, length } => {
                let mode = FallocateFlags::from_bits_retain(*mode);
                done(fs::fallocate(self.slot(*slot)?, mode, *offset, *length))
            }
            Operation::Copy { from, to, source, target, length } => {
                self.copy((*from, *source), (*to, *target), *length)
            }
            Operation::StatOpen { slot } => {
                Ok(Answer::Stat(stat_of(&fs::fstat(self.slot(*slot)?).map_err(kind)?)?))
            }
            Operation::Fsync { slot } => done(fs::fsync(self.slot(*slot)?)),
            Operation::ForgetAll => Ok(Answer::Done),
            _ => self.attributes(operation),
        }
    }

    fn copy(&self, from: (usize, u64), to: (usize, u64), length: u64) -> Outcome {
        let (source, target) = (self.slot(from.0)?, self.slot(to.0)?);
        let mut done = 0;
        while done < length {
            let (mut source_at, mut target_at) = (from.1 + done, to.1 + done);
            let left = (length - done) as usize;
            let copied =
                fs::copy_file_range(source, Some(&mut source_at), target, Some(&mut target_at), left);
            match copied.map_err(kind)? {
                0 => break,
                count => done += count as u64,
            }
        }
        Ok(Answer::Count(done))
    }

    fn attributes(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Stat { path } => Ok(Answer::Stat(self.at(path)?.stat()?)),
            Operation::Truncate { path, size } => {
                let at = self.at(path)?;
                if let Some(refusal) = refusal_to_truncate(at.kind()?) {
                    return Err(refusal);
                }
                let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = fs::openat(&at.dir, &*at.name, flags, Mode::empty()).map_err(kind)?;
                done(fs::ftruncate(file, *size))
            }
            Operation::Chmod { path, mode } => {
                let at = self.at(path)?;
                if at.kind()? == FileType::Symlink {
                    return Err(ErrorKind::NotSupported);
                }
                let mode = Mode::from_raw_mode(u32::from(*mode));
                done(fs::chmodat(&at.dir, &*at.name, mode, AtFlags::empty()))
            }
            Operation::SetTimes { path, atime, mtime } => {
                let at = self.at(path)?;
                let times =
                    fs::Timestamps { last_access: timespec(*atime), last_modification: timespec(*mtime) };
                fs::utimensat(&at.dir, &*at.name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(kind)?;
                let now = fs::statat(&at.dir, &*at.name, AtFlags::SYMLINK_NOFOLLOW).map_err(kind)?;
                let atime = atime.and_then(|_| comparable_time(now.st_atime, now.st_atime_nsec as u32));
                Ok(Answer::Times(atime, comparable_time(now.st_mtime, now.st_mtime_nsec as u32)))
            }
            _ => self.xattrs(operation),
        }
    }

    fn xattrs(&self, operation: &Operation) -> Outcome {
        match operation {
            Operation::SetXattr { path, name, value, flags } => {
                // The descriptor in the path must outlive the call.
                let at = self.at(path)?;
                let flags = XattrFlags::from_bits_retain(*flags);
                done(fs::lsetxattr(&*at.proc_path()?, &*xattr_name(*name), value, flags))
            }
            Operation::GetXattr { path, name } => {
                let at = self.at(path)?;
                Ok(Answer::Bytes(xattr(&at.proc_path()?, &xattr_name(*name))?))
            }
            Operation::RemoveXattr { path, name } => {
                let at = self.at(path)?;
                done(fs::lremovexattr(&*at.proc_path()?, &*xattr_name(*name)))
            }
            Operation::ListXattr { path } => {
                let at = self.at(path)?;
                let names = xattr_names(&at.proc_path()?)?;
                Ok(Answer::Bytes(names.join(&0)))
            }
            _ => Err(ErrorKind::NotImplemented),
        }
    }
}

impl Driver for Directory {
    fn apply(&mut self, operation: &Operation) -> Outcome {
        self.names(operation)
    }

    fn tree(&mut self) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        walk(&self.root, "", &mut items)?;
        items.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(items)
    }
}

impl At {
    fn stat(&self) -> Result<Stat> {
        stat_of(&fs::statat(&self.dir, &*self.name, AtFlags::SYMLINK_NOFOLLOW).map_err(kind)?)
    }

    fn kind(&self) -> Result<FileType> {
        Ok(self.stat()?.kind)
    }

    /// Returns a path for the calls that take no directory descriptor, after a look that the object exists.
    fn proc_path(&self) -> Result<Vec<u8>> {
        self.stat()?;
        Ok([format!("/proc/self/fd/{}/", self.dir.as_raw_fd()).into_bytes(), self.name.clone()].concat())
    }
}

fn done(result: rustix::io::Result<()>) -> Outcome {
    result.map(|()| Answer::Done).map_err(kind)
}

fn subdirectory(dir: &OwnedFd, name: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(dir, name, flags, Mode::empty()).map_err(kind)
}

fn open_flags(open: OpenMode) -> OFlags {
    let mut flags = OFlags::from_bits_retain(open.access);
    flags.set(OFlags::TRUNC, open.truncate);
    flags.set(OFlags::APPEND, open.append);
    flags
}

fn timespec(time: ModelTime) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT },
        Some((_, u32::MAX)) => Timespec { tv_sec: 0, tv_nsec: fs::UTIME_NOW },
        Some((seconds, nanoseconds)) => Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() },
    }
}

fn stat_of(stat: &fs::Stat) -> Result<Stat> {
    let kind = FileType::from_mode(stat.st_mode).ok_or(ErrorKind::Io)?;
    Ok(Stat {
        kind,
        permissions: (stat.st_mode & 0o7777) as u16,
        nlink: stat.st_nlink as u32,
        owner: (stat.st_uid, stat.st_gid),
        size: (kind != FileType::Directory).then_some(stat.st_size as u64),
        mtime: comparable_time(stat.st_mtime, stat.st_mtime_nsec as u32),
        id: Id(stat.st_dev, stat.st_ino),
    })
}

fn entries(dir: &OwnedFd) -> Result<Vec<(Vec<u8>, FileType)>> {
    let mut names = Vec::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = fs::openat(dir, ".", flags, Mode::empty()).map_err(kind)?;
    for entry in Dir::new(readable).map_err(kind)? {
        let entry = entry.map_err(kind)?;
        let name = entry.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            let stat = fs::statat(dir, &*name, AtFlags::SYMLINK_NOFOLLOW).map_err(kind)?;
            names.push((name, FileType::from_mode(stat.st_mode).ok_or(ErrorKind::Io)?));
        }
    }
    names.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

fn xattr(path: &[u8], name: &[u8]) -> Result<Vec<u8>> {
    let mut value = vec![0; 4_096];
    let length = fs::lgetxattr(path, name, &mut *value).map_err(kind)?;
    value.truncate(length);
    Ok(value)
}

/// Returns the names that the model sets, sorted; a system may add others.
fn xattr_names(path: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut list = vec![0; 4_096];
    let length = fs::llistxattr(path, &mut *list).map_err(kind)?;
    let all = list[..length].split(|&byte| byte == 0);
    let mut names: Vec<_> = all.filter(|name| name.starts_with(b"user.model-")).map(<[u8]>::to_vec).collect();
    names.sort();
    Ok(names)
}

fn walk(dir: &OwnedFd, path: &str, items: &mut Vec<Item>) -> Result<()> {
    for (name, kind_told) in entries(dir)? {
        let at = At { dir: dir.try_clone().map_err(|_| ErrorKind::TooManyOpenFiles)?, name };
        let path = format!("{path}/{}", at.name.escape_ascii());
        let stat = at.stat()?;
        let content = match kind_told {
            FileType::Regular => Answer::Bytes(content(&at, stat.size.unwrap_or(0))?),
            FileType::Symlink => {
                let target = fs::readlinkat(dir, &*at.name, Vec::new()).map_err(kind)?;
                Answer::Bytes(target.into_bytes())
            }
            _ => Answer::Done,
        };
        let proc_path = at.proc_path()?;
        let names = xattr_names(&proc_path).unwrap_or_default();
        let valued = names.into_iter().map(|name| xattr(&proc_path, &name).map(|value| (name, value)));
        let xattrs = valued.collect::<Result<Vec<_>>>()?;
        if kind_told == FileType::Directory {
            walk(&subdirectory(dir, &at.name)?, &path, items)?;
        }
        items.push(Item { path, stat, content, xattrs });
    }
    Ok(())
}

fn content(at: &At, size: u64) -> Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::openat(&at.dir, &*at.name, flags, Mode::empty()).map_err(kind)?;
    let mut content = vec![0; size as usize + 1];
    let mut filled = 0;
    loop {
        match rustix::io::pread(&file, &mut content[filled..], filled as u64).map_err(kind)? {
            0 => break,
            count => filled += count,
        }
    }
    content.truncate(filled);
    Ok(content)
}
