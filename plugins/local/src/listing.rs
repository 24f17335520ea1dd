//! Listing directories.
//!
//! Cookies are the file system's own offsets, so they stay true while entries come and go. They are cut to what the
//! seam allows: ext4 marks the end with the greatest 63-bit number, and no entry lies between.
//!
//! Invariant: the descriptor's position is the end of what the buffer holds.

use crate::LocalProvider;
use crate::open_files::OpenDirectory;
use crate::stat::refused;
use fs9_sdk::{
    DirEntry, DirSink, Entry, ErrorKind, FileHandle, FileType, Fill, MAX_COOKIE, Name, NodeId, OpenNode,
    OpenTraits, Opened, Result,
};
use fs9_sys::{RawEntry, parse_entry, read_directory};
use parking_lot::Mutex;
use rustix::fs::{OFlags, SeekFrom, seek};

/// Bytes read from a directory at a time: some two thousand short names.
const BUFFER: usize = 64 * 1024;

/// Where a listing stands.
#[derive(Default)]
pub(crate) struct Listing {
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// The cookie of what comes at `at`.
    cookie: u64,
}

impl LocalProvider {
    pub(crate) fn do_opendir(&self, id: NodeId) -> Result<Opened> {
        let node = self.node(id)?;
        if node.kind != FileType::Directory {
            return Err(ErrorKind::NotADirectory.into());
        }
        let permit = self.files.permit()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let noatime = if self.options.noatime { OFlags::NOATIME } else { OFlags::empty() };
        let open = |flags| self.with_room(|| self.backing.reopen(&node.descriptor, flags));
        let descriptor = match open(flags | noatime) {
            Err(error) if self.options.noatime && error.kind() == ErrorKind::NotPermitted => open(flags),
            opened => opened,
        }?;
        let directory =
            OpenDirectory { descriptor, device: node.device, listing: Mutex::default(), _permit: permit };
        let handle: FileHandle = self.files.insert_directory(directory);
        let mut traits = OpenTraits::empty();
        traits.set(OpenTraits::DIRECT_IO, self.devices.is_generated(node.device));
        Ok(Opened { handle, attr: None, traits })
    }

    pub(crate) fn do_readdir(
        &self,
        dir: OpenNode,
        cookie: u64,
        attributes: bool,
        sink: &mut dyn DirSink,
    ) -> Result<()> {
        let open = self.files.directory(dir.handle)?;
        let device = self.devices.public(open.device);
        let mut listing = open.listing.lock();
        listing.go_to(&open, cookie)?;
        while let Some(entry) = listing.peek(&open)? {
            let (length, next) = (entry.length, entry.next.clamp(1, MAX_COOKIE));
            if let Ok(name) = Name::new(entry.name) {
                if !sink.has_room(name.as_bytes().len()) {
                    return Ok(());
                }
                let found = attributes.then(|| self.look_up(dir.node, &open.descriptor, name).ok()).flatten();
                if sink.push(listed(&entry, name, next, device, found.as_ref())) == Fill::Full {
                    if let Some(found) = found {
                        self.nodes.release(found.node, 1, 0);
                    }
                    return Ok(());
                }
            }
            listing.advance(length, next);
        }
        Ok(())
    }
}

impl Listing {
    /// Moves to a cookie; to 0 also if it is there already but has read ahead, so that a listing begins afresh.
    fn go_to(&mut self, open: &OpenDirectory, cookie: u64) -> Result<()> {
        if cookie == self.cookie && (cookie != 0 || self.end == 0) {
            return Ok(());
        }
        let offset = if cookie >= MAX_COOKIE { i64::MAX as u64 } else { cookie };
        seek(&open.descriptor, SeekFrom::Start(offset)).map_err(refused)?;
        (self.at, self.end, self.cookie) = (0, 0, cookie);
        Ok(())
    }

    /// Returns the next entry without passing it.
    fn peek(&mut self, open: &OpenDirectory) -> Result<Option<RawEntry<'_>>> {
        if self.at == self.end {
            self.buffer.resize(BUFFER, 0);
            (self.at, self.end) = (0, 0);
            self.end = read_directory(&open.descriptor, &mut self.buffer)?;
            if self.end == 0 {
                return Ok(None);
            }
        }
        match parse_entry(&self.buffer[self.at..self.end]) {
            Some(entry) => Ok(Some(entry)),
            None => Err(ErrorKind::Io.into()),
        }
    }

    const fn advance(&mut self, length: usize, cookie: u64) {
        self.at += length;
        self.cookie = cookie;
    }
}

fn listed<'a>(
    raw: &RawEntry<'_>,
    name: Name<'a>,
    cookie: u64,
    device: u64,
    entry: Option<&'a Entry>,
) -> DirEntry<'a> {
    match entry {
        // What was looked up may be on another device than the directory says.
        Some(found) => DirEntry {
            name,
            cookie,
            kind: Some(found.attr.kind),
            device: found.attr.id.device,
            number: found.attr.id.number,
            entry,
        },
        None => DirEntry {
            name,
            cookie,
            kind: FileType::from_dirent(raw.kind),
            device,
            number: raw.number,
            entry: None,
        },
    }
}
