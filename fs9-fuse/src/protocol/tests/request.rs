//! Requests as the kernel builds them: a header, a first argument, and others.

use super::{Dialect, NEWEST};
use crate::protocol::{Malformed, Message, decode, decode_parts};
use crate::{Ino, RequestId};
use fs9_sdk::Caller;

/// A number of a record, with its width.
#[derive(Clone, Copy)]
pub(super) enum Field {
    H(u16),
    W(u32),
    D(u64),
}

/// Returns numbers one after the other, as the kernel lays them into a record.
pub(super) fn record(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        match *field {
            Field::H(number) => bytes.extend_from_slice(&number.to_ne_bytes()),
            Field::W(number) => bytes.extend_from_slice(&number.to_ne_bytes()),
            Field::D(number) => bytes.extend_from_slice(&number.to_ne_bytes()),
        }
    }
    bytes
}

/// A request before it is laid out for a device or a ring.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) opcode: u32,
    pub(super) unique: u64,
    /// The first argument; empty for requests that have only names, or nothing.
    pub(super) first: Vec<u8>,
    /// The other arguments, one after the other.
    pub(super) rest: Vec<u8>,
    /// The length of the extensions in units of 8 bytes.
    pub(super) total_extlen: u16,
}

pub(super) const UNIQUE: u64 = 0x0102_0304_0506_0708;
pub(super) const NODE: u64 = 0x1112_1314_1516_1718;
pub(super) const CALLER: Caller = Caller { uid: 1001, gid: 1002, pid: 1003, umask: 0, parent_group: None };

/// The length of the header (`struct fuse_in_header`).
pub(super) const HEADER: usize = 40;

impl Request {
    pub(super) fn new(opcode: u32) -> Request {
        Request { opcode, unique: UNIQUE, first: Vec::new(), rest: Vec::new(), total_extlen: 0 }
    }

    pub(super) fn first(mut self, fields: &[Field]) -> Request {
        self.first = record(fields);
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Request {
        self.rest.extend_from_slice(bytes);
        self
    }

    /// Appends a string and the NUL after it.
    pub(super) fn string(self, string: &[u8]) -> Request {
        self.bytes(string).bytes(&[0])
    }

    /// Appends an extension with its header and padding.
    pub(super) fn extension(mut self, kind: u32, body: &[u8]) -> Request {
        let before = self.rest.len();
        let mut bytes = record(&[Field::W(8 + body.len() as u32), Field::W(kind)]);
        bytes.extend_from_slice(body);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        self = self.bytes(&bytes);
        self.total_extlen += ((self.rest.len() - before) / 8) as u16;
        self
    }

    pub(super) fn header(&self) -> Vec<u8> {
        use Field::{D, H, W};
        let length = HEADER + self.first.len() + self.rest.len();
        record(&[
            W(length as u32),
            W(self.opcode),
            D(self.unique),
            D(NODE),
            W(CALLER.uid),
            W(CALLER.gid),
            W(CALLER.pid),
            H(self.total_extlen),
            H(0),
        ])
    }

    /// Returns it as `/dev/fuse` gives it.
    pub(super) fn contiguous(&self) -> Vec<u8> {
        [self.header(), self.first.clone(), self.rest.clone()].concat()
    }

    /// Returns the two headers as a ring gives them, with whatever was in them before.
    pub(super) fn headers(&self) -> ([u8; 128], [u8; 128]) {
        let (mut header, mut first) = ([0xaa; 128], [0xbb; 128]);
        header[..HEADER].copy_from_slice(&self.header());
        first[..self.first.len()].copy_from_slice(&self.first);
        (header, first)
    }

    /// Has both ways of decoding refuse it, and returns why.
    pub(super) fn refused(&self, dialect: Dialect) -> Malformed {
        let malformed = decode(&self.contiguous(), dialect).err().expect("it is refused");
        let (header, first) = self.headers();
        let parts = decode_parts(&header, &first, &self.rest, dialect);
        let parts = parts.err().expect("it is refused in parts");
        assert_eq!((malformed.id, malformed.errno), (parts.id, parts.errno), "{malformed} and {parts}");
        malformed
    }

    /// Decodes it both ways and checks each message.
    pub(super) fn each_way(&self, dialect: Dialect, mut check: impl FnMut(Message<'_>)) {
        check(decode(&self.contiguous(), dialect).unwrap());
        let (header, first) = self.headers();
        check(decode_parts(&header, &first, &self.rest, dialect).unwrap());
    }
}

/// Decodes a request of the newest kernel both ways, checks the header, and then what the caller of it checks.
pub(super) fn checked(request: &Request, mut check: impl FnMut(Message<'_>)) {
    request.each_way(NEWEST, |message| {
        assert_eq!(message.header.id, RequestId(request.unique));
        assert_eq!(message.header.ino, Ino(NODE));
        let Caller { uid, gid, pid, .. } = message.header.caller;
        assert_eq!((uid, gid, pid), (CALLER.uid, CALLER.gid, CALLER.pid));
        assert_eq!(message.opcode as u32, request.opcode);
        check(message);
    });
}
