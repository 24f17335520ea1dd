//! The contract suite on the local provider: with descriptors for every node, with hardly any, and without file
//! handles, so that nodes are found again by name.
#![cfg(test)]

use fs9_local::{DescriptorBudget, LocalOptions, LocalProvider};
use fs9_sdk::Provider;
use fs9_testkit::{Features, Profile, Subject, contract_suite};
use rustix::fs::{FallocateFlags, fallocate, ftruncate};
use std::path::Path;
use tempfile::TempDir;

/// Few enough that nearly every node has to give up its descriptor.
const STARVED: DescriptorBudget = DescriptorBudget { nodes: 2, open: 512 };

/// A temporary directory, in memory if there is such a place: the suite makes many small changes.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    match std::env::var_os("TMPDIR") {
        None if memory.is_dir() => TempDir::new_in(memory).unwrap(),
        _ => TempDir::new().unwrap(),
    }
}

fn provider(root: &Path, options: &LocalOptions) -> Box<dyn Provider> {
    Box::new(LocalProvider::open(root, options.clone()).unwrap())
}

fn empty(options: LocalOptions) -> Subject {
    let ground = directory();
    let root = ground.path().to_owned();
    Subject::from(provider(&root, &options))
        .standing_on(ground)
        .reopened_by(move || provider(&root, &options))
}

fn ample() -> Subject {
    empty(LocalOptions::default())
}

fn starved() -> Subject {
    empty(LocalOptions { descriptors: Some(STARVED), ..LocalOptions::default() })
}

fn by_name() -> Subject {
    empty(LocalOptions { descriptors: Some(STARVED), file_handles: false, ..LocalOptions::default() })
}

/// What the provider offers is what the file system below and the privileges of the test allow.
fn profile() -> Profile {
    let mut missing = Features::ENTRY_COOKIES;
    // Only root can make what belongs to others.
    if !fs9_sys::credentials::can_switch() {
        missing |= Features::OWNERSHIP | Features::DEVICES;
    }
    let file = tempfile::tempfile_in(directory().path()).unwrap();
    ftruncate(&file, 8192).unwrap();
    if fallocate(&file, FallocateFlags::ZERO_RANGE, 0, 4096).is_err() {
        missing |= Features::ZERO_RANGE;
    }
    Profile::full().without(missing)
}

contract_suite!(ample_contract, ample, profile());
contract_suite!(starved_contract, starved, profile());
contract_suite!(by_name_contract, by_name, profile());
