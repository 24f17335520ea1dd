//! The kernel's side of FUSE in bytes: messages are decoded, answers and notifications encoded. Nothing is read or
//! written here.
//!
//! The records are those of `include/uapi/linux/fuse.h` in Linux 6.18, protocol 7.45; older kernels down to 7.31 are
//! understood ([`Dialect`]). What a request means is said by [`Operation`](crate::Operation), what is answered by
//! [`Answer`](crate::Answer); neither knows of this module.
//!
//! Invariants: no message of the kernel panics here or is read beyond its end; no answer goes out that the kernel
//! refuses for its shape.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod arguments;
mod decode;
mod dialect;
mod encode;
mod extensions;
mod flags;
mod forget;
mod init;
mod locks;
mod malformed;
mod message;
mod notification;
mod opcode;
pub(crate) mod wire;

pub(crate) use decode::{decode, decode_parts};
pub(crate) use dialect::{Dialect, MAJOR};
pub(crate) use encode::{Attached, DirBuffer, Encoded, Scratch, encode};
pub(crate) use extensions::SuppGroups;
pub(crate) use flags::InitFlags;
pub(crate) use forget::ForgetList;
pub(crate) use init::{InitReply, InitRequest};
pub(crate) use malformed::Malformed;
pub(crate) use message::{Body, Message};
pub(crate) use notification::Notification;
pub(crate) use opcode::Opcode;

#[cfg(test)]
mod tests;
