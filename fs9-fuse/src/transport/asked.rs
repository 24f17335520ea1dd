//! What a reply has to know of its request.

use super::backing;
use super::listing::OwnListing;
use crate::RequestId;
use crate::protocol::{Attached, Dialect, Encoded, Message, Opcode, Scratch, encode};
use crate::reply::{Answer, OpenAnswer};
use fs9_sdk::ErrorKind;

/// What a reply has to know of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) id: RequestId,
    opcode: Opcode,
    listing_size: u32,
}

impl Asked {
    /// Returns what a message asks.
    pub(super) fn by(message: &Message<'_>) -> Asked {
        Asked { id: message.header.id, opcode: message.opcode, listing_size: message.listing_size }
    }

    /// Returns where the entries of a listing go, if that is what is asked for.
    pub(super) fn listing(&self) -> Option<OwnListing> {
        let attributes = match self.opcode {
            Opcode::Readdir => false,
            Opcode::Readdirplus => true,
            _ => return None,
        };
        Some(OwnListing::new(self.listing_size as usize, attributes))
    }

    /// Encodes the answer, with the listing that belongs to it.
    pub(super) fn encode<'b>(
        &self,
        result: &'b Result<Answer, ErrorKind>,
        listing: Option<&'b OwnListing>,
        dialect: Dialect,
        scratch: &'b mut Scratch,
    ) -> Encoded<'b> {
        match result {
            Ok(answer) => {
                let listing = listing.map_or(&[][..], OwnListing::bytes);
                let attached = Attached { listing, backing: backing_of(answer) };
                encode(self.opcode, answer, attached, dialect, scratch)
            }
            Err(kind) => Encoded::error(*kind),
        }
    }
}

fn backing_of(answer: &Answer) -> Option<i32> {
    let (Answer::Opened(opened) | Answer::Created(_, opened)) = answer else { return None };
    let OpenAnswer { backing, .. } = opened;
    backing.as_ref().and_then(backing::number_of)
}
