//! FUSE over io_uring (Linux 6.14, `Documentation/filesystems/fuse/fuse-io-uring.rst`): one entry of a queue of requests,
//! with a ring of its own.
//!
//! The kernel copies a request into the entry's buffers, in the context of the thread that waits for it, and reads the
//! answer from there when it is committed. Committing also asks for the next request.
//!
//! Invariants: the buffers are looked at and written to only while a request is in hand, which the kernel does not touch;
//! an entry belongs to the thread that made it; buffers that the kernel may still write to are never given back.

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::io;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// `FUSE_IO_URING_CMD_REGISTER`.
const REGISTER: u32 = 1;
/// `FUSE_IO_URING_CMD_COMMIT_AND_FETCH`.
const COMMIT_AND_FETCH: u32 = 2;

/// `struct fuse_uring_req_header`: `in_out` and `op_in` of 128 bytes each, then `struct fuse_uring_ent_in_out`.
const HEADERS: usize = 288;
/// Where the header of the operation begins (`op_in`), and how long it is at most.
const OPERATION: usize = 128;
/// Where the number by which a request is committed stands (`ring_ent_in_out.commit_id`).
const COMMIT_ID: usize = 264;
/// Where the length of the payload stands (`ring_ent_in_out.payload_sz`).
const PAYLOAD_LENGTH: usize = 272;
/// `struct fuse_in_header`.
const IN_HEADER: usize = 40;
/// The headers have a page of their own, so that the payload begins on one.
const PAGE: usize = 4096;
/// Where number and queue stand in a command (`struct fuse_uring_cmd_req`: flags, commit number, queue).
const COMMAND_ID: usize = 8;
const COMMAND_QUEUE: usize = 16;
/// Where `len` stands in a submission (`struct io_uring_sqe`).
const SUBMISSION_LENGTH: usize = 24;
/// The headers and the payload.
const SEGMENTS: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The kernel does not know the entry.
    Unknown,
    /// The kernel may write to the buffers.
    Waits,
    /// A request is in the buffers.
    InHand,
    /// The entry is out of use; the kernel does not write to the buffers any more.
    Over,
}

/// One entry of a queue. It holds one request at a time.
pub struct FuseRingEntry {
    ring: IoUring<squeue::Entry128, cqueue::Entry>,
    device: OwnedFd,
    queue: u16,
    buffers: Buffers,
    state: State,
    /// Rings of a single issuer belong to their thread.
    _thread: PhantomData<*const ()>,
}

/// A request as the kernel laid it down.
#[derive(Clone, Copy, Debug)]
pub struct RingRequest<'a> {
    /// `struct fuse_in_header`.
    pub header: &'a [u8],
    /// The first argument of the operation, with room behind it.
    pub operation: &'a [u8],
    /// All other arguments.
    pub payload: &'a [u8],
}

/// Memory that is shared with the kernel: a page with the headers, then the payload.
struct Buffers {
    memory: NonNull<u8>,
    payload_max: usize,
    /// The two segments, as the kernel wants to be told.
    segments: Box<[libc::iovec; SEGMENTS as usize]>,
}

impl Buffers {
    fn new(payload_max: usize) -> io::Result<Buffers> {
        let length = payload_max.checked_add(PAGE).ok_or(io::ErrorKind::InvalidInput)?;
        let (protection, flags) =
            (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: the kernel chooses an address where nothing is.
        let memory = unsafe { mmap_anonymous(std::ptr::null_mut(), length, protection, flags) }?;
        let memory = NonNull::new(memory.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: the mapping is a page longer than the payload.
        let payload = unsafe { memory.add(PAGE) };
        let segment =
            |start: NonNull<u8>, length| libc::iovec { iov_base: start.as_ptr().cast(), iov_len: length };
        let segments = Box::new([segment(memory, HEADERS), segment(payload, payload_max)]);
        Ok(Buffers { memory, payload_max, segments })
    }

    fn headers(&self) -> &[u8] {
        // SAFETY: the mapping is longer, was zeroed by the kernel, and nobody writes to it while `self` is borrowed (the
        // module's first invariant).
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), HEADERS) }
    }

    fn headers_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `headers`, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr(), HEADERS) }
    }

    fn payload(&self, length: usize) -> &[u8] {
        let length = length.min(self.payload_max);
        // SAFETY: the mapping is a page longer than the payload.
        let start = unsafe { self.memory.add(PAGE) };
        // SAFETY: as in `headers`; the length was cut to what there is.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length) }
    }

    fn payload_mut(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is a page longer than the payload.
        let start = unsafe { self.memory.add(PAGE) };
        // SAFETY: as in `headers`, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), self.payload_max) }
    }

    fn word(&self, offset: usize) -> u64 {
        let bytes = self.headers().get(offset..offset + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_ne_bytes(bytes.unwrap_or_default())
    }

    fn unmap(&mut self) {
        // SAFETY: it is our mapping, of this length, and nobody refers to it any more.
        let unmapped = unsafe { munmap(self.memory.as_ptr().cast(), self.payload_max + PAGE) };
        debug_assert!(unmapped.is_ok(), "our own mapping is not one");
    }
}

