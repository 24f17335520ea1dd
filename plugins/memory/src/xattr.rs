//! Extended attributes of one object: their names, limits and what they cost.
//!
//! Invariant: every attribute that is kept is paid for in [`Space`] by [`cost`]; lists are kept as lists, not as
//! bytes, and an access list that says no more than permission bits is not kept at all.

use crate::acl::Acl;
use crate::node::{Meta, Node};
use crate::space::Space;
use fs9_sdk::{Error, ErrorKind, FileType, Result, XattrFlags};
use std::collections::BTreeMap;

/// The longest value and the longest list of names (`XATTR_SIZE_MAX`, `XATTR_LIST_MAX`).
const VALUE_BYTES_MAX: usize = 64 * 1024;
const LIST_BYTES_MAX: usize = 64 * 1024;
/// The longest name (`XATTR_NAME_MAX`).
const NAME_BYTES_MAX: usize = 255;
/// What an attribute costs beyond its name and value, in bytes: about what the map and the allocations need.
const OVERHEAD_BYTES: u64 = 96;
/// The list that decides access.
const ACCESS: &[u8] = b"system.posix_acl_access";
/// The list that new objects begin with.
const DEFAULT: &[u8] = b"system.posix_acl_default";
/// What gives a program rights of its own.
const CAPABILITY: &[u8] = b"security.capability";

/// The extended attributes of an object.
#[derive(Default)]
pub(crate) struct Extended {
    /// The list that decides access, if it says more than the permission bits.
    pub(crate) access_acl: Option<Acl>,
    /// The list that objects made in this directory begin with.
    pub(crate) default_acl: Option<Acl>,
    values: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

/// What a name stands for.
enum Kind {
    Access,
    Default,
    User,
    Plain,
}

/// Sorts a name into its namespace.
fn kind_of(name: &[u8]) -> Result<Kind> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(ErrorKind::OutOfRange.into());
    }
    let plain = [&b"trusted."[..], b"security."];
    match name {
        ACCESS => Ok(Kind::Access),
        DEFAULT => Ok(Kind::Default),
        b"user." | b"trusted." | b"security." => Err(ErrorKind::InvalidArgument.into()),
        _ if name.starts_with(b"user.") => Ok(Kind::User),
        _ if plain.iter().any(|prefix| name.starts_with(prefix)) => Ok(Kind::Plain),
        _ => Err(ErrorKind::NotSupported.into()),
    }
}

/// Returns what an attribute costs, in bytes.
fn cost(name_len: usize, value_len: usize) -> u64 {
    (name_len + value_len) as u64 + OVERHEAD_BYTES
}

fn acl_cost(acl: Option<&Acl>) -> u64 {
    acl.map_or(0, |acl| cost(ACCESS.len(), acl.byte_len()))
}

/// Returns the error for an attribute that does not exist.
fn absent() -> Error {
    ErrorKind::NoData.into()
}

impl Extended {
    /// Returns attributes with these lists only.
    pub(crate) fn with_acls(access_acl: Option<Acl>, default_acl: Option<Acl>) -> Option<Box<Extended>> {
        let none = access_acl.is_none() && default_acl.is_none();
        (!none).then(|| Box::new(Extended { access_acl, default_acl, values: BTreeMap::new() }))
    }

    /// Returns what all attributes cost together.
    pub(crate) fn total_cost(&self) -> u64 {
        let values: u64 = self.values.iter().map(|(name, value)| cost(name.len(), value.len())).sum();
        values + acl_cost(self.access_acl.as_ref()) + acl_cost(self.default_acl.as_ref())
    }

    fn is_empty(&self) -> bool {
        self.access_acl.is_none() && self.default_acl.is_none() && self.values.is_empty()
    }

    /// Returns the names in use; those of `trusted.` only where they may be seen.
    fn names(&self, with_trusted: bool) -> impl Iterator<Item = &[u8]> {
        let access = self.access_acl.is_some().then_some(ACCESS);
        let default = self.default_acl.is_some().then_some(DEFAULT);
        let values = self.values.keys().map(|name| &**name);
        let seen = move |name: &&[u8]| with_trusted || !name.starts_with(b"trusted.");
        access.into_iter().chain(default).chain(values).filter(seen)
    }
}

/// A change of one attribute.
pub(crate) struct Change<'a> {
    /// The name.
    pub(crate) name: &'a [u8],
    /// The new value.
    pub(crate) value: &'a [u8],
    /// Whether it must or must not exist.
    pub(crate) flags: XattrFlags,
    /// Whether set-group-ID goes where the list that decides access is set.
    pub(crate) drops_setgid: bool,
}

/// Returns the value of an attribute.
pub(crate) fn get(node: &Node, name: &[u8]) -> Result<Vec<u8>> {
    let kind = kind_of(name)?;
    let meta = node.meta.lock();
    match kind {
        Kind::Access => meta.access_acl().map(Acl::to_bytes),
        Kind::Default => meta.default_acl().map(Acl::to_bytes),
        Kind::User | Kind::Plain => {
            meta.extended.as_ref().and_then(|extended| extended.values.get(name)).map(|value| value.to_vec())
        }
    }
    .ok_or_else(absent)
}

/// Returns all names, each followed by a NUL.
pub(crate) fn list(node: &Node, with_trusted: bool) -> Vec<u8> {
    let meta = node.meta.lock();
    let names = meta.extended.iter().flat_map(|extended| extended.names(with_trusted));
    names.flat_map(|name| name.iter().copied().chain([0])).collect()
}

