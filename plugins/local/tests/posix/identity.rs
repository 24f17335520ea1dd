//! What requests make belongs to their callers, with the permissions that the same call gives natively.
//!
//! Each test compares with a thread that really is that user. All need root.

use crate::ground::{Ground, ROOT, is_root, name, root};
use fs9_local::LocalOptions;
use fs9_sdk::{Attr, Call, Caller, NewNode, NodeId, OpenFlags, OpenNode, Provider, SetAttr, XattrFlags};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, linkat, mkdirat, mknodat, openat, symlinkat};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc;

/// The group that the set-group-ID directory belongs to.
const TEAM: u32 = 4321;

/// Someone who asks: user, group, supplementary groups, umask.
#[derive(Clone)]
struct Person {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    umask: u32,
}

impl Person {
    fn new(uid: u32, groups: &[u32], umask: u32) -> Person {
        Person { uid, gid: uid, groups: groups.to_vec(), umask }
    }

    /// Runs `f` on a thread that is this person, and gives it their call.
    fn live<T: Send + 'static>(&self, f: impl FnOnce(Call) -> T + Send + 'static) -> T {
        let person = self.clone();
        let life = move || {
            // Prepared, the thread has a umask of its own.
            fs9_sys::credentials::prepare_request_thread().unwrap();
            let pid = rustix::thread::gettid().as_raw_pid().unsigned_abs();
            rustix::process::umask(Mode::from_raw_mode(person.umask));
            let groups: Vec<Gid> = person.groups.iter().map(|group| Gid::from_raw(*group)).collect();
            set_thread_groups(&groups).unwrap();
            let gid = Gid::from_raw(person.gid);
            set_thread_res_gid(gid, gid, gid).unwrap();
            let uid = Uid::from_raw(person.uid);
            set_thread_res_uid(uid, uid, uid).unwrap();
            if person.uid != 0 {
                // NO_SETUID_FIXUP is in force: capabilities do not go by themselves.
                let none = rustix::thread::CapabilitySet::empty();
                let sets =
                    rustix::thread::CapabilitySets { effective: none, permitted: none, inheritable: none };
                rustix::thread::set_capabilities(None, sets).unwrap();
            } else {
                let mut sets = rustix::thread::capabilities(None).unwrap();
                sets.effective = sets.permitted;
                rustix::thread::set_capabilities(None, sets).unwrap();
            }
            let caller =
                Caller { uid: person.uid, gid: person.gid, pid, umask: person.umask, parent_group: None };
            f(Call::by(caller))
        };
        std::thread::spawn(life).join().unwrap()
    }
}

/// What matters of an object that was made.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    mode: u32,
    uid: u32,
    gid: u32,
}

impl From<Attr> for Made {
    fn from(attr: Attr) -> Made {
        Made { mode: attr.mode(), uid: attr.uid, gid: attr.gid }
    }
}

fn seen(path: &Path) -> Made {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    Made { mode: metadata.mode(), uid: metadata.uid(), gid: metadata.gid() }
}

/// Makes one object of each kind in `native` as `person`, the same through the provider in `served` on their behalf,
/// and compares.
fn compare(ground: &Ground, person: &Person, native: &str, served: (&str, NodeId), permissions: u16) {
    let (path, mode) = (ground.path(native), Mode::from_raw_mode(permissions.into()));
    let (met, meet) = mpsc::channel::<Call>();
    let (done, finish) = mpsc::channel::<()>();
    let person_made = person.clone();
    let life = std::thread::spawn(move || {
        person_made.live(move |call| {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
            openat(CWD, path.join("file"), flags, mode).unwrap();
            mkdirat(CWD, path.join("dir"), mode).unwrap();
            mknodat(CWD, path.join("fifo"), FileType::Fifo, mode, 0).unwrap();
            symlinkat("target", CWD, path.join("link")).unwrap();
            let unnamed = openat(CWD, &path, OFlags::TMPFILE | OFlags::RDWR, mode).unwrap();
            let magic = format!("/proc/self/fd/{}", unnamed.as_raw_fd());
            linkat(CWD, magic, CWD, path.join("unnamed"), AtFlags::SYMLINK_FOLLOW).unwrap();
            // The groups of a caller can be read while it lives.
            met.send(call).unwrap();
            finish.recv().unwrap();
        });
    });
    let call = meet.recv().unwrap();
    let (text, dir) = served;
    let provider = &ground.provider;
    let file = ground.create(&call, dir, "file", permissions).unwrap();
    provider.mkdir(&call, dir, name("dir"), permissions).unwrap();
    let fifo = NewNode { mode: 0o010_000 | u32::from(permissions), rdev: 0 };
    provider.mknod(&call, dir, name("fifo"), fifo).unwrap();
    provider.symlink(&call, dir, name("link"), b"target").unwrap();
    let (unnamed, opened) = provider.tmpfile(&call, dir, permissions, OpenFlags::READ_WRITE).unwrap();
    provider.release(OpenNode { node: unnamed.node, handle: opened.handle });
    done.send(()).unwrap();
    life.join().unwrap();
    assert_eq!(Made::from(unnamed.attr), seen(&ground.path(native).join("unnamed")), "before it has a name");
    provider.link(&call, unnamed.node, dir, name("unnamed")).unwrap();

    assert_eq!(Made::from(ground.getattr(file.node).unwrap()), seen(&ground.path(native).join("file")));
    for kind in ["file", "dir", "fifo", "link", "unnamed"] {
        let (is, should) = (seen(&ground.path(text).join(kind)), seen(&ground.path(native).join(kind)));
        assert_eq!(is, should, "{kind} of user {} with mode {permissions:o} in {text}", person.uid);
    }
}

