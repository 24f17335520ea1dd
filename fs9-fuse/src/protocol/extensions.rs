//! What follows the arguments of requests that make an inode: security contexts and a group of the caller.
//!
//! Each extension begins with its size and its type, and the next one begins at a multiple of 8 bytes. Types up to 31 are
//! counts of security contexts (`fuse_secctx_header` came first and has the same shape).

use super::arguments::Arguments;
use super::malformed::Fault;
use super::wire::{ExtHeader, Secctx, SecctxHeader};
use crate::{Bytes, Creation};
use std::borrow::Cow;
use zerocopy::FromBytes;

/// `FUSE_MAX_NR_SECCTX`: the most security contexts of a request, and the last type that counts them.
const CONTEXTS_MAX: u32 = 31;

/// `FUSE_EXT_GROUPS`.
const GROUPS: u32 = 32;

/// Groups of the caller that the kernel names. Linux 6.18 names at most one: the parent's, if the caller is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SuppGroups<'a>(&'a [u8]);

impl Iterator for SuppGroups<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (group, rest) = u32::read_from_prefix(self.0).ok()?;
        self.0 = rest;
        Some(group)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.len() / size_of::<u32>();
        (left, Some(left))
    }
}

/// Takes extensions until nothing is left. Types that are not known are skipped.
pub(super) fn take<'a>(arguments: &mut Arguments<'a>) -> Result<(Creation<'a>, SuppGroups<'a>), Fault> {
    let (mut creation, mut groups) = (Creation::default(), SuppGroups::default());
    while arguments.len() > 0 {
        let header: ExtHeader = arguments.inner_record()?;
        let too_short = Fault::length("an extension is shorter than its header");
        let length = header.size.checked_sub(size_of::<ExtHeader>() as u32).ok_or(too_short)?;
        let body = Arguments::contiguous(arguments.bytes(length)?);
        match header.kind {
            count @ 0..=CONTEXTS_MAX => take_contexts(body, count, &mut creation.security)?,
            GROUPS => groups = take_groups(body)?,
            _ => {}
        }
        arguments.skip(padding(length as usize));
    }
    Ok((creation, groups))
}

fn take_contexts<'a>(
    mut body: Arguments<'a>,
    count: u32,
    security: &mut Vec<(Bytes<'a>, Bytes<'a>)>,
) -> Result<(), Fault> {
    const _: () = assert!(size_of::<SecctxHeader>() == size_of::<ExtHeader>());
    for _ in 0..count {
        if security.len() >= CONTEXTS_MAX as usize {
            return Err(Fault::value("there are too many security contexts"));
        }
        let context: Secctx = body.inner_record()?;
        let name = body.name()?;
        let value = body.bytes(context.size)?;
        body.skip(padding(name.len() + 1 + value.len()));
        security.push((name, Cow::Borrowed(value)));
    }
    Ok(())
}

fn take_groups(mut body: Arguments<'_>) -> Result<SuppGroups<'_>, Fault> {
    let count: u32 = body.inner_record()?;
    let length =
        count.checked_mul(size_of::<u32>() as u32).ok_or(Fault::length("there are too many groups"))?;
    Ok(SuppGroups(body.bytes(length)?))
}

/// Returns how many bytes are missing to a multiple of 8.
const fn padding(length: usize) -> usize {
    length.wrapping_neg() % 8
}
