//! What holds for every message, however it looks.

use super::request::{Field, HEADER};
use super::{NEWEST, OLDEST, Request, UNTOLD, corpus, record};
use crate::protocol::{Body, Dialect, InitFlags, Malformed, Message, Opcode, decode, decode_parts};
use crate::{Operation, RequestId};
use proptest::prelude::*;
use std::mem::discriminant;

/// Every dialect that reads differently.
pub(super) const DIALECTS: [Dialect; 4] = [NEWEST, OLDEST, UNTOLD, Dialect::BEFORE_INIT];

/// Returns the length of the first argument of a request (`in_args[0]` in `fs/fuse/*.c`).
fn first_length(opcode: Opcode, dialect: Dialect) -> usize {
    use Opcode as O;
    match opcode {
        O::Lookup | O::Readlink | O::Symlink | O::Unlink | O::Rmdir | O::Statfs => 0,
        O::Removexattr | O::Destroy => 0,
        O::Removemapping => 4,
        O::Forget | O::Mkdir | O::Rename | O::Link | O::Open | O::Opendir | O::Getxattr => 8,
        O::Listxattr | O::Access | O::Interrupt | O::BatchForget | O::Syncfs => 8,
        O::Setxattr if !dialect.has(InitFlags::SETXATTR_EXT) => 8,
        O::Getattr | O::Mknod | O::Fsync | O::Fsyncdir | O::Setxattr | O::Create | O::Tmpfile => 16,
        O::Bmap | O::Rename2 => 16,
        O::Release | O::Releasedir | O::Flush | O::Poll | O::Lseek | O::Statx => 24,
        O::Ioctl | O::Fallocate => 32,
        O::Read | O::Write | O::Readdir | O::Readdirplus | O::NotifyReply | O::Setupmapping => 40,
        O::Getlk | O::Setlk | O::Setlkw => 48,
        O::CopyFileRange | O::CopyFileRange64 => 56,
        O::Init => 64,
        O::Setattr => 88,
    }
}

/// Reads all that a message borrows, and returns how many bytes that was.
fn walk(message: &Message<'_>) -> usize {
    let groups = message.groups.count() * 4;
    groups
        + match &message.body {
            Body::BatchForget(list) => list.count() * 16,
            Body::Retrieved { data, .. } => data.len(),
            Body::Operation(operation) => borrowed(operation),
            Body::Init(_) | Body::Destroy | Body::Forget { .. } | Body::Interrupt { .. } => 0,
        }
}

fn borrowed(operation: &Operation<'_>) -> usize {
    use Operation as P;
    let labels = |creation: &crate::Creation<'_>| -> usize {
        creation.security.iter().map(|(name, value)| name.len() + value.len()).sum()
    };
    match operation {
        P::Lookup { name } | P::Unlink { name } | P::Rmdir { name } | P::Removexattr { name } => name.len(),
        P::Link { name, .. } | P::Getxattr { name, .. } => name.len(),
        P::Mknod { name, creation, .. } | P::Mkdir { name, creation, .. } => name.len() + labels(creation),
        P::Create { name, creation, .. } => name.len() + labels(creation),
        P::Tmpfile { creation, .. } => labels(creation),
        P::Symlink { name, target, creation } => name.len() + target.len() + labels(creation),
        P::Rename { name, new_name, .. } => name.len() + new_name.len(),
        P::Setxattr { name, value, .. } => name.len() + value.len(),
        P::Write { data, .. } => data.len(),
        P::Ioctl { input, .. } => input.len(),
        _ => 0,
    }
}

/// What can be compared of a message, or of why it is none.
fn outline(decoded: Result<Message<'_>, Malformed>) -> impl PartialEq + std::fmt::Debug {
    let outline = decoded.map(|message| {
        let kind = match &message.body {
            Body::Operation(operation) => Some(discriminant(operation)),
            _ => None,
        };
        let (body, length) = (discriminant(&message.body), walk(&message));
        let groups: Vec<u32> = message.groups.collect();
        (message.header, message.opcode, body, kind, groups, message.poll, message.listing_size, length)
    });
    outline.map_err(|malformed| (malformed.id, malformed.errno))
}

