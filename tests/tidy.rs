//! Rules of the tree that no compiler checks: shape and names of files, where unsafe code and errno numbers may
//! stand, which crate may use which, and paths that documents name.
//!
//! Invariant: each rule is a plain function from what it reads to what it found, so that the test beside it can
//! show it a tree in which it must find something.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tidy {
    mod arrows;
    mod code;
    mod places;
    mod shape;
    mod tree;
}
