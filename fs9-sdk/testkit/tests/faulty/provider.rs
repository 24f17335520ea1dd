//! Each operation, with the faults that concern it.

use super::listing::{Changing, Kept, Recorded};
use super::{Fault, Faulty};
use fs9_sdk::{
    Attr, Call, Cancellation, Capabilities, CopyRange, DirEntry, DirSink, Entry, ErrorKind, FallocateMode,
    FileHandle, FileLock, FileType, Fill, IoctlReply, IoctlRequest, LOCK_END, LockFamily, LockKind,
    LockOwner, MAX_COOKIE, Name, NewNode, NodeId, OpenFlags, OpenNode, Opened, Place, Provider, RenameFlags,
    Result, SetAttr, SetLock, SetTime, StatFs, Whence, WriteOptions, XattrFlags,
};
use std::sync::atomic::Ordering;

/// The largest offset that a file can have.
const OFFSET_MAX: u64 = i64::MAX as u64;

/// Panics as arithmetic does that nobody checked.
fn unchecked(offset: u64, length: u64) {
    assert!(offset.checked_add(length).is_some_and(|end| end < OFFSET_MAX), "attempt to add with overflow");
}

fn whole_seconds(time: SetTime) -> SetTime {
    match time {
        SetTime::At(at) => SetTime::At(fs9_sdk::Timestamp { nanoseconds: 0, ..at }),
        SetTime::Now => SetTime::Now,
    }
}

impl Faulty {
    /// Returns the changes as a fault makes them.
    fn changed(&self, changes: SetAttr) -> SetAttr {
        let mut wrong = changes;
        match self.fault {
            Fault::TruncateIsIgnored => wrong.size = None,
            Fault::TimesAreIgnored => (wrong.atime, wrong.mtime) = (None, None),
            Fault::TimesInSeconds => {
                (wrong.atime, wrong.mtime) = (wrong.atime.map(whole_seconds), wrong.mtime.map(whole_seconds));
            }
            Fault::ChangesAllTimes => {
                wrong.atime = wrong.atime.or(wrong.mtime);
                wrong.mtime = wrong.mtime.or(wrong.atime);
            }
            Fault::ChmodTouchesMtime if wrong.permissions.is_some() => wrong.mtime = Some(SetTime::Now),
            Fault::ModesLoseSpecialBits => wrong.permissions = wrong.permissions.map(|bits| bits & 0o777),
            Fault::GroupIsIgnored => wrong.gid = None,
            Fault::KillIsForgotten => wrong.kill_privileges = false,
            Fault::KillsUnasked => wrong.kill_privileges = true,
            _ => {}
        }
        wrong
    }

    /// Lists with cookies that are positions in the present order of names.
    fn list_by_index(
        &self,
        call: &Call,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        let mut all = Recorded::default();
        let handle = self.inner().opendir(call, dir.node)?.handle;
        let afresh = OpenNode { node: dir.node, handle };
        self.inner().readdir(call, afresh, 0, attributes, &mut all)?;
        self.inner().releasedir(afresh);
        all.0.sort_by(|a, b| a.name.cmp(&b.name));
        for (index, kept) in all.0.iter_mut().enumerate() {
            kept.cookie = index as u64 + 1;
        }
        all.replay(usize::try_from(cookie).unwrap_or(usize::MAX), sink);
        Ok(())
    }

    /// Lists from what was read first, however often the listing is begun again.
    fn list_stale(&self, call: &Call, dir: OpenNode, cookie: u64, sink: &mut dyn DirSink) -> Result<()> {
        let known = self.state().recorded.get(&dir.handle).cloned();
        let all = match known {
            Some(all) => all,
            None => {
                let mut all = Recorded::default();
                self.inner().readdir(call, dir, 0, false, &mut all)?;
                self.state().recorded.insert(dir.handle, all.clone());
                all
            }
        };
        let skip = all.0.iter().filter(|kept| kept.cookie <= cookie).count();
        all.replay(skip, sink);
        Ok(())
    }

