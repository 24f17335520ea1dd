//! Binds: a directory that is seen at a second path.
//!
//! A directory that exists only as the way to mounts has no node that a bind could show. So a bind of it is one empty
//! directory, which is a mount like any other, and below it a bind of each mount that the directory leads to.
//!
//! Invariant: a bind appears whole or not at all.

use crate::empty::EmptyDirectory;
use crate::mount::NodeHold;
use crate::{Mount, MountOptions, MountTable, Namespace, PlaceId, VfsPath, walk};
use fs9_sdk::{Call, Caller, Error, ErrorKind, Result};
use std::sync::Arc;

/// The provider of the directory that stands for one without a node, as listings call it.
const PROVIDER: &str = "bind";

impl Namespace {
    /// Shows the directory at `source` also at `target`. What is mounted below `source` is not shown there, unless
    /// `source` exists only as the way to mounts: then each of them is shown below `target`, as far as it is mounted now
    /// and not hidden. The bind itself is what is mounted at `target`.
    ///
    /// # Errors
    /// `ENOENT` or `ENOTDIR` if `source` is no directory, `EPERM` if it is hidden, and those of looking it up; for `target`, as
    /// [`Namespace::mount`].
    pub fn bind(&self, source: &VfsPath, target: &VfsPath) -> Result<Arc<Mount>> {
        self.bind_for(source, target, &Call::by(Caller::ROOT))
    }

    /// As [`Namespace::bind`], on behalf of somebody who may not wait until the end: see [`Namespace::mount_for`].
    ///
    /// # Errors
    /// Those of [`Namespace::bind`]; `ETIMEDOUT` or `EINTR` if nobody waits for it any more.
    pub fn bind_for(&self, source: &VfsPath, target: &VfsPath, call: &Call) -> Result<Arc<Mount>> {
        self.refuse_taken(target)?;
        self.refuse_hiding(target)?;
        let table = Arc::clone(&self.table());
        let found = match table.resolve(source) {
            Some((origin, _)) if origin.options().hidden => {
                Err(Error::new(ErrorKind::NotPermitted).because("it belongs to the mount itself"))
            }
            Some((origin, rest)) => {
                walk::to_directory(origin, rest).map(|hold| (origin, hold)).map_err(|stop| stop.error)
            }
            None => Err(Error::new(ErrorKind::NotFound).because("nothing is mounted there")),
        };
        let mounts = match (found, table.place(source)) {
            (Ok((origin, hold)), _) => vec![self.shown_again(origin, target.clone(), hold)],
            (Err(error), Some(place)) if is_missing(&error) => {
                self.way_shown_again(&table, place, source, target)
            }
            (Err(error), _) => return Err(error.during("bind").at(source)),
        };
        Ok(self.publish_all(mounts, call)?.swap_remove(0))
    }

    fn shown_again(&self, origin: &Mount, path: VfsPath, hold: Option<Arc<NodeHold>>) -> Mount {
        let (served, options) = (origin.served().clone(), origin.options().clone());
        Mount::new(self.next_mount(), path, served, options, hold)
    }

    /// Returns the mounts that together show at `target` what a place without a node leads to; that at `target` is the
    /// first.
    fn way_shown_again(
        &self,
        table: &MountTable,
        place: PlaceId,
        source: &VfsPath,
        target: &VfsPath,
    ) -> Vec<Mount> {
        let options = MountOptions {
            source: source.to_string(),
            provider: PROVIDER.to_owned(),
            read_only: true,
            ..MountOptions::default()
        };
        let served = self.serve(Arc::new(EmptyDirectory::new()), &options);
        let top = Mount::new(self.next_mount(), target.clone(), served, options, None);
        let below = table.mounts_below(place);
        let shown = below.iter().filter(|mount| !mount.options().hidden);
        let again = shown.map(|mount| {
            let path = mount.path().moved(source, target);
            self.shown_again(mount, path, mount.root_hold().cloned())
        });
        std::iter::once(top).chain(again).collect()
    }
}

/// Returns whether a provider has no directory of that name, so that a place of the table stands for one.
fn is_missing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
