//! Ways between the kernel and the [`Frontend`](crate::Frontend): each decodes requests and encodes answers, and does
//! nothing else.

mod awake;
mod fuser;
mod fuser_reply;
mod linger;
mod negotiation;
mod readers;

pub(crate) use awake::Awake;
pub(crate) use fuser::FuserCache;
pub use fuser::FuserTransport;
