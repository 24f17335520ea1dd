//! The frontend through real mounts, one file for each promise.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail a test by panicking")]

mod access_log;
mod basics;
mod caches;
mod changes;
mod commands;
mod crowds;
mod interrupts;
mod isolation;
mod latency;
mod passthrough;
mod places;
mod privileges;
mod sessions;
#[path = "../seam/slow.rs"]
mod slow;
mod stress;
mod support;
mod syncs;