    /// Lists from a position that it keeps itself, past entries that were not taken, and for all listings at once.
    fn list_by_position(
        &self,
        call: &Call,
        dir: OpenNode,
        cookie: u64,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        let shared = FileHandle(0);
        if cookie == 0 {
            let mut all = Recorded::default();
            self.inner().readdir(call, dir, 0, false, &mut all)?;
            self.state().recorded.insert(shared, all);
        }
        let left = self.state().recorded.get(&shared).cloned().unwrap_or_default();
        let taken = left.replay(0, sink);
        let rest: Vec<Kept> = left.0.into_iter().skip(taken + 1).collect();
        self.state().recorded.insert(shared, Recorded(rest));
        Ok(())
    }

    fn list_changed(
        &self,
        call: &Call,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        let beyond = self.has(Fault::CookiesBeyondBounds);
        let offset = if beyond { MAX_COOKIE } else { 0 };
        let inner_cookie = match self.fault {
            Fault::CookiesOffByOne if cookie > 0 => cookie + 1,
            _ => cookie.saturating_sub(offset),
        };
        let mut change = |sink: &mut dyn DirSink, entry: DirEntry<'_>| {
            let shown = entry.entry.map(|found| self.entry(dir.node, entry.name, *found));
            let kind = match self.fault {
                Fault::ListedKindIsWrong => Some(FileType::Socket),
                _ => entry.kind,
            };
            let fill =
                sink.push(DirEntry { cookie: entry.cookie + offset, kind, entry: shown.as_ref(), ..entry });
            if let (Fill::More, true, Some(found)) = (fill, self.has(Fault::ListingIsNotCounted), entry.entry)
            {
                self.inner().forget(found.node, 1);
            }
            fill
        };
        self.inner().readdir(call, dir, inner_cookie, attributes, &mut Changing { sink, change: &mut change })
    }
}

impl Provider for Faulty {
    fn capabilities(&self) -> Capabilities {
        Capabilities { locks: true, ..self.inner().capabilities() }
    }

    fn lookup(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        let parent = self.real(parent)?;
        if self.has(Fault::BytesAreNotNames) && std::str::from_utf8(name.as_bytes()).is_err() {
            return Err(ErrorKind::IllegalSequence.into());
        }
        if self.has(Fault::DirectoryRenameLosesChildren) && self.is_below_moved(parent) {
            return Err(ErrorKind::NotFound.into());
        }
        let found = self.pass(self.inner().lookup(call, parent, name))?;
        Ok(self.entry(parent, name, found))
    }

    fn forget(&self, node: NodeId, count: u64) {
        let node = NodeId(node.0 & ((1 << super::ALIAS_SHIFT) - 1));
        let mut state = self.state();
        match self.fault {
            Fault::ForgetTakesAll if node != NodeId::ROOT => drop(state.gone.insert(node)),
            Fault::RootCanBeForgotten if node == NodeId::ROOT => drop(state.gone.insert(node)),
            Fault::BelowForgottenIsGone => {
                let children: Vec<_> = state.parents.iter().filter(|(_, parent)| **parent == node).collect();
                let children: Vec<_> = children.into_iter().map(|(child, _)| *child).collect();
                state.gone.extend(children);
            }
            Fault::ForgottenIdsChange => {
                if let Some(number) = state.numbers.get(&node).copied() {
                    *state.forgotten.entry(number).or_default() += 1;
                }
            }
            _ => {}
        }
        drop(state);
        self.inner().forget(node, count);
    }

    fn getattr(&self, call: &Call, node: NodeId, handle: Option<FileHandle>) -> Result<Attr> {
        let node = self.real(node)?;
        let mut attr = self.shown(node, self.pass(self.inner().getattr(call, node, handle))?);
        if self.has(Fault::HandlesHaveOtherIds) && handle.is_some() {
            attr.id.number += 1;
        }
        Ok(attr)
    }

