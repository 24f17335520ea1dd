//! One test for each promise and each documented error of [`Provider`](fs9_sdk::Provider).
//!
//! The modules follow the numbered promises of the trait's documentation. [`contract_suite!`](crate::contract_suite)
//! makes the cases tests of the author's crate; [`run`] runs them all and reports.
//!
//! Invariant: a case gets a provider of its own, fresh from the factory, and a limited time; a panic or a hang of
//! the provider is a failure of the case.

mod attributes;
mod cases;
mod concurrency;
mod creation;
mod durability;
mod errors;
mod failure;
mod hostile;
mod identity;
mod listings;
mod locks;
mod names;
mod nodes;
mod rename;
mod run;
mod session;
mod sizes;
mod space;
mod unlinked;
mod unnamed;
mod xattrs;

pub use failure::Failure;
pub use run::{Report, Verdict, case_names, judge_case, run, run_case};
pub(crate) use session::Page;
