//! The path adapter over a real directory: the contract suite, the model, and what only the adapter does.

mod mirror;

use fs9_sdk::{
    Call, Caller, Name, NodeId, OpenFlags, OpenNode, PathAdapter, Place, Provider, RenameFlags, WriteOptions,
};
use fs9_testkit::{Features, Profile, Subject, contract_suite, model};
use mirror::Mirror;

fn fresh() -> Subject {
    let place = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = place.path().to_owned();
    let reopen = move || Box::new(PathAdapter::new(Mirror::new(&path))) as Box<dyn Provider>;
    Subject::new(PathAdapter::new(Mirror::new(place.path()))).reopened_by(reopen).standing_on(place)
}

/// What the directory below offers to the user who runs the tests.
fn profile() -> Profile {
    let needs_root = Features::OWNERSHIP | Features::DEVICES | Features::PRIVILEGES;
    let has = Profile::full().without(Features::TMPFILE | Features::LOCKS);
    if rustix::process::geteuid().is_root() { has } else { has.without(needs_root) }
}

contract_suite!(contract, fresh, profile());

#[test]
fn the_adapter_does_what_the_native_file_system_does() {
    model::run_provider(file!(), &profile().without(Features::PRIVILEGES), fresh);
}

fn call() -> Call {
    Call::by(Caller::ROOT)
}

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_open_file_deep_in_a_renamed_tree_is_read_written_and_unlinked_by_its_node() {
    let subject = fresh();
    let (p, call) = (subject.provider(), call());
    let outer = p.mkdir(&call, NodeId::ROOT, name("outer"), 0o755).unwrap();
    let inner = p.mkdir(&call, outer.node, name("inner"), 0o755).unwrap();
    let place = Place { parent: inner.node, name: name("f") };
    let (entry, opened) = p.create(&call, place, 0o644, OpenFlags::READ_WRITE).unwrap();
    let file = OpenNode { node: entry.node, handle: opened.handle };

    let from = Place { parent: NodeId::ROOT, name: name("outer") };
    let to = Place { parent: NodeId::ROOT, name: name("moved") };
    p.rename(&call, from, to, RenameFlags::empty()).unwrap();
    p.write(&call, file, 0, b"data", WriteOptions::default()).unwrap();
    assert_eq!(p.getattr(&call, entry.node, None).unwrap().size, 4);
    p.unlink(&call, inner.node, name("f")).unwrap();
    p.rmdir(&call, outer.node, name("inner")).unwrap();

    assert_eq!(p.getattr(&call, entry.node, None).unwrap().nlink, 0);
    let mut buffer = [0; 10];
    assert_eq!(p.read(&call, file, 0, &mut buffer).unwrap(), 4);
    p.release(file);
    // The node is still known, and a handle that was kept for it serves a new open.
    let handle = p.open(&call, entry.node, OpenFlags::empty()).unwrap().handle;
    let again = OpenNode { node: entry.node, handle };
    assert_eq!(p.read(&call, again, 0, &mut buffer).unwrap(), 4);
    p.release(again);
    p.forget(entry.node, 1);
}

#[test]
fn every_handle_of_the_backing_is_released_in_the_end() {
    let place = tempfile::tempdir().unwrap();
    let open_descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let adapter = PathAdapter::new(Mirror::new(place.path()));
    let call = call();
    // Other tests of this process open and close descriptors as well: many files make the sum plain.
    const FILES: usize = 500;
    let before = open_descriptors();
    for number in 0..FILES {
        let text = format!("f{number}");
        let place = Place { parent: NodeId::ROOT, name: name(&text) };
        let (entry, opened) = adapter.create(&call, place, 0o644, OpenFlags::READ_WRITE).unwrap();
        adapter.unlink(&call, NodeId::ROOT, name(&text)).unwrap();
        adapter.release(OpenNode { node: entry.node, handle: opened.handle });
        adapter.forget(entry.node, 1);
    }
    assert!(open_descriptors() < before + FILES / 4, "handles of removed files are still open");
}
