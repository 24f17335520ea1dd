//! A mount that is mounted once more with other users (`mount_setattr(2)`, "ID-mapped mounts"), beside a native directory
//! that is mounted in the same way.

use fs9_tests::{Actor, Mounted, require_root};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What users of the file system are shifted by in the idmapped mount.
const SHIFT: u32 = 100_000;

/// Alice, as she is called where users are shifted.
const SHIFTED_ALICE: Actor = Actor { uid: Actor::ALICE.uid + SHIFT, gid: Actor::ALICE.gid + SHIFT };

/// Mounts a directory once more. The arguments are the directory, where it goes, and the shift. util-linux has no option
/// for it before 2.39.
const MOUNT_IDMAPPED: &str = r#"
import ctypes, os, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        sys.exit(f"{name}: {os.strerror(ctypes.get_errno())}")
    return result
source, target, shift = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3]
class MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]
holder = subprocess.Popen(["unshare", "--user", "sleep", "60"])
try:
    deadline = time.monotonic() + 10
    while os.readlink(f"/proc/{holder.pid}/ns/user") == os.readlink("/proc/self/ns/user"):
        if time.monotonic() > deadline:
            sys.exit("no user namespace comes")
        time.sleep(0.01)
    for kind in ("uid", "gid"):
        with open(f"/proc/{holder.pid}/{kind}_map", "w") as file:
            file.write(f"0 {shift} 65536")
    users = os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY)
finally:
    holder.kill()
    holder.wait()
AT_FDCWD, AT_EMPTY_PATH, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH, MOUNT_ATTR_IDMAP = -100, 0x1000, 1, 4, 0x100000
tree = call("open_tree", 428, AT_FDCWD, source, OPEN_TREE_CLONE | os.O_CLOEXEC)
attr = MountAttr(MOUNT_ATTR_IDMAP, 0, 0, users)
call("mount_setattr", 442, tree, b"", AT_EMPTY_PATH, ctypes.byref(attr), ctypes.sizeof(attr))
call("move_mount", 429, tree, b"", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)
"#;

/// A directory that is mounted once more with shifted users.
struct Idmapped(PathBuf);

impl Idmapped {
    fn new(source: &Path, target: PathBuf) -> Idmapped {
        std::fs::create_dir(&target).unwrap();
        let shift = SHIFT.to_string();
        let mounted =
            Command::new("python3").args(["-c", MOUNT_IDMAPPED]).args([source, &target]).arg(shift).output();
        let mounted = mounted.unwrap();
        assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        Idmapped(target)
    }
}

impl Drop for Idmapped {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).ok();
    }
}

/// Returns whether FUSE can be mounted so: from Linux 6.12 on.
fn kernel_maps_users_of_fuse() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
    (numbers.next(), numbers.next()) >= (Some(6_u32), Some(12))
}

/// Makes what there is before: a directory for all, with a file of Alice and one of root.
fn prepare(dir: &Path) {
    std::fs::create_dir(dir).unwrap();
    std::fs::set_permissions(dir, Permissions::from_mode(0o777)).unwrap();
    for (name, owner) in [("of-alice", Actor::ALICE.uid), ("of-root", 0)] {
        std::fs::write(dir.join(name), name).unwrap();
        std::fs::set_permissions(dir.join(name), Permissions::from_mode(0o600)).unwrap();
        chown(dir.join(name), Some(owner), Some(owner)).unwrap();
    }
}

fn outcome<T>(result: std::io::Result<T>) -> i32 {
    result.err().map_or(0, |error| error.raw_os_error().unwrap_or(-1))
}

/// Works as a user where users are shifted and returns what came of each step.
fn work(dir: &Path, user: Actor) -> Vec<i32> {
    let dir = dir.to_owned();
    user.run(move || {
        vec![
            outcome(std::fs::write(dir.join("file"), b"new")),
            outcome(std::fs::create_dir(dir.join("dir"))),
            outcome(symlink("target", dir.join("link"))),
            outcome(std::fs::hard_link(dir.join("of-alice"), dir.join("second-name"))),
            outcome(std::fs::read(dir.join("of-alice"))),
            outcome(std::fs::write(dir.join("of-alice"), b"longer than before")),
            outcome(std::fs::set_permissions(dir.join("of-alice"), Permissions::from_mode(0o640))),
            outcome(std::fs::read(dir.join("of-root"))),
            outcome(chown(dir.join("of-root"), Some(user.uid), None)),
            outcome(std::fs::rename(dir.join("file"), dir.join("renamed"))),
            outcome(std::fs::remove_dir(dir.join("dir"))),
        ]
    })
}

/// Returns name, owner, group, mode and size of all that is in a directory, sorted by name.
fn owners(dir: &Path) -> Vec<(std::ffi::OsString, u32, u32, u32, u64)> {
    let mut all: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            (entry.file_name(), metadata.uid(), metadata.gid(), metadata.mode(), metadata.len())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn users_are_mapped_as_natively_where_the_mount_is_mounted_once_more() {
    if !require_root() || !kernel_maps_users_of_fuse() {
        return;
    }
    for options in ["allow_other,idmap", "allow_other,idmap,passthrough=off"] {
        let mount = Mounted::local(options);
        let [here, there] = [mount.path("shared"), mount.outside("shared")];
        let [mapped, native] = [(&here, "mapped"), (&there, "native")].map(|(dir, name)| {
            prepare(dir);
            Idmapped::new(dir, mount.outside(name))
        });
        // Who is mapped, and who has no place in the map at all.
        for user in [SHIFTED_ALICE, Actor::BOB] {
            assert_eq!(work(&mapped.0, user), work(&native.0, user), "{options}: {user:?}");
            assert_eq!(owners(&mapped.0), owners(&native.0), "{options}: {user:?}, shifted");
            assert_eq!(owners(&here), owners(&there), "{options}: {user:?}, as they are");
        }
        for dir in [&mapped.0, &native.0] {
            lchown(dir.join("link"), Some(SHIFT), Some(SHIFT)).unwrap();
        }
        assert_eq!(owners(&here), owners(&there), "{options}: given to the root of the map");
        assert!(owners(&here).iter().any(|(name, uid, ..)| name == "renamed" && *uid == Actor::ALICE.uid));
    }
}
