//! POSIX access control lists (`acl(5)`) in the form in which extended attributes carry them.
//!
//! Invariant: a list is in canonical order with exactly one entry each for owner, group and others, and with a mask
//! if it names users or groups; [`Acl::parse`] is the only way to make one from bytes.

use fs9_sdk::{Error, ErrorKind, Result};

/// Version that begins the attribute's value (`POSIX_ACL_XATTR_VERSION`).
const VERSION: u32 = 2;
/// Bytes of the header and of each entry.
const HEADER_BYTES: usize = 4;
const ENTRY_BYTES: usize = 8;
/// What entries without a user or group carry as their id (`ACL_UNDEFINED_ID`).
const UNDEFINED_ID: u32 = u32::MAX;

/// What an entry is about, with the numbers of the attribute's format, in canonical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tag {
    Owner = 0x01,
    User = 0x02,
    OwningGroup = 0x04,
    Group = 0x08,
    Mask = 0x10,
    Others = 0x20,
}

impl Tag {
    fn from_number(number: u16) -> Option<Tag> {
        [Tag::Owner, Tag::User, Tag::OwningGroup, Tag::Group, Tag::Mask, Tag::Others]
            .into_iter()
            .find(|&tag| tag as u16 == number)
    }

    /// Returns whether the entry names somebody.
    fn is_named(self) -> bool {
        matches!(self, Tag::User | Tag::Group)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AclEntry {
    tag: Tag,
    permissions: u16,
    id: u32,
}

/// A valid access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acl(Box<[AclEntry]>);

impl Acl {
    /// Reads the value of an attribute; `None` stands for a list without entries, which removes what was set.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for another version, `EINVAL` for anything that is not a valid list (`acl_valid(3)`).
    pub(crate) fn parse(value: &[u8]) -> Result<Option<Acl>> {
        let invalid = || Error::new(ErrorKind::InvalidArgument);
        if value.is_empty() {
            return Ok(None);
        }
        let (header, body) = value.split_first_chunk::<HEADER_BYTES>().ok_or_else(invalid)?;
        if u32::from_le_bytes(*header) != VERSION {
            return Err(ErrorKind::NotSupported.into());
        }
        let (chunks, rest) = body.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Err(invalid());
        }
        let entries: Option<Box<[AclEntry]>> = chunks.iter().map(parse_entry).collect();
        let entries = entries.ok_or_else(invalid)?;
        match entries.is_empty() {
            true => Ok(None),
            false if is_valid(&entries) => Ok(Some(Acl(entries))),
            false => Err(invalid()),
        }
    }

    /// Returns the list as the value of an attribute.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.byte_len());
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        for entry in &self.0 {
            bytes.extend_from_slice(&(entry.tag as u16).to_le_bytes());
            bytes.extend_from_slice(&entry.permissions.to_le_bytes());
            bytes.extend_from_slice(&entry.id.to_le_bytes());
        }
        bytes
    }

    /// Returns the length of [`Acl::to_bytes`].
    pub(crate) fn byte_len(&self) -> usize {
        HEADER_BYTES + self.0.len() * ENTRY_BYTES
    }

    /// Returns whether the list says no more than nine permission bits can.
    pub(crate) fn is_minimal(&self) -> bool {
        self.0.len() == 3
    }

    /// Returns the permission bits that the list stands for; the group's are those of the mask where there is one.
    pub(crate) fn permissions(&self) -> u16 {
        let class = |shift: u16| self.0[self.class_index(shift)].permissions << shift;
        class(6) | class(3) | class(0)
    }

    /// Follows a `chmod` (`posix_acl_chmod` of Linux).
    pub(crate) fn set_permissions(&mut self, permissions: u16) {
        for shift in [6, 3, 0] {
            let index = self.class_index(shift);
            self.0[index].permissions = permissions >> shift & 0o7;
        }
    }

    /// Narrows a default list to what a creator asks for and returns the permissions of the new object and the list,
    /// which becomes its access list (`posix_acl_create` of Linux).
    pub(crate) fn for_new_object(&self, permissions: u16) -> (u16, Acl) {
        let mut acl = self.clone();
        let narrowed = permissions & 0o777 & acl.permissions();
        acl.set_permissions(narrowed);
        (permissions & 0o7000 | narrowed, acl)
    }

