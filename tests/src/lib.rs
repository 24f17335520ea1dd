//! A mounted fs9 for tests: the real binary, in the foreground, on temporary directories of its own; and the clock of
//! the benchmarks.
//!
//! Invariants: a mount answers before [`Mounted::start`] returns; it is gone when the value is dropped, also while
//! panicking; nothing waits without a deadline.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a harness reports what it lacks by failing its test")]

mod actor;
mod clock;
mod mounted;
mod script;

pub use actor::{Actor, require_root};
pub use clock::{Clock, Sample};
pub use mounted::{MountPlan, Mounted};
pub use script::run_script;
