//! What the security modules of the kernel want a new inode to have, set before anybody is told of it.
//!
//! Invariant: what is made either gets all of it, as far as its provider keeps such attributes, or is taken back
//! (`security_inode_init_security` of the kernel).

use super::{Request, on};
use crate::operation::Creation;
use crate::view::MountView;
use fs9_sdk::{Attr, Entry, ErrorKind, FileType, NodeId, OpenNode, Place, Result, XattrFlags};
use std::sync::Arc;

/// Sets what a new inode begins with and returns its attributes as they are then, or `None` if nothing was set.
fn set_all(
    request: &Request,
    view: &MountView,
    node: NodeId,
    creation: &Creation<'_>,
) -> Result<Option<Attr>> {
    let mut is_set = false;
    for (name, value) in &creation.security {
        let flags = XattrFlags::empty();
        match on(view, |provider| provider.setxattr(&request.call, node, name, value, flags)) {
            Err(error) if matches!(error.kind(), ErrorKind::NotSupported | ErrorKind::NotImplemented) => {}
            set => {
                set?;
                is_set = true;
            }
        }
    }
    if !is_set {
        return Ok(None);
    }
    // The kernel caches a change time that is still true when the answer arrives.
    on(view, |provider| provider.getattr(&request.call, node, None)).map(Some)
}

/// Labels what was made and perhaps opened, at a place or without a name, or takes it back.
pub(super) fn label(
    request: &Request,
    view: &Arc<MountView>,
    (entry, open): (Entry, Option<OpenNode>),
    place: Option<Place<'_>>,
    creation: &Creation<'_>,
) -> Result<Entry> {
    let labelled = set_all(request, view, entry.node, creation);
    if labelled.is_err() {
        if let Some(place) = place {
            remove(request, view, &entry, place);
        }
        if let Some(open) = open {
            let provider = Arc::clone(view.mount.provider());
            view.run_unanswered(move || provider.release(open));
        }
        view.forget(entry.node, 1);
    }
    labelled.map(|attr| Entry { attr: attr.unwrap_or(entry.attr), ..entry })
}

fn remove(request: &Request, view: &MountView, entry: &Entry, place: Place<'_>) {
    let Place { parent, name } = place;
    let removed = on(view, |provider| match entry.attr.kind {
        FileType::Directory => provider.rmdir(&request.call, parent, name),
        _ => provider.unlink(&request.call, parent, name),
    });
    if let Err(error) = removed {
        tracing::warn!(%name, %error, "what could not be labelled stays");
    }
}
