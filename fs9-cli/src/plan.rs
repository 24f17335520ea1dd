//! What is to be mounted: providers at paths, and binds, whoever asked for them.

use crate::options::Settings;
use crate::source::Source;
use fs9_core::VfsPath;

/// What is to be mounted.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The name that `mount` and `df` show.
    pub(crate) fsname: String,
    /// The options of the whole mount.
    pub(crate) settings: Settings,
    /// The providers, each at its path.
    pub(crate) mounts: Vec<PlannedMount>,
    /// The binds, made after all mounts, in this order.
    pub(crate) binds: Vec<PlannedBind>,
}

/// A provider at a path.
#[derive(Debug)]
pub(crate) struct PlannedMount {
    /// Where below the mount point.
    pub(crate) path: VfsPath,
    /// What.
    pub(crate) source: Source,
    /// Its own options.
    pub(crate) settings: Settings,
    /// Where it stands, if that is a file.
    pub(crate) written: Option<Written>,
}

/// A tree that is seen at a second path.
#[derive(Debug)]
pub(crate) struct PlannedBind {
    /// Where it is.
    pub(crate) source: VfsPath,
    /// Where it is seen as well.
    pub(crate) target: VfsPath,
    /// Where it stands.
    pub(crate) written: Written,
}

/// Where in a configuration file something stands: `FILE:LINE: KEY` for each of its keys.
#[derive(Debug)]
pub(crate) struct Written {
    /// That of what is shown.
    pub(crate) source: String,
    /// That of where it is shown.
    pub(crate) target: String,
}
