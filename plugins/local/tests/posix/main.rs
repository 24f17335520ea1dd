//! What the local provider promises beyond the contract of every provider, on real directories.
#![cfg(test)]

mod attacker;
mod bounds;
mod generated;
mod ground;
mod identity;
mod ioctls;
mod locks;
mod mounts;
mod options;
mod privileges;
mod vanishing;
