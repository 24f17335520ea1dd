//! The repository as a list of texts.
//!
//! Invariant: what git would not take in (build output, hidden directories other than .ci, git's own) is not read.

use std::fs;
use std::path::{Path, PathBuf};

/// One text file and where it stands, relative to the root and with "/" between the parts.
pub(super) struct SourceFile {
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn new(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns whether a user's build contains this file.
    pub(super) fn is_production(&self) -> bool {
        let outside = ["tests", "benches", "examples", "testkit"];
        self.is_rust() && !self.path.split('/').any(|part| outside.contains(&part))
    }
}

/// Returns the root of the repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is below the root")
}

/// Returns every text file of the repository, in the order of their paths.
pub(super) fn repository() -> Vec<SourceFile> {
    texts_of(root())
}

fn texts_of(root: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the repository") {
            let entry = entry.expect("an entry of the repository");
            let kind = entry.file_type().expect("the type of an entry");
            if kind.is_dir() && is_ours(&entry.path()) {
                pending.push(entry.path());
            } else if kind.is_file()
                && entry.file_name() != ".git"
                && let Some(text) = read_text(&entry.path())
            {
                let path = entry.path().strip_prefix(root).expect("below the root").to_path_buf();
                files.push(SourceFile::new(path.to_str().expect("names in the tree are UTF-8"), &text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn is_ours(directory: &Path) -> bool {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let build_output = name == "target" || name.starts_with("target-") || name == "mutants.out";
    !build_output && (!name.starts_with('.') || name == ".ci")
}

/// Returns a file's text, or nothing for one that is not text. A file may vanish while editors work in the tree.
fn read_text(path: &PathBuf) -> Option<String> {
    String::from_utf8(fs::read(path).ok()?).ok().filter(|text| !text.contains('\0'))
}

#[test]
fn the_repository_is_read_with_its_own_sources() {
    let files = repository();
    for path in ["Cargo.toml", "tests/tidy/tree.rs", "fs9-sdk/abi/src/lib.rs", ".ci/run"] {
        assert!(files.iter().any(|file| file.path == path), "{path} was not read");
    }
    assert!(!files.iter().any(|file| file.path.starts_with("target/") || file.path.starts_with(".git/")));
}

/// Symptom: a path of one machine was found in a git worktree. Cause: `.git` is a file there, which names the repository.
/// Fix: it is not read, whatever it is.
#[test]
fn a_worktree_is_read_without_what_git_keeps_in_it() {
    let worktree = tempfile::tempdir().unwrap();
    fs::write(worktree.path().join(".git"), "gitdir: elsewhere\n").unwrap();
    fs::write(worktree.path().join(".gitignore"), "target\n").unwrap();
    let paths: Vec<_> = texts_of(worktree.path()).into_iter().map(|file| file.path).collect();
    assert_eq!(paths, [".gitignore"]);
}