/// Sets an attribute.
pub(crate) fn set(node: &Node, space: &Space, change: &Change<'_>) -> Result<()> {
    let both = XattrFlags::CREATE | XattrFlags::REPLACE;
    if !both.contains(change.flags) {
        return Err(ErrorKind::InvalidArgument.into());
    }
    let kind = kind_of(change.name)?;
    if change.value.len() > VALUE_BYTES_MAX {
        return Err(ErrorKind::ArgumentListTooLong.into());
    }
    check_holder(&kind, node)?;
    let mut meta = node.meta.lock();
    let done = match kind {
        Kind::Access => set_access_acl(&mut meta, space, change),
        Kind::Default => set_default_acl(&mut meta, space, change, node.is_directory()),
        Kind::User | Kind::Plain => set_value(&mut meta, space, change),
    };
    drop_if_empty(&mut meta);
    done?;
    meta.ctime = fs9_sdk::Timestamp::now();
    Ok(())
}

/// Removes an attribute.
pub(crate) fn remove(node: &Node, space: &Space, name: &[u8]) -> Result<()> {
    let kind = kind_of(name)?;
    check_holder(&kind, node)?;
    let mut meta = node.meta.lock();
    // Removing a list that is not there succeeds, as natively: the permission bits are a list as well.
    let is_list = matches!(kind, Kind::Access | Kind::Default);
    let Some(extended) = meta.extended.as_mut() else {
        return if is_list { Ok(()) } else { Err(absent()) };
    };
    let freed = match kind {
        Kind::Access => acl_cost(extended.access_acl.take().as_ref()),
        Kind::Default => acl_cost(extended.default_acl.take().as_ref()),
        Kind::User | Kind::Plain => {
            let value = extended.values.remove(name).ok_or_else(absent)?;
            cost(name.len(), value.len())
        }
    };
    space.give_back_bytes(freed);
    drop_if_empty(&mut meta);
    meta.ctime = fs9_sdk::Timestamp::now();
    Ok(())
}

/// Removes what gives a program rights of its own; returns whether there was such a thing.
pub(crate) fn remove_capability(meta: &mut Meta, space: &Space) -> bool {
    let Some(extended) = &mut meta.extended else { return false };
    let Some(value) = extended.values.remove(CAPABILITY) else { return false };
    space.give_back_bytes(cost(CAPABILITY.len(), value.len()));
    drop_if_empty(meta);
    true
}

/// Refuses what an object of this type cannot have (`xattr(7)`).
fn check_holder(kind: &Kind, node: &Node) -> Result<()> {
    match (kind, node.kind()) {
        (Kind::User, FileType::Regular | FileType::Directory) | (Kind::Plain, _) => Ok(()),
        (Kind::User, _) => Err(ErrorKind::NotPermitted.into()),
        (Kind::Access | Kind::Default, FileType::Symlink) => Err(ErrorKind::NotSupported.into()),
        (Kind::Access | Kind::Default, _) => Ok(()),
    }
}

fn check_existence(flags: XattrFlags, exists: bool) -> Result<()> {
    match exists {
        true if flags.contains(XattrFlags::CREATE) => Err(ErrorKind::AlreadyExists.into()),
        false if flags.contains(XattrFlags::REPLACE) => Err(absent()),
        _ => Ok(()),
    }
}

fn exchange_cost(space: &Space, former: u64, new: u64) -> Result<()> {
    space.take_bytes(new.saturating_sub(former))?;
    space.give_back_bytes(former.saturating_sub(new));
    Ok(())
}

fn set_access_acl(meta: &mut Meta, space: &Space, change: &Change<'_>) -> Result<()> {
    let acl = Acl::parse(change.value)?;
    check_existence(change.flags, meta.access_acl().is_some())?;
    let kept = acl.clone().filter(|acl| !acl.is_minimal());
    exchange_cost(space, acl_cost(meta.access_acl()), acl_cost(kept.as_ref()))?;
    meta.extended.get_or_insert_default().access_acl = kept;
    if let Some(acl) = acl {
        let special = if change.drops_setgid { 0o5000 } else { 0o7000 };
        meta.permissions = meta.permissions & special | acl.permissions();
    }
    Ok(())
}

fn set_default_acl(meta: &mut Meta, space: &Space, change: &Change<'_>, is_directory: bool) -> Result<()> {
    let acl = Acl::parse(change.value)?;
    if acl.is_some() && !is_directory {
        return Err(ErrorKind::AccessDenied.into());
    }
    check_existence(change.flags, meta.default_acl().is_some())?;
    exchange_cost(space, acl_cost(meta.default_acl()), acl_cost(acl.as_ref()))?;
    meta.extended.get_or_insert_default().default_acl = acl;
    Ok(())
}

fn set_value(meta: &mut Meta, space: &Space, change: &Change<'_>) -> Result<()> {
    let extended = meta.extended.get_or_insert_default();
    let former = extended.values.get(change.name).map(|value| cost(change.name.len(), value.len()));
    check_existence(change.flags, former.is_some())?;
    if former.is_none() {
        let listed: usize = extended.names(true).map(|name| name.len() + 1).sum();
        if listed + change.name.len() + 1 > LIST_BYTES_MAX {
            return Err(ErrorKind::NoSpace.into());
        }
    }
    exchange_cost(space, former.unwrap_or(0), cost(change.name.len(), change.value.len()))?;
    extended.values.insert(change.name.into(), change.value.into());
    Ok(())
}

fn drop_if_empty(meta: &mut Meta) {
    if meta.extended.as_ref().is_some_and(|extended| extended.is_empty()) {
        meta.extended = None;
    }
}
