//! The ioctls that are served, and that no others are.

use crate::ground::{Ground, ROOT, kind, root, user};
use fs9_local::LocalOptions;
use fs9_sdk::{Call, ErrorKind, IoctlFlags, IoctlReply, IoctlRequest, OpenNode, Provider, Result, SetAttr};

const GET_FLAGS: u32 = 0x8008_6601;
const SET_FLAGS: u32 = 0x4008_6602;
const GET_EXTENDED: u32 = 0x801c_581f;
const SET_EXTENDED: u32 = 0x401c_5820;
const NODUMP: u32 = 0x40;
const IMMUTABLE: u32 = 0x10;

fn ioctl(ground: &Ground, call: &Call, file: OpenNode, command: u32, input: &[u8]) -> Result<IoctlReply> {
    let request = IoctlRequest { command, flags: IoctlFlags::empty(), input, output_max: 28 };
    ground.provider.ioctl(call, file, request)
}

/// A file of user 1000 and its flags, or `None` where the file system keeps none.
fn file_with_flags(ground: &Ground) -> Option<(OpenNode, u32)> {
    let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
    let owner = SetAttr { uid: Some(1000), ..SetAttr::default() };
    // An ordinary user cannot give files away, and owns this one already.
    drop(ground.provider.setattr(&root(), file.node, None, owner));
    let reply = ioctl(ground, &root(), file, GET_FLAGS, &[]).ok()?;
    Some((file, u32::from_ne_bytes(*reply.output.first_chunk().unwrap())))
}

#[test]
fn the_owner_changes_inode_flags_and_nobody_else() {
    let ground = Ground::new(LocalOptions::default());
    let Some((file, flags)) = file_with_flags(&ground) else { return };
    let owner = ground.getattr(file.node).unwrap().uid;
    let set = |call: &Call, flags: u32| ioctl(&ground, call, file, SET_FLAGS, &flags.to_ne_bytes());
    assert_eq!(kind(set(&user(2000), flags | NODUMP)), Some(ErrorKind::NotPermitted));
    set(&user(owner), flags | NODUMP).unwrap();
    let now = ioctl(&ground, &user(2000), file, GET_FLAGS, &[]).unwrap().output;
    assert_eq!(now[..4], (flags | NODUMP).to_ne_bytes());
    assert_eq!(now.len(), 28, "as long as was asked for");
    if owner != 0 {
        let immutable = set(&user(owner), flags | IMMUTABLE);
        assert_eq!(kind(immutable), Some(ErrorKind::NotPermitted));
    }
}

#[test]
fn a_project_is_for_root_to_change() {
    let ground = Ground::new(LocalOptions::default());
    let Some((file, _)) = file_with_flags(&ground) else { return };
    let owner = ground.getattr(file.node).unwrap().uid;
    let Ok(present) = ioctl(&ground, &root(), file, GET_EXTENDED, &[]) else { return };
    let mut wanted = present.output.clone();
    ioctl(&ground, &user(owner), file, SET_EXTENDED, &wanted).unwrap();
    wanted[12] ^= 1;
    if owner != 0 {
        let changed = ioctl(&ground, &user(owner), file, SET_EXTENDED, &wanted);
        assert_eq!(kind(changed), Some(ErrorKind::NotPermitted));
    }
    assert_eq!(
        kind(ioctl(&ground, &root(), file, SET_EXTENDED, &wanted[..27])),
        Some(ErrorKind::InvalidArgument)
    );
}

#[test]
fn unknown_commands_are_refused_for_files_and_directories() {
    let ground = Ground::new(LocalOptions::default());
    let file = ground.create(&root(), ROOT, "file", 0o644).unwrap();
    let handle = ground.provider.opendir(&root(), ROOT).unwrap().handle;
    for open in [file, OpenNode { node: ROOT, handle }] {
        // FIBMAP, FICLONE, TIOCSTI and nonsense.
        for command in [1, 0x4004_9409, 0x5412, u32::MAX] {
            let refused = ioctl(&ground, &root(), open, command, &[0; 28]);
            assert_eq!(kind(refused), Some(ErrorKind::InappropriateIoctl));
        }
    }
}
