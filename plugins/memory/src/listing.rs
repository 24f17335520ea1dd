//! Listing a directory.
//!
//! Entries are gathered in batches with the directory locked and handed to the sink without, since the sink is
//! somebody else's code. Each lookup that a batch counted in advance is either handed over or taken back.

use crate::node::Node;
use crate::tree::Tree;
use fs9_sdk::{DirEntry, DirSink, Entry, Fill, Name, OpenNode, Result};
use std::ops::Range;
use std::sync::Arc;

/// Entries gathered at a time: about what the smallest buffer of a reader takes.
const BATCH: usize = 64;
/// Slots looked at while the directory stays locked, so that a stretch of tombstones does not hold writers up.
const SLOTS_MAX: usize = 4096;

/// Entries on their way from a directory to a sink.
#[derive(Default)]
struct Batch {
    entries: Vec<(u64, Range<usize>, Arc<Node>)>,
    names: Vec<u8>,
    /// Where the next batch begins, or `None` at the end.
    next: Option<u64>,
}

impl Tree {
    /// Lists a directory from `cookie` until the sink is full or the directory ends.
    pub(crate) fn list(
        &self,
        open: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        let node = self.node(open.node)?;
        let mut batch = Batch { next: Some(cookie), ..Batch::default() };
        while let Some(cookie) = batch.next {
            batch.gather(&node, cookie, attributes)?;
            if self.hand_over(&batch, attributes, sink) == Fill::Full {
                break;
            }
        }
        self.note_read(&node);
        Ok(())
    }

    fn hand_over(&self, batch: &Batch, attributes: bool, sink: &mut dyn DirSink) -> Fill {
        let mut fill = Fill::More;
        for (cookie, name, node) in &batch.entries {
            if fill == Fill::More {
                fill = push(sink, &batch.names[name.clone()], *cookie, node, attributes);
            }
            if fill == Fill::Full && attributes {
                node.forget(1);
                self.reap_if_unused(node);
            }
        }
        fill
    }
}

impl Batch {
    fn gather(&mut self, node: &Node, cookie: u64, attributes: bool) -> Result<()> {
        self.entries.clear();
        self.names.clear();
        self.next = None;
        let entries = node.directory()?.entries.read();
        for (looked_at, slot) in entries.after(cookie).iter().enumerate() {
            if self.entries.len() == BATCH || looked_at == SLOTS_MAX {
                break;
            }
            self.next = Some(slot.cookie);
            let Some((name, node)) = slot.live() else { continue };
            if attributes {
                node.look_up();
            }
            let start = self.names.len();
            self.names.extend_from_slice(name);
            self.entries.push((slot.cookie, start..self.names.len(), Arc::clone(node)));
        }
        Ok(())
    }
}

fn push(sink: &mut dyn DirSink, name: &[u8], cookie: u64, node: &Node, attributes: bool) -> Fill {
    let Ok(name) = Name::new(name) else { return Fill::More };
    if !sink.has_room(name.as_bytes().len()) {
        return Fill::Full;
    }
    let entry = attributes.then(|| Entry { node: node.id(), attr: node.attr() });
    sink.push(DirEntry {
        name,
        cookie,
        kind: Some(node.kind()),
        device: 0,
        number: node.number(),
        entry: entry.as_ref(),
    })
}
