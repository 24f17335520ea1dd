//! Set-user-ID, set-group-ID and file capabilities are lost exactly as natively, with passthrough and without.
//!
//! Each scenario runs on the mount and on the native file system beside it; the modes afterwards are compared.

use fs9_tests::{Actor, Mounted, require_root};
use rustix::fs::{AtFlags, CWD, XattrFlags};
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// Who changes the file.
const ACTORS: [(&str, Option<Actor>); 3] =
    [("root", None), ("owner", Some(Actor::ALICE)), ("other", Some(Actor::BOB))];

/// The modes to begin with; the last has set-group-ID without group execution, which is no privilege.
const MODES: [u32; 4] = [0o6777, 0o4777, 0o2777, 0o2767];

/// A file capability: `cap_net_raw+ep`, in the format of `linux/capability.h`, revision 2.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

type Deed = fn(&Path);

/// The ways to change a file.
const DEEDS: [(&str, Deed); 7] = [
    ("write", |path| {
        drop(OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(b"changed")));
    }),
    ("append", |path| {
        drop(OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(b"more")));
    }),
    ("open with O_TRUNC", |path| drop(OpenOptions::new().write(true).truncate(true).open(path))),
    ("ftruncate", |path| drop(OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(2)))),
    ("truncate", |path| {
        nix::unistd::truncate(path, 1).ok();
    }),
    ("fallocate", |path| {
        let grow = |file: File| rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, 8192);
        drop(OpenOptions::new().write(true).open(path).map(grow));
    }),
    ("chown to the own group", |path| {
        let group = rustix::process::getgid();
        rustix::fs::chownat(CWD, path, None, Some(group), AtFlags::empty()).ok();
    }),
];

/// Makes Alice's file with this mode, lets `actor` do the deed, and returns what is left of mode and capability. `settle`
/// waits until nobody writes to the file any more.
fn outcome(
    (dir, settle): (&Path, impl Fn()),
    mode: u32,
    actor: Option<Actor>,
    deed: Deed,
) -> (u32, bool, u64) {
    let path = dir.join("program");
    drop(std::fs::remove_file(&path));
    std::fs::write(&path, b"#!/bin/sh\n").unwrap();
    std::os::unix::fs::chown(&path, Some(Actor::ALICE.uid), Some(Actor::ALICE.gid)).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    rustix::fs::setxattr(&path, "security.capability", &CAPABILITY, XattrFlags::empty()).unwrap();
    settle();
    match actor {
        None => deed(&path),
        Some(actor) => actor.run(|| deed(&path)),
    }
    let metadata = std::fs::metadata(&path).unwrap();
    let mut value = [0; 64];
    let capability = rustix::fs::getxattr(&path, "security.capability", &mut value).is_ok();
    (metadata.mode() & 0o7777, capability, metadata.len())
}

/// Writes an outcome down, with the mode as people read it.
fn text((mode, capability, size): (u32, bool, u64)) -> String {
    format!("mode {mode:o}, capability {capability}, size {size}")
}

