//! Set-user-ID and set-group-ID bits after what other users and root do to a file, as on a native file system.

use crate::support::{Mounted, local, memory};
use fs9_fuse::{FuseOptions, Passthrough};
use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_sdk::{
    Attr, Call, Caller, DirSink, Entry, FallocateMode, FileHandle, Name, NodeId, OpenFlags, OpenNode, Opened,
    Place, Provider, Result, SetAttr,
};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

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

/// A tree that does not ask who cuts a file or allocates space in it, and so strips nothing then.
struct Heedless(MemoryProvider);

impl Provider for Heedless {
    fn lookup(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        self.0.lookup(call, parent, name)
    }

    fn forget(&self, node: NodeId, count: u64) {
        self.0.forget(node, count);
    }

    fn getattr(&self, call: &Call, node: NodeId, handle: Option<FileHandle>) -> Result<Attr> {
        self.0.getattr(call, node, handle)
    }

    fn setattr(
        &self,
        call: &Call,
        node: NodeId,
        handle: Option<FileHandle>,
        changes: SetAttr,
    ) -> Result<Attr> {
        self.0.setattr(call, node, handle, changes)
    }

    fn create(&self, call: &Call, at: Place<'_>, mode: u16, flags: OpenFlags) -> Result<(Entry, Opened)> {
        self.0.create(call, at, mode, flags)
    }

    fn open(&self, _call: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        self.0.open(&Call::by(Caller::ROOT), node, flags - OpenFlags::KILL_PRIVILEGES)
    }

    fn fallocate(&self, _: &Call, file: OpenNode, mode: FallocateMode, at: u64, length: u64) -> Result<()> {
        self.0.fallocate(&Call::by(Caller::ROOT), file, mode, at, length)
    }

    fn read(&self, call: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.0.read(call, file, offset, buffer)
    }

    fn release(&self, file: OpenNode) {
        self.0.release(file);
    }

    fn readdir(&self, _: &Call, _: OpenNode, _: u64, _: bool, _: &mut dyn DirSink) -> Result<()> {
        Ok(())
    }
}

/// Symptom: one outside of a file's group cut it and left set-group-ID there, where the group may not execute it. Cause: the
/// rule about outsiders stood in fs9-memory alone. Fix: it stands in the SDK, and the frontend asks for it.
#[test]
fn an_outsider_takes_set_group_id_although_the_provider_does_not_care() {
    const MEMBER: u32 = 65534;
    let native = tempfile::tempdir().unwrap();
    let heedless = Arc::new(Heedless(MemoryProvider::new(MemoryOptions::default()).unwrap()));
    let mounted = Mounted::with(heedless, FuseOptions { allow_other: true, ..FuseOptions::default() });
    for (deed, group, mode, expected) in [
        (": > \"$1\"", 0, 0o2666, 0o666),
        (": > \"$1\"", MEMBER, 0o2666, 0o2666),
        (": > \"$1\"", MEMBER, 0o2676, 0o676),
        ("fallocate -l 8192 \"$1\"", 0, 0o2666, 0o666),
        ("fallocate -l 8192 \"$1\"", MEMBER, 0o2666, 0o2666),
    ] {
        for directory in [native.path(), mounted.path()] {
            fs::set_permissions(directory, Permissions::from_mode(0o777)).unwrap();
            let file = directory.join(format!("file-{group}-{mode:o}-{}", deed.len()));
            fs::File::create(&file).unwrap();
            std::os::unix::fs::chown(&file, None, Some(group)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let id = MEMBER.to_string();
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "sh", "-c", deed, "sh"]);
            assert!(command.arg(&file).status().unwrap().success(), "{deed} in {directory:?}");
            let after = fs::metadata(&file).unwrap().mode() & 0o7777;
            assert_eq!(after, expected, "{mode:o} of group {group} after {deed} in {directory:?}");
        }
    }
}
