//! From a provider's object to the number that users see as `st_ino`.
//!
//! Invariant: a number depends on what the object is, never on the order of lookups, unless two objects collide;
//! so it is the same after `FORGET`, restart and remount for every provider with stable ids.
//!
//! The mount at `/` shows the numbers of its first device as they are. Every other object gets a 64-bit mix of the
//! mount's salt, its device and its number, with the top bit set: that half of the numbers is not used by the disk
//! file systems, so both kinds rarely meet. The salt is a hash of the mount's path, since a mount that is made again
//! at the same path must show the same numbers, whatever was mounted before it.

use fs9_sdk::ObjectId;

/// What the kernel knows an inode by; also `st_ino`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ino(pub u64);

impl Ino {
    /// The root of the mount (`FUSE_ROOT_ID`).
    pub const ROOT: Ino = Ino(1);
}

/// Set in every number that does not come from the provider as it is.
const MIXED: u64 = 1 << 63;

/// Numbers below this one mean something to the kernel: none, and the root.
const RESERVED: u64 = 2;

/// How the numbers of one mount come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbering {
    /// Tells this mount's objects from those of others.
    pub(crate) salt: u64,
    /// The numbers of the first device are shown as they are.
    pub(crate) native: bool,
}

impl Numbering {
    /// Returns the numbering of a mount at a path; `native` for the one at `/`.
    pub(crate) fn of_path(path: &[u8], native: bool) -> Numbering {
        Numbering {
            salt: path.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| mix(hash ^ u64::from(byte))),
            native,
        }
    }

    /// Returns the number of an object, before collisions.
    pub(crate) fn ino(self, id: ObjectId) -> Ino {
        if self.native && id.device == 0 && id.number >= RESERVED && id.number & MIXED == 0 {
            return Ino(id.number);
        }
        Ino(mix(mix(self.salt ^ mix(id.device)) ^ id.number) | MIXED)
    }
}

/// A bijection in which each bit of the input changes half of the output (the finaliser of SplitMix64).
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Ino, MIXED, Numbering};
    use fs9_sdk::ObjectId;
    use std::collections::HashSet;

    fn object(device: u64, number: u64) -> ObjectId {
        ObjectId { device, number, generation: 0 }
    }

    #[test]
    fn the_first_device_of_the_root_mount_shows_its_own_numbers() {
        let root = Numbering::of_path(b"/", true);
        assert_eq!(root.ino(object(0, 2)), Ino(2));
        assert_eq!(root.ino(object(0, 1 << 40)), Ino(1 << 40));
    }

    #[test]
    fn reserved_foreign_and_huge_numbers_are_mixed() {
        let root = Numbering::of_path(b"/", true);
        for id in [object(0, 0), object(0, 1), object(7, 2), object(0, 1 << 63 | 5)] {
            assert_ne!(root.ino(id).0 & MIXED, 0);
        }
        assert_ne!(Numbering::of_path(b"/a", false).ino(object(0, 2)).0 & MIXED, 0);
    }

    #[test]
    fn devices_mounts_and_numbers_do_not_meet() {
        let mut seen = HashSet::new();
        for path in [&b"/a"[..], b"/b", b"/ab"] {
            let numbering = Numbering::of_path(path, false);
            for device in 0..8 {
                for number in 0..512 {
                    assert!(seen.insert(numbering.ino(object(device, number))));
                }
            }
        }
    }

    #[test]
    fn a_path_always_gives_the_same_numbers() {
        let first = Numbering::of_path(b"/data", false).ino(object(0, 42));
        assert_eq!(first, Numbering::of_path(b"/data", false).ino(object(0, 42)));
    }
}
