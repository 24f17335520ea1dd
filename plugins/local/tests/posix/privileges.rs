//! Set-user-ID and set-group-ID go where they go natively, and stay where they stay.
//!
//! Each change is made natively by a thread that really is the user, and through the provider on their behalf.

use crate::ground::{Ground, ROOT, is_root, name, root, user};
use fs9_local::LocalOptions;
use fs9_sdk::{Call, ErrorKind, FallocateMode, NodeId, OpenFlags, Provider, Result, SetAttr, XattrFlags};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid, set_thread_res_gid, set_thread_res_uid};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use std::sync::mpsc::channel;

/// The user who owns the file.
const OWNER: u32 = 1000;

/// A change, natively and through the provider.
struct Change {
    name: &'static str,
    native: fn(&Path) -> std::io::Result<()>,
    served: fn(&Ground, &Call, NodeId) -> Result<()>,
}

const CHANGES: [Change; 6] = [
    Change {
        name: "write",
        native: |path| std::fs::File::options().write(true).open(path)?.write_all_at(b"x", 0),
        served: |ground, call, node| {
            let file = ground.open(call, node, OpenFlags::WRITE_ONLY)?;
            let written = ground.write(call, file, b"x");
            ground.provider.release(file);
            written.map(drop)
        },
    },
    Change {
        name: "truncate",
        native: |path| std::fs::File::options().write(true).open(path)?.set_len(1),
        served: |ground, call, node| set(ground, call, node, SetAttr { size: Some(1), ..SetAttr::default() }),
    },
    Change {
        name: "open with O_TRUNC",
        native: |path| std::fs::File::options().write(true).truncate(true).open(path).map(drop),
        served: |ground, call, node| {
            let cut = OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE;
            let kill = if call.caller.uid == 0 { OpenFlags::empty() } else { OpenFlags::KILL_PRIVILEGES };
            let file = ground.open(call, node, cut | kill)?;
            ground.provider.release(file);
            Ok(())
        },
    },
    Change {
        name: "fallocate",
        native: |path| {
            let file = std::fs::File::options().write(true).open(path)?;
            Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, 100)?)
        },
        served: |ground, call, node| {
            let file = ground.open(call, node, OpenFlags::WRITE_ONLY)?;
            let done = ground.provider.fallocate(call, file, FallocateMode::empty(), 0, 100);
            ground.provider.release(file);
            done
        },
    },
    Change {
        name: "chown to the same group",
        native: |path| fchown(std::fs::File::open(path)?, None, Some(OWNER)),
        served: |ground, call, node| {
            set(ground, call, node, SetAttr { gid: Some(OWNER), ..SetAttr::default() })
        },
    },
    Change {
        name: "chmod",
        native: |path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o6711)),
        served: |ground, call, node| {
            set(ground, call, node, SetAttr { permissions: Some(0o6711), ..SetAttr::default() })
        },
    },
];

fn set(ground: &Ground, call: &Call, node: NodeId, changes: SetAttr) -> Result<()> {
    let changes = SetAttr { kill_privileges: call.caller.uid != 0, ..changes };
    ground.provider.setattr(call, node, None, changes).map(drop)
}

/// Runs `f` on a thread that is this user and nothing more, or root with everything.
fn live_as<T: Send + 'static>(uid: u32, f: impl FnOnce() -> T + Send + 'static) -> T {
    live_in(uid, &[], f)
}

/// Does so in further groups.
fn live_in<T: Send + 'static>(uid: u32, groups: &'static [u32], f: impl FnOnce() -> T + Send + 'static) -> T {
    let life = move || {
        if uid != 0 {
            let (gid, uid) = (Gid::from_raw(uid), Uid::from_raw(uid));
            let groups: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
            rustix::thread::set_thread_groups(&groups).unwrap();
            set_thread_res_gid(gid, gid, gid).unwrap();
            set_thread_res_uid(uid, uid, uid).unwrap();
            let none = CapabilitySet::empty();
            let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
            rustix::thread::set_capabilities(None, sets).unwrap();
        } else {
            // A thread that has served requests lacks some capabilities, and so do its children.
            let mut sets = rustix::thread::capabilities(None).unwrap();
            sets.effective = sets.permitted;
            rustix::thread::set_capabilities(None, sets).unwrap();
        }
        f()
    };
    std::thread::spawn(life).join().unwrap()
}

