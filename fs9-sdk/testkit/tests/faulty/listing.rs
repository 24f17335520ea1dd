//! Sinks that stand between a provider and whoever lists.

use fs9_sdk::{DirEntry, DirSink, Entry, FileType, Fill, Name};

/// An entry that was kept.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) name: Vec<u8>,
    pub(super) cookie: u64,
    pub(super) kind: Option<FileType>,
    pub(super) id: (u64, u64),
    pub(super) entry: Option<Entry>,
}

/// A whole listing, kept.
#[derive(Clone, Default)]
pub(super) struct Recorded(pub(super) Vec<Kept>);

impl DirSink for Recorded {
    fn has_room(&self, _: usize) -> bool {
        true
    }

    fn push(&mut self, entry: DirEntry<'_>) -> Fill {
        self.0.push(Kept {
            name: entry.name.as_bytes().to_vec(),
            cookie: entry.cookie,
            kind: entry.kind,
            id: (entry.device, entry.number),
            entry: entry.entry.copied(),
        });
        Fill::More
    }
}

impl Recorded {
    /// Pushes entries until the sink is full and returns how many were taken.
    pub(super) fn replay(&self, skip: usize, sink: &mut dyn DirSink) -> usize {
        for (count, kept) in self.0.iter().skip(skip).enumerate() {
            let Ok(name) = Name::new(&kept.name) else { continue };
            let (device, number) = kept.id;
            let (cookie, kind, entry) = (kept.cookie, kept.kind, kept.entry.as_ref());
            if sink.push(DirEntry { name, cookie, kind, device, number, entry }) == Fill::Full {
                return count;
            }
        }
        self.0.len().saturating_sub(skip)
    }
}

/// Changes entries on their way.
pub(super) struct Changing<'a> {
    pub(super) sink: &'a mut dyn DirSink,
    pub(super) change: &'a mut dyn FnMut(&mut dyn DirSink, DirEntry<'_>) -> Fill,
}

impl DirSink for Changing<'_> {
    fn has_room(&self, name_len: usize) -> bool {
        self.sink.has_room(name_len)
    }

    fn push(&mut self, entry: DirEntry<'_>) -> Fill {
        (self.change)(self.sink, entry)
    }
}
