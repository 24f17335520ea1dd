//! A path provider over a real directory: the base of the tests of the adapter, and of the suite itself.
//!
//! It walks from directory to directory by descriptor, so that a path may be longer than the system's limit.

use fs9_sdk::{
    Attr, Call, CopyBetween, Error, ErrorKind, FallocateMode, FileHandle, FileType, Listing, Name, NewNode,
    ObjectId, OpenFlags, PathProvider, RelPath, RenameFlags, Result, SetAttr, SetTime, StatFs, Target,
    Timestamp, Whence, WriteOptions, XattrFlags,
};
use rustix::fs::{self, AtFlags, CWD, Dir, FallocateFlags, Mode, OFlags, SeekFrom, Timespec};
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const NOFOLLOW: AtFlags = AtFlags::SYMLINK_NOFOLLOW;

/// Serves a directory.
pub(crate) struct Mirror {
    root: OwnedFd,
    open: Mutex<HashMap<u64, Arc<OwnedFd>>>,
    last: AtomicU64,
}

fn error(errno: Errno) -> Error {
    Error::from_errno(errno.raw_os_error())
}

impl Mirror {
    pub(crate) fn new(path: &std::path::Path) -> Mirror {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::openat(CWD, path, flags, Mode::empty()).unwrap_or_else(|error| panic!("{error}"));
        Mirror { root, open: Mutex::default(), last: AtomicU64::new(0) }
    }

    /// Returns the directory that holds a path, and the name in it; the root is `.` in itself.
    fn at(&self, path: RelPath<'_>) -> Result<(OwnedFd, Vec<u8>)> {
        let mut dir = self.root.try_clone()?;
        let Some((parent, name)) = path.split_last() else { return Ok((dir, b".".to_vec())) };
        for step in parent.components() {
            dir = self.step(&dir, step.as_bytes())?;
        }
        Ok((dir, name.as_bytes().to_vec()))
    }

    fn step(&self, dir: &OwnedFd, name: &[u8]) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(dir, name, flags, Mode::empty()).map_err(error)
    }

    fn keep(&self, file: OwnedFd) -> FileHandle {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(file));
        FileHandle(number)
    }

    fn file(&self, handle: FileHandle) -> Result<Arc<OwnedFd>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&handle.0).cloned().ok_or_else(|| ErrorKind::BadDescriptor.into())
    }

    /// Gives what was made to the caller, with the permissions that the caller's umask leaves.
    fn hand_over(&self, call: &Call, path: RelPath<'_>, permissions: u32) -> Result<()> {
        let (dir, name) = self.at(path)?;
        let parent = fs::fstat(&dir).map_err(error)?;
        let made = fs::statat(&dir, &*name, NOFOLLOW).map_err(error)?;
        let inherits = parent.st_mode & 0o2000 != 0;
        if rustix::process::geteuid().is_root() {
            let gid = if inherits { parent.st_gid } else { call.caller.gid };
            let (uid, gid) = (fs::Uid::from_raw(call.caller.uid), fs::Gid::from_raw(gid));
            fs::chownat(&dir, &*name, Some(uid), Some(gid), NOFOLLOW).map_err(error)?;
        }
        let kind = FileType::from_mode(made.st_mode);
        if kind != Some(FileType::Symlink) {
            let setgid = if inherits && kind == Some(FileType::Directory) { 0o2000 } else { 0 };
            let mode = Mode::from_raw_mode((permissions & !call.caller.umask & 0o7777) | setgid);
            fs::chmodat(&dir, &*name, mode, AtFlags::empty()).map_err(error)?;
        }
        Ok(())
    }

    /// Strips privileges from an open file as the kernel does for an ordinary user.
    fn strip(&self, file: &OwnedFd) -> Result<()> {
        let mode = fs::fstat(file).map_err(error)?.st_mode & 0o7777;
        let mut kept = mode & !0o4000;
        if kept & 0o010 != 0 {
            kept &= !0o2000;
        }
        if kept != mode {
            fs::fchmod(file, Mode::from_raw_mode(kept)).map_err(error)?;
        }
        Ok(())
    }

    fn proc_path(&self, path: RelPath<'_>) -> Result<(OwnedFd, Vec<u8>)> {
        let (dir, name) = self.at(path)?;
        let text = [format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes(), name].concat();
        Ok((dir, text))
    }
}