impl FuseRingEntry {
    /// Makes an entry of a queue, for the calling thread. The kernel does not know of it yet.
    ///
    /// # Errors
    /// Those of `io_uring_setup(2)`: `ENOSYS` and `EPERM` where it is not allowed, `EINVAL` before Linux 6.1, `ENOMEM`
    /// beyond the limit of locked memory; those of `mmap(2)`.
    pub fn new(device: OwnedFd, queue: u16, payload_max: usize) -> io::Result<FuseRingEntry> {
        let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(2)?;
        let buffers = Buffers::new(payload_max)?;
        Ok(FuseRingEntry { ring, device, queue, buffers, state: State::Unknown, _thread: PhantomData })
    }

    /// Tells the kernel of the entry. From now on it can be given a request.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where FUSE over io_uring is off, `EAGAIN` before the connection is agreed upon, `EINVAL` for a payload
    /// that is too short or a queue that there is not, `ENOTCONN` once the mount is gone.
    pub fn register(&mut self) -> io::Result<()> {
        assert_eq!(self.state, State::Unknown, "an entry is registered once");
        self.push(REGISTER, 0)?;
        self.state = State::Waits;
        self.ring.submit()?;
        // Without an error the command goes on until there is a request.
        match self.completed() {
            None => Ok(()),
            Some(result) => self.take(result),
        }
    }

    /// Waits for a request, after the answer to the last one was sent on its way.
    ///
    /// # Errors
    /// `ENOTCONN` and `ECONNABORTED` once the mount is gone; other errors mean that the entry is out of use.
    pub fn wait(&mut self) -> io::Result<()> {
        while self.state == State::Waits {
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if let Some(result) = self.completed() {
                self.take(result)?;
            }
        }
        if self.state == State::InHand { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) }
    }

    /// Returns the request in hand.
    pub fn request(&self) -> Option<RingRequest<'_>> {
        if self.state != State::InHand {
            return None;
        }
        let headers = self.buffers.headers();
        let length = self.buffers.word(PAYLOAD_LENGTH) as u32;
        Some(RingRequest {
            header: headers.get(..IN_HEADER)?,
            operation: headers.get(OPERATION..2 * OPERATION)?,
            payload: self.buffers.payload(length as usize),
        })
    }

    /// Lays down the answer to the request in hand: `fill` gets the room for it and returns the bytes that it used, or an
    /// errno as a negative number. It is on its way with the next [`FuseRingEntry::wait`].
    ///
    /// # Errors
    /// `EINVAL` without a request in hand.
    pub fn answer(&mut self, fill: impl FnOnce(&mut [u8]) -> Result<usize, i32>) -> io::Result<()> {
        if self.state != State::InHand {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let commit_id = self.buffers.word(COMMIT_ID);
        let payload_max = self.buffers.payload_max;
        let filled = fill(self.buffers.payload_mut());
        let (length, error) = match filled {
            Ok(length) => (length.min(payload_max) as u32, 0),
            Err(errno) => (0, errno.min(0)),
        };
        let headers = self.buffers.headers_mut();
        // `struct fuse_out_header`: length, error, the request's number. The length is not looked at.
        put(headers, 0, &0_u32.to_ne_bytes());
        put(headers, 4, &error.to_ne_bytes());
        put(headers, 8, &commit_id.to_ne_bytes());
        put(headers, PAYLOAD_LENGTH, &length.to_ne_bytes());
        self.push(COMMIT_AND_FETCH, commit_id)?;
        self.state = State::Waits;
        Ok(())
    }

    fn push(&mut self, command: u32, commit_id: u64) -> io::Result<()> {
        let mut bytes = [0; 80];
        put(&mut bytes, COMMAND_ID, &commit_id.to_ne_bytes());
        put(&mut bytes, COMMAND_QUEUE, &self.queue.to_ne_bytes());
        let segments = self.buffers.segments.as_ptr() as u64;
        let build = opcode::UringCmd80::new(types::Fd(self.device.as_fd().as_raw_fd()), command);
        let mut entry = build.cmd(bytes).addr(Some(segments)).build();
        // The crate has no word for the number of segments.
        // SAFETY: an entry is a `struct io_uring_sqe` of 128 bytes, with the length, a u32, at this offset.
        let length = unsafe { (&raw mut entry).cast::<u8>().add(SUBMISSION_LENGTH) };
        // SAFETY: it lies within the entry, which is plain memory.
        unsafe { length.cast::<u32>().write_unaligned(SEGMENTS) };
        // SAFETY: device, segments and buffers live as long as the entry, and longer if the kernel still has them (`drop`).
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.map_err(|_| io::ErrorKind::ResourceBusy.into())
    }

    fn completed(&mut self) -> Option<i32> {
        self.ring.completion().next().map(|entry| entry.result())
    }

    fn take(&mut self, result: i32) -> io::Result<()> {
        if result >= 0 {
            self.state = State::InHand;
            return Ok(());
        }
        self.state = State::Over;
        Err(io::Error::from_raw_os_error(result.saturating_neg()))
    }
}

impl Drop for FuseRingEntry {
    fn drop(&mut self) {
        // While an entry waits, the kernel may write a request to its buffers until the ring is gone, and nobody tells
        // when that is. Leaving them costs address space, and the pages that were ever used.
        if self.state != State::Waits {
            self.buffers.unmap();
        }
    }
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(room) = bytes.get_mut(offset..offset + value.len()) {
        room.copy_from_slice(value);
    }
}
