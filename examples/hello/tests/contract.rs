//! The contract suite on the smallest provider.

use fs9_hello::{CONTENT, Hello};
use fs9_sdk::PathAdapter;
use fs9_testkit::{Profile, Subject, contract_suite};

contract_suite!(hello, || Subject::new(PathAdapter::new(Hello)), Profile::read_only("hello.txt", CONTENT));
