//! `INIT`: what the kernel offers, and what of it is taken.

use super::arguments::Arguments;
use super::dialect::{MAJOR, MINOR, MINOR_MIN};
use super::malformed::Fault;
use super::wire::{InitIn, InitOut};
use super::{Dialect, Encoded, InitFlags, Scratch};
use fs9_sdk::ErrorKind;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// The length of the request before 7.36: as far as the first word of flags.
const SHORT_IN: usize = 16;

/// The length of the reply before 7.5 and before 7.23 (`FUSE_COMPAT_INIT_OUT_SIZE`, `FUSE_COMPAT_22_INIT_OUT_SIZE`).
const SHORT_OUT: [(u32, usize); 2] = [(5, 8), (23, 24)];

/// What the kernel offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InitRequest {
    /// The major version. Above 7, [`InitReply::other_major`] is the answer, and another request follows.
    pub(crate) major: u32,
    /// The minor version.
    pub(crate) minor: u32,
    /// The longest read-ahead, in bytes.
    pub(crate) max_readahead: u32,
    /// The features.
    pub(crate) flags: InitFlags,
}

/// What is taken of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InitReply {
    /// The minor version that is spoken.
    pub(crate) minor: u32,
    /// The longest read-ahead, in bytes; at most what was offered.
    pub(crate) max_readahead: u32,
    /// The features.
    pub(crate) flags: InitFlags,
    /// The most requests in the background.
    pub(crate) max_background: u16,
    /// So many in the background count as a congestion.
    pub(crate) congestion_threshold: u16,
    /// The longest write, in bytes.
    pub(crate) max_write: u32,
    /// The granularity of times, in nanoseconds: a power of ten up to a second.
    pub(crate) time_gran: u32,
    /// The most pages of a request, with [`InitFlags::MAX_PAGES`].
    pub(crate) max_pages: u16,
    /// How deep file systems may be stacked, with [`InitFlags::PASSTHROUGH`].
    pub(crate) max_stack_depth: u32,
    /// How long a request may take before the connection is aborted, in seconds, with [`InitFlags::REQUEST_TIMEOUT`].
    pub(crate) request_timeout: u16,
}

/// Takes the request. Versions that are not spoken are refused here, except newer major ones, which step back.
pub(super) fn take(arguments: Arguments<'_>) -> Result<InitRequest, Fault> {
    let mut arguments = arguments;
    let given = arguments.first_or_rest();
    let mut bytes = [0; size_of::<InitIn>()];
    let taken = given.len().min(bytes.len());
    if taken < SHORT_IN {
        return Err(Fault::length("INIT is cut off"));
    }
    // What a newer kernel may add is for later versions; what an older one does not have is zero.
    for (to, from) in bytes.iter_mut().zip(given) {
        *to = *from;
    }
    let record = InitIn::read_from_bytes(&bytes).map_err(|_| Fault::length("INIT is cut off"))?;
    if record.major < MAJOR || (record.major == MAJOR && record.minor < MINOR_MIN) {
        return Err(Fault { errno: ErrorKind::Protocol, what: "the kernel is older than Linux 5.4" });
    }
    let first = InitFlags::from_words(record.flags, 0);
    let flags2 = if first.contains(InitFlags::INIT_EXT) { record.flags2 } else { 0 };
    let flags = InitFlags::from_words(record.flags, flags2);
    Ok(InitRequest { major: record.major, minor: record.minor, max_readahead: record.max_readahead, flags })
}

impl InitRequest {
    /// Returns the minor version that both speak.
    pub(crate) const fn common_minor(&self) -> u32 {
        if self.minor < MINOR { self.minor } else { MINOR }
    }

    /// Returns how messages read after a reply.
    pub(crate) fn agreed(&self, reply: &InitReply) -> Dialect {
        Dialect { minor: self.minor.min(reply.minor), flags: self.flags & reply.flags }
    }
}

impl InitReply {
    /// Encodes the reply. The second word of flags is announced where it is needed.
    pub(crate) fn encode<'b>(&self, request: &InitRequest, scratch: &'b mut Scratch) -> Encoded<'b> {
        debug_assert!(request.flags.contains(self.flags), "a feature is taken that was not offered");
        debug_assert!(self.max_readahead <= request.max_readahead, "more read-ahead than offered");
        debug_assert!(self.minor <= request.minor, "a newer version than the kernel's");
        let (flags, flags2) = (self.flags & request.flags).words();
        let announced = if flags2 != 0 { flags | InitFlags::INIT_EXT.words().0 } else { flags };
        let record = InitOut {
            major: MAJOR,
            minor: self.minor.min(request.minor),
            max_readahead: self.max_readahead.min(request.max_readahead),
            flags: announced,
            max_background: self.max_background,
            congestion_threshold: self.congestion_threshold,
            max_write: self.max_write,
            time_gran: self.time_gran,
            max_pages: self.max_pages,
            flags2,
            max_stack_depth: self.max_stack_depth,
            request_timeout: self.request_timeout,
            ..InitOut::new_zeroed()
        };
        let short = SHORT_OUT.iter().find(|(before, _)| record.minor < *before);
        let length = short.map_or(size_of::<InitOut>(), |(_, length)| *length);
        scratch.answer(&[record.as_bytes().get(..length).unwrap_or_default()])
    }

    /// Encodes the reply to a newer major version: only that ours is another one.
    pub(crate) fn other_major(scratch: &mut Scratch) -> Encoded<'_> {
        let record = InitOut { major: MAJOR, minor: MINOR, ..InitOut::new_zeroed() };
        scratch.answer(&[record.as_bytes()])
    }
}
