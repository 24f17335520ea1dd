//! Set-user-ID, set-group-ID and file capabilities: which operations strip them, and stripping them where a provider has
//! not done it.
//!
//! The kernel says of each request whether it strips. Where its word does not arrive, [`inferred`] makes a guess from the
//! caller. It never says it of `FALLOCATE` and `COPY_FILE_RANGE`.

use super::{Frontend, Request, on};
use crate::view::MountView;
use fs9_sdk::privilege::SETGID;
use fs9_sdk::{Attr, ErrorKind, NodeId, OpenFlags, OpenNode, Result, SetAttr};
use std::sync::atomic::Ordering;

/// The attribute that holds a file's capabilities (`capabilities(7)`).
pub(super) const FILE_CAPABILITIES: &[u8] = b"security.capability";

impl Frontend {
    /// Says whether each request brings the kernel's word on stripping privileges: `FUSE_HANDLE_KILLPRIV_V2` and
    /// `FUSE_SETXATTR_EXT` are agreed upon, and the transport passes on what they tell. If not, it is inferred.
    pub fn set_privileges_told(&self, told: bool) {
        self.privileges_are_told.store(told, Ordering::Release);
    }

    /// Returns the kernel's word, or a guess where it does not arrive.
    pub(super) fn strips(&self, told: bool, guess: impl FnOnce() -> bool) -> bool {
        if self.privileges_are_told.load(Ordering::Acquire) { told } else { guess() }
    }

    /// Returns the flags of an open with what it strips of a file that it cuts.
    pub(super) fn cutting_flags(&self, request: &Request, mut flags: OpenFlags, told: bool) -> OpenFlags {
        let cuts = flags.contains(OpenFlags::TRUNCATE);
        let kills = cuts && self.strips(told, || inferred::changes_data(request));
        flags.set(OpenFlags::KILL_PRIVILEGES, kills);
        flags
    }
}

/// Guesses from the caller, where the kernel's word does not arrive. One with `CAP_FSETID` is known by being root.
pub(super) mod inferred {
    use super::super::{Request, on};
    use crate::inode::Target;
    use crate::operation::AttributeChanges;
    use crate::view::MountView;
    use fs9_sdk::privilege::SETGID;
    use fs9_sdk::{Attr, FileType, NodeId};

    /// The attribute that holds a file's POSIX ACL.
    const ACL_ACCESS: &[u8] = b"system.posix_acl_access";

    /// Returns whether a change of data by the caller strips privileges.
    pub(crate) fn changes_data(request: &Request) -> bool {
        request.header.caller.uid != 0
    }

    /// Returns whether a change of attributes strips privileges, as `fuse_do_setattr` of the kernel decides it: a change
    /// of the owner always, except of directories; a change of the size unless the caller is privileged.
    pub(crate) fn changes_attributes(target: &Target, request: &Request, changes: &AttributeChanges) -> bool {
        let chown = changes.uid.is_some() || changes.gid.is_some();
        chown && target.kind != FileType::Directory || changes.size.is_some() && changes_data(request)
    }

    /// Returns whether an attribute is an ACL that takes set-group-ID from its file, because it is set by someone outside
    /// of its group (`posix_acl_update_mode`). Whatever keeps us from knowing keeps us on the safe side.
    pub(crate) fn sets_acl_as_outsider(
        request: &Request,
        view: &MountView,
        node: NodeId,
        name: &[u8],
    ) -> bool {
        if name != ACL_ACCESS || !changes_data(request) {
            return false;
        }
        let attr = on(view, |provider| provider.getattr(&request.call, node, None));
        let keeps =
            |attr: Attr| attr.permissions & SETGID == 0 || request.header.caller.is_in_group(attr.gid);
        !attr.is_ok_and(keeps)
    }
}