    fn setattr(
        &self,
        call: &Call,
        node: NodeId,
        handle: Option<FileHandle>,
        changes: SetAttr,
    ) -> Result<Attr> {
        let node = self.real(node)?;
        if let (Fault::PanicsOnTheAbsurd, Some(size)) = (self.fault, changes.size) {
            unchecked(size, 4_096);
        }
        if let (Fault::PanicsOnTheAbsurd, Some(SetTime::At(at))) = (self.fault, changes.mtime) {
            assert!(at.seconds.checked_mul(1_000_000_000).is_some(), "attempt to multiply with overflow");
        }
        let before = self.inner().getattr(call, node, handle)?;
        let changes = self.changed(changes);
        let now = match self.has(Fault::SizeComesLast) && changes.size.is_some() {
            true => {
                let first = SetAttr { size: None, ..changes };
                self.pass(self.inner().setattr(call, node, handle, first))?;
                let size = SetAttr { size: changes.size, ..SetAttr::default() };
                self.pass(self.inner().setattr(call, node, handle, size))?
            }
            false => self.pass(self.inner().setattr(call, node, handle, changes))?,
        };
        if self.has(Fault::HolesAreDirty) && now.size > before.size && now.size < 1 << 20 {
            self.soil(call, node, before.size, now.size)?;
        }
        // The backing of the tests strips by itself at chown, so the fault has to undo that.
        if self.has(Fault::KillIsForgotten) && changes.uid.is_some() && changes.permissions.is_none() {
            let permissions = Some(before.permissions);
            let now =
                self.inner().setattr(call, node, handle, SetAttr { permissions, ..SetAttr::default() })?;
            return Ok(self.shown(node, now));
        }
        Ok(self.shown(node, now))
    }

    fn readlink(&self, call: &Call, node: NodeId) -> Result<Vec<u8>> {
        let mut target = self.pass(self.inner().readlink(call, self.real(node)?))?;
        if self.has(Fault::LinkTargetsAreCut) {
            target.truncate(1_000);
        }
        Ok(target)
    }

    fn mknod(&self, call: &Call, parent: NodeId, name: Name<'_>, mut new: NewNode) -> Result<Entry> {
        let parent = self.real(parent)?;
        match self.fault {
            Fault::NodKindsAreRegular => new.mode = FileType::Regular.mode_bits() | (new.mode & 0o7777),
            Fault::NumbersOfDevicesAreShort => new.rdev &= 0xffff,
            Fault::ModesLoseSpecialBits => new.mode &= !0o7000,
            _ => {}
        }
        let call = self.caller(call);
        self.made(&call, Place { parent, name }, self.inner().mknod(&call, parent, name, new))
    }

    fn mkdir(&self, call: &Call, parent: NodeId, name: Name<'_>, permissions: u16) -> Result<Entry> {
        let parent = self.real(parent)?;
        if self.has(Fault::BytesAreNotNames) && std::str::from_utf8(name.as_bytes()).is_err() {
            return Err(ErrorKind::IllegalSequence.into());
        }
        let kept = if self.has(Fault::ModesLoseSpecialBits) { 0o777 } else { 0o7777 };
        let call = self.caller(call);
        let made = self.inner().mkdir(&call, parent, name, permissions & kept);
        self.made(&call, Place { parent, name }, made)
    }

    fn symlink(&self, call: &Call, parent: NodeId, name: Name<'_>, target: &[u8]) -> Result<Entry> {
        let (parent, call) = (self.real(parent)?, self.caller(call));
        self.made(&call, Place { parent, name }, self.inner().symlink(&call, parent, name, target))
    }

    fn link(&self, call: &Call, node: NodeId, new_parent: NodeId, new_name: Name<'_>) -> Result<Entry> {
        let (node, parent) = (self.real(node)?, self.real(new_parent)?);
        let made = self.inner().link(call, node, parent, new_name);
        if self.has(Fault::LinksTouchMtime) {
            self.touch(call, node);
        }
        self.made(call, Place { parent, name: new_name }, made)
    }

