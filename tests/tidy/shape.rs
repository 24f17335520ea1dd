//! Shape of files: length, header, name.

use super::tree::{SourceFile, repository};

/// Beyond this a file holds more than one idea.
const LINES_MAX: usize = 800;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["util", "utils", "helper", "helpers", "manager", "managers", "common", "misc", "stuff"];

fn long_files(files: &[SourceFile]) -> Vec<String> {
    let rust = files.iter().filter(|file| file.is_rust());
    rust.map(|file| (file.text.lines().count(), &file.path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines, at most {LINES_MAX}: split it by noun"))
        .collect()
}

fn files_without_header(files: &[SourceFile]) -> Vec<String> {
    let bare = files.iter().filter(|file| file.is_rust() && !file.text.starts_with("//! "));
    bare.map(|file| format!("{}: does not open with `//!` and what it is", file.path)).collect()
}

fn empty_names(files: &[SourceFile]) -> Vec<String> {
    let is_empty = |part: &str| part.split(['_', '-', '.']).any(|word| EMPTY_NAMES.contains(&word));
    let found = files.iter().filter(|file| file.is_rust() && file.path.split('/').any(is_empty));
    found.map(|file| format!("{}: the name does not say what is inside", file.path)).collect()
}

fn members_without_lints(files: &[SourceFile]) -> Vec<String> {
    let member = |file: &&SourceFile| file.path.ends_with("/Cargo.toml") && file.text.contains("[package]");
    let lax = files.iter().filter(member).filter(|file| !file.text.contains("[lints]\nworkspace = true"));
    lax.map(|file| format!("{}: does not take the lints of the workspace", file.path)).collect()
}

#[test]
fn no_file_is_longer_than_the_limit() {
    assert_eq!(long_files(&repository()), [""; 0]);
    let fits = SourceFile::new("a/src/lib.rs", &"x\n".repeat(LINES_MAX));
    let long = SourceFile::new("a/src/long.rs", &"x\n".repeat(LINES_MAX + 1));
    assert_eq!(long_files(&[fits, long]).len(), 1);
}

#[test]
fn every_source_file_opens_with_what_it_is() {
    assert_eq!(files_without_header(&repository()), [""; 0]);
    let bare = SourceFile::new("a/src/lib.rs", "use std::io;\n//! Late.\n");
    let headed = SourceFile::new("a/src/map.rs", "//! A map.\n");
    assert_eq!(files_without_header(&[bare, headed]).len(), 1);
}

#[test]
fn every_file_name_says_what_is_inside() {
    assert_eq!(empty_names(&repository()), [""; 0]);
    for path in ["a/src/utils.rs", "a/src/wal_utils.rs", "a/src/common/mod.rs", "a/src/mount_manager.rs"] {
        assert_eq!(empty_names(&[SourceFile::new(path, "")]).len(), 1, "{path}");
    }
    assert_eq!(empty_names(&[SourceFile::new("a/src/utility_room.rs", "")]), [""; 0]);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    assert_eq!(members_without_lints(&repository()), [""; 0]);
    let lax = SourceFile::new("a/Cargo.toml", "[package]\nname = \"a\"\n");
    let strict = SourceFile::new("b/Cargo.toml", "[package]\nname = \"b\"\n\n[lints]\nworkspace = true\n");
    assert_eq!(members_without_lints(&[lax, strict]).len(), 1);
}
