//! The tree: objects are found, made, named and unnamed here.
//!
//! Lock order: the rename lock; entries of directories, smaller number first; pages of a file; attributes of one
//! object; shards of the node table. No lock is held while a sink or another component is called.

use crate::birth::{self, Maker, New};
use crate::directory::{Directory, Entries};
use crate::file::File;
use crate::freed::Freed;
use crate::handle::Handles;
use crate::node::{Body, Meta, Node};
use crate::node_table::NodeTable;
use crate::options::MemoryOptions;
use crate::space::Space;
use fs9_sdk::{Call, ErrorKind, FileType, Name, NodeId, Result, Timestamp};
use parking_lot::Mutex;
use std::sync::Arc;

/// The most names of a file and subdirectories of a directory: what fits `st_nlink` everywhere.
pub(crate) const LINK_MAX: u32 = i32::MAX as u32;

/// A tree in memory.
pub(crate) struct Tree {
    pub(crate) nodes: NodeTable,
    pub(crate) space: Space,
    pub(crate) handles: Handles,
    /// Held while a directory moves to another parent, so that nobody's ancestors change meanwhile.
    pub(crate) rename_lock: Mutex<()>,
    pub(crate) noatime: bool,
    pub(crate) freed: Freed,
}

impl Tree {
    /// Returns a tree that has only a root.
    pub(crate) fn new(options: &MemoryOptions) -> Result<Tree> {
        options.check()?;
        let tree = Tree {
            nodes: NodeTable::new(),
            space: Space::new(options.size_max, options.inode_limit()),
            handles: Handles::default(),
            rename_lock: Mutex::new(()),
            noatime: options.noatime,
            freed: Freed::new(options.after_freeing),
        };
        let now = Timestamp::now();
        let meta = Meta {
            permissions: options.root_permissions,
            nlink: 2,
            may_get_name: false,
            uid: options.root_uid,
            gid: options.root_gid,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            extended: None,
        };
        tree.space.take_inode()?;
        let number = tree.nodes.next_number();
        let body = Body::Directory(Box::new(Directory::new(number)));
        tree.nodes.insert(Arc::new(Node::new(number, meta, body)));
        Ok(tree)
    }

    /// Returns an object that is alive, or `ESTALE`.
    pub(crate) fn node(&self, id: NodeId) -> Result<Arc<Node>> {
        self.nodes.get(id)
    }

    /// Finds an entry and counts the lookup.
    pub(crate) fn lookup(&self, parent: NodeId, name: Name<'_>) -> Result<Arc<Node>> {
        let parent = self.node(parent)?;
        let entries = parent.directory()?.entries.read();
        let node = entries.get(name).ok_or(ErrorKind::NotFound)?;
        node.look_up();
        Ok(Arc::clone(node))
    }

    /// Makes an object and counts a lookup of it.
    pub(crate) fn make(
        &self,
        call: &Call,
        parent: NodeId,
        name: Name<'_>,
        new: &New<'_>,
    ) -> Result<Arc<Node>> {
        let parent = self.node(parent)?;
        let maker = Maker::of(&call.caller, &parent, new);
        let mut entries = parent.directory()?.entries.write();
        if entries.get(name).is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let node = self.make_in(maker, &parent, &mut entries, name, new)?;
        node.look_up();
        Ok(node)
    }

    /// Makes an object under a name that is known to be free.
    pub(crate) fn make_in(
        &self,
        maker: Maker<'_>,
        parent: &Node,
        entries: &mut Entries,
        name: Name<'_>,
        new: &New<'_>,
    ) -> Result<Arc<Node>> {
        let directory = parent.directory()?;
        directory.admit()?;
        let is_directory = new.kind == FileType::Directory;
        let made = entries
            .check_room()
            .and_then(|()| check_link_max(parent, is_directory))
            .and_then(|()| self.new_node(maker, parent, new));
        let node = made.inspect_err(|_| directory.dismiss())?;
        entries.insert(name, Arc::clone(&node));
        let mut meta = parent.meta.lock();
        meta.modified(Timestamp::now());
        meta.nlink += u32::from(is_directory);
        Ok(node)
    }

    /// Makes an object without a name and pays for it.
    pub(crate) fn new_node(&self, maker: Maker<'_>, parent: &Node, new: &New<'_>) -> Result<Arc<Node>> {
        let meta = birth::meta_of_new(maker, parent, new, Timestamp::now());
        let body = match new.kind {
            FileType::Regular => Body::File(File::default()),
            FileType::Directory => Body::Directory(Box::new(Directory::new(parent.number()))),
            FileType::Symlink => Body::Symlink(new.target.into()),
            special => Body::Special(special, new.rdev),
        };
        self.space.take_inode()?;
        self.space.take_bytes(bytes_of(&meta, &body)).inspect_err(|_| self.space.give_back_inode())?;
        let node = Arc::new(Node::new(self.nodes.next_number(), meta, body));
        self.nodes.insert(Arc::clone(&node));
        Ok(node)
    }