    fn unlink(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        let parent = self.real(parent)?;
        let target = self.peek(call, parent, name);
        if self.has(Fault::UnlinkHides) {
            let hidden = format!(".hidden-{}", self.calls.fetch_add(1, Ordering::Relaxed));
            let to = Place { parent, name: Name::new(hidden.as_bytes())? };
            return self.inner().rename(call, Place { parent, name }, to, RenameFlags::empty());
        }
        let result = self.pass(self.inner().unlink(call, parent, name));
        match (self.fault, &result) {
            (Fault::UnlinkedIsGone, Ok(())) => self.mark_gone(target),
            (Fault::MissingIsFineToRemove, Err(error)) if error.kind() == ErrorKind::NotFound => {
                return Ok(());
            }
            _ => {}
        }
        result
    }

    fn rmdir(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        let parent = self.real(parent)?;
        let target = self.peek(call, parent, name);
        let mut result = self.pass(self.inner().rmdir(call, parent, name));
        match (self.fault, &result, target) {
            (Fault::RmdirRemovesFull, Err(_), Some(dir)) => {
                self.inner().unlink(call, dir.node, Name::new(b"f")?)?;
                result = self.inner().rmdir(call, parent, name);
            }
            (Fault::RemovedDirectoriesAreGone, Ok(()), _) => self.mark_gone(target),
            (Fault::RemovedDirectoriesListGhosts, Ok(()), Some(dir)) => {
                self.state().moved.insert(dir.node);
            }
            _ => {}
        }
        result
    }

    fn rename(&self, call: &Call, from: Place<'_>, to: Place<'_>, flags: RenameFlags) -> Result<()> {
        let from = Place { parent: self.real(from.parent)?, ..from };
        let to = Place { parent: self.real(to.parent)?, ..to };
        if self.has(Fault::BytesAreNotNames) && std::str::from_utf8(to.name.as_bytes()).is_err() {
            return Err(ErrorKind::IllegalSequence.into());
        }
        if let Some(result) = self.rename_wrongly(call, from, to, flags) {
            return result;
        }
        let source = self.peek(call, from.parent, from.name);
        let target = self.peek(call, to.parent, to.name);
        let result = self.pass(self.inner().rename(call, from, to, flags));
        match (self.fault, &result, source) {
            (Fault::MissingIsFineToRemove, Err(error), _) if error.kind() == ErrorKind::NotFound => {
                return Ok(());
            }
            (Fault::RenameKillsItsTarget, Ok(()), _) => self.mark_gone(target),
            (Fault::DirectoryRenameLosesChildren, Ok(()), Some(dir))
                if dir.attr.kind == FileType::Directory =>
            {
                self.state().moved.insert(dir.node);
            }
            (Fault::RenameLosesXattrs, Ok(()), Some(file)) => {
                drop(self.inner().removexattr(call, file.node, b"user.x"));
            }
            _ => {}
        }
        result
    }

    fn open(&self, call: &Call, node: NodeId, mut flags: OpenFlags) -> Result<Opened> {
        let node = self.real(node)?;
        match self.fault {
            Fault::OpenIgnoresTruncate => flags.remove(OpenFlags::TRUNCATE),
            Fault::KillIsForgotten => flags.remove(OpenFlags::KILL_PRIVILEGES),
            Fault::OpenIgnoresAppend => flags.remove(OpenFlags::APPEND),
            Fault::PanicsOnTheAbsurd => assert!(flags.bits() & (1 << 30) == 0, "a flag that nobody knows"),
            _ => {}
        }
        let opened = self.pass(self.inner().open(call, node, flags))?;
        if self.has(Fault::HandlesReadWhatTheyOpened) {
            self.keep_snapshot(call, OpenNode { node, handle: opened.handle })?;
        }
        Ok(opened)
    }

