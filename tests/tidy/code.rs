//! What code may say where: unsafe, errno numbers, promises to do it later.
//!
//! Invariant: comments and strings are not code; the unit tests at the end of a file are not production.

use super::tree::{SourceFile, repository};

/// Where unsafe code may stand: foreign types, foreign code, rings and maps.
const UNSAFE_PLACES: [&str; 6] = [
    "fs9-sdk/abi/",
    "fs9-core/sys/",
    "fs9-core/plugin-host/",
    "fs9-core/block-store/src/device",
    "fs9-core/scanner/src/index",
    "fs9-fuse/src/transport",
];

/// The crates that hold one of these places and therefore cannot forbid unsafe code as a whole.
const UNSAFE_CRATES: [&str; 6] = [
    "fs9-sdk/abi/",
    "fs9-core/sys/",
    "fs9-core/plugin-host/",
    "fs9-core/block-store/",
    "fs9-core/scanner/",
    "fs9-fuse/",
];

/// The errno table, and the system calls below it.
const ERRNO_PLACES: [&str; 2] = ["fs9-sdk/abi/", "fs9-core/sys/"];

/// Constants of libc that begin as an errno does.
const NOT_ERRNO: [&str; 7] = ["EOF", "EPOLL", "EXIT_", "EFD_", "ELF", "ECHO", "ETH_"];

/// Returns a line without its strings, characters and comment. Strings over several lines are not followed.
fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut rest = line.chars().peekable();
    let mut in_string = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' if in_string => drop(rest.next()),
            '"' => in_string = !in_string,
            '/' if !in_string && rest.peek() == Some(&'/') => break,
            _ if !in_string => code.push(c),
            _ => {}
        }
    }
    code
}

/// Returns the lines of a file with their numbers, up to its unit tests.
fn production_lines(file: &SourceFile) -> impl Iterator<Item = (usize, String)> {
    let tests = file.text.find("#[cfg(test)]\nmod ").unwrap_or(file.text.len());
    file.text[..tests].lines().enumerate().map(|(index, line)| (index + 1, code_of(line)))
}

fn has_word(code: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(is_name) && !code[at + word.len()..].starts_with(is_name))
}

fn stands_in(file: &SourceFile, places: &[&str]) -> bool {
    places.iter().any(|place| file.path.starts_with(place))
}

fn unsafe_out_of_place(files: &[SourceFile]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let lines = file.text.lines().enumerate().map(|(index, line)| (index + 1, code_of(line)));
        for (line, _) in lines.filter(|(_, code)| has_word(code, "unsafe")) {
            if !stands_in(file, &UNSAFE_PLACES) {
                found.push(format!("{}:{line}: unsafe code does not belong here", file.path));
            }
        }
        let is_root = ["src/lib.rs", "src/main.rs"].iter().any(|name| file.path.ends_with(name));
        if is_root && !stands_in(file, &UNSAFE_CRATES) && !file.text.contains("#![forbid(unsafe_code)]") {
            found.push(format!("{}: lacks #![forbid(unsafe_code)]", file.path));
        }
    }
    found
}

fn names_errno(code: &str) -> bool {
    let constant = code.match_indices("libc::E").any(|(at, _)| {
        let name = &code[at + "libc::".len()..];
        let is_constant = name[1..].starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit());
        is_constant && !NOT_ERRNO.iter().any(|other| name.starts_with(other))
    });
    let number = code
        .match_indices("from_raw_os_error(")
        .any(|(at, call)| code[at + call.len()..].starts_with(|c: char| c == '-' || c.is_ascii_digit()));
    constant || number
}

fn errno_out_of_place(files: &[SourceFile]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_production() && !stands_in(file, &ERRNO_PLACES)) {
        for (line, _) in production_lines(file).filter(|(_, code)| names_errno(code)) {
            found.push(format!("{}:{line}: errno numbers belong to fs9-abi", file.path));
        }
    }
    found
}

fn promises(files: &[SourceFile]) -> Vec<String> {
    // In pieces, so that this file keeps its own rule.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("#[ig", "nore")];
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() || file.path.starts_with("scripts/")) {
        for (index, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: promises something for later", file.path, index + 1));
            }
        }
    }
    found
}

#[test]
fn unsafe_code_stands_only_where_it_may() {
    assert_eq!(unsafe_out_of_place(&repository()), [""; 0]);
    let safe_root = "//! A.\n#![forbid(unsafe_code)]\n";
    let cases = [
        ("fs9-core/src/table.rs", "let x = unsafe { *p };\n", 1),
        ("fs9-core/src/table.rs", "// unsafe in words; \"unsafe {\" as text\nlet s = \"unsafe\";\n", 0),
        ("fs9-core/sys/src/lib.rs", "unsafe { libc::getuid() };\n", 0),
        ("fs9-fuse/src/transport/ring.rs", "unsafe impl Send for Ring {}\n", 0),
        ("fs9-fuse/src/dispatch.rs", "unsafe fn f() {}\n", 1),
        ("fs9-core/src/lib.rs", "//! A.\n", 1),
        ("fs9-core/src/lib.rs", safe_root, 0),
    ];
    for (path, text, expected) in cases {
        assert_eq!(unsafe_out_of_place(&[SourceFile::new(path, text)]).len(), expected, "{path}: {text}");
    }
}

#[test]
fn errno_numbers_stand_only_in_the_errno_table() {
    assert_eq!(errno_out_of_place(&repository()), [""; 0]);
    let cases = [
        ("fs9-core/src/vfs.rs", "return Err(libc::ENOENT);\n", 1),
        ("fs9-core/src/vfs.rs", "let e = io::Error::from_raw_os_error(2);\n", 1),
        ("fs9-core/src/vfs.rs", "let e = io::Error::from_raw_os_error(errno);\n", 0),
        ("fs9-core/src/vfs.rs", "poll(libc::EPOLLIN); exit(libc::EXIT_SUCCESS); // libc::EIO\n", 0),
        (
            "fs9-core/src/vfs.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    const E: i32 = libc::EIO;\n}\n",
            0,
        ),
        ("fs9-sdk/abi/src/errno.rs", "const E: i32 = libc::EIO;\n", 0),
        ("tests/semantics/open.rs", "assert_eq!(e, libc::EIO);\n", 0),
    ];
    for (path, text, expected) in cases {
        assert_eq!(errno_out_of_place(&[SourceFile::new(path, text)]).len(), expected, "{path}: {text}");
    }
}

#[test]
fn nothing_is_promised_for_later() {
    assert_eq!(promises(&repository()), [""; 0]);
    for text in [concat!("// TO", "DO: later\n"), concat!("#[ig", "nore]\nfn f() {}\n")] {
        assert_eq!(promises(&[SourceFile::new("a/src/lib.rs", text)]).len(), 1, "{text}");
    }
}