    /// Makes a regular file without a name in the tree of a directory, and counts a lookup.
    pub(crate) fn make_unnamed(
        &self,
        call: &Call,
        parent: NodeId,
        permissions: u16,
        may_get_name: bool,
    ) -> Result<Arc<Node>> {
        let parent = self.node(parent)?;
        parent.directory()?;
        let new = New::plain(FileType::Regular, permissions);
        let node = self.new_node(Maker::of(&call.caller, &parent, &new), &parent, &new)?;
        node.look_up();
        {
            let mut meta = node.meta.lock();
            meta.nlink = 0;
            meta.may_get_name = may_get_name;
        }
        Ok(node)
    }

    /// Gives a file another name, or its first one.
    pub(crate) fn link(&self, node: NodeId, parent: NodeId, name: Name<'_>) -> Result<Arc<Node>> {
        let node = self.node(node)?;
        let parent = self.node(parent)?;
        let directory = parent.directory()?;
        let mut entries = directory.entries.write();
        if entries.get(name).is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if node.is_directory() {
            return Err(ErrorKind::NotPermitted.into());
        }
        entries.check_room()?;
        directory.admit()?;
        let now = Timestamp::now();
        self.add_link(&node, now).inspect_err(|_| directory.dismiss())?;
        entries.insert(name, Arc::clone(&node));
        parent.meta.lock().modified(now);
        node.look_up();
        Ok(Arc::clone(&node))
    }

    /// Takes a name from a file.
    pub(crate) fn unlink(&self, parent: NodeId, name: Name<'_>) -> Result<()> {
        let parent = self.node(parent)?;
        let directory = parent.directory()?;
        let mut entries = directory.entries.write();
        let node = entries.get(name).ok_or(ErrorKind::NotFound)?;
        if node.is_directory() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let removed = entries.remove(name);
        directory.dismiss();
        let now = Timestamp::now();
        parent.meta.lock().modified(now);
        removed.iter().for_each(|node| self.drop_link(node, now));
        drop(entries);
        removed.iter().for_each(|node| self.reap_if_unused(node));
        Ok(())
    }

    /// Removes an empty directory.
    pub(crate) fn rmdir(&self, parent: NodeId, name: Name<'_>) -> Result<()> {
        let parent = self.node(parent)?;
        let directory = parent.directory()?;
        let mut entries = directory.entries.write();
        let node = Arc::clone(entries.get(name).ok_or(ErrorKind::NotFound)?);
        node.directory()?.seal()?;
        entries.remove(name);
        let now = Timestamp::now();
        {
            let mut meta = parent.meta.lock();
            meta.modified(now);
            meta.nlink -= 1;
        }
        // Last: from here on the parent passes for empty and may be removed itself, which takes all its links.
        directory.dismiss();
        self.drop_link(&node, now);
        drop(entries);
        self.reap_if_unused(&node);
        Ok(())
    }

    /// Takes back lookups and reaps what nobody needs any more.
    pub(crate) fn forget(&self, id: NodeId, count: u64) {
        if id == NodeId::ROOT {
            return;
        }
        if let Ok(node) = self.node(id) {
            node.forget(count);
            self.reap_if_unused(&node);
        }
    }

    /// Takes one name away from an object: of a directory, the only one.
    pub(crate) fn drop_link(&self, node: &Node, now: Timestamp) {
        let mut meta = node.meta.lock();
        meta.ctime = now;
        meta.nlink = if node.is_directory() { 0 } else { meta.nlink - 1 };
        if meta.nlink > 0 {
            self.space.give_back_inode();
        }
    }

    /// Frees an object that has neither name, lookup nor handle. It is called without any lock.
    pub(crate) fn reap_if_unused(&self, node: &Node) {
        if !node.is_unused(&node.meta.lock()) {
            return;
        }
        // Two may come here at once; the table gives the object to one of them.
        let Some(node) = self.nodes.remove(node.number()) else { return };
        let extended = node.meta.lock().extended.take();
        let target_len = if let Body::Symlink(target) = &node.body { target.len() as u64 } else { 0 };
        self.space.give_back_bytes(target_len + extended.map_or(0, |extended| extended.total_cost()));
        if let Body::File(file) = &node.body {
            self.freed.note(file.counted_pages());
            file.clear(&self.space);
        }
        self.space.give_back_inode();
        self.freed.report_if_much();
    }

    fn add_link(&self, node: &Node, now: Timestamp) -> Result<()> {
        let mut meta = node.meta.lock();
        match meta.nlink {
            // The first name was paid for with the object.
            0 if meta.may_get_name => {}
            0 => return Err(ErrorKind::NotFound.into()),
            LINK_MAX.. => return Err(ErrorKind::TooManyLinks.into()),
            _ => self.space.take_inode()?,
        }
        meta.may_get_name = false;
        meta.nlink += 1;
        meta.ctime = now;
        Ok(())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.nodes.unlink_all();
    }
}

/// Returns `EMLINK` where a directory would get one subdirectory too many.
pub(crate) fn check_link_max(parent: &Node, adds_directory: bool) -> Result<()> {
    if adds_directory && parent.meta.lock().nlink >= LINK_MAX {
        return Err(ErrorKind::TooManyLinks.into());
    }
    Ok(())
}

/// Returns what attributes and body of a new object cost, in bytes.
fn bytes_of(meta: &Meta, body: &Body) -> u64 {
    let target = if let Body::Symlink(target) = body { target.len() as u64 } else { 0 };
    target + meta.extended.as_ref().map_or(0, |extended| extended.total_cost())
}
