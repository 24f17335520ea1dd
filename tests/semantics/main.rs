//! What users of a mount see, compared with the native file system beside it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacker;
mod descriptors;
mod generated;
mod identity;
mod idmapped;
mod locks;
mod mounts;
mod names;
mod open_files;
mod privileges;
mod ranges;
mod unnamed;
