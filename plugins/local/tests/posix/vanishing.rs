//! A backing directory that vanishes while it is served: errors as the system gives them, and no panic.

use crate::ground::{Ground, ROOT, directory, kind, name, root};
use fs9_local::{LocalOptions, LocalProvider};
use fs9_sdk::{DirEntry, DirSink, ErrorKind, Fill, OpenNode, Provider};

/// Takes everything and keeps nothing.
struct Nothing;

impl DirSink for Nothing {
    fn has_room(&self, _name_len: usize) -> bool {
        true
    }

    fn push(&mut self, _entry: DirEntry<'_>) -> Fill {
        Fill::More
    }
}

#[test]
fn a_root_that_is_removed_is_an_empty_directory_in_which_nothing_can_be_made() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
    ground.write(&root(), file, b"data").unwrap();
    std::fs::remove_dir_all(ground.dir.path()).unwrap();

    assert_eq!(kind(ground.lookup(ROOT, "file")), Some(ErrorKind::NotFound));
    assert_eq!(kind(ground.create(&root(), ROOT, "new", 0o644)), Some(ErrorKind::NotFound));
    assert_eq!(kind(ground.provider.mkdir(&root(), ROOT, name("new"), 0o755)), Some(ErrorKind::NotFound));
    assert_eq!(ground.getattr(ROOT).unwrap().nlink, 0);
    assert_eq!(ground.content(file.node).unwrap(), b"data", "what is known stays readable");
    let handle = ground.provider.opendir(&root(), ROOT).unwrap().handle;
    let listed = ground.provider.readdir(&root(), OpenNode { node: ROOT, handle }, 0, true, &mut Nothing);
    assert!(matches!(kind(listed), None | Some(ErrorKind::NotFound)));
    std::fs::create_dir(ground.dir.path()).unwrap();
}

#[test]
fn a_file_that_is_cut_under_a_reader_ends_early() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
    ground.write(&root(), file, &[7; 10_000]).unwrap();
    std::fs::File::options().write(true).open(ground.path("file")).unwrap().set_len(100).unwrap();
    let mut buffer = vec![0; 10_000];
    assert_eq!(ground.provider.read(&root(), file, 0, &mut buffer).unwrap(), 100);
    assert_eq!(ground.provider.read(&root(), file, 5_000, &mut buffer).unwrap(), 0);
    assert_eq!(ground.getattr(file.node).unwrap().size, 100);
}

#[test]
fn what_cannot_be_served_is_refused_at_the_start() {
    let dir = directory();
    let missing = LocalProvider::open(&dir.path().join("missing"), LocalOptions::default());
    assert_eq!(kind(missing), Some(ErrorKind::NotFound));
    std::fs::write(dir.path().join("file"), b"").unwrap();
    let file = LocalProvider::open(&dir.path().join("file"), LocalOptions::default());
    assert_eq!(kind(file), Some(ErrorKind::NotADirectory));
}
