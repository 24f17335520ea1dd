//! The contract suite on the local provider: with descriptors for every node, with hardly any, and without file
//! handles, so that nodes are found again by name.

use fs9_local::{DescriptorBudget, LocalOptions, LocalProvider};
use fs9_sdk::Provider;
use fs9_testkit::{Features, Profile, Subject, contract_suite};
use std::path::Path;

/// Few enough that nearly every node has to give up its descriptor.
const STARVED: DescriptorBudget = DescriptorBudget { nodes: 2, open: 512 };

fn provider(root: &Path, options: &LocalOptions) -> Box<dyn Provider> {
    Box::new(LocalProvider::open(root, options.clone()).unwrap())
}

fn empty(options: LocalOptions) -> Subject {
    let ground = tempfile::tempdir().unwrap();
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

/// Only root can make what belongs to others.
fn profile() -> Profile {
    if fs9_sys::credentials::can_switch() {
        Profile::full()
    } else {
        Profile::full().without(Features::OWNERSHIP | Features::DEVICES)
    }
}

contract_suite!(ample_contract, ample, profile());
contract_suite!(starved_contract, starved, profile());
contract_suite!(by_name_contract, by_name, profile());
