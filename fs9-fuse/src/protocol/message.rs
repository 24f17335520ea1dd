//! A message of the kernel, decoded.

use super::{ForgetList, InitRequest, Opcode, SuppGroups};
use crate::{Operation, RequestHeader, RequestId};

/// A message of the kernel.
pub(crate) struct Message<'a> {
    /// Which request it is, of which inode, on whose behalf.
    pub(crate) header: RequestHeader,
    /// The request by number, which decides how an answer is encoded.
    pub(crate) opcode: Opcode,
    #[cfg_attr(not(test), expect(dead_code, reason = "a daemon that takes over a mount will look at it"))]
    /// It was sent before, and somebody may have carried it out already (`FUSE_UNIQUE_RESEND`). The answer goes to the
    /// number as it is in the header.
    pub(crate) resent: bool,
    /// What it says.
    pub(crate) body: Body<'a>,
    /// Groups of the caller besides the one in the header, where an inode is made (`CREATE_SUPP_GROUP`).
    pub(crate) groups: SuppGroups<'a>,
    /// Who polls, for [`Operation::Poll`], whose waker is left out.
    pub(crate) poll: Option<PollHandle>,
    /// For [`Operation::Readdir`]: the most bytes that its answer may have, else 0.
    pub(crate) listing_size: u32,
}

/// What a message says.
pub(crate) enum Body<'a> {
    /// A request for the frontend.
    Operation(Operation<'a>),
    /// The first request: what the kernel offers.
    Init(InitRequest),
    /// The last request.
    Destroy,
    /// The inode of the header was looked up so many times less. There is no answer.
    Forget {
        /// How many times.
        count: u64,
    },
    /// The same of many inodes. There is no answer.
    BatchForget(ForgetList<'a>),
    /// Whoever waits for a request has had a signal. An answer is not needed.
    Interrupt {
        /// The request.
        request: RequestId,
    },
    /// Cached data that [`Notification::Retrieve`](super::Notification::Retrieve) asked for; the number of the message
    /// is that of the notification. There is no answer.
    #[cfg_attr(not(test), expect(dead_code, reason = "nothing is retrieved yet"))]
    Retrieved {
        /// Where it begins in the file, in bytes.
        offset: u64,
        /// The data, up to the first page that is not cached.
        data: &'a [u8],
    },
}

/// Who polls a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PollHandle {
    /// By what the kernel wants to be told ([`Notification::Poll`](super::Notification::Poll)).
    pub(crate) kernel: u64,
    /// It wants to be told when the file becomes ready.
    pub(crate) notify: bool,
}
