//! Rules about set-user-ID and set-group-ID, in one place.

use fs9_sdk::Caller;

const SETUID: u16 = 0o4000;
/// On a directory: what is made in it belongs to its group. On a program: it runs with its group.
pub(crate) const SETGID: u16 = 0o2000;
/// Without it, set-group-ID of a file means mandatory locking and is no privilege.
const GROUP_EXECUTE: u16 = 0o010;

/// Returns whether a file with these permissions runs with its group.
pub(crate) const fn is_setgid_program(permissions: u16) -> bool {
    permissions & SETGID != 0 && permissions & GROUP_EXECUTE != 0
}

/// Returns the permissions without the rights that running the file would give (`setattr_should_drop_suidgid` of
/// Linux). Somebody outside of the file's group takes set-group-ID from it in any case.
pub(crate) const fn without_privileges(permissions: u16, by_outsider: bool) -> u16 {
    let kept = permissions & !SETUID;
    if is_setgid_program(kept) || by_outsider { kept & !SETGID } else { kept }
}

/// Returns whether the permissions hold set-group-ID that only somebody outside of the group takes away.
pub(crate) const fn keeps_setgid_for_members(permissions: u16) -> bool {
    permissions & SETGID != 0 && !is_setgid_program(permissions)
}

/// Returns whether the caller belongs to a group, or needs not to, as `CAP_FSETID` allows. It may read `/proc`, so no
/// lock is held.
pub(crate) fn is_in_group(caller: &Caller, gid: u32) -> bool {
    caller.uid == 0
        || caller.gid == gid
        || caller.supplementary_groups().is_ok_and(|groups| groups.contains(&gid))
}

#[cfg(test)]
mod tests {
    use super::without_privileges;
    use fs9_sdk::{Attr, FileType, ObjectId, Timestamp};

    #[test]
    fn the_rule_is_that_of_the_sdk() {
        let time = Timestamp::default();
        for permissions in 0..=0o7777 {
            let attr = Attr {
                id: ObjectId { device: 0, number: 1, generation: 0 },
                kind: FileType::Regular,
                permissions,
                nlink: 1,
                uid: 0,
                gid: 0,
                rdev: 0,
                size: 0,
                blocks: 0,
                block_size: 4096,
                atime: time,
                mtime: time,
                ctime: time,
                btime: None,
            };
            assert_eq!(without_privileges(permissions, false), attr.permissions_without_privilege());
        }
    }
}
