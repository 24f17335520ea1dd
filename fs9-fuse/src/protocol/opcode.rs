//! The requests by number.

/// A request by its number (`enum fuse_opcode`), whether fs9 serves it or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Opcode {
    Lookup = 1,
    Forget = 2,
    Getattr = 3,
    Setattr = 4,
    Readlink = 5,
    Symlink = 6,
    Mknod = 8,
    Mkdir = 9,
    Unlink = 10,
    Rmdir = 11,
    Rename = 12,
    Link = 13,
    Open = 14,
    Read = 15,
    Write = 16,
    Statfs = 17,
    Release = 18,
    Fsync = 20,
    Setxattr = 21,
    Getxattr = 22,
    Listxattr = 23,
    Removexattr = 24,
    Flush = 25,
    Init = 26,
    Opendir = 27,
    Readdir = 28,
    Releasedir = 29,
    Fsyncdir = 30,
    Getlk = 31,
    Setlk = 32,
    Setlkw = 33,
    Access = 34,
    Create = 35,
    Interrupt = 36,
    Bmap = 37,
    Destroy = 38,
    Ioctl = 39,
    Poll = 40,
    NotifyReply = 41,
    BatchForget = 42,
    Fallocate = 43,
    Readdirplus = 44,
    Rename2 = 45,
    Lseek = 46,
    CopyFileRange = 47,
    Setupmapping = 48,
    Removemapping = 49,
    Syncfs = 50,
    Tmpfile = 51,
    Statx = 52,
    CopyFileRange64 = 53,
}

impl Opcode {
    /// Every request of Linux 6.18, in the order of the numbers.
    pub(crate) const ALL: [Opcode; 51] = [
        Opcode::Lookup,
        Opcode::Forget,
        Opcode::Getattr,
        Opcode::Setattr,
        Opcode::Readlink,
        Opcode::Symlink,
        Opcode::Mknod,
        Opcode::Mkdir,
        Opcode::Unlink,
        Opcode::Rmdir,
        Opcode::Rename,
        Opcode::Link,
        Opcode::Open,
        Opcode::Read,
        Opcode::Write,
        Opcode::Statfs,
        Opcode::Release,
        Opcode::Fsync,
        Opcode::Setxattr,
        Opcode::Getxattr,
        Opcode::Listxattr,
        Opcode::Removexattr,
        Opcode::Flush,
        Opcode::Init,
        Opcode::Opendir,
        Opcode::Readdir,
        Opcode::Releasedir,
        Opcode::Fsyncdir,
        Opcode::Getlk,
        Opcode::Setlk,
        Opcode::Setlkw,
        Opcode::Access,
        Opcode::Create,
        Opcode::Interrupt,
        Opcode::Bmap,
        Opcode::Destroy,
        Opcode::Ioctl,
        Opcode::Poll,
        Opcode::NotifyReply,
        Opcode::BatchForget,
        Opcode::Fallocate,
        Opcode::Readdirplus,
        Opcode::Rename2,
        Opcode::Lseek,
        Opcode::CopyFileRange,
        Opcode::Setupmapping,
        Opcode::Removemapping,
        Opcode::Syncfs,
        Opcode::Tmpfile,
        Opcode::Statx,
        Opcode::CopyFileRange64,
    ];

    /// Returns the request of a number, if it has one.
    pub(crate) fn from_number(number: u32) -> Option<Opcode> {
        // The table has gaps at 7 and 19 only, so the number leads to its place or to one of the two before it.
        let last = usize::try_from(number).ok()?.checked_sub(1)?;
        let near = Opcode::ALL.get(last.saturating_sub(2)..=last.min(Opcode::ALL.len() - 1))?;
        near.iter().copied().find(|opcode| *opcode as u32 == number)
    }

    /// Returns whether the kernel waits for an answer.
    pub(crate) const fn is_answered(self) -> bool {
        use Opcode as O;
        !matches!(self, O::Forget | O::BatchForget | O::Interrupt | O::NotifyReply)
    }
}

#[cfg(test)]
mod tests {
    use super::Opcode;

    #[test]
    fn every_number_leads_to_its_request_and_no_other_does() {
        let known = |number: u32| Opcode::ALL.iter().copied().find(|opcode| *opcode as u32 == number);
        for number in (0..5000).chain([1 << 20, 26 << 24, u32::MAX - 1, u32::MAX]) {
            assert_eq!(Opcode::from_number(number), known(number), "{number}");
        }
        // Numbers that are easily taken for others, as `enum fuse_opcode` has them.
        assert_eq!(Opcode::from_number(8), Some(Opcode::Mknod));
        assert_eq!(Opcode::from_number(26), Some(Opcode::Init));
        assert_eq!(Opcode::from_number(44), Some(Opcode::Readdirplus));
        assert_eq!(Opcode::from_number(53), Some(Opcode::CopyFileRange64));
    }
}
