//! The frontend without a kernel: what a transport may hand to it and `fuser` does not, one file for each promise.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail a test by panicking")]

mod kernel;
mod labels;
mod privileges;
mod ranges;
mod unnamed;
