//! What a name that is taken away from an object asks of the rest, on real directories.

use crate::node::Access;
use crate::{DescriptorBudget, LocalOptions, LocalProvider};
use fs9_sdk::{Call, Caller, Error, ErrorKind, Name, NodeId, Place, Provider as _, RenameFlags, Result};
use std::cell::RefCell;
use tempfile::TempDir;

fn provider() -> (TempDir, LocalProvider) {
    provider_with(LocalOptions::default())
}

fn provider_with(options: LocalOptions) -> (TempDir, LocalProvider) {
    let directory = tempfile::tempdir().unwrap();
    let provider = LocalProvider::open(directory.path(), options).unwrap();
    (directory, provider)
}

/// Symptom: ESTALE for a node without a descriptor that was renamed while another rename to the same name ran (by two
/// binds; the kernel lets one mount do one after the other). Cause: both shielded the object that had the name first;
/// the second took it from what the first had brought there. Fix: the second waits for the first.
#[test]
fn of_two_renames_to_one_name_at_the_same_time_neither_loses_a_node() {
    let descriptors = Some(DescriptorBudget { nodes: 1, open: 16 });
    let (directory, provider) = provider_with(LocalOptions { descriptors, ..LocalOptions::default() });
    if !provider.devices.has_handles(provider.root.device) {
        return;
    }
    let (call, root) = (Call::by(Caller::ROOT), NodeId::ROOT);
    let name = |text: &'static str| Name::new(text.as_bytes()).unwrap();
    let place = |text| Place { parent: root, name: name(text) };
    let known = ["target", "one", "two", "x", "y"].map(|text| {
        std::fs::write(directory.path().join(text), "").unwrap();
        provider.lookup(&call, root, name(text)).unwrap().node
    });
    assert!(matches!(provider.nodes.access(known[1]), Access::Handle(..)), "it has no descriptor");
    let rename = |text| provider.rename(&call, place(text), place("target"), RenameFlags::empty());
    std::thread::scope(|scope| {
        // What `rename` does for "two", so that "one" can be begun in the middle of it.
        let busy = provider.busy.occupy(root, root);
        let renamed = provider.caring(&provider.root, name("target"), || {
            let other = scope.spawn(|| rename("one").unwrap());
            while provider.busy.waiting() == 0 && !other.is_finished() {
                std::thread::yield_now();
            }
            std::fs::rename(directory.path().join("two"), directory.path().join("target"))
                .map_err(Error::from)
        });
        renamed.unwrap();
        drop(busy);
    });
    for node in known {
        provider.getattr(&call, node, None).unwrap();
    }
}

/// Renames something to a name with these flags, by a backing that answers so, and returns with what flags it was
/// asked and whether descriptors could be given up meanwhile.
fn asked(
    provider: &LocalProvider,
    name: &[u8],
    flags: RenameFlags,
    answer: impl Fn(RenameFlags) -> Result<()>,
) -> Vec<(RenameFlags, bool)> {
    let asked = RefCell::new(Vec::new());
    let rename = |flags| {
        asked.borrow_mut().push((flags, provider.evictions.begin()));
        answer(flags)
    };
    provider.replacing(&provider.root, Name::new(name).unwrap(), flags, rename).unwrap();
    asked.into_inner()
}

fn unless_noreplace(kind: ErrorKind) -> impl Fn(RenameFlags) -> Result<()> {
    move |flags| match flags.contains(RenameFlags::NOREPLACE) {
        true => Err(kind.into()),
        false => Ok(()),
    }
}

/// Symptom: while the backing let one rename to a free name wait, whoever looked up other files got EMFILE. Cause: no
/// descriptor was given up meanwhile, for the sake of a name that might be replaced. Fix: what replaces nothing, of
/// itself or because the name is free, does not ask for that.
#[test]
fn a_rename_that_replaces_nothing_keeps_no_descriptor_from_being_given_up() {
    let (_directory, provider) = provider();
    if !provider.devices.has_handles(provider.root.device) {
        return;
    }
    for flags in [RenameFlags::NOREPLACE, RenameFlags::EXCHANGE] {
        assert_eq!(asked(&provider, b"free", flags, |_| Ok(())), [(flags, true)]);
    }
    for flags in [RenameFlags::empty(), RenameFlags::WHITEOUT] {
        let free = flags | RenameFlags::NOREPLACE;
        assert_eq!(asked(&provider, b"free", flags, |_| Ok(())), [(free, true)]);
        let taken_meanwhile = asked(&provider, b"free", flags, unless_noreplace(ErrorKind::AlreadyExists));
        assert_eq!(taken_meanwhile, [(free, true), (flags, false)]);
    }
}

#[test]
fn a_backing_without_noreplace_is_asked_for_it_once() {
    let (_directory, provider) = provider();
    if !provider.devices.has_handles(provider.root.device) {
        return;
    }
    let (plain, noreplace) = (RenameFlags::empty(), RenameFlags::NOREPLACE);
    let asked = || asked(&provider, b"free", plain, unless_noreplace(ErrorKind::InvalidArgument));
    assert_eq!(asked(), [(noreplace, true), (plain, false)]);
    assert_eq!(asked(), [(plain, false)]);
}

#[test]
fn removals_on_a_remote_backing_care_from_the_start() {
    let (_directory, mut provider) = provider();
    let root = provider.root.device;
    assert_eq!(provider.careless(root).is_some(), provider.devices.has_handles(root));
    provider.devices.take_root_for_remote();
    assert!(provider.careless(root).is_none());
}

#[test]
fn a_rename_over_a_file_is_asked_for_once() {
    let (directory, provider) = provider();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let plain = RenameFlags::empty();
    let asked = asked(&provider, b"file", plain, |_| Ok(()));
    assert_eq!(asked.iter().map(|(flags, _)| *flags).collect::<Vec<_>>(), [plain]);
}