fn attr(stat: &fs::Stat) -> Result<Attr> {
    let moment = |seconds, nanoseconds| Timestamp { seconds, nanoseconds };
    let (major, minor) = (fs::major(stat.st_rdev), fs::minor(stat.st_rdev));
    Ok(Attr {
        id: ObjectId { device: 0, number: stat.st_ino, generation: 0 },
        kind: FileType::from_mode(stat.st_mode).ok_or(ErrorKind::Io)?,
        permissions: (stat.st_mode & 0o7777) as u16,
        nlink: stat.st_nlink as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12),
        size: stat.st_size as u64,
        blocks: stat.st_blocks as u64,
        block_size: stat.st_blksize as u32,
        atime: moment(stat.st_atime, stat.st_atime_nsec as u32),
        mtime: moment(stat.st_mtime, stat.st_mtime_nsec as u32),
        ctime: moment(stat.st_ctime, stat.st_ctime_nsec as u32),
        btime: None,
    })
}

fn timespec(time: Option<SetTime>) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT },
        Some(SetTime::Now) => Timespec { tv_sec: 0, tv_nsec: fs::UTIME_NOW },
        Some(SetTime::At(at)) => Timespec { tv_sec: at.seconds, tv_nsec: at.nanoseconds.into() },
    }
}

fn done(result: rustix::io::Result<()>) -> Result<()> {
    result.map_err(error)
}

