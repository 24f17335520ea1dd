//! The system calls behind an identity, each for the calling thread alone.
//!
//! Invariant: the C library's wrappers are avoided where they change every thread of the process (`nptl(7)`).

use std::io;

/// An id that no user or group can have: asking for it changes nothing and returns the present id.
const NO_ID: u32 = u32::MAX;

/// Sets the file system user id of this thread.
pub(super) fn set_fsuid(uid: u32) -> io::Result<()> {
    // SAFETY: setfsuid takes one integer and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_setfsuid, uid) };
    // setfsuid(2) reports no errors, so the result has to be read back.
    // SAFETY: as above; the invalid id makes it a pure query.
    let now = unsafe { libc::syscall(libc::SYS_setfsuid, NO_ID) };
    took_effect(now, uid)
}

/// Sets the file system group id of this thread.
pub(super) fn set_fsgid(gid: u32) -> io::Result<()> {
    // SAFETY: setfsgid takes one integer and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_setfsgid, gid) };
    // SAFETY: as above; the invalid id makes it a pure query.
    let now = unsafe { libc::syscall(libc::SYS_setfsgid, NO_ID) };
    took_effect(now, gid)
}

fn took_effect(now: libc::c_long, wanted: u32) -> io::Result<()> {
    // The kernel returns the id in the low 32 bits; ids above i32::MAX may come back sign-extended.
    if now as u32 == wanted { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// Gives this thread a umask, working directory and root of its own.
pub(super) fn unshare_fs() -> io::Result<()> {
    // SAFETY: only the sharing of umask, working directory and root ends; no descriptor table or memory changes.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FS) }?;
    Ok(())
}
