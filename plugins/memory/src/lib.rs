//! The memory provider: a full POSIX tree in memory, bounded by an option.
//!
//! Invariants: what the tree uses never exceeds [`MemoryOptions::size_max`] and the limit of inodes, and is given
//! back when the last name, lookup and handle of an object are gone. Object numbers are never reused. Lock order:
//! see the `tree` module.
#![forbid(unsafe_code)]

mod acl;
mod attributes;
mod birth;
mod data;
mod directory;
mod file;
mod freed;
mod handle;
mod listing;
mod node;
mod node_table;
mod options;
mod pages;
mod provider;
mod rename;
mod space;
mod tree;
mod xattr;

pub use options::MemoryOptions;
pub use provider::MemoryProvider;
