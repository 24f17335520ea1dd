//! How a local directory is served, and how many descriptors that may take.
//!
//! Invariant: cached nodes, open handles and the reserve together never exceed the process's limit.

use rustix::process::{Resource, getrlimit};

/// How a local directory is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalOptions {
    /// Follow other file systems that are mounted below the directory; their inode numbers are kept apart. Otherwise
    /// a mount point is the plain directory beneath it; without `CAP_SYS_ADMIN` looking it up is `EXDEV`.
    pub cross_devices: bool,
    /// Leave access times alone wherever the system allows it.
    pub noatime: bool,
    /// Refuse every change with `EROFS`.
    pub read_only: bool,
    /// The kernel caches writes: files opened for writing must be readable, and appends come with offsets.
    pub writeback: bool,
    /// Find nodes again by file handle, where system and privileges allow it. Without, they are found by name, which
    /// renames made behind the provider's back can defeat.
    pub file_handles: bool,
    /// How many descriptors to use; `None` derives it from `RLIMIT_NOFILE`.
    pub descriptors: Option<DescriptorBudget>,
}

impl Default for LocalOptions {
    fn default() -> LocalOptions {
        LocalOptions {
            cross_devices: true,
            noatime: false,
            read_only: false,
            writeback: false,
            file_handles: true,
            descriptors: None,
        }
    }
}

/// How many descriptors a provider uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorBudget {
    /// Nodes that are kept open; those beyond are found again by file handle or by name.
    pub nodes: usize,
    /// Files and directories that may be open at a time; an open beyond it is `EMFILE`.
    pub open: usize,
}

/// The most nodes that are kept open by default: each also pins a directory entry in the kernel's memory.
const NODES_MAX: usize = 65_536;

/// The fewest descriptors to leave to the rest of the daemon.
const RESERVE_MIN: usize = 48;

impl DescriptorBudget {
    /// Shares out the process's present limit: a quarter for nodes, a small reserve for the rest of the daemon, and
    /// what is left for open files.
    pub fn from_limit() -> DescriptorBudget {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        DescriptorBudget::of(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    fn of(limit: usize) -> DescriptorBudget {
        let nodes = (limit / 4).clamp(1, NODES_MAX);
        let reserve = (limit / 32).clamp(RESERVE_MIN, 4096);
        DescriptorBudget { nodes, open: limit.saturating_sub(nodes + reserve).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::{DescriptorBudget, RESERVE_MIN};

    #[test]
    fn ten_thousand_files_can_be_open_under_a_limit_of_twenty_thousand() {
        assert!(DescriptorBudget::of(20_000).open >= 10_000);
    }

    #[test]
    fn something_is_left_for_the_daemon_under_every_limit() {
        for limit in [256, 1024, 20_000, 1 << 20, 1 << 30] {
            let budget = DescriptorBudget::of(limit);
            assert!(budget.nodes + budget.open + RESERVE_MIN <= limit, "{limit}: {budget:?}");
        }
        assert_eq!(DescriptorBudget::of(0), DescriptorBudget { nodes: 1, open: 1 });
    }
}
