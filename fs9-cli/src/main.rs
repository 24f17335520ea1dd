//! fs9.
fn main() {}
