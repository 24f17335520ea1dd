//! Reading, writing and shaping open files.

use super::super::answer::{Answer, Outcome};
use super::super::operation::Operation;
use super::{InProcess, OpenSlot, Result, done, kind, stat_of};
use fs9_sdk::{CopyRange, ErrorKind, FallocateMode, NodeId, OpenFlags, OpenNode, SetAttr, WriteOptions};

impl InProcess {
    pub(super) fn data(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Write { slot, offset, length, fill } => {
                self.write(self.slot(*slot)?, *offset, &vec![*fill; *length])
            }
            Operation::Read { slot, offset, length } => {
                let open = self.slot(*slot)?;
                let mut buffer = vec![0xa5; *length];
                let count =
                    self.provider().read(&self.call, open.file, *offset, &mut buffer).map_err(kind)?;
                buffer.truncate(count);
                Ok(Answer::Bytes(buffer))
            }
            Operation::TruncateOpen { slot, size } => {
                let open = self.slot(*slot)?;
                if !open.flags.writable() {
                    return Err(ErrorKind::InvalidArgument);
                }
                let changes = self.size(*size);
                let handle = Some(open.file.handle);
                done(self.provider().setattr(&self.call, open.file.node, handle, changes).map(drop))
            }
            Operation::Fallocate { slot, mode, offset, length } => {
                let open = self.slot(*slot)?;
                let mode = FallocateMode::from_bits_retain(*mode);
                // The kernel looks at the mode before it looks at the handle.
                let punch = FallocateMode::PUNCH_HOLE;
                if mode.contains(punch) && !mode.contains(FallocateMode::KEEP_SIZE) {
                    return Err(ErrorKind::NotSupported);
                }
                done(self.provider().fallocate(&self.call, open.file, mode, *offset, *length))
            }
            Operation::Copy { from, to, source, target, length } => {
                self.copy((self.slot(*from)?, *source), (self.slot(*to)?, *target), *length)
            }
            Operation::StatOpen { slot } => {
                let file = self.slot(*slot)?.file;
                let attr = self.provider().getattr(&self.call, file.node, Some(file.handle)).map_err(kind)?;
                Ok(Answer::Stat(stat_of(&attr)))
            }
            Operation::Fsync { slot } => {
                done(self.provider().fsync(&self.call, self.slot(*slot)?.file, false))
            }
            _ => self.attributes(operation),
        }
    }

    fn write(&self, open: OpenSlot, offset: u64, data: &[u8]) -> Outcome {
        let append = open.flags.contains(OpenFlags::APPEND);
        let at = match append {
            // The kernel passes the size that it knows.
            true => {
                self.provider()
                    .getattr(&self.call, open.file.node, Some(open.file.handle))
                    .map_err(kind)?
                    .size
            }
            false => offset,
        };
        let options = WriteOptions { kill_privileges: self.kills_privileges(), from_cache: false };
        let count = self.provider().write(&self.call, open.file, at, data, options).map_err(kind)?;
        Ok(Answer::Count(count as u64))
    }

    pub(super) fn size(&self, size: u64) -> SetAttr {
        SetAttr { size: Some(size), kill_privileges: self.kills_privileges(), ..SetAttr::default() }
    }

    fn copy(&self, from: (OpenSlot, u64), to: (OpenSlot, u64), length: u64) -> Outcome {
        let appends = to.0.flags.contains(OpenFlags::APPEND);
        if !from.0.flags.readable() || !to.0.flags.writable() || appends {
            return Err(ErrorKind::BadDescriptor);
        }
        let mut done = 0;
        while done < length {
            let file = from.0.file;
            let attr = self.provider().getattr(&self.call, file.node, Some(file.handle)).map_err(kind)?;
            // The kernel cuts the range at the end of the source before it looks for an overlap.
            let left = (length - done).min(attr.size.saturating_sub(from.1 + done));
            if left == 0 {
                break;
            }
            let (source, target) = ((file, from.1 + done), (to.0.file, to.1 + done));
            let range = CopyRange { source, target, length: left };
            match self.provider().copy_file_range(&self.call, range).map_err(kind)? {
                0 => break,
                count => done += count,
            }
        }
        Ok(Answer::Count(done))
    }

    pub(super) fn content(&self, node: NodeId, size: u64) -> Result<Vec<u8>> {
        let handle = self.provider().open(&self.call, node, OpenFlags::empty()).map_err(kind)?.handle;
        let file = OpenNode { node, handle };
        let mut content = vec![0xa5; size as usize + 1];
        let count = self.provider().read(&self.call, file, 0, &mut content).map_err(kind)?;
        self.provider().release(file);
        content.truncate(count);
        Ok(content)
    }
}
