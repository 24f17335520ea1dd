//! Which crate may use which.
//!
//! Invariant: a crate may use what it reaches by the arrows below, in one step or more, and nothing else of the
//! workspace. Tests of a crate may also use the contract suite and the providers that every build contains.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::tree::root;

/// The arrows: a crate, and what it stands on directly.
const ARROWS: [(&str, &[&str]); 16] = [
    ("fs9-abi", &[]),
    ("fs9-sys", &[]),
    ("fs9-sdk", &["fs9-abi", "fs9-sys"]),
    ("fs9-testkit", &["fs9-sdk"]),
    ("fs9-core", &["fs9-sdk", "fs9-sys"]),
    ("fs9-plugin-host", &["fs9-abi", "fs9-sdk", "fs9-sys"]),
    ("fs9-walker", &[]),
    ("fs9-scanner", &["fs9-walker"]),
    ("fs9-block-store", &[]),
    ("fs9-fuse", &["fs9-core"]),
    ("fs9-server", &["fs9-core"]),
    ("fs9-local", &["fs9-sdk", "fs9-scanner"]),
    ("fs9-memory", &["fs9-sdk"]),
    ("fs9-hello", &["fs9-sdk"]),
    ("fs9-volume", &["fs9-sdk", "fs9-block-store"]),
    ("fs9-cli", &["fs9-fuse", "fs9-server", "fs9-plugin-host", "fs9-local", "fs9-memory", "fs9-volume"]),
];

/// Looks at the whole from outside, so it may use everything.
const OBSERVER: &str = "fs9-tests";

/// What the tests of any crate may use besides its own arrows.
const FOR_TESTS: [&str; 4] = ["fs9-sdk", "fs9-testkit", "fs9-memory", "fs9-local"];

/// One crate of the workspace using another.
struct Use {
    user: String,
    used: String,
    in_tests_only: bool,
}

fn reachable(from: &str, arrows: &BTreeMap<&str, &[&'static str]>) -> BTreeSet<&'static str> {
    let mut reached = BTreeSet::new();
    let mut pending: Vec<&'static str> = arrows.get(from).map_or(Vec::new(), |direct| direct.to_vec());
    while let Some(next) = pending.pop() {
        if reached.insert(next) {
            pending.extend(arrows.get(next).into_iter().flat_map(|direct| direct.iter()));
        }
    }
    reached
}

fn forbidden_uses(uses: &[Use]) -> Vec<String> {
    let arrows = BTreeMap::from(ARROWS);
    let mut found = Vec::new();
    for Use { user, used, in_tests_only } in uses.iter().filter(|it| it.user != OBSERVER) {
        // The exported form of a plugin is its provider and the macro of the SDK.
        let provider = user.strip_suffix("-export").unwrap_or(user);
        if !arrows.contains_key(provider) {
            found.push(format!("{user}: is not in the list of arrows; give it a place there first"));
            continue;
        }
        let by_arrow = reachable(provider, &arrows).contains(used.as_str()) || used == provider;
        let for_tests = *in_tests_only && FOR_TESTS.contains(&used.as_str());
        if !(by_arrow || for_tests) {
            found.push(format!("{user}: may not use {used}"));
        }
    }
    found
}

/// Returns who uses whom in this workspace, as cargo sees it.
fn workspace_uses() -> Vec<Use> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON from cargo");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let name = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    let members: BTreeSet<String> = packages.iter().map(name).collect();
    let mut uses = Vec::new();
    for package in packages {
        for dependency in package["dependencies"].as_array().expect("a list of dependencies") {
            let used = name(dependency);
            if members.contains(&used) {
                uses.push(Use { user: name(package), used, in_tests_only: dependency["kind"] == "dev" });
            }
        }
    }
    uses
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let uses = workspace_uses();
    assert!(uses.iter().any(|it| it.user == "fs9-sdk" && it.used == "fs9-abi"), "cargo named no known arrow");
    assert_eq!(forbidden_uses(&uses), [""; 0]);
}

#[test]
fn a_use_against_the_arrows_is_found() {
    let cases = [
        ("fs9-fuse", "fs9-sdk", false, 0),
        ("fs9-cli", "fs9-core", false, 0),
        ("fs9-core", "fs9-fuse", false, 1),
        ("fs9-fuse", "fs9-local", false, 1),
        ("fs9-walker", "fs9-sys", false, 1),
        ("fs9-core", "fs9-memory", true, 0),
        ("fs9-core", "fs9-memory", false, 1),
        ("fs9-core", "fs9-cli", true, 1),
        ("fs9-local-export", "fs9-local", false, 0),
        ("fs9-local-export", "fs9-memory", false, 1),
        ("fs9-unknown", "fs9-sdk", false, 1),
        ("fs9-tests", "fs9-cli", false, 0),
    ];
    for (user, used, in_tests_only, expected) in cases {
        let case = Use { user: user.to_owned(), used: used.to_owned(), in_tests_only };
        assert_eq!(
            forbidden_uses(&[case]).len(),
            expected,
            "{user} uses {used}, tests only: {in_tests_only}"
        );
    }
}
