//! What is open, as `.fs9/handles` tells it, and where `.fs9/accesslog` finds what is asked for.

use super::Frontend;
use crate::options::Passthrough;
use fs9_core::control::{AccessLog, HandleReport, OpenHandle};
use std::sync::Arc;

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

    fn access_log(&self) -> &Arc<AccessLog> {
        &self.access_log
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