    fn create(
        &self,
        call: &Call,
        place: Place<'_>,
        permissions: u16,
        mut flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let place = Place { parent: self.real(place.parent)?, ..place };
        if self.has(Fault::BytesAreNotNames) && std::str::from_utf8(place.name.as_bytes()).is_err() {
            return Err(ErrorKind::IllegalSequence.into());
        }
        match self.fault {
            Fault::CreateCutsWhatExists => flags.insert(OpenFlags::TRUNCATE),
            Fault::CreateIsNeverExclusive => flags.remove(OpenFlags::EXCLUSIVE),
            _ => {}
        }
        let call = self.caller(call);
        let (entry, opened) = self.pass(self.inner().create(&call, place, permissions, flags))?;
        Ok((self.made(&call, place, Ok(entry))?, opened))
    }

    /// The provider below has no such files. One that was unlinked is used like one, but cannot get a name; one whose name
    /// stays can.
    fn tmpfile(
        &self,
        call: &Call,
        parent: NodeId,
        permissions: u16,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let (parent, call) = (self.real(parent)?, self.caller(call));
        let hidden = format!(".unnamed-{}", self.calls.fetch_add(1, Ordering::Relaxed));
        let place = Place { parent, name: Name::new(hidden.as_bytes())? };
        let flags = flags | OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        let (entry, opened) = self.pass(self.inner().create(&call, place, permissions, flags))?;
        if !self.has(Fault::UnnamedHaveNames) {
            self.inner().unlink(&call, parent, place.name)?;
        }
        let attr = self.inner().getattr(&call, entry.node, Some(opened.handle))?;
        Ok((Entry { attr, ..entry }, opened))
    }

    fn read(&self, call: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let file = self.real_file(file)?;
        let length = buffer.len();
        match self.fault {
            Fault::PanicsOnTheAbsurd => unchecked(offset, length as u64),
            Fault::ReadTouchesMtime => self.touch(call, file.node),
            _ => {}
        }
        if let Some(kept) = self.state().snapshots.get(&file.handle) {
            let rest = kept.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
            let count = rest.len().min(length);
            buffer[..count].copy_from_slice(&rest[..count]);
            return Ok(count);
        }
        let (offset, most) = match self.fault {
            Fault::ReadsAreShifted => (offset.saturating_add(1), length),
            Fault::ReadsAreShort => (offset, length.min(4_096 - (offset % 4_096) as usize)),
            _ => (offset, length),
        };
        let count = self.pass(self.inner().read(call, file, offset, &mut buffer[..most]))?;
        if self.has(Fault::ReadsPadWithZeros) {
            buffer[count..].fill(0);
            return Ok(length);
        }
        Ok(count)
    }

    fn write(
        &self,
        call: &Call,
        file: OpenNode,
        offset: u64,
        data: &[u8],
        mut options: WriteOptions,
    ) -> Result<usize> {
        let file = self.real_file(file)?;
        if self.now_and_then(Fault::SometimesWritesNothing) {
            return Ok(data.len());
        }
        if self.broken.load(Ordering::Acquire) {
            // What was written is lost, and only fsync could tell.
            return Ok(data.len());
        }
        match self.fault {
            Fault::PanicsOnTheAbsurd => unchecked(offset, data.len() as u64),
            Fault::KillIsForgotten => options.kill_privileges = false,
            Fault::KillsUnasked => options.kill_privileges = true,
            Fault::EmptyWriteExtends if data.is_empty() => {
                let size = SetAttr { size: Some(offset), ..SetAttr::default() };
                self.inner().setattr(call, file.node, None, size)?;
            }
            _ => {}
        }
        let before = self.inner().getattr(call, file.node, Some(file.handle))?.size;
        let count = self.pass(self.inner().write(call, file, offset, data, options))?;
        if self.has(Fault::HolesAreDirty) && offset > before && offset < 1 << 20 {
            self.soil(call, file.node, before, offset)?;
        }
        if self.has(Fault::WritesCut) {
            let size = Some(offset + count as u64);
            self.inner().setattr(call, file.node, None, SetAttr { size, ..SetAttr::default() })?;
        }
        Ok(count)
    }

