//! Opening files, and what is done with open ones.
//!
//! Invariants: nothing but regular files is ever opened for data, so an open never blocks or reaches a device; a
//! change strips privileges as the caller's own would.
//!
//! What becomes of open flags: `O_APPEND` is kept, so that appenders through the mount and behind it never overwrite
//! each other (with a write-back cache the kernel computes offsets, and it is dropped); `O_DIRECT` is dropped, since
//! buffers of requests are not aligned (a lent descriptor still serves direct I/O: the kernel asks the file system,
//! not the flag); `O_NONBLOCK` means nothing for regular files, except generated ones, where it is always set: a read
//! that waits would hold up the thread that serves others.

use crate::LocalProvider;
use crate::node::Node;
use crate::open_files::{OpenFile, Permit};
use crate::stat::{Stat, refused};
use fs9_sdk::{
    Call, CopyRange, Entry, Error, ErrorKind, FallocateMode, FileType, NodeId, OpenFlags, OpenNode,
    OpenTraits, Opened, Place, Result, Whence, WriteOptions,
};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    FallocateFlags, Mode, OFlags, SeekFrom, copy_file_range, fallocate, fdatasync, fsync, seek,
};
use rustix::io::{Errno, pread, pwrite, retry_on_intr};

/// Flags that reach the backing file as they are.
const KEPT: OpenFlags =
    OpenFlags::TRUNCATE.union(OpenFlags::APPEND).union(OpenFlags::SYNC).union(OpenFlags::NOATIME);

/// How often an entry that keeps appearing and vanishing is tried.
const CREATE_TRIES: usize = 16;

impl LocalProvider {
    pub(crate) fn do_open(&self, call: &Call, id: NodeId, flags: OpenFlags) -> Result<Opened> {
        let node = self.node(id)?;
        self.open_node(call, id, &node, flags)
    }

    fn open_node(&self, call: &Call, id: NodeId, node: &Node, flags: OpenFlags) -> Result<Opened> {
        match node.kind {
            FileType::Regular => {}
            FileType::Directory => return Err(ErrorKind::IsADirectory.into()),
            FileType::Symlink => return Err(ErrorKind::TooManySymlinks.into()),
            _ => return Err(ErrorKind::NoSuchDeviceOrAddress.into()),
        }
        if flags.writable() || flags.contains(OpenFlags::TRUNCATE) {
            self.writable()?;
        }
        let permit = self.files.permit()?;
        let mut backing_flags = self.backing_flags(flags);
        if self.devices.is_generated(node.device) {
            // Some of these files wait for what is to be read (`/proc/kmsg`).
            backing_flags |= OFlags::NONBLOCK;
        }
        let open = || self.reopen_for(node, backing_flags);
        let fd = if flags.contains(OpenFlags::TRUNCATE) {
            let kill = flags.contains(OpenFlags::KILL_PRIVILEGES);
            self.changing(call, kill, (id, &node.descriptor), open)?
        } else {
            open()?
        };
        let stat = Stat::of(&fd)?;
        if (stat.permissions() & 0o6000 != 0) != node.privileged {
            self.nodes.set_privileged(id, stat.permissions() & 0o6000 != 0);
        }
        let writable = flags.writable();
        let file = OpenFile { descriptor: fd, node: id, device: node.device, writable, _permit: permit };
        Ok(self.opened(file, &stat))
    }

    fn reopen_for(&self, node: &Node, flags: OFlags) -> Result<OwnedFd> {
        let opened = self.with_room(|| self.backing.reopen(&node.descriptor, flags));
        match opened {
            // Not the owner's daemon: the option is a wish, not a promise.
            Err(error) if self.options.noatime && error.kind() == ErrorKind::NotPermitted => {
                self.with_room(|| self.backing.reopen(&node.descriptor, flags - OFlags::NOATIME))
            }
            opened => opened,
        }
    }

