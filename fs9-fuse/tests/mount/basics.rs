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