    fn flush(&self, call: &Call, file: OpenNode) -> Result<()> {
        self.inner().flush(call, self.real_file(file)?)
    }

    fn release(&self, file: OpenNode) {
        let node = NodeId(file.node.0 & ((1 << super::ALIAS_SHIFT) - 1));
        self.inner().release(OpenNode { node, handle: file.handle });
    }

    fn fsync(&self, call: &Call, file: OpenNode, data_only: bool) -> Result<()> {
        match self.fault {
            Fault::FsyncFails => return Err(ErrorKind::Io.into()),
            Fault::WriteErrorsAreSwallowed => {}
            _ if self.broken.load(Ordering::Acquire) => return Err(ErrorKind::Io.into()),
            _ => {}
        }
        self.inner().fsync(call, self.real_file(file)?, data_only)
    }

    fn opendir(&self, call: &Call, node: NodeId) -> Result<Opened> {
        self.pass(self.inner().opendir(call, self.real(node)?))
    }

    fn readdir(
        &self,
        call: &Call,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        let dir = self.real_file(dir)?;
        match self.fault {
            Fault::PanicsOnTheAbsurd => unchecked(cookie, 1 << 20),
            Fault::ReadTouchesMtime => self.touch(call, dir.node),
            Fault::CloseOfOneClosesAll if self.calls.load(Ordering::Relaxed) > 0 => {
                return Err(ErrorKind::BadDescriptor.into());
            }
            Fault::CookiesAreIndices => return self.list_by_index(call, dir, cookie, attributes, sink),
            Fault::RewindIsStale => return self.list_stale(call, dir, cookie, sink),
            Fault::FullSinkLosesAnEntry => return self.list_by_position(call, dir, cookie, sink),
            Fault::RemovedDirectoriesListGhosts if self.state().moved.contains(&dir.node) => {
                let (name, kind) = (Name::new(b"ghost")?, None);
                sink.push(DirEntry { name, cookie: 1, kind, device: 0, number: 1, entry: None });
                return Ok(());
            }
            _ => {}
        }
        self.pass(self.list_changed(call, dir, cookie, attributes, sink))
    }

