//! Listings: what the provider lists, and what the mount table adds.
//!
//! A listing begins with `.`, `..` and the places of the mount table, and goes on with the provider's entries. Cookies
//! of the former lie above [`MAX_COOKIE`], so that the provider's are passed on as they are.
//!
//! Invariants: a name that is a place is listed once, whatever the provider has of that name; an entry that the kernel
//! did not take leaves no lookup behind.

use super::open_file::{Backend, OpenFile, PlaceName};
use super::{Frontend, Request, on};
use crate::inode::{Ino, Target, synthetic_ino};
use crate::reply::{Answer, Exchange, ListedEntry, Listing};
use crate::view::MountView;
use fs9_core::HandleId;
use fs9_sdk::{
    DirEntry, DirSink, Entry, ErrorKind, FileType, Fill, MAX_COOKIE, Name, NodeId, ObjectId, Result,
};
use std::sync::Arc;

/// The cookie of `.`; those of `..` and of the places follow.
const FIRST_OWN_COOKIE: u64 = MAX_COOKIE + 1;

/// Entries before the places: `.` and `..`.
const DOTS: u64 = 2;

/// Entries whose attributes are looked up one by one, because the provider's listing does not bring them; more come
/// with the next request.
const DEFERRED_MAX: usize = 64;

impl Frontend {
    /// Returns the names that the mount table adds to a directory.
    pub(super) fn place_names(&self, directory: &Target) -> Arc<[PlaceName]> {
        let Some(place) = directory.place else { return Arc::from([]) };
        let table = self.namespace.table();
        let hidden = |place| table.mount_at(place).is_some_and(|mount| mount.options().hidden);
        let name = |(name, place): (&[u8], _)| PlaceName { name: name.into(), place, hidden: hidden(place) };
        let mut names: Vec<PlaceName> = table.children(place).map(name).collect();
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        names.into()
    }

    pub(super) fn readdir(
        &self,
        request: &Request,
        handle: HandleId,
        (cookie, attributes): (u64, bool),
        exchange: &mut dyn Exchange,
    ) -> Result<Answer> {
        let file = self.open_file(handle)?;
        let listing = exchange.listing().ok_or(ErrorKind::InvalidArgument)?;
        let places = self.listed_places(&file, cookie)?;
        if !self.list_own(&file, &places, cookie, listing) {
            return Ok(Answer::Listing);
        }
        let Some(backend) = &file.backend else { return Ok(Answer::Listing) };
        let mut sink = Sink {
            frontend: self,
            directory: file.ino,
            backend,
            places: &places,
            listing,
            attributes,
            is_full: false,
            unwanted: Vec::new(),
            deferred: Vec::new(),
        };
        let cookie = if cookie > MAX_COOKIE { 0 } else { cookie };
        let listed = on(&backend.view, |provider| {
            provider.readdir(&request.call, backend.open, cookie, attributes, &mut sink)
        });
        sink.finish(request);
        listed.map(|()| Answer::Listing)
    }

    /// Returns the places of an open directory as of the beginning of the listing.
    fn listed_places(&self, file: &OpenFile, cookie: u64) -> Result<Arc<[PlaceName]>> {
        if cookie == 0 {
            let places = self.place_names(&self.target(file.ino)?);
            *file.places.lock() = Arc::clone(&places);
            return Ok(places);
        }
        Ok(Arc::clone(&file.places.lock()))
    }

    /// Returns the number that users see.
    fn shown(&self, ino: Ino) -> Ino {
        match self.views.load().root() {
            Some(view) if ino == Ino::ROOT => view.shown_root(),
            _ => ino,
        }
    }

    /// Lists what the provider does not, from a cookie on. Returns false when there is no more room.
    fn list_own(
        &self,
        file: &OpenFile,
        places: &[PlaceName],
        cookie: u64,
        listing: &mut dyn Listing,
    ) -> bool {
        let first = match cookie {
            0 => 0,
            own if own >= FIRST_OWN_COOKIE => own - FIRST_OWN_COOKIE + 1,
            _ => return true,
        };
        let end = DOTS + places.len() as u64;
        (first..end).all(|index| {
            let (name, ino): (&[u8], _) = match index {
                0 => (b".", self.shown(file.ino)),
                1 => {
                    let parent = self.target(file.ino).map_or(Ino::ROOT, |target| target.parent);
                    (b"..", self.shown(parent))
                }
                _ => match places.get((index - DOTS) as usize) {
                    Some(place) if !place.hidden => {
                        // A look at the mount may block, so it is left to the lookup that follows.
                        (&place.name, synthetic_ino(place.place))
                    }
                    _ => return true,
                },
            };
            let kind = Some(FileType::Directory);
            listing.push(ListedEntry { name, cookie: FIRST_OWN_COOKIE + index, ino, kind, entry: None })
        })
    }
}