/// Decodes bytes both ways, checks what holds for all of them, and returns whether they are a message.
pub(super) fn examine(bytes: &[u8], dialect: Dialect) -> bool {
    let decoded = decode(bytes, dialect);
    let Some(header) = bytes.get(..HEADER) else {
        assert_eq!(decoded.err().map(|malformed| malformed.id), Some(None));
        return false;
    };
    let unique = RequestId(u64::from_ne_bytes(header[8..16].try_into().unwrap()));
    let opcode = Opcode::from_number(u32::from_ne_bytes(header[4..8].try_into().unwrap()));
    match &decoded {
        Ok(message) => {
            assert_eq!((message.header.id, Some(message.opcode)), (unique, opcode));
            assert!(walk(message) <= bytes.len() - HEADER, "more is borrowed than there is");
        }
        Err(malformed) => {
            let waits = opcode.is_none_or(Opcode::is_answered);
            assert_eq!(malformed.id, waits.then_some(unique));
        }
    }
    let is_message = decoded.is_ok();
    let arguments = &bytes[HEADER..];
    let first = opcode.map_or(0, |opcode| first_length(opcode, dialect)).min(arguments.len());
    let (first, rest) = arguments.split_at(first);
    let mut operation_header = [0xbb; 128];
    operation_header[..first.len()].copy_from_slice(first);
    let parts = decode_parts(header, &operation_header, rest, dialect);
    // Over a ring, the length in the header is what tells how long the first argument is; and a newer kernel's longer
    // INIT does not come that way.
    let told = u32::from_ne_bytes(header[..4].try_into().unwrap()) as usize;
    if told == bytes.len() && opcode != Some(Opcode::Init) {
        assert_eq!(outline(decoded), outline(parts));
    }
    is_message
}

/// Gives a message the length that its header tells.
pub(super) fn tell_length(bytes: &mut [u8]) {
    let length = (bytes.len() as u32).to_ne_bytes();
    if let Some(told) = bytes.get_mut(..4) {
        told.copy_from_slice(&length);
    }
}

fn dialects() -> impl Strategy<Value = Dialect> {
    prop::sample::select(DIALECTS.to_vec())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), dialect in dialects()) {
        examine(&bytes, dialect);
    }

    #[test]
    fn no_arguments_make_it_panic(
        opcode in 0u32..60,
        arguments in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>(), 1 => 1u8..33], 0..200),
        extension in 0u16..4,
        dialect in dialects(),
    ) {
        let request = Request { total_extlen: extension, ..Request::new(opcode).bytes(&arguments) };
        examine(&request.contiguous(), dialect);
    }

    #[test]
    fn every_cut_and_every_swap_of_a_good_message_is_refused_or_within_bounds(
        index in any::<prop::sample::Index>(),
        length in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte: u8,
        dialect in dialects(),
    ) {
        let corpus = corpus::all();
        let mut bytes = index.get(&corpus).contiguous();
        bytes.truncate(length.index(bytes.len() + 1));
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        examine(&bytes, dialect);
        tell_length(&mut bytes);
        examine(&bytes, dialect);
    }

    #[test]
    fn what_was_written_and_named_arrives(
        name in prop::collection::vec(1u8..=255, 1..300),
        value in prop::collection::vec(any::<u8>(), 0..300),
        numbers: (u64, u64, u32),
    ) {
        let (handle, offset, flags) = numbers;
        let size = value.len() as u32;
        let record = record(&[Field::D(handle), Field::D(offset), Field::W(size), Field::W(flags), Field::D(1), Field::D(2)]);
        let write = Request { first: record, ..Request::new(16).bytes(&value) };
        write.each_way(NEWEST, |message| {
            let Body::Operation(Operation::Write { handle: h, offset: o, data, options }) = message.body else {
                panic!()
            };
            assert_eq!((h.0, o, &*data), (handle, offset, &value[..]));
            assert_eq!((options.from_cache, options.kill_privileges), (flags & 1 != 0, flags & 4 != 0));
        });
        let set = Request::new(21).first(&[Field::W(size), Field::W(flags), Field::D(0)]);
        set.string(&name).bytes(&value).each_way(NEWEST, |message| {
            let Body::Operation(Operation::Setxattr { name: n, value: v, flags: f, .. }) = message.body else {
                panic!()
            };
            assert_eq!((&*n, &*v, f.bits()), (&name[..], &value[..], flags));
        });
    }
}
