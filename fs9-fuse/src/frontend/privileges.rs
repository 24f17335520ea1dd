//! Set-user-ID, set-group-ID and file capabilities, where an operation of an ordinary user strips them and nothing in the
//! call of the provider says so.

use super::{Request, on};
use crate::view::MountView;
use fs9_sdk::privilege::SETGID;
use fs9_sdk::{Attr, ErrorKind, NodeId, OpenNode, Result, SetAttr};

/// The attribute that holds a file's capabilities (`capabilities(7)`).
pub(super) const FILE_CAPABILITIES: &[u8] = b"security.capability";

/// Strips privileges and capabilities of an open file whose data an ordinary user changed other than by writing.
pub(super) fn strip_after_change(
    request: &Request,
    view: &MountView,
    open: OpenNode,
    known: Option<Attr>,
) -> Result<Option<Attr>> {
    // A provider that lends descriptors has a native file system below it, which has done it by itself.
    if request.header.caller.uid == 0 || view.mount.capabilities().backing_descriptors {
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

/// Takes set-group-ID from a file whose ACL was set by someone outside of its group, as `posix_acl_update_mode` of the
/// kernel does. (The kernel asks for it by a flag of `SETXATTR` that the transport does not know.)
pub(super) fn strip_from_outsider(request: &Request, view: &MountView, node: NodeId) -> Result<()> {
    let attr = on(view, |provider| provider.getattr(&request.call, node, None))?;
    if attr.permissions & SETGID == 0 || request.header.caller.is_in_group(attr.gid) {
        return Ok(());
    }
    let changes = SetAttr { permissions: Some(attr.permissions & !SETGID), ..SetAttr::default() };
    on(view, |provider| provider.setattr(&request.call, node, None, changes))?;
    Ok(())
}