/// Compares every scenario on the mount with the native file system.
fn compare(options: &str) {
    if !require_root() {
        return;
    }
    let mount = Mounted::local(options);
    let native = mount.outside("native");
    std::fs::create_dir(&native).unwrap();
    let mut differing = Vec::new();
    for (who, actor) in ACTORS {
        for mode in MODES {
            for (what, deed) in DEEDS {
                let here = outcome((&mount.path(""), || mount.wait_for_writers()), mode, actor, deed);
                let there = outcome((&native, || ()), mode, actor, deed);
                if here != there {
                    differing.push(format!(
                        "{what} by {who} on {mode:o}: mount {}, native {}",
                        text(here),
                        text(there)
                    ));
                }
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn privileges_are_lost_as_natively_with_passthrough() {
    compare("allow_other,suid,passthrough=auto");
}

#[test]
fn privileges_are_lost_as_natively_without_passthrough() {
    compare("allow_other,suid,passthrough=off");
}

/// The group that some belong to besides their own.
const TEAM: u32 = 61_077;

/// Makes Alice's file of a group, with set-group-ID but without group execution; returns the mode after the deed.
fn mode_for_member(
    (dir, settle): (&Path, impl Fn()),
    group: u32,
    (actor, groups): (Actor, &[u32]),
    deed: Deed,
) -> u32 {
    let path = dir.join("locked");
    drop(std::fs::remove_file(&path));
    std::fs::write(&path, b"0123456789").unwrap();
    std::os::unix::fs::chown(&path, Some(Actor::ALICE.uid), Some(group)).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o2666)).unwrap();
    settle();
    actor.run_in(groups, || deed(&path));
    std::fs::metadata(&path).unwrap().mode() & 0o7777
}

#[test]
fn set_group_id_without_execution_stays_for_members_of_the_group() {
    if !require_root() {
        return;
    }
    let to_team: (&str, Deed) = ("chown to the team", |path| {
        rustix::fs::chownat(CWD, path, None, Some(rustix::fs::Gid::from_raw(TEAM)), AtFlags::empty()).ok();
    });
    let mounts = ["allow_other,suid", "allow_other,suid,passthrough=off"].map(Mounted::local);
    let [.., native] = &mounts.each_ref().map(|mount| mount.outside("native"));
    std::fs::create_dir(native).unwrap();
    let mut stayed = 0;
    for mount in mounts.iter().chain([&Mounted::memory("allow_other,suid,mode=777")]) {
        for group in [TEAM, Actor::ALICE.gid] {
            for who in [(Actor::ALICE, &[TEAM][..]), (Actor::BOB, &[TEAM]), (Actor::BOB, &[])] {
                for (what, deed) in DEEDS.into_iter().chain([to_team]) {
                    let there = mode_for_member((native, || ()), group, who, deed);
                    let settle = || mount.wait_for_writers();
                    let here = mode_for_member((&mount.path(""), settle), group, who, deed);
                    assert_eq!(here, there, "{what} by {who:?} of {group}: {here:o}, natively {there:o}");
                    stayed += usize::from(there == 0o2666 && group == TEAM && !who.1.is_empty());
                }
            }
        }
    }
    assert!(stayed > 0, "the bit stays natively");
}

#[test]
fn privileges_set_while_a_writer_has_the_file_open_are_lost_at_its_next_write() {
    if !require_root() {
        return;
    }
    for options in ["allow_other,suid", "allow_other,suid,passthrough=off"] {
        let mount = Mounted::local(options);
        let path = mount.path("program");
        std::fs::write(&path, b"first").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        let mut writer = Actor::BOB.run(|| OpenOptions::new().write(true).open(&path).unwrap());
        writer.write_all(b"a").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o6777)).unwrap();
        Actor::BOB.run(|| writer.write_all(b"b").unwrap());
        let mode = std::fs::metadata(&path).unwrap().mode() & 0o7777;
        assert_eq!(mode, 0o777, "with {options}: {mode:o}");
    }
}

#[test]
fn a_store_through_a_map_changes_the_file_and_treats_privileges_as_natively() {
    if !require_root() {
        return;
    }
    for options in ["allow_other,suid", "allow_other,suid,passthrough=off"] {
        let mount = Mounted::local(options);
        let native = mount.outside("native");
        std::fs::create_dir(&native).unwrap();
        let modes = [mount.path(""), native].map(|dir| {
            let path = dir.join("program");
            std::fs::write(&path, vec![0; 1 << 16]).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o6777)).unwrap();
            let job = Command::new("setpriv")
                .args(["--reuid=61002", "--regid=61002", "--clear-groups", "fio", "--name=map", "--rw=write"])
                .args(["--ioengine=mmap", "--bs=4k", "--size=64k", "--overwrite=1", "--allow_file_create=0"])
                .args(["--output=/dev/null", "--buffer_pattern=0x5a"])
                .arg(format!("--filename={}", path.display()))
                .status();
            assert!(job.unwrap().success(), "fio on {}", path.display());
            let bytes = std::fs::read(&path).unwrap();
            assert!(bytes.iter().all(|&b| b == 0x5a), "stores of the map are in the file");
            std::fs::metadata(&path).unwrap().mode() & 0o7777
        });
        assert_eq!(modes[0], modes[1], "with {options}");
    }
}
