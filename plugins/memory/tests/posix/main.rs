//! POSIX behaviour of the tree in memory, through the `Provider` trait.

mod attributes;
mod data;
mod names;
mod rename;
mod session;
mod space;
mod threads;
mod xattr;
