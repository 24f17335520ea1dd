//! FUSE over io_uring (Linux 6.14, `Documentation/filesystems/fuse/fuse-io-uring.rst`): the ring of one thread, with
//! entries of one of the kernel's queues.
//!
//! The kernel copies a request into an entry's buffers, in the context of the thread that waits for it, and reads the
//! answer from there when it is committed. Committing also asks for the next request.
//!
//! Invariants: the buffers of an entry are looked at and written to only while it is a [`RingRequest`], which the kernel
//! does not touch; buffers that the kernel may still write to are never given back.

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

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

/// The device's place among the ring's registered files.
const DEVICE: types::Fixed = types::Fixed(0);

/// What marks the completions of the bell; those of entries have their index.
const BELL: u64 = u64::MAX;

/// The ring of one thread.
pub struct FuseRing {
    ring: IoUring<squeue::Entry128, cqueue::Entry>,
    queue: u16,
    /// Entries that are with the kernel, by index.
    waiting: Vec<Option<Buffers>>,
    ready: VecDeque<RingEvent>,
    /// Why the last entry went out of use.
    ended: Option<io::Error>,
    bell: Arc<OwnedFd>,
    bell_is_armed: bool,
    /// Rings of a single issuer belong to their thread.
    _thread: PhantomData<*const ()>,
}

/// What a ring has waited for.
pub enum RingEvent {
    /// A request.
    Request(RingRequest),
    /// Somebody rang the bell.
    Bell,
}

/// A request in hand, in the buffers of its entry. It is to be answered; dropped, it waits until the mount is gone.
pub struct RingRequest(Option<Buffers>);

/// Wakes the thread of a ring.
#[derive(Clone)]
pub struct RingBell(Arc<OwnedFd>);

impl RingBell {
    /// Rings. The thread finds [`RingEvent::Bell`], once for any number of rings.
    pub fn ring(&self) {
        // It fails only when it has been rung 2^64 times in vain.
        rustix::io::write(&*self.0, &1_u64.to_ne_bytes()).ok();
    }
}

impl FuseRing {
    /// Makes a ring for the calling thread, with room for so many entries of a queue of the kernel.
    ///
    /// # Errors
    /// Those of `io_uring_setup(2)`: `ENOSYS` and `EPERM` where it is not allowed, `EINVAL` before Linux 6.1, `ENOMEM`
    /// beyond the limit of locked memory; those of `eventfd(2)`.
    pub fn new(device: impl AsFd, queue: u16, entries: usize) -> io::Result<FuseRing> {
        let entries = u32::try_from(entries).unwrap_or(u32::MAX).saturating_add(1);
        let submissions = entries.checked_next_power_of_two().ok_or(io::ErrorKind::InvalidInput)?;
        let ring: IoUring<squeue::Entry128, cqueue::Entry> = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .build(submissions)?;
        ring.submitter().register_files(&[device.as_fd().as_raw_fd()])?;
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (waiting, ready) = (Vec::new(), VecDeque::new());
        Ok(FuseRing {
            ring,
            queue,
            waiting,
            ready,
            ended: None,
            bell,
            bell_is_armed: false,
            _thread: PhantomData,
        })
    }

    /// Returns what wakes this ring's thread.
    pub fn bell(&self) -> RingBell {
        RingBell(Arc::clone(&self.bell))
    }

    /// Makes an entry with room for payloads of so many bytes and tells the kernel, which may give it a request from now
    /// on.
    ///
    /// # Errors
    /// Those of `mmap(2)`; `EOPNOTSUPP` where FUSE over io_uring is off, `EAGAIN` before the connection is agreed upon,
    /// `EINVAL` for a payload that is too short or a queue that there is not, `ENOTCONN` once the mount is gone.
    pub fn register(&mut self, payload_max: usize) -> io::Result<()> {
        let buffers = Buffers::new(payload_max)?;
        let segments = buffers.segments();
        let index = self.keep(buffers);
        let pushed = self.push(REGISTER, index, 0, Some(&segments));
        let submitted = pushed.and_then(|()| self.ring.submit());
        submitted?;
        // Without an error the command goes on until there is a request, or has ended with one.
        self.collect();
        self.ended.take().map_or(Ok(()), Err)
    }

    /// Returns what is there already: a request, or the bell.
    pub fn pop(&mut self) -> Option<RingEvent> {
        self.ready.pop_front()
    }

    /// Sends answers on their way and takes what is there, without waiting. Returns whether anything is.
    ///
    /// # Errors
    /// As [`FuseRing::wait`].
    pub fn look(&mut self) -> io::Result<bool> {
        // Without the flag there is no work that only the kernel can do, and no call is needed to see what is complete.
        let is_wanted = {
            let submission = self.ring.submission();
            !submission.is_empty() || submission.taskrun()
        };
        if is_wanted {
            self.ring.submit()?;
        }
        self.collect();
        Ok(!self.ready.is_empty())
    }

