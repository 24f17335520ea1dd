//! The one table between error kinds and errno numbers, complete in both directions.
//!
//! Invariant: the table is a bijection over every errno that Linux defines (`asm-generic/errno-base.h`,
//! `asm-generic/errno.h`); a number outside it maps to no kind, and callers then use [`ErrorKind::Io`].

macro_rules! errno_table {
    ($($kind:ident = $number:literal, $name:literal, $text:literal;)*) => {
        /// What went wrong, one kind for each errno of Linux (`errno(3)`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum ErrorKind {
            $(#[doc = concat!("`", $name, "`: ", $text, ".")] $kind = $number,)*
        }

        impl ErrorKind {
            /// Every kind, in the order of the errno numbers.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$kind,)*];

            /// Returns the kind of a positive errno number, or `None` if Linux defines no such number.
            pub const fn from_errno(errno: i32) -> Option<ErrorKind> {
                match errno {
                    $($number => Some(ErrorKind::$kind),)*
                    _ => None,
                }
            }

            /// Returns the symbolic name, such as `"ENOENT"`.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorKind::$kind => $name,)* }
            }

            /// Returns a short description in English, in lower case and without a full stop.
            pub const fn text(self) -> &'static str {
                match self { $(ErrorKind::$kind => $text,)* }
            }
        }
    };
}

