//! Set-user-ID and set-group-ID: what they are worth, and who loses them by changing a file.
//!
//! Directories are not meant here: on them set-group-ID only says whose group a new entry gets.

/// The set-user-ID bit: a program runs with the rights of its owner.
pub const SETUID: u16 = 0o4000;
/// The set-group-ID bit: a program runs with the rights of its group, an entry of a directory belongs to its group.
pub const SETGID: u16 = 0o2000;
/// The execute bit of the group. Without it, set-group-ID of a file means mandatory locking and is no privilege.
const GROUP_EXECUTE: u16 = 0o010;

/// Returns whether a file with these permissions runs with its group.
pub const fn is_setgid_program(permissions: u16) -> bool {
    permissions & SETGID != 0 && permissions & GROUP_EXECUTE != 0
}

/// Returns whether the permissions hold set-group-ID that only somebody outside of the group takes away by changing the
/// file. Only then it matters whether the one who changes it is in the group.
pub const fn keeps_setgid_for_members(permissions: u16) -> bool {
    permissions & SETGID != 0 && !is_setgid_program(permissions)
}

/// Returns the permissions of a file after a change by one without `CAP_FSETID`: set-user-ID goes, set-group-ID goes where
/// the group may execute, and in any case where the change is made by somebody outside of the group
/// (`setattr_should_drop_suidgid`, Linux).
pub const fn without_privileges(permissions: u16, by_outsider: bool) -> u16 {
    let kept = permissions & !SETUID;
    if is_setgid_program(kept) || by_outsider { kept & !SETGID } else { kept }
}

#[cfg(test)]
mod tests {
    use super::{keeps_setgid_for_members, without_privileges};

    #[test]
    fn a_change_takes_what_the_kernel_takes() {
        for (before, by_member, by_outsider) in [
            (0o0777, 0o0777, 0o0777),
            (0o4755, 0o0755, 0o0755),
            (0o2755, 0o0755, 0o0755),
            (0o6745, 0o2745, 0o0745),
            (0o2666, 0o2666, 0o0666),
            (0o1666, 0o1666, 0o1666),
        ] {
            assert_eq!(without_privileges(before, false), by_member, "{before:o}");
            assert_eq!(without_privileges(before, true), by_outsider, "{before:o}");
        }
    }

    #[test]
    fn the_group_matters_exactly_where_it_is_said_to() {
        for permissions in 0..=0o7777 {
            let differs = without_privileges(permissions, true) != without_privileges(permissions, false);
            assert_eq!(keeps_setgid_for_members(permissions), differs, "{permissions:o}");
        }
    }
}