    fn opened(&self, file: OpenFile, stat: &Stat) -> Opened {
        let flushes = file.writable && self.devices.get(file.device).flushes;
        let attr = stat.attr(self.devices.public(file.device));
        let mut traits = if flushes { OpenTraits::empty() } else { OpenTraits::NO_FLUSH };
        // The kernel would not read beyond a size that is mostly 0.
        traits.set(OpenTraits::DIRECT_IO, self.devices.is_generated(file.device));
        // The file system below has locks of its own.
        traits.insert(OpenTraits::PARALLEL_DIRECT_WRITES);
        Opened { handle: self.files.insert(file), attr: Some(attr), traits }
    }

    fn backing_flags(&self, flags: OpenFlags) -> OFlags {
        let mut access = flags.bits() & 3;
        let mut kept = flags & KEPT;
        if self.options.writeback {
            // The kernel fills pages around a partial write, and computes the offsets of appends itself.
            kept -= OpenFlags::APPEND;
            if access == OpenFlags::WRITE_ONLY.bits() {
                access = OpenFlags::READ_WRITE.bits();
            }
        }
        let noatime = if self.options.noatime { OFlags::NOATIME } else { OFlags::empty() };
        OFlags::from_bits_retain(access | kept.bits()) | noatime | OFlags::LARGEFILE | OFlags::NOCTTY
    }