errno_table! {
    NotPermitted = 1, "EPERM", "operation not permitted";
    NotFound = 2, "ENOENT", "no such file or directory";
    NoSuchProcess = 3, "ESRCH", "no such process";
    Interrupted = 4, "EINTR", "interrupted system call";
    Io = 5, "EIO", "input/output error";
    NoSuchDeviceOrAddress = 6, "ENXIO", "no such device or address";
    ArgumentListTooLong = 7, "E2BIG", "argument list too long";
    ExecFormat = 8, "ENOEXEC", "exec format error";
    BadDescriptor = 9, "EBADF", "bad file descriptor";
    NoChildProcess = 10, "ECHILD", "no child processes";
    WouldBlock = 11, "EAGAIN", "resource temporarily unavailable";
    OutOfMemory = 12, "ENOMEM", "cannot allocate memory";
    AccessDenied = 13, "EACCES", "permission denied";
    BadAddress = 14, "EFAULT", "bad address";
    NotABlockDevice = 15, "ENOTBLK", "block device required";
    Busy = 16, "EBUSY", "device or resource busy";
    AlreadyExists = 17, "EEXIST", "file exists";
    CrossDevice = 18, "EXDEV", "invalid cross-device link";
    NoSuchDevice = 19, "ENODEV", "no such device";
    NotADirectory = 20, "ENOTDIR", "not a directory";
    IsADirectory = 21, "EISDIR", "is a directory";
    InvalidArgument = 22, "EINVAL", "invalid argument";
    SystemFileTableFull = 23, "ENFILE", "too many open files in system";
    TooManyOpenFiles = 24, "EMFILE", "too many open files";
    InappropriateIoctl = 25, "ENOTTY", "inappropriate ioctl for device";
    TextFileBusy = 26, "ETXTBSY", "text file busy";
    FileTooLarge = 27, "EFBIG", "file too large";
    NoSpace = 28, "ENOSPC", "no space left on device";
    IllegalSeek = 29, "ESPIPE", "illegal seek";
    ReadOnly = 30, "EROFS", "read-only file system";
    TooManyLinks = 31, "EMLINK", "too many links";
    BrokenPipe = 32, "EPIPE", "broken pipe";
    Domain = 33, "EDOM", "numerical argument out of domain";
    OutOfRange = 34, "ERANGE", "numerical result out of range";
    Deadlock = 35, "EDEADLK", "resource deadlock avoided";
    NameTooLong = 36, "ENAMETOOLONG", "file name too long";
    NoLocks = 37, "ENOLCK", "no locks available";
    NotImplemented = 38, "ENOSYS", "function not implemented";
    DirectoryNotEmpty = 39, "ENOTEMPTY", "directory not empty";
    TooManySymlinks = 40, "ELOOP", "too many levels of symbolic links";
    NoMessage = 42, "ENOMSG", "no message of desired type";
    IdentifierRemoved = 43, "EIDRM", "identifier removed";
    ChannelOutOfRange = 44, "ECHRNG", "channel number out of range";
    Level2NotSynchronized = 45, "EL2NSYNC", "level 2 not synchronized";
    Level3Halted = 46, "EL3HLT", "level 3 halted";
    Level3Reset = 47, "EL3RST", "level 3 reset";
    LinkNumberOutOfRange = 48, "ELNRNG", "link number out of range";
    ProtocolDriverNotAttached = 49, "EUNATCH", "protocol driver not attached";
    NoCsi = 50, "ENOCSI", "no CSI structure available";
    Level2Halted = 51, "EL2HLT", "level 2 halted";
    InvalidExchange = 52, "EBADE", "invalid exchange";
    InvalidRequestDescriptor = 53, "EBADR", "invalid request descriptor";
    ExchangeFull = 54, "EXFULL", "exchange full";
    NoAnode = 55, "ENOANO", "no anode";
    InvalidRequestCode = 56, "EBADRQC", "invalid request code";
    InvalidSlot = 57, "EBADSLT", "invalid slot";
    BadFont = 59, "EBFONT", "bad font file format";
    NotAStream = 60, "ENOSTR", "device not a stream";
    NoData = 61, "ENODATA", "no data available";
    TimerExpired = 62, "ETIME", "timer expired";
    NoStreamResources = 63, "ENOSR", "out of streams resources";
    NoNetwork = 64, "ENONET", "machine is not on the network";
    NoPackage = 65, "ENOPKG", "package not installed";
    Remote = 66, "EREMOTE", "object is remote";
    LinkSevered = 67, "ENOLINK", "link has been severed";
    Advertise = 68, "EADV", "advertise error";
    SrMount = 69, "ESRMNT", "srmount error";
    Communication = 70, "ECOMM", "communication error on send";
    Protocol = 71, "EPROTO", "protocol error";
    Multihop = 72, "EMULTIHOP", "multihop attempted";
    RfsSpecific = 73, "EDOTDOT", "rFS specific error";
    BadMessage = 74, "EBADMSG", "bad message";
    Overflow = 75, "EOVERFLOW", "value too large for defined data type";
    NotUnique = 76, "ENOTUNIQ", "name not unique on network";
    BadDescriptorState = 77, "EBADFD", "file descriptor in bad state";
    RemoteAddressChanged = 78, "EREMCHG", "remote address changed";
    LibraryAccess = 79, "ELIBACC", "can not access a needed shared library";
    LibraryCorrupt = 80, "ELIBBAD", "accessing a corrupted shared library";
    LibrarySection = 81, "ELIBSCN", ".lib section in a.out corrupted";
    TooManyLibraries = 82, "ELIBMAX", "attempting to link in too many shared libraries";
    LibraryExec = 83, "ELIBEXEC", "cannot exec a shared library directly";
    IllegalSequence = 84, "EILSEQ", "invalid or incomplete multibyte or wide character";
    Restart = 85, "ERESTART", "interrupted system call should be restarted";
    StreamPipe = 86, "ESTRPIPE", "streams pipe error";
    TooManyUsers = 87, "EUSERS", "too many users";
    NotASocket = 88, "ENOTSOCK", "socket operation on non-socket";
    DestinationRequired = 89, "EDESTADDRREQ", "destination address required";
    MessageTooLong = 90, "EMSGSIZE", "message too long";
    WrongProtocolType = 91, "EPROTOTYPE", "protocol wrong type for socket";
    ProtocolNotAvailable = 92, "ENOPROTOOPT", "protocol not available";
    ProtocolNotSupported = 93, "EPROTONOSUPPORT", "protocol not supported";
    SocketTypeNotSupported = 94, "ESOCKTNOSUPPORT", "socket type not supported";
    NotSupported = 95, "EOPNOTSUPP", "operation not supported";
    ProtocolFamilyNotSupported = 96, "EPFNOSUPPORT", "protocol family not supported";
    AddressFamilyNotSupported = 97, "EAFNOSUPPORT", "address family not supported by protocol";
    AddressInUse = 98, "EADDRINUSE", "address already in use";
    AddressNotAvailable = 99, "EADDRNOTAVAIL", "cannot assign requested address";
    NetworkDown = 100, "ENETDOWN", "network is down";
    NetworkUnreachable = 101, "ENETUNREACH", "network is unreachable";
    NetworkReset = 102, "ENETRESET", "network dropped connection on reset";
    ConnectionAborted = 103, "ECONNABORTED", "software caused connection abort";
    ConnectionReset = 104, "ECONNRESET", "connection reset by peer";
    NoBufferSpace = 105, "ENOBUFS", "no buffer space available";
    AlreadyConnected = 106, "EISCONN", "transport endpoint is already connected";
    NotConnected = 107, "ENOTCONN", "transport endpoint is not connected";
    Shutdown = 108, "ESHUTDOWN", "cannot send after transport endpoint shutdown";
    TooManyReferences = 109, "ETOOMANYREFS", "too many references: cannot splice";
    TimedOut = 110, "ETIMEDOUT", "connection timed out";
    ConnectionRefused = 111, "ECONNREFUSED", "connection refused";
    HostDown = 112, "EHOSTDOWN", "host is down";
    HostUnreachable = 113, "EHOSTUNREACH", "no route to host";
    AlreadyInProgress = 114, "EALREADY", "operation already in progress";
    InProgress = 115, "EINPROGRESS", "operation now in progress";
    Stale = 116, "ESTALE", "stale file handle";
    NeedsCleaning = 117, "EUCLEAN", "structure needs cleaning";
    NotANamedFile = 118, "ENOTNAM", "not a XENIX named type file";
    NoSemaphores = 119, "ENAVAIL", "no XENIX semaphores available";
    IsANamedFile = 120, "EISNAM", "is a named type file";
    RemoteIo = 121, "EREMOTEIO", "remote I/O error";
    QuotaExceeded = 122, "EDQUOT", "disk quota exceeded";
    NoMedium = 123, "ENOMEDIUM", "no medium found";
    WrongMedium = 124, "EMEDIUMTYPE", "wrong medium type";
    Canceled = 125, "ECANCELED", "operation canceled";
    NoKey = 126, "ENOKEY", "required key not available";
    KeyExpired = 127, "EKEYEXPIRED", "key has expired";
    KeyRevoked = 128, "EKEYREVOKED", "key has been revoked";
    KeyRejected = 129, "EKEYREJECTED", "key was rejected by service";
    OwnerDead = 130, "EOWNERDEAD", "owner died";
    NotRecoverable = 131, "ENOTRECOVERABLE", "state not recoverable";
    RfKill = 132, "ERFKILL", "operation not possible due to RF-kill";
    HardwarePoison = 133, "EHWPOISON", "memory page has hardware error";
}

impl ErrorKind {
    /// Returns the positive errno number.
    pub const fn errno(self) -> i32 {
        self as i32
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind;

    #[test]
    fn every_kind_survives_the_way_to_errno_and_back() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_errno(kind.errno()), Some(*kind));
        }
    }

    #[test]
    fn every_errno_that_the_standard_library_describes_has_a_kind() {
        for errno in 1..=133 {
            let text = std::io::Error::from_raw_os_error(errno).to_string();
            assert_eq!(
                text.starts_with("Unknown error"),
                ErrorKind::from_errno(errno).is_none(),
                "errno {errno}: {text}"
            );
        }
    }

    #[test]
    fn numbers_that_linux_does_not_define_have_no_kind() {
        for errno in [i32::MIN, -1, 0, 41, 58, 134, 99_999, i32::MAX] {
            assert_eq!(ErrorKind::from_errno(errno), None);
        }
    }
}
