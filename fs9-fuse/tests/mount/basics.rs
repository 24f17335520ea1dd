//! A namespace through a real mount.

use crate::support::{Mounted, memory};
use std::fs;

#[test]
fn files_and_directories_live_through_a_mount() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::create_dir(path.join("d")).unwrap();
    fs::write(path.join("d/f"), b"hello").unwrap();
    assert_eq!(fs::read(path.join("d/f")).unwrap(), b"hello");
    fs::rename(path.join("d/f"), path.join("g")).unwrap();
    assert_eq!(fs::read_dir(path.join("d")).unwrap().count(), 0);
    let names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2);
    fs::remove_file(path.join("g")).unwrap();
    fs::remove_dir(path.join("d")).unwrap();
    assert_eq!(fs::read_dir(path).unwrap().count(), 0);
}

#[test]
fn the_root_has_the_number_that_its_listing_shows() {
    use std::os::unix::fs::MetadataExt;
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::create_dir(path.join("d")).unwrap();
    let root = fs::metadata(path).unwrap().ino();
    assert_eq!(fs::metadata(path.join("d/..")).unwrap().ino(), root);
    let listed = |directory: &std::path::Path, wanted: &str| {
        let opened = fs::File::open(directory).unwrap();
        let mut entries = rustix::fs::Dir::read_from(opened).unwrap().map(Result::unwrap);
        entries.find(|entry| entry.file_name().to_bytes() == wanted.as_bytes()).unwrap().ino()
    };
    assert_eq!((listed(path, "."), listed(path, ".."), listed(&path.join("d"), "..")), (root, root, root));
}