    pub(crate) fn do_create(
        &self,
        call: &Call,
        place: Place<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let dir = self.node(place.parent)?;
        for _ in 0..CREATE_TRIES {
            match self.create_new(call, &dir, place, permissions, flags) {
                Err(error) if is_taken(&error) && !flags.contains(OpenFlags::EXCLUSIVE) => {}
                made => return made,
            }
            match self.open_existing(call, &dir, place, flags) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => return opened,
            }
        }
        Err(ErrorKind::NotFound.into())
    }

    fn create_new(
        &self,
        call: &Call,
        dir: &Node,
        place: Place<'_>,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let permit = self.files.permit()?;
        let create = self.backing_flags(flags) | OFlags::CREATE | OFlags::EXCL;
        let mode = u32::from(permissions & 0o7777);
        let fd = self.making(call, dir, mode, || {
            self.with_room(|| {
                self.backing.open_child(&dir.descriptor, place.name, create, Mode::from_raw_mode(mode))
            })
        })?;
        self.made(fd, Some(place), flags, permit)
    }

    /// Takes what was made and opened; without a place, it has no name.
    fn made(
        &self,
        fd: OwnedFd,
        place: Option<Place<'_>>,
        flags: OpenFlags,
        permit: Permit,
    ) -> Result<(Entry, Opened)> {
        let stat = Stat::of(&fd)?;
        // The node must not keep the file open for writing, which would forbid its execution (ETXTBSY).
        let path_only = self.with_room(|| self.backing.reopen(&fd, OFlags::PATH))?;
        let entry = self.admit(place, path_only, &stat);
        let device = self.found(&fd, &stat).key.device;
        let (node, writable) = (entry.node, flags.writable());
        let file = OpenFile { descriptor: fd, node, device, writable, _permit: permit };
        Ok((entry, self.opened(file, &stat)))
    }

    pub(crate) fn do_tmpfile(
        &self,
        call: &Call,
        parent: NodeId,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let dir = self.node(parent)?;
        let permit = self.files.permit()?;
        let exclusive = OFlags::from_bits_retain((flags & OpenFlags::EXCLUSIVE).bits());
        let unnamed = self.backing_flags(flags - OpenFlags::TRUNCATE) | exclusive;
        let mode = u32::from(permissions & 0o7777);
        let fd = self.making(call, &dir, mode, || {
            self.with_room(|| self.backing.open_unnamed(&dir.descriptor, unnamed, Mode::from_raw_mode(mode)))
        })?;
        self.made(fd, None, flags, permit)
    }

    fn open_existing(
        &self,
        call: &Call,
        dir: &Node,
        place: Place<'_>,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let mut entry = self.look_up(place.parent, &dir.descriptor, place.name)?;
        let node = self.node(entry.node);
        match node.and_then(|node| self.open_node(call, entry.node, &node, flags)) {
            Ok(opened) => {
                entry.attr = opened.attr.unwrap_or(entry.attr);
                Ok((entry, opened))
            }
            Err(error) => {
                self.nodes.release(entry.node, 1, 0);
                Err(error)
            }
        }
    }

    pub(crate) fn do_read(&self, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let open = self.files.file(file.handle)?;
        let read = match retry_on_intr(|| pread(&open.descriptor, &mut *buffer, offset)) {
            // Some generated files are streams (`trace_pipe`).
            Err(Errno::SPIPE) => rustix::io::read(&open.descriptor, &mut *buffer),
            read => read,
        };
        read.map_err(refused)
    }

    pub(crate) fn do_write(
        &self,
        call: &Call,
        file: OpenNode,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize> {
        let open = self.files.file(file.handle)?;
        self.changing(call, options.kill_privileges, (open.node, &open.descriptor), || {
            let written = match retry_on_intr(|| pwrite(&open.descriptor, data, offset)) {
                Err(Errno::SPIPE) => rustix::io::write(&open.descriptor, data),
                written => written,
            };
            written.map_err(refused)
        })
    }

    /// Closing a duplicate makes a remote file system report what it still holds back; others report at the write.
    pub(crate) fn do_flush(&self, file: OpenNode) -> Result<()> {
        let open = self.files.file(file.handle)?;
        if !open.writable || !self.devices.get(open.device).flushes {
            return Ok(());
        }
        let duplicate =
            self.with_room(|| rustix::io::fcntl_dupfd_cloexec(&open.descriptor, 0).map_err(refused))?;
        fs9_sys::close(duplicate).map_err(Error::from)
    }

    pub(crate) fn do_fsync(&self, file: OpenNode, data_only: bool) -> Result<()> {
        sync(&self.files.file(file.handle)?.descriptor, data_only)
    }

    pub(crate) fn do_fsyncdir(&self, dir: OpenNode, data_only: bool) -> Result<()> {
        sync(&self.files.directory(dir.handle)?.descriptor, data_only)
    }

    pub(crate) fn do_fallocate(
        &self,
        call: &Call,
        file: OpenNode,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        let open = self.files.file(file.handle)?;
        let mode = FallocateFlags::from_bits_retain(mode.bits());
        self.changing(call, call.caller.uid != 0, (open.node, &open.descriptor), || {
            fallocate(&open.descriptor, mode, offset, length).map_err(refused)
        })
    }

    pub(crate) fn do_lseek(&self, file: OpenNode, offset: u64, whence: Whence) -> Result<u64> {
        let open = self.files.file(file.handle)?;
        let target = match whence {
            Whence::Data => SeekFrom::Data(offset),
            Whence::Hole => SeekFrom::Hole(offset),
        };
        seek(&open.descriptor, target).map_err(refused)
    }

    pub(crate) fn do_copy(&self, call: &Call, range: CopyRange) -> Result<u64> {
        let ((source, mut from), (target, mut to)) = (range.source, range.target);
        let (source, target) = (self.files.file(source.handle)?, self.files.file(target.handle)?);
        let length = usize::try_from(range.length).unwrap_or(usize::MAX);
        self.changing(call, call.caller.uid != 0, (target.node, &target.descriptor), || {
            let copied = copy_file_range(
                &source.descriptor,
                Some(&mut from),
                &target.descriptor,
                Some(&mut to),
                length,
            );
            Ok(copied.map_err(refused)? as u64)
        })
    }

    /// Lends the descriptor of an open file.
    pub(crate) fn lend(&self, file: OpenNode, borrow: &mut dyn FnMut(BorrowedFd<'_>)) -> bool {
        use rustix::fd::AsFd;
        let Some(open) = self.files.get(file.handle).filter(|_| self.switching) else { return false };
        if self.devices.is_generated(open.device) {
            return false;
        }
        borrow(open.descriptor.as_fd());
        true
    }
}

fn sync(descriptor: &OwnedFd, data_only: bool) -> Result<()> {
    if data_only { fdatasync(descriptor) } else { fsync(descriptor) }.map_err(refused)
}

fn is_taken(error: &Error) -> bool {
    error.kind() == ErrorKind::AlreadyExists
}
