//! From the bytes of the kernel to a [`Message`].
//!
//! Invariants: no message makes it panic, and none makes it read beyond its end; each length that a message tells is
//! held against the bytes that there are; what follows the arguments of a request that makes no inode is an error.

mod files;
mod inodes;
mod names;

use super::arguments::Arguments;
use super::dialect::MINOR_EXTENSION_LENGTH;
use super::flags::UNIQUE_RESEND;
use super::malformed::Fault;
use super::message::{Body, Message, PollHandle};
use super::wire::{BatchForgetIn, ForgetIn, ForgetOne, InHeader, InterruptIn, RetrieveIn};
use super::{Dialect, ForgetList, Malformed, Opcode, SuppGroups, extensions, init};
use crate::{Creation, Ino, Operation, RequestHeader, RequestId};
use fs9_sdk::{Caller, ErrorKind};
use zerocopy::FromBytes;

/// Decodes one message as `/dev/fuse` gives it.
///
/// # Errors
/// See [`Malformed`].
pub(crate) fn decode(message: &[u8], dialect: Dialect) -> Result<Message<'_>, Malformed> {
    let (header, arguments) = read_header(message)?;
    if header.len as usize != message.len() {
        return Err(refuse(&header, Fault::length("the message has another length than it says")));
    }
    Decoder::new(header, Arguments::contiguous(arguments), dialect).message()
}

/// Decodes one message as a ring gives it: `header` begins with the header of the request, `operation_header` with its
/// first argument, and `payload` is all the others, as long as the entry says.
///
/// # Errors
/// See [`Malformed`].
pub(crate) fn decode_parts<'a>(
    header: &'a [u8],
    operation_header: &'a [u8],
    payload: &'a [u8],
    dialect: Dialect,
) -> Result<Message<'a>, Malformed> {
    let (header, _) = read_header(header)?;
    // The length of the first argument is told only as what the other parts leave of the whole.
    let others = size_of::<InHeader>().checked_add(payload.len());
    let first = others.and_then(|others| (header.len as usize).checked_sub(others));
    let Some(first) = first.and_then(|length| operation_header.get(..length)) else {
        return Err(refuse(&header, Fault::length("the parts have another length than the message")));
    };
    Decoder::new(header, Arguments::apart(first, payload), dialect).message()
}

fn read_header(bytes: &[u8]) -> Result<(InHeader, &[u8]), Malformed> {
    let (errno, what) = (ErrorKind::Io, "the header is cut off");
    InHeader::read_from_prefix(bytes).map_err(|_| Malformed { id: None, errno, what })
}

/// Says what is wrong, and who waits to hear that.
fn refuse(header: &InHeader, fault: Fault) -> Malformed {
    let answered = Opcode::from_number(header.opcode).is_none_or(Opcode::is_answered);
    let id = answered.then_some(RequestId(header.unique));
    Malformed { id, errno: fault.errno, what: fault.what }
}

/// What is known of a message while its arguments are taken.
struct Decoder<'a> {
    header: InHeader,
    arguments: Arguments<'a>,
    dialect: Dialect,
    umask: u32,
    groups: SuppGroups<'a>,
    poll: Option<PollHandle>,
    listing_size: u32,
}

impl<'a> Decoder<'a> {
    fn new(header: InHeader, arguments: Arguments<'a>, dialect: Dialect) -> Decoder<'a> {
        let (umask, groups, poll, listing_size) = (0, SuppGroups::default(), None, 0);
        Decoder { header, arguments, dialect, umask, groups, poll, listing_size }
    }

    fn message(mut self) -> Result<Message<'a>, Malformed> {
        let header = self.header;
        let unknown = Fault::unsupported("the request has no name");
        let opcode = Opcode::from_number(header.opcode).ok_or_else(|| refuse(&header, unknown))?;
        let body = self.body(opcode).map_err(|fault| refuse(&header, fault))?;
        let InHeader { unique, nodeid, uid, gid, pid, .. } = header;
        let caller = Caller { uid, gid, pid, umask: self.umask, parent_group: None };
        Ok(Message {
            header: RequestHeader { id: RequestId(unique), ino: Ino(nodeid), caller },
            opcode,
            resent: unique & UNIQUE_RESEND != 0,
            body,
            groups: self.groups,
            poll: self.poll,
            listing_size: self.listing_size,
        })
    }

