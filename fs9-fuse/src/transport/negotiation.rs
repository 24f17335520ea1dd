//! What is agreed upon with the kernel when a mount is made (`FUSE_INIT`).
//!
//! Left to the kernel: POSIX and `flock` locks, so that they hold among all users of the mount without a round trip.
//! Refused: export by NFS, because `fuser` does not tell a lookup by number from one by name.

use crate::Frontend;
use fuser::{InitFlags, KernelConfig};

/// The longest write in one request. The kernel limits it to `fs.fuse.max_pages_limit`, a mebibyte by default.
const WRITE_MAX: u32 = 1 << 20;

/// Requests in the background, such as read-ahead: enough for several sequential readers.
const BACKGROUND_MAX: u16 = 64;

/// Asked for where the kernel offers it.
const WANTED: [InitFlags; 14] = [
    InitFlags::FUSE_ASYNC_READ,
    InitFlags::FUSE_ASYNC_DIO,
    InitFlags::FUSE_BIG_WRITES,
    InitFlags::FUSE_MAX_PAGES,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_ATOMIC_O_TRUNC,
    // The provider applies the mask, since a default ACL takes its place.
    InitFlags::FUSE_DONT_MASK,
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_READDIRPLUS_AUTO,
    InitFlags::FUSE_CACHE_SYMLINKS,
    // What changed behind the mount is seen when attributes expire.
    InitFlags::FUSE_AUTO_INVAL_DATA,
    // Without it, every write asks for `security.capability` first.
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
    InitFlags::FUSE_NO_EXPORT_SUPPORT,
    // Files of the control directory are not cached, and can be mapped all the same.
    InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP,
];

/// Asks for what suits the frontend, and tells it what the kernel refuses.
pub(super) fn negotiate(frontend: &Frontend, config: &mut KernelConfig) {
    for flag in WANTED {
        ask(config, flag);
    }
    ask(config, InitFlags::FUSE_HAS_IOCTL_DIR);
    ask(config, InitFlags::FUSE_ABORT_ERROR);
    if frontend.root_has_acl() {
        ask(config, InitFlags::FUSE_POSIX_ACL);
    }
    if frontend.options().writeback {
        ask(config, InitFlags::FUSE_WRITEBACK_CACHE);
    }
    let passthrough = frontend.has_passthrough()
        && config.set_max_stack_depth(frontend.options().stack_depth).is_ok()
        && ask(config, InitFlags::FUSE_PASSTHROUGH);
    if !passthrough {
        // Depth 0 is what a mount without passthrough has, so that it can lie below others.
        report(config.set_max_stack_depth(0), "stack depth");
    }
    frontend.set_passthrough(passthrough);
    report(config.set_max_write(WRITE_MAX), "length of writes");
    report(config.set_max_background(BACKGROUND_MAX), "requests in the background");
    tracing::debug!(passthrough, kernel = ?config.kernel_abi(), "agreed with the kernel");
}

fn ask(config: &mut KernelConfig, flag: InitFlags) -> bool {
    let granted = config.add_capabilities(flag).is_ok();
    if !granted {
        tracing::debug!(?flag, "the kernel does not offer it");
    }
    granted
}

fn report<T>(set: Result<T, impl std::fmt::Debug>, what: &str) {
    if let Err(nearest) = set {
        tracing::debug!(?nearest, what, "a limit was refused");
    }
}
