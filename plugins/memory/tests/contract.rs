//! The contract suite on the memory provider.

use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_testkit::{Profile, Subject, contract_suite};

/// Returns an empty tree, large enough for every case and bounded far below the machine's memory.
fn empty() -> Subject {
    let options = MemoryOptions { size_max: 1 << 30, ..MemoryOptions::default() };
    MemoryProvider::new(options).map_or_else(|error| panic!("{error}"), Subject::new)
}

contract_suite!(contract, empty, Profile::full());
