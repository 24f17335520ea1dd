//! The operations of a provider, as values: for statistics, logs and policies.

macro_rules! operations {
    ($($kind:ident = $name:literal, $mutates:literal;)*) => {
        /// An operation of [`Provider`](crate::Provider).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Operation {
            $(#[doc = concat!("`", $name, "`.")] $kind,)*
        }

        impl Operation {
            /// Every operation, in the order of their numbers.
            pub const ALL: &'static [Operation] = &[$(Operation::$kind,)*];

            /// Returns the name, as the method of [`Provider`](crate::Provider) is called.
            pub const fn name(self) -> &'static str {
                match self { $(Operation::$kind => $name,)* }
            }

            /// Returns whether the operation always asks for a change. (An open changes something only with
            /// `O_TRUNC`, and is refused on read-only mounts by its flags.)
            pub const fn mutates(self) -> bool {
                match self { $(Operation::$kind => $mutates,)* }
            }
        }
    };
}

operations! {
    Lookup = "lookup", false;
    Forget = "forget", false;
    Getattr = "getattr", false;
    Setattr = "setattr", true;
    Readlink = "readlink", false;
    Mknod = "mknod", true;
    Mkdir = "mkdir", true;
    Symlink = "symlink", true;
    Link = "link", true;
    Unlink = "unlink", true;
    Rmdir = "rmdir", true;
    Rename = "rename", true;
    Open = "open", false;
    Create = "create", true;
    Read = "read", false;
    Write = "write", true;
    Flush = "flush", false;
    Release = "release", false;
    Fsync = "fsync", false;
    Opendir = "opendir", false;
    Readdir = "readdir", false;
    Releasedir = "releasedir", false;
    Fsyncdir = "fsyncdir", false;
    Statfs = "statfs", false;
    Getxattr = "getxattr", false;
    Setxattr = "setxattr", true;
    Listxattr = "listxattr", false;
    Removexattr = "removexattr", true;
    Fallocate = "fallocate", true;
    Lseek = "lseek", false;
    CopyFileRange = "copy_file_range", true;
    Ioctl = "ioctl", false;
    Poll = "poll", false;
    Tmpfile = "tmpfile", true;
    Getlk = "getlk", false;
    Setlk = "setlk", false;
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
