//! What the local provider promises beyond the contract of every provider, on real directories.
#![cfg(test)]

mod attacker;
mod bounds;
mod ground;
mod identity;
mod mounts;
mod privileges;
