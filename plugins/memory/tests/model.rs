//! The memory provider against the native file system, by random operations.

use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_testkit::{Profile, Subject, model};

#[test]
fn memory_does_what_the_native_file_system_does() {
    let options = MemoryOptions { size_max: 1 << 30, ..MemoryOptions::default() };
    let factory = || Subject::new(MemoryProvider::new(options).expect("the options are valid"));
    model::run_provider(file!(), &Profile::full(), factory);
}
