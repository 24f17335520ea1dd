//! On whose behalf a call is made.

use crate::{Error, ErrorKind, Result};

/// The process on whose behalf a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// File system user id.
    pub uid: u32,
    /// File system group id.
    pub gid: u32,
    /// Thread id in the daemon's pid namespace, 0 if the kernel itself or nobody known asks.
    pub pid: u32,
    /// File mode creation mask; the mode of a creating call is given unmasked.
    pub umask: u32,
    /// Where something is made: the group of the directory, if the kernel told that the caller is in it by a
    /// supplementary group (`FUSE_CREATE_SUPP_GROUP`). `None` says nothing: the caller may be in any group.
    pub parent_group: Option<u32>,
}

impl Caller {
    /// The superuser, asking on nobody's behalf.
    pub const ROOT: Caller = Caller { uid: 0, gid: 0, pid: 0, umask: 0o022, parent_group: None };

    /// Reads the caller's supplementary groups from `/proc/PID/status` (`proc(5)`).
    ///
    /// # Errors
    /// `ESRCH` if the process is unknown or gone.
    pub fn supplementary_groups(&self) -> Result<Vec<u32>> {
        if self.pid == 0 {
            return Err(Error::new(ErrorKind::NoSuchProcess));
        }
        let status = std::fs::read(format!("/proc/{}/status", self.pid))
            .map_err(|cause| Error::new(ErrorKind::NoSuchProcess).because(cause))?;
        Ok(parse_groups(&status))
    }

    /// Returns whether the caller belongs to a group, or needs not to, as `CAP_FSETID` allows root. It may read `/proc`
    /// unless the kernel told it, so it is called without a lock. Whoever is gone already is in no supplementary group.
    pub fn is_in_group(&self, gid: u32) -> bool {
        self.uid == 0
            || self.gid == gid
            || self.parent_group == Some(gid)
            || self.supplementary_groups().is_ok_and(|groups| groups.contains(&gid))
    }
}

/// Finds the `Groups:` line of a `/proc/PID/status`. A process can put newlines into its name only escaped, so
/// that the first match is the kernel's own.
fn parse_groups(status: &[u8]) -> Vec<u32> {
    let line = status.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"Groups:"));
    let fields = line.unwrap_or_default().split(u8::is_ascii_whitespace);
    fields.filter_map(|field| std::str::from_utf8(field).ok()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Caller, parse_groups};
    use crate::ErrorKind;

    #[test]
    fn groups_are_read_from_the_line_of_that_name() {
        let status = b"Name:\tGroups: 7\nUid:\t0\t0\t0\t0\nGroups:\t4 24 1000 \nNStgid:\t1\n";
        assert_eq!(parse_groups(status), [4, 24, 1000]);
        assert_eq!(parse_groups(b"Name:\tx\n"), []);
    }

    #[test]
    fn a_caller_that_is_gone_has_no_groups() {
        let gone = Caller { pid: u32::MAX, ..Caller::ROOT };
        assert_eq!(gone.supplementary_groups().unwrap_err().kind(), ErrorKind::NoSuchProcess);
    }

    #[test]
    fn one_is_in_the_own_group_and_root_in_all() {
        let gone = Caller { uid: 1, gid: 7, ..Caller::ROOT };
        assert!(gone.is_in_group(7) && !gone.is_in_group(8));
        let vouched = Caller { parent_group: Some(8), ..gone };
        assert!(vouched.is_in_group(7) && vouched.is_in_group(8) && !vouched.is_in_group(9));
        assert!(Caller::ROOT.is_in_group(8));
    }

    #[test]
    fn this_process_has_readable_groups() {
        let me = Caller { pid: std::process::id(), ..Caller::ROOT };
        me.supplementary_groups().unwrap();
    }
}