/// Strips privileges and capabilities of an open file whose data was changed by an operation of which the kernel does not
/// say what it strips.
pub(super) fn strip_after_change(request: &Request, view: &MountView, open: OpenNode) -> Result<()> {
    if inferred::changes_data(request) {
        strip_if_kept(request, view, open, None)?;
    }
    Ok(())
}

/// Strips privileges and capabilities of an open file that its provider has left after a change of its data, and returns
/// the attributes if that changed them.
pub(super) fn strip_if_kept(
    request: &Request,
    view: &MountView,
    open: OpenNode,
    known: Option<Attr>,
) -> Result<Option<Attr>> {
    // A provider that lends descriptors has a native file system below it, which has done it by itself.
    if view.mount.capabilities().backing_descriptors {
        return Ok(None);
    }
    // Asked first, because a provider may refuse to remove anything.
    match on(view, |provider| provider.getxattr(&request.call, open.node, FILE_CAPABILITIES)) {
        Err(error) if is_absent(error.kind()) => {}
        Err(error) => return Err(error),
        Ok(_) => on(view, |provider| provider.removexattr(&request.call, open.node, FILE_CAPABILITIES))?,
    }
    strip_bits(request, view, open, known)
}

/// Strips the bits, and returns the attributes if that changed them.
fn strip_bits(
    request: &Request,
    view: &MountView,
    open: OpenNode,
    known: Option<Attr>,
) -> Result<Option<Attr>> {
    let (call, handle) = (&request.call, Some(open.handle));
    let attr = match known {
        Some(attr) => attr,
        None => on(view, |provider| provider.getattr(call, open.node, handle))?,
    };
    if !attr.grants_privilege() {
        return Ok(None);
    }
    let permissions = Some(attr.permissions_without_privilege(&request.header.caller));
    let changes = SetAttr { permissions, ..SetAttr::default() };
    on(view, |provider| provider.setattr(call, open.node, handle, changes)).map(Some)
}

fn is_absent(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NoData | ErrorKind::NotSupported | ErrorKind::NotImplemented | ErrorKind::ReadOnly
    )
}

/// Takes set-group-ID from a file whose provider has left it although it was told to take it.
pub(super) fn strip_setgid_if_kept(request: &Request, view: &MountView, node: NodeId) -> Result<()> {
    let attr = on(view, |provider| provider.getattr(&request.call, node, None))?;
    if attr.permissions & SETGID == 0 {
        return Ok(());
    }
    let changes = SetAttr { permissions: Some(attr.permissions & !SETGID), ..SetAttr::default() };
    on(view, |provider| provider.setattr(&request.call, node, None, changes))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::inferred;
    use crate::inode::{Ino, Object, Target};
    use crate::operation::{AttributeChanges, RequestHeader, RequestId};
    use fs9_core::PlaceId;
    use fs9_sdk::{Call, Caller, FileType};

    #[test]
    fn privileges_are_stripped_as_by_the_kernel() {
        let chown = AttributeChanges { uid: Some(5), ..AttributeChanges::default() };
        let truncate = AttributeChanges { size: Some(0), ..AttributeChanges::default() };
        let chmod = AttributeChanges { mode: Some(0o6777), ..AttributeChanges::default() };
        for (kind, uid, changes, expected) in [
            (FileType::Regular, 0, chown, true),
            (FileType::Regular, 1, chown, true),
            (FileType::Directory, 1, chown, false),
            (FileType::Regular, 0, truncate, false),
            (FileType::Regular, 1, truncate, true),
            (FileType::Regular, 1, chmod, false),
        ] {
            let object = Object::Synthetic(PlaceId::ROOT);
            let target = Target { ino: Ino(2), object, place: None, kind, parent: Ino::ROOT };
            let caller = Caller { uid, ..Caller::ROOT };
            let header = RequestHeader { id: RequestId(1), ino: target.ino, caller };
            let request = Request { header, call: Call::by(caller) };
            assert_eq!(
                inferred::changes_attributes(&target, &request, &changes),
                expected,
                "{kind:?} {uid} {changes:?}"
            );
        }
    }
}
