//! What is open, as `.fs9/handles` tells it.

use super::Frontend;
use crate::options::Passthrough;
use fs9_core::control::{HandleReport, OpenHandle};

impl HandleReport for Frontend {
    fn open_handles(&self) -> Vec<OpenHandle> {
        let open = self.handles.snapshot().into_iter();
        let of_provider = open.filter_map(|(id, _, file)| {
            let backend = file.backend.as_ref()?;
            Some(OpenHandle {
                handle: id.0,
                mount: backend.view.mount.id(),
                node: backend.open.node,
                purpose: backend.purpose,
                pid: backend.pid,
            })
        });
        of_provider.collect()
    }

    fn passthrough_withdrawn_by(&self) -> Option<&'static str> {
        match self.options.passthrough {
            _ if self.has_passthrough() => None,
            _ if self.options.writeback => Some("writeback"),
            Passthrough::Off => Some("passthrough=off"),
            Passthrough::Auto => Some("kernel"),
        }
    }
}