/// An entry that waits for its attributes.
struct Deferred {
    name: Box<[u8]>,
    cookie: u64,
    /// The number that is shown.
    ino: Ino,
    kind: Option<FileType>,
    entry: Option<Entry>,
}

/// Passes a provider's entries on to the kernel.
struct Sink<'a> {
    frontend: &'a Frontend,
    directory: Ino,
    backend: &'a Backend,
    places: &'a [PlaceName],
    listing: &'a mut dyn Listing,
    attributes: bool,
    is_full: bool,
    /// Nodes that were brought and not listed.
    unwanted: Vec<NodeId>,
    /// Entries since the first one without attributes, where attributes are asked for.
    deferred: Vec<Deferred>,
}

impl Sink<'_> {
    fn view(&self) -> &Arc<MountView> {
        &self.backend.view
    }

    fn is_place(&self, name: Name<'_>) -> bool {
        self.places.binary_search_by(|place| (*place.name).cmp(name.as_bytes())).is_ok()
    }

    /// Lists an entry with its node. Returns false, and leaves no trace, when there is no room.
    fn list_node(&mut self, name: &[u8], cookie: u64, entry: &Entry) -> bool {
        let answer = self.frontend.remember(&self.backend.view, entry, self.directory, None);
        let (ino, kind) = (answer.ino, Some(entry.attr.kind));
        let taken = self.listing.push(ListedEntry { name, cookie, ino, kind, entry: Some(answer) });
        if !taken {
            self.frontend.inodes.unremember(ino);
        }
        taken
    }

    /// Returns the number that is shown of an entry that nobody looked at.
    fn listed_ino(&self, entry: &DirEntry<'_>) -> Ino {
        self.view().numbering.ino(ObjectId { device: entry.device, number: entry.number, generation: 0 })
    }

    fn list_name(&mut self, entry: &DirEntry<'_>) -> bool {
        let ino = self.listed_ino(entry);
        let (name, cookie) = (entry.name.as_bytes(), entry.cookie);
        self.listing.push(ListedEntry { name, cookie, ino, kind: entry.kind, entry: None })
    }

    /// Lists what waited for its attributes, and gives back what was not wanted, when the provider is done.
    fn finish(mut self, request: &Request) {
        for deferred in std::mem::take(&mut self.deferred) {
            if self.is_full {
                self.unwanted.extend(deferred.entry.map(|entry| entry.node));
                continue;
            }
            let node = self.backend.open.node;
            let found = match (deferred.entry, Name::new(&deferred.name)) {
                (Some(entry), _) => Some(entry),
                (None, Ok(name)) => {
                    on(self.view(), |provider| provider.lookup(&request.call, node, name)).ok()
                }
                (None, Err(_)) => None,
            };
            self.is_full = match found {
                Some(entry) => {
                    let taken = self.list_node(&deferred.name, deferred.cookie, &entry);
                    if !taken {
                        self.unwanted.push(entry.node);
                    }
                    !taken
                }
                // It is listed natively, too, when looking at it fails.
                None => !self.listing.push(ListedEntry {
                    name: &deferred.name,
                    cookie: deferred.cookie,
                    ino: deferred.ino,
                    kind: deferred.kind,
                    entry: None,
                }),
            };
        }
        for node in std::mem::take(&mut self.unwanted) {
            self.view().forget(node, 1);
        }
    }
}

impl DirSink for Sink<'_> {
    fn has_room(&self, _name_len: usize) -> bool {
        // The transport does not tell the size of the kernel's buffer, only that it is full.
        !self.is_full
    }

    fn push(&mut self, entry: DirEntry<'_>) -> Fill {
        if self.is_full {
            return Fill::Full;
        }
        if !self.places.is_empty() && self.is_place(entry.name) {
            if entry.kind != Some(FileType::Directory) {
                // A directory of that name is where such a mount is expected.
                self.view().say_hidden(entry.name);
            }
            self.unwanted.extend(entry.entry.map(|entry| entry.node));
            return Fill::More;
        }
        let taken = match entry.entry {
            _ if !self.attributes => {
                let taken = self.list_name(&entry);
                // A node that nobody asked for; if the entry is not taken, the provider forgets it.
                self.unwanted.extend(entry.entry.filter(|_| taken).map(|entry| entry.node));
                taken
            }
            Some(node) if self.deferred.is_empty() => {
                self.list_node(entry.name.as_bytes(), entry.cookie, node)
            }
            // What follows waits as well, so that the order stays.
            node => {
                if self.deferred.len() == DEFERRED_MAX {
                    return Fill::Full;
                }
                self.deferred.push(Deferred {
                    name: entry.name.as_bytes().into(),
                    cookie: entry.cookie,
                    ino: self.listed_ino(&entry),
                    kind: entry.kind,
                    entry: node.copied(),
                });
                true
            }
        };
        self.is_full = !taken;
        if taken { Fill::More } else { Fill::Full }
    }
}