fn system_flags(flags: OpenFlags) -> OFlags {
    let passed = flags.bits() & (OpenFlags::READ_WRITE | OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE).bits();
    let append = OpenFlags::APPEND | OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    OFlags::from_bits_retain(passed | (flags & append).bits()) | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

impl PathProvider for Mirror {
    fn getattr(&self, _: &Call, target: Target<'_>) -> Result<Attr> {
        match target {
            Target::Path(path) => {
                let (dir, name) = self.at(path)?;
                attr(&fs::statat(&dir, &*name, NOFOLLOW).map_err(error)?)
            }
            Target::Open(handle) => attr(&fs::fstat(self.file(handle)?.as_fd()).map_err(error)?),
        }
    }

    fn readdir(&self, _: &Call, path: RelPath<'_>, listing: &mut Listing) -> Result<()> {
        let (dir, name) = self.at(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = fs::openat(&dir, &*name, flags, Mode::empty()).map_err(error)?;
        for entry in Dir::new(dir).map_err(error)? {
            let entry = entry.map_err(error)?;
            let Ok(name) = Name::new(entry.file_name().to_bytes()) else { continue };
            let id = ObjectId { device: 0, number: entry.ino(), generation: 0 };
            match FileType::from_mode(entry.file_type().as_raw_mode()) {
                Some(kind) => listing.push_known(name, kind, id),
                None => listing.push(name),
            }
        }
        Ok(())
    }

    fn open(&self, _: &Call, path: RelPath<'_>, flags: OpenFlags) -> Result<FileHandle> {
        let (dir, name) = self.at(path)?;
        let strips = flags.contains(OpenFlags::KILL_PRIVILEGES | OpenFlags::TRUNCATE);
        let flags = system_flags(flags - (OpenFlags::CREATE | OpenFlags::EXCLUSIVE));
        let file = fs::openat(&dir, &*name, flags, Mode::empty()).map_err(error)?;
        if strips {
            self.strip(&file)?;
        }
        Ok(self.keep(file))
    }

    fn read(&self, _: &Call, file: FileHandle, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        rustix::io::pread(self.file(file)?.as_fd(), buffer, offset).map_err(error)
    }

    fn release(&self, file: FileHandle) {
        let file = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&file.0);
        assert!(file.is_some(), "a handle was released twice");
    }

    fn setattr(&self, _: &Call, target: Target<'_>, changes: SetAttr) -> Result<()> {
        let (dir, name) = match target {
            Target::Path(path) => self.at(path)?,
            Target::Open(handle) => {
                let fd = self.file(handle)?;
                let proc = fs::openat(CWD, "/proc/self/fd", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
                let name = fd.as_raw_fd().to_string().into_bytes();
                return self.set(&proc.map_err(error)?, &name, AtFlags::empty(), changes, Some(&fd));
            }
        };
        self.set(&dir, &name, NOFOLLOW, changes, None)
    }

    fn readlink(&self, _: &Call, path: RelPath<'_>) -> Result<Vec<u8>> {
        let (dir, name) = self.at(path)?;
        Ok(fs::readlinkat(&dir, &*name, Vec::new()).map_err(error)?.into_bytes())
    }

    fn mknod(&self, call: &Call, path: RelPath<'_>, new: NewNode) -> Result<()> {
        let (dir, name) = self.at(path)?;
        let (major, minor) = ((new.rdev >> 8) & 0xfff, (new.rdev & 0xff) | ((new.rdev >> 12) & 0xf_ff00));
        let kind = fs::FileType::from_raw_mode(new.mode);
        done(fs::mknodat(&dir, &*name, kind, Mode::empty(), fs::makedev(major, minor)))?;
        self.hand_over(call, path, new.mode)
    }

    fn mkdir(&self, call: &Call, path: RelPath<'_>, permissions: u16) -> Result<()> {
        let (dir, name) = self.at(path)?;
        done(fs::mkdirat(&dir, &*name, Mode::RWXU))?;
        self.hand_over(call, path, permissions.into())
    }

    fn symlink(&self, call: &Call, path: RelPath<'_>, target: &[u8]) -> Result<()> {
        let (dir, name) = self.at(path)?;
        done(fs::symlinkat(target, &dir, &*name))?;
        self.hand_over(call, path, 0)
    }

    fn link(&self, _: &Call, path: RelPath<'_>, new_path: RelPath<'_>) -> Result<()> {
        let ((dir, name), (new_dir, new_name)) = (self.at(path)?, self.at(new_path)?);
        done(fs::linkat(&dir, &*name, &new_dir, &*new_name, AtFlags::empty()))
    }

    fn unlink(&self, _: &Call, path: RelPath<'_>) -> Result<()> {
        let (dir, name) = self.at(path)?;
        done(fs::unlinkat(&dir, &*name, AtFlags::empty()))
    }

    fn rmdir(&self, _: &Call, path: RelPath<'_>) -> Result<()> {
        let (dir, name) = self.at(path)?;
        done(fs::unlinkat(&dir, &*name, AtFlags::REMOVEDIR))
    }

    fn rename(&self, _: &Call, from: RelPath<'_>, to: RelPath<'_>, flags: RenameFlags) -> Result<()> {
        let ((from_dir, from), (to_dir, to)) = (self.at(from)?, self.at(to)?);
        let flags = fs::RenameFlags::from_bits_retain(flags.bits());
        done(fs::renameat_with(&from_dir, &*from, &to_dir, &*to, flags))
    }

    fn create(
        &self,
        call: &Call,
        path: RelPath<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<FileHandle> {
        let (dir, name) = self.at(path)?;
        let exclusive = system_flags(flags | OpenFlags::CREATE | OpenFlags::EXCLUSIVE);
        match fs::openat(&dir, &*name, exclusive, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                let handle = self.keep(file);
                self.hand_over(call, path, permissions.into())?;
                Ok(handle)
            }
            Err(Errno::EXIST) if !flags.contains(OpenFlags::EXCLUSIVE) => self.open(call, path, flags),
            Err(errno) => Err(error(errno)),
        }
    }

    fn write(
        &self,
        _: &Call,
        file: FileHandle,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize> {
        let file = self.file(file)?;
        if options.kill_privileges {
            self.strip(&file)?;
        }
        rustix::io::pwrite(file.as_fd(), data, offset).map_err(error)
    }

    fn fsync(&self, _: &Call, file: FileHandle, data_only: bool) -> Result<()> {
        let file = self.file(file)?;
        done(if data_only { fs::fdatasync(file.as_fd()) } else { fs::fsync(file.as_fd()) })
    }

    fn fsyncdir(&self, _: &Call, path: RelPath<'_>, _: bool) -> Result<()> {
        let (dir, name) = self.at(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        done(fs::fsync(fs::openat(&dir, &*name, flags, Mode::empty()).map_err(error)?))
    }

    fn statfs(&self, _: &Call, _: RelPath<'_>) -> Result<StatFs> {
        let told = fs::fstatvfs(&self.root).map_err(error)?;
        Ok(StatFs {
            blocks: told.f_blocks,
            blocks_free: told.f_bfree,
            blocks_available: told.f_bavail,
            files: told.f_files,
            files_free: told.f_ffree,
            block_size: told.f_bsize as u32,
            name_max: told.f_namemax as u32,
            fragment_size: told.f_frsize as u32,
        })
    }

    fn getxattr(&self, _: &Call, path: RelPath<'_>, name: &[u8]) -> Result<Vec<u8>> {
        let (_dir, path) = self.proc_path(path)?;
        let mut value = vec![0; 65_536];
        let length = fs::lgetxattr(&*path, name, &mut *value).map_err(error)?;
        value.truncate(length);
        Ok(value)
    }

    fn setxattr(
        &self,
        _: &Call,
        path: RelPath<'_>,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        let (_dir, path) = self.proc_path(path)?;
        let system = fs::XattrFlags::from_bits_retain((flags - XattrFlags::KILL_SETGID).bits());
        done(fs::lsetxattr(&*path, name, value, system))
    }

    fn listxattr(&self, _: &Call, path: RelPath<'_>) -> Result<Vec<u8>> {
        let (_dir, path) = self.proc_path(path)?;
        let mut names = vec![0; 65_536];
        let length = fs::llistxattr(&*path, &mut *names).map_err(error)?;
        names.truncate(length);
        Ok(names)
    }

    fn removexattr(&self, _: &Call, path: RelPath<'_>, name: &[u8]) -> Result<()> {
        let (_dir, path) = self.proc_path(path)?;
        done(fs::lremovexattr(&*path, name))
    }

    fn fallocate(
        &self,
        _: &Call,
        file: FileHandle,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        let mode = FallocateFlags::from_bits_retain(mode.bits());
        done(fs::fallocate(self.file(file)?.as_fd(), mode, offset, length))
    }

    fn lseek(&self, _: &Call, file: FileHandle, offset: u64, whence: Whence) -> Result<u64> {
        let to = match whence {
            Whence::Data => SeekFrom::Data(offset),
            Whence::Hole => SeekFrom::Hole(offset),
        };
        fs::seek(self.file(file)?.as_fd(), to).map_err(error)
    }

    fn copy_file_range(&self, _: &Call, range: CopyBetween) -> Result<u64> {
        let (source, target) = (self.file(range.source.0)?, self.file(range.target.0)?);
        let (mut from, mut to) = (range.source.1, range.target.1);
        let length = usize::try_from(range.length).unwrap_or(usize::MAX);
        let copied =
            fs::copy_file_range(source.as_fd(), Some(&mut from), target.as_fd(), Some(&mut to), length);
        copied.map(|count| count as u64).map_err(error)
    }
}

impl Mirror {
    fn set(
        &self,
        dir: &OwnedFd,
        name: &[u8],
        follow: AtFlags,
        changes: SetAttr,
        open: Option<&OwnedFd>,
    ) -> Result<()> {
        let strips = changes.kill_privileges && (changes.size.is_some() || changes.uid.is_some());
        let reopened;
        let file = match open {
            Some(file) => Some(file),
            None if changes.size.is_some() || strips => {
                let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                reopened = fs::openat(dir, name, flags, Mode::empty()).map_err(error)?;
                Some(&reopened)
            }
            None => None,
        };
        if changes.uid.is_some() || changes.gid.is_some() {
            let (uid, gid) = (changes.uid.map(fs::Uid::from_raw), changes.gid.map(fs::Gid::from_raw));
            done(fs::chownat(dir, name, uid, gid, follow))?;
        }
        if let (true, Some(file)) = (strips, file) {
            self.strip(file)?;
        }
        if let Some(permissions) = changes.permissions {
            let mode = Mode::from_raw_mode(u32::from(permissions) & 0o7777);
            done(fs::chmodat(dir, name, mode, AtFlags::empty()))?;
        }
        if let (Some(size), Some(file)) = (changes.size, file) {
            done(fs::ftruncate(file, size))?;
        }
        if changes.atime.is_some() || changes.mtime.is_some() {
            let (last_access, last_modification) = (timespec(changes.atime), timespec(changes.mtime));
            done(fs::utimensat(dir, name, &fs::Timestamps { last_access, last_modification }, follow))?;
        }
        Ok(())
    }
}
