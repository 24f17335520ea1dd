//! What is agreed upon with the kernel when a mount is made (`FUSE_INIT`).
//!
//! Left to the kernel, unless the options say otherwise: POSIX and `flock` locks, so that they hold among all users of
//! the mount without a round trip. Refused: export by NFS, because nodes cannot be found by number; submounts and DAX,
//! which only virtual machines have.

use super::device::{Device, Received};
use crate::protocol::{Body, Dialect, Encoded, InitFlags, InitReply, InitRequest, MAJOR, Scratch, decode};
use crate::{Frontend, Locks};
use std::io;

/// The longest write in one request. The kernel limits it to `fs.fuse.max_pages_limit`, a mebibyte by default.
pub(super) const WRITE_MAX: u32 = 1 << 20;

/// The unit of `max_pages`: the kernel's smallest page.
const PAGE: u32 = 4096;

/// Requests in the background, such as read-ahead: enough for several sequential readers.
const BACKGROUND_MAX: u16 = 64;

/// From how many of these on the kernel counts the mount as congested: three quarters, as by its own default.
const CONGESTION: u16 = BACKGROUND_MAX / 4 * 3;

/// The first message, and the ones that follow it with a kernel of a newer major version.
const MESSAGE_MAX: usize = 8192;

/// Asked for where the kernel offers it.
const WANTED: InitFlags = InitFlags::ASYNC_READ
    .union(InitFlags::ASYNC_DIO)
    .union(InitFlags::BIG_WRITES)
    .union(InitFlags::MAX_PAGES)
    .union(InitFlags::PARALLEL_DIROPS)
    .union(InitFlags::ATOMIC_O_TRUNC)
    // The provider applies the mask, since a default ACL takes its place.
    .union(InitFlags::DONT_MASK)
    .union(InitFlags::DO_READDIRPLUS)
    .union(InitFlags::READDIRPLUS_AUTO)
    .union(InitFlags::CACHE_SYMLINKS)
    // What changed behind the mount is seen when attributes expire.
    .union(InitFlags::AUTO_INVAL_DATA)
    // Without it, every write asks for `security.capability` first.
    .union(InitFlags::HANDLE_KILLPRIV_V2)
    .union(InitFlags::SETXATTR_EXT)
    .union(InitFlags::CREATE_SUPP_GROUP)
    .union(InitFlags::NO_EXPORT_SUPPORT)
    // Files of the control directory are not cached, and can be mapped all the same.
    .union(InitFlags::DIRECT_IO_ALLOW_MMAP)
    .union(InitFlags::HAS_IOCTL_DIR)
    .union(InitFlags::ABORT_ERROR);

/// What was agreed upon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreement {
    /// How messages are to be read.
    pub(super) dialect: Dialect,
    /// Requests are to come by rings, once those are registered.
    pub(super) rings: bool,
}

/// Takes the kernel's first request and answers it. With rings, they have room for payloads of `payload_max` bytes.
///
/// # Errors
/// Those of reading and writing the device; `EPROTO` for a kernel that is too old or says something else first.
pub(super) fn shake_hands(
    device: &Device,
    frontend: &Frontend,
    payload_max: Option<usize>,
) -> io::Result<Agreement> {
    let mut buffer = vec![0; MESSAGE_MAX];
    let mut scratch = Scratch::new();
    loop {
        let message = match device.receive(&mut buffer)? {
            Received::Message(length) => buffer.get(..length).unwrap_or_default(),
            Received::Nothing => continue,
            Received::Gone => return Err(io::ErrorKind::NotConnected.into()),
        };
        let message = match decode(message, Dialect::BEFORE_INIT) {
            Ok(message) => message,
            Err(malformed) => {
                if let Some(id) = malformed.id {
                    device.answer(id, &Encoded::error(malformed.errno))?;
                }
                return Err(io::Error::new(io::ErrorKind::InvalidData, malformed));
            }
        };
        let (id, Body::Init(request)) = (message.header.id, message.body) else {
            let what = "the kernel did not begin with INIT";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        };
        if request.major > MAJOR {
            // It comes back with our major version.
            device.answer(id, &InitReply::other_major(&mut scratch))?;
            continue;
        }
        let reply = agree(frontend, &request, payload_max);
        let dialect = request.agreed(&reply);
        let rings = dialect.has(InitFlags::OVER_IO_URING);
        tracing::debug!(?reply, offered = ?request.flags, "agreed with the kernel");
        device.answer(id, &reply.encode(&request, &mut scratch))?;
        return Ok(Agreement { dialect, rings });
    }
}

/// Returns what is answered to the kernel's offer, and tells the frontend what it means.
fn agree(frontend: &Frontend, request: &InitRequest, payload_max: Option<usize>) -> InitReply {
    let options = frontend.options();
    let mut wanted = WANTED;
    wanted.set(InitFlags::POSIX_ACL, frontend.root_has_acl());
    wanted.set(InitFlags::WRITEBACK_CACHE, options.writeback);
    wanted.set(InitFlags::SECURITY_CTX, frontend.has_selinux());
    wanted.set(InitFlags::PASSTHROUGH, frontend.has_passthrough());
    wanted.set(InitFlags::POSIX_LOCKS | InitFlags::FLOCK_LOCKS, options.locks == Locks::Provider);
    wanted.set(InitFlags::REQUEST_TIMEOUT, options.request_timeout.is_some());
    wanted.set(InitFlags::ALLOW_IDMAP, options.idmap);
    wanted.set(InitFlags::OVER_IO_URING, payload_max.is_some());
    let flags = wanted & request.flags;
    if flags != wanted {
        tracing::debug!(missing = ?wanted.difference(flags), "the kernel does not offer all that is wanted");
    }
    frontend.set_privileges_told(flags.contains(InitFlags::HANDLE_KILLPRIV_V2 | InitFlags::SETXATTR_EXT));
    let passthrough = flags.contains(InitFlags::PASSTHROUGH);
    frontend.set_passthrough(passthrough);
    let write_max = payload_max.map_or(WRITE_MAX, |payload| WRITE_MAX.min(payload as u32));
    InitReply {
        minor: request.common_minor(),
        max_readahead: request.max_readahead,
        flags,
        max_background: BACKGROUND_MAX,
        congestion_threshold: CONGESTION,
        max_write: write_max,
        time_gran: 1,
        max_pages: (write_max / PAGE) as u16,
        // Depth 0 is what a mount without passthrough has, so that it can lie below others.
        max_stack_depth: if passthrough { options.stack_depth } else { 0 },
        request_timeout: options.request_timeout.unwrap_or_default(),
    }
}
