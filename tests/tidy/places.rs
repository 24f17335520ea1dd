//! Paths in documents and comments: they exist, and none of them is of one machine.

use std::collections::BTreeSet;

use super::tree::{SourceFile, repository, root};

/// Where paths of one machine begin, in pieces so that this file keeps its own rule.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/"), concat!("/ho", "me/")];

/// Returns the words of a line of prose that may be paths, without the marks around them.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || "`()[]{}<>\"'|,;=".contains(c))
        .map(|word| word.trim_end_matches(['.', ':', '!', '?']))
        .filter(|word| !word.is_empty())
}

/// Returns whether a word names a place in the tree: it has a "/", begins with a directory of the root, and holds
/// no pattern and no part in capitals that stands for a name.
fn names_a_place(word: &str, directories: &BTreeSet<String>) -> bool {
    let Some((first, rest)) = word.split_once('/') else { return false };
    let is_variable = |part: &str| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    directories.contains(first) && plain && !rest.split('/').any(is_variable)
}

/// Returns the lines of a file that are prose: all of a document, the comments of code.
fn prose(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    let is_document = file.path.ends_with(".md");
    let is_script = file.text.starts_with("#!") || file.path.ends_with(".toml");
    let is_rust = file.is_rust();
    file.text.lines().enumerate().filter_map(move |(index, line)| {
        let line_text = line.trim_start();
        let said = is_document
            || (is_rust && line_text.starts_with("//"))
            || (is_script && line_text.starts_with('#') && !line_text.starts_with("#!"));
        said.then_some((index + 1, line))
    })
}

fn directories_of(files: &[SourceFile]) -> BTreeSet<String> {
    files.iter().filter_map(|file| file.path.split_once('/')).map(|(first, _)| first.to_owned()).collect()
}

fn missing_places(files: &[SourceFile], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let directories = directories_of(files);
    let mut found = Vec::new();
    for file in files {
        for (line, text) in prose(file) {
            for word in words(text).filter(|word| names_a_place(word, &directories) && !exists(word)) {
                found.push(format!("{}:{line}: names {word}, which is not there", file.path));
            }
        }
    }
    found
}

/// Returns the targets of a document's links to places in the tree, relative to the root.
fn links(file: &SourceFile) -> impl Iterator<Item = String> {
    let base = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
    file.text.split("](").skip(1).filter_map(move |rest| {
        let target = rest.split([')', '#', ' ']).next()?;
        let outside = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
        (!outside).then(|| if base.is_empty() { target.to_owned() } else { format!("{base}/{target}") })
    })
}

fn broken_links(files: &[SourceFile], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let documents = files.iter().filter(|file| file.path.ends_with(".md"));
    documents
        .flat_map(|file| links(file).map(move |link| (file, link)))
        .filter(|(_, link)| !exists(link))
        .map(|(file, link)| format!("{}: links to {link}, which is not there", file.path))
        .collect()
}

/// Returns whether a line holds a path that begins with `start`: the root before it, a name after it.
fn holds_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + start.len()..].chars().next();
        before.is_none_or(|c| !c.is_alphanumeric() && !"-_.}".contains(c))
            && after.is_some_and(|c| c.is_ascii_lowercase())
    })
}

fn machine_paths(files: &[SourceFile]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path != "Cargo.lock") {
        for (index, line) in file.text.lines().enumerate() {
            for start in MACHINE_PATHS.iter().filter(|start| holds_path(line, start)) {
                found.push(format!("{}:{}: a path of one machine, {start}", file.path, index + 1));
            }
        }
    }
    found
}

fn stands_in_the_tree(path: &str) -> bool {
    root().join(path).exists()
}

#[test]
fn paths_in_documents_and_comments_exist() {
    assert_eq!(missing_places(&repository(), stands_in_the_tree), [""; 0]);
    let there = SourceFile::new("docs/page.md", "See `docs/page.md`, and/or plugins/NAME/export or a/b.\n");
    let gone = SourceFile::new("docs/other.md", "See `docs/gone.md`.\n");
    let comment = SourceFile::new("docs/x.rs", "// as docs/gone.rs says\nlet path = docs/gone;\n");
    let plugin = SourceFile::new("plugins/a.rs", "");
    let found = missing_places(&[there, gone, comment, plugin], |path| path == "docs/page.md");
    assert_eq!(
        found,
        [
            "docs/other.md:1: names docs/gone.md, which is not there",
            "docs/x.rs:1: names docs/gone.rs, which is not there",
        ]
    );
}

#[test]
fn links_between_documents_lead_somewhere() {
    assert_eq!(broken_links(&repository(), stands_in_the_tree), [""; 0]);
    let page = SourceFile::new("docs/a.md", "[b](b.md#part) [c](c.md) [out](https://example.org/x)\n");
    let found = broken_links(&[page], |path| path == "docs/b.md");
    assert_eq!(found, ["docs/a.md: links to docs/c.md, which is not there"]);
}

#[test]
fn no_path_of_one_machine_is_in_the_tree() {
    assert_eq!(machine_paths(&repository()), [""; 0]);
    let leak = SourceFile::new("docs/a.md", concat!("made in /wo", "rk/here\n"));
    let part = SourceFile::new("docs/b.md", concat!("under files/wo", "rk/here, and /ho", "me/NAME\n"));
    assert_eq!(machine_paths(&[leak, part]).len(), 1);
}
