//! The types that cross the plugin boundary, and the only errno table of fs9.
//!
//! Invariants: nothing here does I/O or allocates; every numeric value is the one of the Linux
//! generic ABI (`asm-generic/errno.h`, `asm-generic/fcntl.h`, `linux/fs.h`).
#![forbid(unsafe_code)]

mod errno;
mod file_type;
mod flags;

pub use errno::ErrorKind;
pub use file_type::FileType;
pub use flags::{FallocateMode, IoctlFlags, OpenFlags, PollEvents, RenameFlags, Whence, XattrFlags};