    /// Returns the index of the entry that stands behind the permission bits at `shift`.
    fn class_index(&self, shift: u16) -> usize {
        let tag = match shift {
            6 => Tag::Owner,
            3 if self.0.iter().any(|entry| entry.tag == Tag::Mask) => Tag::Mask,
            3 => Tag::OwningGroup,
            _ => Tag::Others,
        };
        let found = self.0.iter().position(|entry| entry.tag == tag);
        #[expect(clippy::expect_used, reason = "is_valid demands each of these entries")]
        found.expect("a valid list has an entry for each class")
    }
}

fn parse_entry(bytes: &[u8; ENTRY_BYTES]) -> Option<AclEntry> {
    let [t0, t1, p0, p1, id @ ..] = *bytes;
    let tag = Tag::from_number(u16::from_le_bytes([t0, t1]))?;
    let permissions = u16::from_le_bytes([p0, p1]);
    let given = u32::from_le_bytes(id);
    let nobody = tag.is_named() && given == UNDEFINED_ID;
    let id = if tag.is_named() { given } else { UNDEFINED_ID };
    (permissions <= 0o7 && !nobody).then_some(AclEntry { tag, permissions, id })
}

fn is_valid(entries: &[AclEntry]) -> bool {
    let count = |tag| entries.iter().filter(|entry| entry.tag == tag).count();
    let named = count(Tag::User) + count(Tag::Group);
    entries.is_sorted_by_key(|entry| entry.tag)
        && [Tag::Owner, Tag::OwningGroup, Tag::Others].into_iter().all(|tag| count(tag) == 1)
        && (count(Tag::Mask) == 1 || count(Tag::Mask) == 0 && named == 0)
}

#[cfg(test)]
mod tests {
    use super::{Acl, UNDEFINED_ID};
    use fs9_sdk::ErrorKind;

    fn value(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            bytes.extend_from_slice(&tag.to_le_bytes());
            bytes.extend_from_slice(&permissions.to_le_bytes());
            bytes.extend_from_slice(&id.to_le_bytes());
        }
        bytes
    }

    const FULL: [(u16, u16, u32); 5] = [
        (1, 7, UNDEFINED_ID),
        (2, 6, 1000),
        (4, 5, UNDEFINED_ID),
        (16, 6, UNDEFINED_ID),
        (32, 1, UNDEFINED_ID),
    ];

    fn full() -> Acl {
        Acl::parse(&value(&FULL)).unwrap().unwrap()
    }

    #[test]
    fn a_list_survives_the_way_there_and_back() {
        assert_eq!(full().to_bytes(), value(&FULL));
        assert_eq!(full().byte_len(), value(&FULL).len());
        assert!(!full().is_minimal());
    }

    #[test]
    fn the_mask_stands_behind_the_bits_of_the_group() {
        let mut acl = full();
        assert_eq!(acl.permissions(), 0o761);
        acl.set_permissions(0o640);
        assert_eq!(acl.permissions(), 0o640);
        assert_eq!(acl.to_bytes()[4 + 16 + 2], 5, "the owning group keeps its own bits");
    }

    #[test]
    fn a_new_object_gets_no_more_than_its_creator_asks_for() {
        let (permissions, acl) = full().for_new_object(0o4666);
        assert_eq!(permissions, 0o4660);
        assert_eq!(acl.permissions(), 0o660);
    }

    #[test]
    fn lists_without_entries_mean_none() {
        assert_eq!(Acl::parse(b"").unwrap(), None);
        assert_eq!(Acl::parse(&value(&[])).unwrap(), None);
    }

    #[test]
    fn what_is_not_a_valid_list_is_refused() {
        let minimal = [FULL[0], FULL[2], FULL[4]];
        assert!(Acl::parse(&value(&minimal)).unwrap().unwrap().is_minimal());
        let bad: [&[(u16, u16, u32)]; 7] = [
            &FULL[..4],
            &[FULL[0], FULL[1], FULL[2], FULL[4]],
            &[FULL[2], FULL[0], FULL[4]],
            &[FULL[0], FULL[0], FULL[2], FULL[4]],
            &[(1, 8, UNDEFINED_ID), FULL[2], FULL[4]],
            &[FULL[0], (2, 7, UNDEFINED_ID), FULL[2], FULL[3], FULL[4]],
            &[FULL[0], FULL[2], (64, 0, 0), FULL[4]],
        ];
        for entries in bad {
            assert_eq!(Acl::parse(&value(entries)).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
        let whole = value(&FULL);
        for cut in [1, 3, 5, whole.len() - 1] {
            assert_eq!(Acl::parse(&whole[..cut]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
        assert_eq!(Acl::parse(&3u32.to_le_bytes()).unwrap_err().kind(), ErrorKind::NotSupported);
    }
}
