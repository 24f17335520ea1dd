//! Set-user-ID and set-group-ID bits after what other users and root do to a file, as on a native file system.

use crate::support::{Mounted, local, memory};
use fs9_fuse::{FuseOptions, Passthrough};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// What is done to a file, as a line of shell.
const DEEDS: [(&str, &str); 6] = [
    ("append", "echo more >> \"$1\""),
    ("overwrite", "printf x 1<> \"$1\""),
    ("truncate at open", ": > \"$1\""),
    ("truncate", "truncate -s 3 \"$1\""),
    ("allocate", "fallocate -l 8192 \"$1\""),
    ("punch", "fallocate -p -l 2 \"$1\""),
];

/// Does it and returns the permissions afterwards.
fn mode_after(directory: &Path, uid: u32, mode: u32, deed: &str) -> u32 {
    let file = directory.join(format!("file-{uid}-{mode:o}"));
    fs::write(&file, b"0123456789").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    let id = uid.to_string();
    let mut command = Command::new("setpriv");
    if uid != 0 {
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    let status = command.args(["sh", "-c", deed, "sh"]).arg(&file).status().unwrap();
    assert!(status.success(), "{deed} as {uid}");
    let after = fs::metadata(&file).unwrap().mode() & 0o7777;
    fs::remove_file(&file).unwrap();
    after
}

#[test]
fn bits_are_as_natively_after_every_deed() {
    let native = tempfile::tempdir().unwrap();
    let (source, off) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = |passthrough| FuseOptions { passthrough, allow_other: true, ..FuseOptions::default() };
    let mounts = [
        ("memory", Mounted::with(memory(), options(Passthrough::Auto))),
        ("passthrough", Mounted::with(local(source.path()), options(Passthrough::Auto))),
        ("daemon", Mounted::with(local(off.path()), options(Passthrough::Off))),
    ];
    for directory in mounts.iter().map(|(_, mounted)| mounted.path()).chain([native.path()]) {
        fs::set_permissions(directory, Permissions::from_mode(0o777)).unwrap();
    }
    let mut wrong = Vec::new();
    for (name, deed) in DEEDS {
        for uid in [0, 65534] {
            for mode in [0o6777, 0o2767, 0o4666] {
                let expected = mode_after(native.path(), uid, mode, deed);
                for (mount, mounted) in &mounts {
                    let found = mode_after(mounted.path(), uid, mode, deed);
                    if found != expected {
                        wrong.push(format!(
                            "{name} of {mode:o} by {uid}, {mount}: {found:o}, natively {expected:o}"
                        ));
                    }
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}
