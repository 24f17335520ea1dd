//! Ranges of more than 32 bits.

use crate::kernel::{Kernel, create, created, memory};
use fs9_fuse::{Answer, AttributeChanges, Ino, Operation};
use fs9_sdk::OpenFlags;

#[test]
fn a_copy_may_be_longer_than_four_gibibytes() {
    const LENGTH: u64 = 5 << 30;
    let kernel = Kernel::of(memory());
    let make = |name| created(kernel.root(Ino::ROOT, create(name, 0o644, OpenFlags::EXCLUSIVE)));
    let ((source, from), (target, to)) = (make("source"), make("target"));
    let changes = AttributeChanges { size: Some(LENGTH), ..AttributeChanges::default() };
    assert!(kernel.root(source.ino, Operation::Setattr { handle: None, changes }).is_ok());
    let copy = Operation::CopyFileRange { source: (from, 0), target: (to, 0), length: u64::MAX >> 1 };
    assert!(matches!(kernel.root(source.ino, copy), Ok(Answer::Written(LENGTH))));
    assert_eq!(kernel.attr(target.ino).size, LENGTH);
}
