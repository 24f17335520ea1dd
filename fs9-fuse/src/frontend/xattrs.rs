//! Extended attributes.

use super::privileges::{inferred, strip_setgid_if_kept};
use super::{Frontend, Request, on};
use crate::inode::Object;
use crate::reply::Answer;
use fs9_sdk::{ErrorKind, Result, XattrFlags};

/// The attribute that holds a file's SELinux label.
const SELINUX_LABEL: &[u8] = b"security.selinux";

/// Where a kernel shows SELinux if it is on (`selinux(8)`).
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// Returns whether files may get labels of SELinux at any time.
pub(super) fn has_selinux() -> bool {
    std::path::Path::new(SELINUX).exists()
}

impl Frontend {
    pub(super) fn getxattr(&self, request: &Request, name: &[u8], size: u32) -> Result<Answer> {
        let (_, view, node) = self.node(request.header.ino, ErrorKind::NotSupported)?;
        match on(&view, |provider| provider.getxattr(&request.call, node, name)) {
            // `ls -l` asks for the label of each file, which the kernel does not cache, unless it hears once that there
            // are none in this file system.
            Err(error) if error.kind() == ErrorKind::NoData && name == SELINUX_LABEL && !self.selinux => {
                Err(ErrorKind::NotSupported.into())
            }
            Err(error) => Err(error),
            Ok(value) => sized(value, size),
        }
    }

    pub(super) fn listxattr(&self, request: &Request, size: u32) -> Result<Answer> {
        let target = self.target(request.header.ino)?;
        let Object::Node { view, node } = &target.object else { return sized(Vec::new(), size) };
        let names = on(view, |provider| provider.listxattr(&request.call, *node))?;
        sized(names, size)
    }

    pub(super) fn setxattr(
        &self,
        request: &Request,
        (name, value): (&[u8], &[u8]),
        mut flags: XattrFlags,
        kill_setgid: bool,
    ) -> Result<Answer> {
        let (_, view, node) = self.node(request.header.ino, ErrorKind::ReadOnly)?;
        let guess = || inferred::sets_acl_as_outsider(request, &view, node, name);
        let kills = self.strips(kill_setgid, guess);
        flags.set(XattrFlags::KILL_SETGID, kills);
        on(&view, |provider| provider.setxattr(&request.call, node, name, value, flags))?;
        if kills {
            strip_setgid_if_kept(request, &view, node)?;
        }
        Ok(Answer::Done)
    }

    pub(super) fn removexattr(&self, request: &Request, name: &[u8]) -> Result<Answer> {
        let (_, view, node) = self.node(request.header.ino, ErrorKind::ReadOnly)?;
        on(&view, |provider| provider.removexattr(&request.call, node, name))?;
        Ok(Answer::Done)
    }
}

/// Answers with a value, its size if that was asked for, or `ERANGE` where it does not fit.
fn sized(value: Vec<u8>, size: u32) -> Result<Answer> {
    match (u32::try_from(value.len()), size) {
        (Ok(length), 0) => Ok(Answer::Size(length)),
        (Ok(length), size) if length <= size => Ok(Answer::Bytes(value)),
        _ => Err(ErrorKind::OutOfRange.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::sized;
    use crate::reply::Answer;
    use fs9_sdk::ErrorKind;

    #[test]
    fn a_value_is_told_by_size_or_as_it_is() {
        assert!(matches!(sized(vec![1, 2, 3], 0), Ok(Answer::Size(3))));
        assert!(matches!(sized(vec![1, 2, 3], 3), Ok(Answer::Bytes(value)) if value == [1, 2, 3]));
        assert!(matches!(sized(vec![1, 2, 3], 2), Err(error) if error.kind() == ErrorKind::OutOfRange));
    }
}