fn file_of_owner(ground: &Ground, text: &str, mode: u32) {
    let path = ground.path(text);
    std::fs::write(&path, b"data").unwrap();
    std::os::unix::fs::chown(&path, Some(OWNER), Some(OWNER)).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn every_change_strips_what_it_strips_natively() {
    if !is_root() {
        return;
    }
    // On a thread of its own: requests leave it with the identity of the last caller.
    std::thread::spawn(|| {
        let ground = Ground::new(LocalOptions::default());
        std::fs::set_permissions(ground.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        for uid in [OWNER, 0] {
            for mode in [0o6755, 0o4755, 0o2755, 0o2745, 0o6777, 0o755] {
                for change in &CHANGES {
                    let text = format!("{uid}-{mode:o}-{}", change.name);
                    let (native, served) = (format!("{text} native"), format!("{text} served"));
                    live_as(0, {
                        let files = [ground.path(&native), ground.path(&served)];
                        move || {
                            for path in files {
                                std::fs::write(&path, b"data").unwrap();
                                std::os::unix::fs::chown(&path, Some(OWNER), Some(OWNER)).unwrap();
                                std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
                            }
                        }
                    });
                    let (run, path) = (change.native, ground.path(&native));
                    live_as(uid, move || run(&path)).unwrap();
                    let call = if uid == 0 { root() } else { user(uid) };
                    let node = ground.lookup(ROOT, &served).unwrap().node;
                    (change.served)(&ground, &call, node).unwrap();
                    let mode_of = |text: &str| std::fs::metadata(ground.path(text)).unwrap().mode() & 0o7777;
                    assert_eq!(mode_of(&served), mode_of(&native), "mode after {text}");
                }
            }
        }
    })
    .join()
    .unwrap();
}

/// Symptom: 2644 became 644 when a member by supplementary group wrote. Cause: changes were made without the caller's
/// supplementary groups. Fix: they are read where this mode makes them matter.
#[test]
fn set_group_id_without_execution_stays_for_members_by_a_supplementary_group() {
    const TEAM: u32 = 1077;
    const GROUPS: &[u32] = &[TEAM];
    if !is_root() {
        return;
    }
    let ground = Ground::new(LocalOptions::default());
    std::fs::set_permissions(ground.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    for (groups, mode) in [(GROUPS, 0o2644), (&[], 0o2644), (GROUPS, 0o2654), (GROUPS, 0o6644)] {
        for change in CHANGES.iter().filter(|change| change.name != "chmod") {
            let text = format!("{mode:o}-{}-{}", groups.len(), change.name);
            let names = [format!("{text} native"), format!("{text} served")];
            let paths = names.each_ref().map(|name| ground.path(name));
            let made = paths.clone();
            live_as(0, move || {
                for path in made {
                    std::fs::write(&path, b"data").unwrap();
                    std::os::unix::fs::chown(&path, Some(OWNER), Some(TEAM)).unwrap();
                    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
                }
            });
            let (run, path) = (change.native, paths[0].clone());
            live_in(OWNER, groups, move || run(&path)).unwrap();
            let node = ground.lookup(ROOT, &names[1]).unwrap().node;
            // The groups are those of a thread that exists during the call.
            let ((tell, told), (end, ended)) = (channel(), channel::<()>());
            let caller = std::thread::spawn(move || {
                live_in(OWNER, groups, move || {
                    tell.send(rustix::thread::gettid().as_raw_pid().unsigned_abs()).unwrap();
                    ended.recv().ok();
                });
            });
            let mut call = user(OWNER);
            call.caller.pid = told.recv().unwrap();
            (change.served)(&ground, &call, node).unwrap();
            drop(end);
            caller.join().unwrap();
            let modes = paths.map(|path| std::fs::metadata(path).unwrap().mode() & 0o7777);
            assert_eq!(modes[1], modes[0], "mode after {text}");
        }
    }
}

#[test]
fn a_write_by_anybody_strips_file_capabilities() {
    if !is_root() {
        return;
    }
    let ground = Ground::new(LocalOptions::default());
    // struct vfs_cap_data, revision 2, CAP_CHOWN permitted and effective.
    let mut capability = [0; 20];
    capability[..8].copy_from_slice(&[1, 0, 0, 2, 1, 0, 0, 0]);
    for call in [root(), user(OWNER)] {
        let file = ground.create(&call, ROOT, &format!("of-{}", call.caller.uid), 0o755).unwrap();
        let key = b"security.capability";
        ground.provider.setxattr(&root(), file.node, key, &capability, XattrFlags::empty()).unwrap();
        assert_eq!(ground.provider.getxattr(&root(), file.node, key).unwrap(), capability);
        ground.write(&call, file, b"x").unwrap();
        let left = ground.provider.getxattr(&root(), file.node, key).unwrap_err();
        assert_eq!(left.kind(), ErrorKind::NoData);
    }
}

#[test]
fn privileges_set_after_the_open_are_stripped_by_the_next_write() {
    if !is_root() {
        return;
    }
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&user(OWNER), ROOT, "file", 0o755).unwrap();
    let mode = || ground.getattr(file.node).unwrap().permissions;
    let chmod = SetAttr { permissions: Some(0o6755), ..SetAttr::default() };
    ground.provider.setattr(&user(OWNER), file.node, None, chmod).unwrap();
    assert_eq!(mode(), 0o6755);
    ground.write(&root(), file, b"x").unwrap();
    assert_eq!(mode(), 0o6755, "root keeps them, through the same handle");
    ground.write(&user(OWNER), file, b"x").unwrap();
    assert_eq!(mode(), 0o755);
}

#[test]
fn owner_and_permissions_in_one_change_end_as_asked() {
    if !is_root() {
        return;
    }
    let ground = Ground::new(LocalOptions::default());
    file_of_owner(&ground, "file", 0o644);
    let node = ground.provider.lookup(&root(), ROOT, name("file")).unwrap().node;
    let both = SetAttr { uid: Some(5), gid: Some(6), permissions: Some(0o6755), ..SetAttr::default() };
    let attr = ground.provider.setattr(&root(), node, None, both).unwrap();
    assert_eq!((attr.uid, attr.gid, attr.permissions), (5, 6, 0o6755));
}

#[test]
fn an_acl_takes_set_group_id_on_request_only() {
    // Version 2; entries of tag, permissions, id: owner rwx, user 7 r--, group r-x, mask rwx, others r-x.
    let mut acl = vec![2, 0, 0, 0];
    for (tag, permissions, id) in
        [(1_u16, 7_u16, u32::MAX), (2, 4, 7), (4, 5, u32::MAX), (0x10, 7, u32::MAX), (0x20, 5, u32::MAX)]
    {
        acl.extend(tag.to_le_bytes());
        acl.extend(permissions.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    const TEAM: u32 = 1077;
    if !is_root() {
        return;
    }
    let ground = Ground::new(LocalOptions::default());
    for call in [root(), user(OWNER)] {
        for (flags, kept) in [(XattrFlags::empty(), 0o2000), (XattrFlags::KILL_SETGID, 0)] {
            let text = format!("{}-{kept}", call.caller.uid);
            let node = ground.create(&root(), ROOT, &text, 0o755).unwrap().node;
            let team = SetAttr {
                uid: Some(call.caller.uid),
                gid: Some(TEAM),
                permissions: Some(0o2755),
                ..SetAttr::default()
            };
            ground.provider.setattr(&root(), node, None, team).unwrap();
            ground.provider.setxattr(&call, node, b"system.posix_acl_access", &acl, flags).unwrap();
            assert_eq!(ground.getattr(node).unwrap().permissions, 0o775 | kept, "{text}");
        }
    }
}
