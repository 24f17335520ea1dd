//! Ways between the kernel and the [`Frontend`](crate::Frontend): each decodes requests and encodes answers, and does
//! nothing else.

mod fuser;
mod fuser_reply;
mod linger;
mod negotiation;
mod readers;

pub(crate) use fuser::FuserCache;
pub use fuser::FuserTransport;
