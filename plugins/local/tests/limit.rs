//! A process whose descriptors are used up. In a binary of its own, since the limit is that of the whole process.

use fs9_local::{DescriptorBudget, LocalOptions, LocalProvider};
use fs9_sdk::{Call, Caller, ErrorKind, Name, NodeId, OpenFlags, OpenNode, Provider};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_process_without_descriptors_gets_some_back_from_known_nodes() {
    let call = Call::by(Caller::ROOT);
    let dir = tempfile::tempdir().unwrap();
    let budget = DescriptorBudget { nodes: 4096, open: 4096 };
    let options = LocalOptions { descriptors: Some(budget), ..LocalOptions::default() };
    let provider = LocalProvider::open(dir.path(), options).unwrap();
    let mut known = Vec::new();
    for number in 0..200 {
        let text = number.to_string();
        std::fs::write(dir.path().join(&text), &text).unwrap();
        known.push(provider.lookup(&call, NodeId::ROOT, Name::new(text.as_bytes()).unwrap()).unwrap().node);
    }

    let used = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let old = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(used), maximum: old.maximum }).unwrap();
    let open = |node| Ok((node, provider.open(&call, node, OpenFlags::empty())?.handle));
    let opened: Vec<fs9_sdk::Result<_>> = known.iter().map(|node| open(*node)).collect();
    // One descriptor for the name that is looked up is all that is left to ask for.
    let attributes = provider.getattr(&call, known[0], None);
    setrlimit(Resource::Nofile, old).unwrap();

    let (served, refused): (Vec<_>, Vec<_>) = opened.into_iter().partition(Result::is_ok);
    assert!(served.len() >= 100, "{} opens were served", served.len());
    for error in refused {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::TooManyOpenFiles);
    }
    assert!(attributes.is_ok() || attributes.unwrap_err().kind() == ErrorKind::TooManyOpenFiles);
    for (node, handle) in served.into_iter().flatten() {
        provider.release(OpenNode { node, handle });
    }
    let node = provider.lookup(&call, NodeId::ROOT, Name::new(b"199").unwrap()).unwrap().node;
    assert_eq!(node, known[199], "everything works again");
}
