//! The local provider against the native file system, by random operations: with descriptors for every node, and
//! with hardly any, so that nodes are found again by file handle or by name.
#![cfg(test)]

use fs9_local::{DescriptorBudget, LocalOptions, LocalProvider};
use fs9_testkit::{Features, Profile, Subject, model};
use tempfile::TempDir;

fn compare(options: &LocalOptions) {
    let factory = || {
        // Where the model works as well, so that both are the same kind of file system.
        let ground = TempDir::new().unwrap();
        let provider = LocalProvider::open(ground.path(), options.clone()).unwrap();
        Subject::new(provider).standing_on(ground)
    };
    model::run_provider(file!(), &Profile::full().without(Features::ENTRY_COOKIES), factory);
}

fn starved(file_handles: bool) -> LocalOptions {
    let descriptors = Some(DescriptorBudget { nodes: 2, open: 256 });
    LocalOptions { descriptors, file_handles, ..LocalOptions::default() }
}

#[test]
fn local_does_what_the_native_file_system_does() {
    compare(&LocalOptions::default());
}

#[test]
fn local_does_so_with_hardly_any_descriptor() {
    compare(&starved(true));
}

#[test]
fn local_does_so_without_file_handles() {
    compare(&starved(false));
}