    /// Sends answers on their way and waits until something is there. `is_owing`: a request that came by this ring is still
    /// to be answered, so that the bell will ring.
    ///
    /// # Errors
    /// `ENOTCONN` and `ECONNABORTED` once the mount is gone and nothing is owed any more; after other errors the ring is
    /// out of use.
    pub fn wait(&mut self, is_owing: bool) -> io::Result<()> {
        while !self.wait_until(is_owing, None)? {}
        Ok(())
    }

    /// As [`FuseRing::wait`], for so long at most. Returns whether anything is there.
    ///
    /// # Errors
    /// As [`FuseRing::wait`].
    pub fn wait_for(&mut self, is_owing: bool, timeout: Duration) -> io::Result<bool> {
        self.wait_until(is_owing, Some(types::Timespec::from(timeout)))
    }

    fn wait_until(&mut self, is_owing: bool, timeout: Option<types::Timespec>) -> io::Result<bool> {
        self.arm_bell()?;
        while self.ready.is_empty() {
            if !is_owing && self.waiting.iter().all(Option::is_none) {
                return Err(self.ended.take().unwrap_or_else(|| io::ErrorKind::NotConnected.into()));
            }
            let waited = match &timeout {
                None => self.ring.submit_and_wait(1),
                Some(timeout) => {
                    let until = types::SubmitArgs::new().timespec(timeout);
                    self.ring.submitter().submit_with_args(1, &until)
                }
            };
            match waited {
                Ok(_) => self.collect(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ETIME) => {
                    self.collect();
                    return Ok(!self.ready.is_empty());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Lays down the answer to a request, which may have come by another ring of the same queue: `fill` gets the room for
    /// it and returns the bytes that it used, or an errno as a negative number. It is on its way with the next
    /// [`FuseRing::look`] or [`FuseRing::wait`]; the entry is this ring's from now on.
    ///
    /// # Errors
    /// `EBUSY` if more was laid down than the ring has entries.
    pub fn answer(
        &mut self,
        request: RingRequest,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, i32>,
    ) -> io::Result<()> {
        let mut request = request;
        let Some(mut buffers) = request.0.take() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let commit_id = buffers.word(COMMIT_ID);
        let payload_max = buffers.payload_max;
        let (length, error) = match fill(buffers.payload_mut()) {
            Ok(length) => (length.min(payload_max) as u32, 0),
            Err(errno) => (0, errno.min(0)),
        };
        let headers = buffers.headers_mut();
        // `struct fuse_out_header`: length, error, the request's number. The length is not looked at.
        put(headers, 0, &0_u32.to_ne_bytes());
        put(headers, 4, &error.to_ne_bytes());
        put(headers, 8, &commit_id.to_ne_bytes());
        put(headers, PAYLOAD_LENGTH, &length.to_ne_bytes());
        let index = self.keep(buffers);
        self.push(COMMIT_AND_FETCH, index, commit_id, None)
    }

    /// Keeps an entry that goes to the kernel, and returns its index.
    fn keep(&mut self, buffers: Buffers) -> usize {
        let vacant = self.waiting.iter().position(Option::is_none);
        let index = vacant.unwrap_or(self.waiting.len());
        match self.waiting.get_mut(index) {
            Some(place) => *place = Some(buffers),
            None => self.waiting.push(Some(buffers)),
        }
        index
    }

    fn push(
        &mut self,
        command: u32,
        index: usize,
        commit_id: u64,
        segments: Option<&[libc::iovec; SEGMENTS as usize]>,
    ) -> io::Result<()> {
        let mut bytes = [0; 80];
        put(&mut bytes, COMMAND_ID, &commit_id.to_ne_bytes());
        put(&mut bytes, COMMAND_QUEUE, &self.queue.to_ne_bytes());
        let build = opcode::UringCmd80::new(DEVICE, command).cmd(bytes);
        let mut entry = match segments {
            Some(segments) => build.addr(Some(segments.as_ptr() as u64)).build(),
            None => build.build(),
        }
        .user_data(index as u64);
        // The crate has no word for the number of segments.
        // SAFETY: an entry is a `struct io_uring_sqe` of 128 bytes, with the length, a u32, at this offset.
        let length = unsafe { (&raw mut entry).cast::<u8>().add(SUBMISSION_LENGTH) };
        // SAFETY: it lies within the entry, which is plain memory.
        unsafe { length.cast::<u32>().write_unaligned(SEGMENTS) };
        self.push_entry(&entry)
    }

    fn push_entry(&mut self, entry: &squeue::Entry128) -> io::Result<()> {
        // SAFETY: the ring holds the device; buffers live as long as it, and longer if the kernel still has them; segments are read while an entry is registered, which is submitted before they go.
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.map_err(|_| io::ErrorKind::ResourceBusy.into())
    }

    /// Has the kernel watch the bell.
    fn arm_bell(&mut self) -> io::Result<()> {
        if self.bell_is_armed {
            return Ok(());
        }
        let events = libc::POLLIN as u32;
        let poll = opcode::PollAdd::new(types::Fd(self.bell.as_raw_fd()), events).multi(true).build();
        self.push_entry(&poll.user_data(BELL).into())?;
        self.bell_is_armed = true;
        Ok(())
    }

    /// Takes what is complete.
    fn collect(&mut self) {
        while let Some(completion) = self.ring.completion().next() {
            if completion.user_data() == BELL {
                self.bell_is_armed = cqueue::more(completion.flags());
                // Rings up to here are one event.
                rustix::io::read(&*self.bell, &mut [0_u8; 8]).ok();
                self.ready.push_back(RingEvent::Bell);
                continue;
            }
            let place = self.waiting.get_mut(completion.user_data() as usize);
            let Some(buffers) = place.and_then(Option::take) else { continue };
            let result = completion.result();
            if result < 0 {
                // The kernel is done with this entry, so that its buffers are given back here.
                buffers.unmap();
                self.ended = Some(io::Error::from_raw_os_error(result.saturating_neg()));
                continue;
            }
            self.ready.push_back(RingEvent::Request(RingRequest(Some(buffers))));
        }
    }
}

impl RingRequest {
    /// Returns the `struct fuse_in_header`.
    pub fn header(&self) -> &[u8] {
        self.headers().get(..IN_HEADER).unwrap_or_default()
    }

    /// Returns the first argument of the operation, with room behind it.
    pub fn operation(&self) -> &[u8] {
        self.headers().get(OPERATION..2 * OPERATION).unwrap_or_default()
    }

    /// Returns all other arguments.
    pub fn payload(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |buffers| buffers.payload(buffers.word(PAYLOAD_LENGTH) as u32 as usize))
    }

    fn headers(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], Buffers::headers)
    }
}

impl Drop for RingRequest {
    fn drop(&mut self) {
        if let Some(buffers) = self.0.take() {
            buffers.unmap();
        }
    }
}

/// Memory that is shared with the kernel: a page with the headers, then the payload. It is given back only by
/// [`Buffers::unmap`], because while an entry is with the kernel, a request may be written there until the ring is gone,
/// and nobody tells when that is. Leaving it costs address space, and the pages that were ever used.
struct Buffers {
    memory: NonNull<u8>,
    payload_max: usize,
}

// SAFETY: the memory belongs to its value alone, and has no ties to a thread.
unsafe impl Send for Buffers {}

impl Buffers {
    fn new(payload_max: usize) -> io::Result<Buffers> {
        let length = payload_max.checked_add(PAGE).ok_or(io::ErrorKind::InvalidInput)?;
        let (protection, flags) =
            (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: the kernel chooses an address where nothing is.
        let memory = unsafe { mmap_anonymous(std::ptr::null_mut(), length, protection, flags) }?;
        let memory = NonNull::new(memory.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Buffers { memory, payload_max })
    }

    /// Returns the two segments, as the kernel wants to be told.
    fn segments(&self) -> [libc::iovec; SEGMENTS as usize] {
        let segment =
            |start: NonNull<u8>, length| libc::iovec { iov_base: start.as_ptr().cast(), iov_len: length };
        [segment(self.memory, HEADERS), segment(self.payload_start(), self.payload_max)]
    }

    fn payload_start(&self) -> NonNull<u8> {
        // SAFETY: the mapping is a page longer than the payload.
        unsafe { self.memory.add(PAGE) }
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
        // SAFETY: as in `headers`; the length was cut to what there is.
        unsafe { std::slice::from_raw_parts(self.payload_start().as_ptr(), length) }
    }

    fn payload_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `headers`, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.payload_start().as_ptr(), self.payload_max) }
    }

    fn word(&self, offset: usize) -> u64 {
        let bytes = self.headers().get(offset..offset + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_ne_bytes(bytes.unwrap_or_default())
    }

    fn unmap(self) {
        // SAFETY: it is our mapping, of this length, and nobody refers to it any more.
        let unmapped = unsafe { munmap(self.memory.as_ptr().cast(), self.payload_max + PAGE) };
        debug_assert!(unmapped.is_ok(), "our own mapping is not one");
    }
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(room) = bytes.get_mut(offset..offset + value.len()) {
        room.copy_from_slice(value);
    }
}
