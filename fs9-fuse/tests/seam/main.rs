//! The frontend without a kernel: what a transport may hand to it, one file for each promise.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail a test by panicking")]

mod flushes;
mod interrupts;
mod kernel;
mod labels;
mod locks;
mod privileges;
mod ranges;
mod requests;
mod slow;
mod unnamed;