    fn releasedir(&self, dir: OpenNode) {
        if self.has(Fault::CloseOfOneClosesAll) {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        self.inner().releasedir(dir);
    }

    fn fsyncdir(&self, call: &Call, dir: OpenNode, data_only: bool) -> Result<()> {
        match self.fault {
            Fault::FsyncFails => Err(ErrorKind::Io.into()),
            _ => self.inner().fsyncdir(call, dir, data_only),
        }
    }

    fn statfs(&self, call: &Call, node: NodeId) -> Result<StatFs> {
        let told = self.inner().statfs(call, self.real(node)?)?;
        match self.fault {
            Fault::StatfsIsNonsense => Ok(StatFs { blocks_free: told.blocks + 1, ..told }),
            _ => Ok(told),
        }
    }

    fn getxattr(&self, call: &Call, node: NodeId, name: &[u8]) -> Result<Vec<u8>> {
        if self.has(Fault::PanicsOnTheAbsurd) {
            assert!(std::str::from_utf8(name).is_ok(), "a name that is not UTF-8");
        }
        self.pass(self.inner().getxattr(call, self.real(node)?, name))
    }

    fn setxattr(
        &self,
        call: &Call,
        node: NodeId,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        let flags = match self.fault {
            Fault::XattrFlagsAreIgnored => XattrFlags::empty(),
            _ => flags,
        };
        let cut = value.iter().position(|byte| *byte == 0).filter(|_| self.has(Fault::XattrValuesAreCut));
        let value = &value[..cut.unwrap_or(value.len())];
        self.pass(self.inner().setxattr(call, self.real(node)?, name, value, flags))
    }

    fn listxattr(&self, call: &Call, node: NodeId) -> Result<Vec<u8>> {
        let mut names = self.pass(self.inner().listxattr(call, self.real(node)?))?;
        if self.has(Fault::XattrListHasNoEnd) {
            names.pop();
        }
        Ok(names)
    }

    fn removexattr(&self, call: &Call, node: NodeId, name: &[u8]) -> Result<()> {
        self.pass(self.inner().removexattr(call, self.real(node)?, name))
    }

    fn fallocate(
        &self,
        call: &Call,
        file: OpenNode,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        let file = self.real_file(file)?;
        let (mut mode, mut from, mut count) = (mode, offset, length);
        match self.fault {
            Fault::PanicsOnTheAbsurd => unchecked(offset, length),
            Fault::FallocateDoesNothing => return Ok(()),
            Fault::FallocateKeepsNoSize => mode.remove(FallocateMode::KEEP_SIZE),
            Fault::FallocateIgnoresUnknownModes => {
                mode = FallocateMode::from_bits_truncate(mode.bits() & 0x3f)
            }
            Fault::RoundsRanges => {
                from = offset / 4_096 * 4_096;
                count = length.div_ceil(4_096) * 4_096;
            }
            _ => {}
        }
        self.pass(self.inner().fallocate(call, file, mode, from, count))
    }

    fn lseek(&self, call: &Call, file: OpenNode, offset: u64, whence: Whence) -> Result<u64> {
        let file = self.real_file(file)?;
        if self.has(Fault::SeeksFindNoHoles) {
            let size = self.inner().getattr(call, file.node, Some(file.handle))?.size;
            return Ok(if whence == Whence::Data { offset } else { size });
        }
        self.pass(self.inner().lseek(call, file, offset, whence))
    }

    fn copy_file_range(&self, call: &Call, mut range: CopyRange) -> Result<u64> {
        range.source.0 = self.real_file(range.source.0)?;
        range.target.0 = self.real_file(range.target.0)?;
        match self.fault {
            Fault::PanicsOnTheAbsurd => unchecked(range.source.1, range.length),
            Fault::CopyArrivesHalf => {
                let half = CopyRange { length: range.length / 2, ..range };
                return self.inner().copy_file_range(call, half).map(|_| range.length);
            }
            _ => {}
        }
        self.pass(self.inner().copy_file_range(call, range))
    }

    fn getlk(&self, _: &Call, file: OpenNode, owner: LockOwner, lock: FileLock) -> Result<FileLock> {
        let file = self.real_file(file)?;
        match self.fault {
            Fault::LocksAreIgnored => Ok(FileLock { kind: LockKind::Unlock, ..lock }),
            _ => Ok(self.locks.test(file.node, owner, lock)),
        }
    }

    /// The provider below keeps no locks.
    fn setlk(&self, call: &Call, file: OpenNode, change: SetLock) -> Result<()> {
        let mut node = self.real_file(file)?.node;
        let (mut call, mut change) = (call.clone(), change);
        match self.fault {
            Fault::LocksAreIgnored => return Ok(()),
            Fault::LocksAreOfHandles => change.owner = LockOwner(file.handle.0),
            Fault::LocksAreOfOneFile => node = NodeId::ROOT,
            Fault::LocksAreOfOneFamily => change.family = LockFamily::Range,
            Fault::LocksCoverTheFile => (change.lock.start, change.lock.end) = (0, LOCK_END),
            Fault::LockWaitsAreNone => change.wait = false,
            Fault::LockWaitsAreDeaf if change.wait => {
                // It hears of the end only after a while.
                let (ears, theirs) = (Cancellation::new(), call.cancellation.clone());
                call.cancellation = ears.clone();
                std::thread::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_secs(6));
                    if theirs.is_cancelled() {
                        ears.cancel();
                    }
                });
            }
            _ => {}
        }
        self.locks.set(&call, node, change)
    }

    fn ioctl(&self, call: &Call, file: OpenNode, request: IoctlRequest<'_>) -> Result<IoctlReply> {
        match self.fault {
            Fault::IoctlsSucceed => Ok(IoctlReply::default()),
            _ => self.inner().ioctl(call, self.real_file(file)?, request),
        }
    }
}