/// Makes two directories of equal owner, mode and ACL, in which everybody may write.
fn twins(ground: &Ground, text: &str, permissions: u16, gid: u32, acl: Option<&[u8]>) -> NodeId {
    let mut node = ROOT;
    for side in ["native", "served"] {
        let entry = ground.provider.mkdir(&root(), ROOT, name(&format!("{text}-{side}")), 0o755).unwrap();
        node = entry.node;
        let owner = SetAttr { gid: Some(gid), permissions: Some(permissions), ..SetAttr::default() };
        ground.provider.setattr(&root(), node, None, owner).unwrap();
        if let Some(acl) = acl {
            let key = b"system.posix_acl_default";
            ground.provider.setxattr(&root(), node, key, acl, XattrFlags::empty()).unwrap();
        }
    }
    node
}

fn people() -> Vec<Person> {
    vec![
        Person::new(0, &[], 0o022),
        Person::new(1000, &[], 0o027),
        Person::new(1001, &[TEAM, 5], 0),
        Person::new(1002, &[6, 7], 0o077),
    ]
}

fn everything_comes_out_as_natively(permissions: u16, gid: u32, acl: Option<&[u8]>) {
    if !is_root() {
        return;
    }
    let ground = Ground::new(LocalOptions::default());
    std::fs::set_permissions(ground.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (at, person) in people().iter().enumerate() {
        for mode in [0o666, 0o777, 0o6755, 0o2755, 0o1640, 0o2644] {
            let text = format!("{at}-{mode:o}");
            let served = twins(&ground, &text, permissions, gid, acl);
            compare(&ground, person, &format!("{text}-native"), (&format!("{text}-served"), served), mode);
        }
    }
}

#[test]
fn objects_in_a_plain_directory_belong_to_their_maker() {
    everything_comes_out_as_natively(0o777, 0, None);
}

#[test]
fn objects_in_a_setgid_directory_belong_to_its_group() {
    everything_comes_out_as_natively(0o2777, TEAM, None);
}

#[test]
fn the_group_that_the_kernel_told_needs_no_look_at_the_process() {
    const SETGID_PROGRAM: u16 = 0o2755;
    if !is_root() {
        return;
    }
    let ground = Ground::new(LocalOptions::default());
    let dir = twins(&ground, "told", 0o2777, TEAM, None);
    for (at, (parent_group, kept)) in [(None, 0), (Some(TEAM), 0o2000), (Some(5), 0)].into_iter().enumerate()
    {
        let Call { caller, .. } = crate::ground::user(1001);
        assert_eq!(caller.pid, 0, "there is no process to look at");
        let call = Call::by(Caller { parent_group, ..caller });
        let file = ground.create(&call, dir, &format!("f{at}"), SETGID_PROGRAM).unwrap();
        let attr = ground.getattr(file.node).unwrap();
        assert_eq!((attr.gid, attr.permissions), (TEAM, 0o755 | kept), "told {parent_group:?}");
    }
}

#[test]
fn a_default_acl_takes_the_place_of_the_umask() {
    // Version 2; entries of tag, permissions, id: owner rwx, group r-x, mask rwx, others r--, and user 7 rw-.
    let mut acl = vec![2, 0, 0, 0];
    for (tag, permissions, id) in
        [(1_u16, 7_u16, u32::MAX), (2, 6, 7), (4, 5, u32::MAX), (0x10, 7, u32::MAX), (0x20, 4, u32::MAX)]
    {
        acl.extend(tag.to_le_bytes());
        acl.extend(permissions.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    everything_comes_out_as_natively(0o2777, TEAM, Some(&acl));
}

#[test]
fn a_whiteout_belongs_to_whoever_renames() {
    if !is_root() {
        return;
    }
    let ground = Ground::new(LocalOptions::default());
    ground.create(&root(), ROOT, "old", 0o644).unwrap();
    let place = |text| fs9_sdk::Place { parent: ROOT, name: name(text) };
    let flags = fs9_sdk::RenameFlags::WHITEOUT;
    ground.provider.rename(&crate::ground::user(77), place("old"), place("new"), flags).unwrap();
    assert_eq!(ground.lookup(ROOT, "old").unwrap().attr.uid, 77);
    assert_eq!(ground.lookup(ROOT, "new").unwrap().attr.uid, 0);
}
