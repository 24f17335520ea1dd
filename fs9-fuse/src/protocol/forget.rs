//! Inodes that the kernel forgets, many in one message.

use super::wire::ForgetOne;
use crate::Ino;
use zerocopy::FromBytes;

/// Inodes and how many lookups of each are forgotten. Walking it allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForgetList<'a>(pub(super) &'a [u8]);

impl Iterator for ForgetList<'_> {
    type Item = (Ino, u64);

    fn next(&mut self) -> Option<(Ino, u64)> {
        let (one, rest) = ForgetOne::read_from_prefix(self.0).ok()?;
        self.0 = rest;
        Some((Ino(one.nodeid), one.nlookup))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.len() / size_of::<ForgetOne>();
        (left, Some(left))
    }
}
