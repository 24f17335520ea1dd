//! The data of open files.

use super::in_place::on_disk;
use super::privileges::strip_after_change;
use super::{Frontend, Request, on};
use crate::pace::DiskWork;
use crate::read_buffer::ReadBuffer;
use crate::reply::Answer;
use fs9_core::HandleId;
use fs9_sdk::{
    CopyRange, ErrorKind, FallocateMode, IoctlFlags, IoctlRequest, PollEvents, PollWaker, Provider, Result,
    Whence, WriteOptions,
};

impl Frontend {
    pub(super) fn read(
        &self,
        request: &Request,
        handle: HandleId,
        offset: u64,
        length: u32,
    ) -> Result<Answer> {
        let file = self.open_file(handle)?;
        let backend = file.backend()?;
        ReadBuffer::fill(length as usize, |buffer| {
            on(&backend.view, |provider| provider.read(&request.call, backend.open, offset, buffer))
        })
        .map(Answer::Data)
    }

    pub(super) fn write(
        &self,
        request: &Request,
        (handle, offset): (HandleId, u64),
        data: &[u8],
        options: WriteOptions,
    ) -> Result<Answer> {
        let file = self.open_file(handle)?;
        let backend = file.backend()?;
        let written =
            on(&backend.view, |provider| provider.write(&request.call, backend.open, offset, data, options))?;
        Ok(Answer::Written(written.min(data.len()) as u64))
    }

    pub(super) fn fallocate(
        &self,
        request: &Request,
        handle: HandleId,
        mode: FallocateMode,
        (offset, length): (u64, u64),
    ) -> Result<Answer> {
        let file = self.open_file(handle)?;
        let backend = file.backend()?;
        let allot =
            |provider: &dyn Provider| provider.fallocate(&request.call, backend.open, mode, offset, length);
        on_disk(&backend.view, DiskWork::Allocate, allot)?;
        strip_after_change(request, &backend.view, backend.open)?;
        Ok(Answer::Done)
    }

    pub(super) fn lseek(
        &self,
        request: &Request,
        handle: HandleId,
        offset: u64,
        whence: u32,
    ) -> Result<Answer> {
        let whence = match whence {
            3 => Whence::Data,
            4 => Whence::Hole,
            _ => return Err(ErrorKind::InvalidArgument.into()),
        };
        if self.options.writeback {
            // The kernel holds data that the provider has not seen, which would pass for a hole. This answer makes it
            // treat every file as data to its end.
            return Err(ErrorKind::NotImplemented.into());
        }
        let file = self.open_file(handle)?;
        let backend = file.backend()?;
        on(&backend.view, |provider| match provider.lseek(&request.call, backend.open, offset, whence) {
            Err(error) if error.kind() == ErrorKind::NotImplemented => {
                // Without knowledge of holes, all is data and one hole is at the end (`lseek(2)`).
                let open = backend.open;
                let size = provider.getattr(&request.call, open.node, Some(open.handle))?.size;
                match whence {
                    _ if offset >= size => Err(ErrorKind::NoSuchDeviceOrAddress.into()),
                    Whence::Data => Ok(offset),
                    Whence::Hole => Ok(size),
                }
            }
            other => other,
        })
        .map(Answer::Offset)
    }

    pub(super) fn copy_file_range(
        &self,
        request: &Request,
        (source, source_offset): (HandleId, u64),
        (target, target_offset): (HandleId, u64),
        length: u64,
    ) -> Result<Answer> {
        let (source, target) = (self.open_file(source)?, self.open_file(target)?);
        let (source, target) = (source.backend()?, target.backend()?);
        if !source.view.is(&target.view) {
            // The kernel then copies by itself.
            return Err(ErrorKind::CrossDevice.into());
        }
        let range =
            CopyRange { source: (source.open, source_offset), target: (target.open, target_offset), length };
        let copy = |provider: &dyn Provider| provider.copy_file_range(&request.call, range);
        let copied = on_disk(&source.view, DiskWork::Copy, copy)?;
        strip_after_change(request, &target.view, target.open)?;
        Ok(Answer::Written(copied.min(range.length)))
    }

    pub(super) fn ioctl(
        &self,
        request: &Request,
        handle: HandleId,
        (command, flags): (u32, IoctlFlags),
        (input, output_max): (&[u8], u32),
    ) -> Result<Answer> {
        let file = self.open_file(handle)?;
        let backend = file.backend()?;
        let ioctl = IoctlRequest { command, flags, input, output_max: output_max as usize };
        let mut reply = on(&backend.view, |provider| provider.ioctl(&request.call, backend.open, ioctl))?;
        reply.output.truncate(ioctl.output_max);
        Ok(Answer::Ioctl(reply))
    }

    pub(super) fn poll(
        &self,
        request: &Request,
        handle: HandleId,
        events: PollEvents,
        waker: Option<PollWaker>,
    ) -> Result<Answer> {
        let file = self.open_file(handle)?;
        let backend = file.backend()?;
        match on(&backend.view, |provider| provider.poll(&request.call, backend.open, events, waker)) {
            // As a regular file, which is always ready.
            Err(error) if error.kind() == ErrorKind::NotImplemented => {
                Ok(Answer::Events(events & (PollEvents::IN | PollEvents::OUT)))
            }
            other => other.map(Answer::Events),
        }
    }
}