    fn body(&mut self, opcode: Opcode) -> Result<Body<'a>, Fault> {
        let body = match opcode {
            // It may be longer than what is known of it.
            Opcode::Init => return init::take(self.arguments).map(Body::Init),
            Opcode::Destroy => Body::Destroy,
            Opcode::Forget => Body::Forget { count: self.arguments.record::<ForgetIn>()?.nlookup },
            Opcode::BatchForget => self.batch_forget()?,
            Opcode::Interrupt => {
                let record: InterruptIn = self.arguments.record()?;
                Body::Interrupt { request: RequestId(record.unique) }
            }
            Opcode::NotifyReply => {
                let record: RetrieveIn = self.arguments.record()?;
                Body::Retrieved { offset: record.offset, data: self.arguments.bytes(record.size)? }
            }
            _ => Body::Operation(self.operation(opcode)?),
        };
        self.arguments.finish()?;
        Ok(body)
    }

    fn batch_forget(&mut self) -> Result<Body<'a>, Fault> {
        let count = self.arguments.record::<BatchForgetIn>()?.count;
        let length = count.checked_mul(size_of::<ForgetOne>() as u32);
        let length = length.ok_or(Fault::length("there are too many inodes to forget"))?;
        Ok(Body::BatchForget(ForgetList(self.arguments.bytes(length)?)))
    }

    fn operation(&mut self, opcode: Opcode) -> Result<Operation<'a>, Fault> {
        use {Opcode as O, Operation as P};
        match opcode {
            O::Lookup => Ok(P::Lookup { name: self.arguments.name()? }),
            O::Getattr => self.getattr(),
            O::Statx => self.statx(),
            O::Setattr => self.setattr(),
            O::Readlink => Ok(P::Readlink),
            O::Symlink => self.symlink(),
            O::Mknod => self.mknod(),
            O::Mkdir => self.mkdir(),
            O::Unlink => Ok(P::Unlink { name: self.arguments.name()? }),
            O::Rmdir => Ok(P::Rmdir { name: self.arguments.name()? }),
            O::Rename => self.rename(),
            O::Rename2 => self.rename2(),
            O::Link => self.link(),
            O::Create => self.create(),
            O::Tmpfile => self.tmpfile(),
            O::Open => self.open(),
            O::Opendir => self.opendir(),
            O::Read => self.read(),
            O::Write => self.write(),
            O::Statfs => Ok(P::Statfs),
            O::Release => self.release(),
            O::Releasedir => self.releasedir(),
            O::Fsync => self.fsync(),
            O::Fsyncdir => self.fsyncdir(),
            O::Setxattr => self.setxattr(),
            O::Getxattr => self.getxattr(),
            O::Listxattr => self.listxattr(),
            O::Removexattr => Ok(P::Removexattr { name: self.arguments.name()? }),
            O::Flush => self.flush(),
            O::Readdir => self.readdir(false),
            O::Readdirplus => self.readdir(true),
            O::Getlk => self.getlk(),
            O::Setlk => self.setlk(false),
            O::Setlkw => self.setlk(true),
            O::Access => self.access(),
            O::Ioctl => self.ioctl(),
            O::Poll => self.poll(),
            O::Fallocate => self.fallocate(),
            O::Lseek => self.lseek(),
            O::CopyFileRange => self.copy_file_range(true),
            O::CopyFileRange64 => self.copy_file_range(false),
            O::Bmap | O::Setupmapping | O::Removemapping | O::Syncfs => {
                Err(Fault::unsupported("the operation is not offered"))
            }
            O::Init | O::Destroy | O::Forget | O::BatchForget | O::Interrupt | O::NotifyReply => {
                Err(Fault::unsupported("the message is no operation"))
            }
        }
    }

    /// Takes what follows the arguments of a request that makes an inode.
    fn creation(&mut self) -> Result<Creation<'a>, Fault> {
        let told = usize::from(self.header.total_extlen) * 8;
        if self.dialect.minor >= MINOR_EXTENSION_LENGTH && told != self.arguments.len() {
            return Err(Fault::length("the extensions have another length than the header says"));
        }
        let (creation, groups) = extensions::take(&mut self.arguments)?;
        self.groups = groups;
        Ok(creation)
    }
}
