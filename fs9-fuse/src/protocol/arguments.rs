//! The arguments of a request, taken one after the other.
//!
//! From `/dev/fuse` they are one run of bytes. Over a ring, the first argument, a record, stands apart from the others;
//! requests whose arguments are only names have an empty one in its place (`fuse_uring_args_to_ring`).
//!
//! Invariant: nothing is read beyond the bytes that are given.

use super::malformed::Fault;
use std::borrow::Cow;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// The bytes that are not taken yet.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    /// The first argument, where it stands apart and is not taken yet.
    apart: Option<&'a [u8]>,
    rest: &'a [u8],
}

impl<'a> Arguments<'a> {
    /// Returns arguments that are one run of bytes.
    pub(super) const fn contiguous(bytes: &'a [u8]) -> Arguments<'a> {
        Arguments { apart: None, rest: bytes }
    }

    /// Returns arguments whose first one stands apart.
    pub(super) const fn apart(first: &'a [u8], rest: &'a [u8]) -> Arguments<'a> {
        Arguments { apart: Some(first), rest }
    }

    /// Takes the first argument, a record.
    pub(super) fn record<T: FromBytes + KnownLayout + Immutable>(&mut self) -> Result<T, Fault> {
        const WRONG: Fault = Fault::length("a record has another length");
        match self.apart.take() {
            Some(first) => T::read_from_bytes(first).map_err(|_| WRONG),
            None => self.inner_record().map_err(|_| WRONG),
        }
    }

    /// Takes all of the first argument where it stands apart, else all that is left.
    pub(super) fn first_or_rest(&mut self) -> &'a [u8] {
        self.apart.take().unwrap_or_else(|| self.remainder())
    }

    /// Takes a record that is not the first argument.
    pub(super) fn inner_record<T: FromBytes + KnownLayout + Immutable>(&mut self) -> Result<T, Fault> {
        let (record, rest) =
            T::read_from_prefix(self.rest).map_err(|_| Fault::length("a record is cut off"))?;
        self.rest = rest;
        Ok(record)
    }

    /// Takes a string that ends with NUL, without the NUL. It may be empty.
    pub(super) fn string(&mut self) -> Result<&'a [u8], Fault> {
        let mut parts = self.rest.splitn(2, |&byte| byte == 0);
        let (string, rest) = (parts.next().unwrap_or_default(), parts.next());
        self.rest = rest.ok_or(Fault::length("a string has no end"))?;
        Ok(string)
    }

    /// Takes a name, which is not empty.
    pub(super) fn name(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        match self.string()? {
            [] => Err(Fault::length("a name is empty")),
            name => Ok(Cow::Borrowed(name)),
        }
    }

    /// Takes so many bytes.
    pub(super) fn bytes(&mut self, length: u32) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Fault::length("the data is cut off"))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Skips at most so many bytes.
    pub(super) fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    /// Takes all that is left.
    pub(super) fn remainder(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Returns how many bytes are left.
    pub(super) const fn len(&self) -> usize {
        self.rest.len()
    }

    /// Checks that nothing is left.
    pub(super) fn finish(self) -> Result<(), Fault> {
        match (self.apart, self.rest) {
            (None | Some([]), []) => Ok(()),
            _ => Err(Fault::length("there are bytes after the arguments")),
        }
    }
}
