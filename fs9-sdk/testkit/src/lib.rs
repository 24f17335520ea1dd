//! What a provider's author runs against it, without mounting anything.
//!
//! [`contract`] has one test for each promise and each documented error of [`Provider`](fs9_sdk::Provider);
//! [`contract_suite!`] makes them tests of the author's own crate, so that a failure names the broken promise.
//! [`model`] compares a provider, or a directory of a mount, with the native file system by random operations.
#![forbid(unsafe_code)]

pub mod contract;
pub mod model;
mod profile;
mod subject;

pub use profile::{Features, Profile, Sample};
pub use subject::Subject;
