//! What the kernel sends and gets, byte by byte, written down by hand from `include/uapi/linux/fuse.h`.

mod corpus;
mod decoding;
mod encoding;
mod fuzz;
mod initialization;
mod listings;
mod malformed;
mod notifications;
mod properties;
mod request;

use request::{Request, checked, record};

use super::dialect::MINOR;
use super::{Dialect, InitFlags};

/// Linux 6.18 with all that changes how messages read.
const NEWEST: Dialect = Dialect {
    minor: MINOR,
    flags: InitFlags::SETXATTR_EXT
        .union(InitFlags::SECURITY_CTX)
        .union(InitFlags::CREATE_SUPP_GROUP)
        .union(InitFlags::PASSTHROUGH)
        .union(InitFlags::HAS_EXPIRE_ONLY)
        .union(InitFlags::HAS_RESEND),
};

/// Linux 5.4.
const OLDEST: Dialect = Dialect { minor: 31, flags: InitFlags::empty() };

/// Linux 5.17 to 6.1: security contexts, and a header that does not tell their length.
const UNTOLD: Dialect = Dialect { minor: 36, flags: InitFlags::SECURITY_CTX };
