//! The inodes that the kernel knows.

mod identity;
mod record;
mod table;

pub use identity::Ino;
pub(crate) use identity::{Numbering, mix};
pub(crate) use record::{Object, Target, data_version};
pub(crate) use table::{Found, InodeTable, synthetic_ino};
