//! The body of a regular file: its pages, its size, and what both cost.
//!
//! Invariants: bytes beyond the size are zero; `size` and `counted` change only with `pages` locked for writing, so
//! that `getattr` reads them without the lock. Each counted page is paid for in [`Space`].
//! Lock order: `pages` before the attributes of the node.

use crate::pages::Pages;
use crate::space::Space;
use fs9_sdk::{Error, ErrorKind, FallocateMode, Result, Whence};
use parking_lot::{RwLock, RwLockWriteGuard};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest size of a file (`MAX_LFS_FILESIZE` of Linux on 64 bits).
pub(crate) const SIZE_MAX: u64 = i64::MAX as u64;

/// The body of a regular file.
#[derive(Default)]
pub(crate) struct File {
    pages: RwLock<Pages>,
    size: AtomicU64,
    counted: AtomicU64,
}

impl File {
    /// Returns the size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Returns the number of pages that the file counts.
    pub(crate) fn counted_pages(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Reads from `offset`; less than asked only at the end of the file.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let pages = self.pages.read();
        let left = self.size().saturating_sub(offset);
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        pages.read(offset, &mut buffer[..length]);
        length
    }

    /// Writes at `offset`, or at the end for `None`. Where space runs out midway, less is written.
    ///
    /// # Errors
    /// `ENOSPC` if not one byte fits, `EFBIG` at or beyond the largest size.
    pub(crate) fn write(&self, space: &Space, offset: Option<u64>, data: &[u8]) -> Result<usize> {
        let mut pages = self.pages.write();
        let offset = offset.unwrap_or_else(|| self.size());
        if offset >= SIZE_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let fits = usize::try_from(SIZE_MAX - offset).unwrap_or(usize::MAX);
        let data = &data[..data.len().min(fits)];
        let taken = space.take_pages_up_to(pages.missing(offset..offset + data.len() as u64));
        let written = pages.write(offset, data, taken);
        space.give_back_pages(taken - written.new_pages);
        if written.bytes == 0 && !data.is_empty() {
            return Err(ErrorKind::NoSpace.into());
        }
        self.publish(&pages, offset + written.bytes as u64);
        Ok(written.bytes)
    }

    /// Cuts the file or extends it with a hole; returns whether the size changed.
    ///
    /// # Errors
    /// `EFBIG` beyond the largest size.
    pub(crate) fn set_size(&self, space: &Space, size: u64) -> Result<bool> {
        check_size(size)?;
        let mut pages = self.pages.write();
        let before = self.size();
        if size <= before {
            // Also frees what fallocate reserved beyond the end.
            space.give_back_pages(pages.punch(size..u64::MAX));
        }
        self.size.store(size, Ordering::Release);
        self.publish(&pages, 0);
        Ok(size != before)
    }

    /// Does `fallocate(2)` for the modes that a file in memory has.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `ENOSPC`, `EFBIG`, `EINVAL` for an empty range.
    pub(crate) fn allocate(
        &self,
        space: &Space,
        mode: FallocateMode,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        let range = byte_range(offset, length)?;
        let keep = FallocateMode::KEEP_SIZE;
        let mut pages = self.pages.write();
        match mode.difference(keep) {
            FallocateMode::PUNCH_HOLE if mode.contains(keep) => {
                space.give_back_pages(pages.punch(range));
                self.publish(&pages, 0);
                return Ok(());
            }
            FallocateMode::ZERO_RANGE => {
                take_and_reserve(space, &mut pages, range.clone())?;
                pages.zero(range.clone());
            }
            other if other.is_empty() => take_and_reserve(space, &mut pages, range.clone())?,
            _ => return Err(ErrorKind::NotSupported.into()),
        }
        self.publish(&pages, if mode.contains(keep) { 0 } else { range.end });
        Ok(())
    }

    /// Makes a range of bytes read as zeros by freeing it, and extends the file to its end.
    pub(crate) fn make_hole(&self, space: &Space, range: Range<u64>) {
        let mut pages = self.pages.write();
        space.give_back_pages(pages.punch(range.clone()));
        self.publish(&pages, range.end);
    }

    /// Finds data or a hole at or after `offset`.
    ///
    /// # Errors
    /// `ENXIO` at or beyond the end of the file, and for data where only a hole follows.
    pub(crate) fn seek(&self, offset: u64, whence: Whence) -> Result<u64> {
        let pages = self.pages.read();
        let size = self.size();
        let found = match whence {
            _ if offset >= size => None,
            Whence::Data => pages.next_data(offset).filter(|&at| at < size),
            Whence::Hole => Some(pages.next_hole(offset).min(size)),
        };
        found.ok_or_else(|| Error::new(ErrorKind::NoSuchDeviceOrAddress))
    }

    /// Frees everything, for a file that nobody can reach any more.
    pub(crate) fn clear(&self, space: &Space) {
        let mut pages = self.pages.write();
        space.give_back_pages(pages.counted());
        let old = std::mem::take(&mut *pages);
        self.size.store(0, Ordering::Release);
        self.publish(&pages, 0);
        drop(pages);
        // Returning a large file's memory takes long: not with the lock held.
        drop(old);
    }

    /// Makes the new state visible to those who read without the lock; the file reaches at least to `end`.
    fn publish(&self, pages: &RwLockWriteGuard<'_, Pages>, end: u64) {
        self.counted.store(pages.counted(), Ordering::Relaxed);
        if end > self.size() {
            self.size.store(end, Ordering::Release);
        }
    }
}

/// Returns `EFBIG` for a size that no file can have.
pub(crate) fn check_size(size: u64) -> Result<()> {
    if size <= SIZE_MAX { Ok(()) } else { Err(ErrorKind::FileTooLarge.into()) }
}

fn take_and_reserve(space: &Space, pages: &mut Pages, range: Range<u64>) -> Result<()> {
    let missing = pages.missing(range.clone());
    space.take_pages(missing)?;
    let reserved = pages.reserve(range);
    assert_eq!(reserved, missing, "reserved other pages than were paid for");
    Ok(())
}

fn byte_range(offset: u64, length: u64) -> Result<Range<u64>> {
    if length == 0 {
        return Err(ErrorKind::InvalidArgument.into());
    }
    match offset.checked_add(length) {
        Some(end) if end <= SIZE_MAX => Ok(offset..end),
        _ => Err(ErrorKind::FileTooLarge.into()),
    }
}
