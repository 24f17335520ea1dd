//! The records of the kernel's protocol, field by field as `include/uapi/linux/fuse.h` has them (7.45, Linux 6.18).
//!
//! Invariants: sizes and the offsets that follow from them are those of the C compiler, checked when this is compiled;
//! numbers are in the byte order of the machine; no record has padding that is not a field, so that no byte of a reply
//! is left to chance.

mod answer;
mod notification;
mod request;

pub(crate) use answer::*;
pub(crate) use notification::*;
pub(crate) use request::*;

/// Defines records: name, size in bytes, fields.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident: $size:literal { $($field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq,
                zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
            )]
            #[repr(C)]
            pub(crate) struct $name {
                $(pub(crate) $field: $type,)*
            }

            const _: () = assert!(size_of::<$name>() == $size);
        )*
    };
}
use records;

#[cfg(test)]
mod tests;
