//! Running one of the repository's own scripts against a mount.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `scripts/NAME ARGUMENTS...` and fails the test with the end of its output if it fails.
///
/// # Panics
/// If the script cannot be run or fails.
pub fn run_script<A: AsRef<std::ffi::OsStr>>(name: &str, arguments: impl IntoIterator<Item = A>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts").join(name);
    let output = Command::new(&script).args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(60)..].join("\n");
    assert!(output.status.success(), "scripts/{name} failed: {}\n{end}", output.status);
}
