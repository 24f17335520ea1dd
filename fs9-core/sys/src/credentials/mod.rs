//! The identity with which a thread makes objects.
//!
//! A thread that serves requests of many users is *prepared* once: it gets a umask of its own, keeps its capabilities
//! when its file system ids change (`SECBIT_NO_SETUID_FIXUP`), and gives up two of them:
//! - `CAP_FSETID`, so that the kernel strips set-user-ID and set-group-ID from files that it writes, cuts or chowns,
//!   as it does for an ordinary user; [`with_fsetid`] takes it back for one call;
//! - `CAP_SYS_RESOURCE`, so that quotas and reserved blocks bind those on whose behalf it writes.
//!
//! Invariants: the record of this thread's identity is changed only after the kernel confirmed the change, so it is
//! right also after an error or a panic; `CAP_FSETID` is never in force between two calls.
//!
//! A thread that a prepared one starts inherits its identity and shares its umask, until it is prepared itself.
//!
//! An identity stays until another is asked for, since most requests follow one of the same user. It decides only who
//! owns what the thread makes: all other capabilities are kept. [`prepare_request_thread`] takes it back.

mod raw;

use rustix::fs::Mode;
use rustix::process::{geteuid, umask};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, Gid, capabilities, capabilities_secure_bits,
    set_capabilities, set_capabilities_secure_bits, set_thread_groups,
};
use std::cell::Cell;
use std::io;

/// On whose behalf objects are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// File system user id.
    pub uid: u32,
    /// File system group id.
    pub gid: u32,
    /// Supplementary groups; `None` where they make no difference, and then there are none.
    pub groups: Option<&'a [u32]>,
    /// File mode creation mask; `None` where it makes no difference.
    pub umask: Option<u32>,
}

/// What the daemon makes for itself is nobody else's to read.
const DAEMON_UMASK: u32 = 0o077;

/// The daemon itself.
const DAEMON: Identity<'static> = Identity { uid: 0, gid: 0, groups: None, umask: Some(DAEMON_UMASK) };

/// What switching identities takes.
const NEEDED: CapabilitySet =
    CapabilitySet::SETUID.union(CapabilitySet::SETGID).union(CapabilitySet::SETPCAP);

/// What a request thread gives up.
const GIVEN_UP: CapabilitySet = CapabilitySet::FSETID.union(CapabilitySet::SYS_RESOURCE);

/// What is known of a prepared thread.
#[derive(Clone, Copy)]
struct Thread {
    /// Its capabilities without those given up; `None` if it never switches, since it may not.
    switching: Option<CapabilitySets>,
    uid: u32,
    gid: u32,
    has_groups: bool,
    umask: u32,
    fsetid: bool,
}

thread_local! {
    static THREAD: Cell<Option<Thread>> = const { Cell::new(None) };
}

/// Returns whether this process may act as other users: it is root and may change its identity.
pub fn can_switch() -> bool {
    geteuid().is_root() && capabilities(None).is_ok_and(|sets| sets.permitted.contains(NEEDED))
}

/// Makes the calling thread ready to act as others, or takes back the identity that it has from the last request.
/// Without the right to switch it only gets a umask of its own.
///
/// # Errors
/// What the system refuses.
pub fn prepare_request_thread() -> io::Result<()> {
    let thread = prepared()?;
    become_identity(thread, &DAEMON)
}

/// Runs `f` as somebody else: what it makes belongs to them. The identity stays until the next call.
///
/// # Errors
/// What the system refuses; `f` has not run then.
pub fn act_as<T>(identity: &Identity<'_>, f: impl FnOnce() -> T) -> io::Result<T> {
    let thread = prepared()?;
    become_identity(thread, identity)?;
    Ok(f())
}

/// Runs `f` with `CAP_FSETID` if this process has it: set-group-ID bits are set and privileges kept as for root.
///
/// # Errors
/// What the system refuses; `f` has not run then.
pub fn with_fsetid<T>(f: impl FnOnce() -> T) -> io::Result<T> {
    let thread = prepared()?;
    let Some(sets) = thread.switching else { return Ok(f()) };
    if thread.fsetid || !sets.permitted.contains(CapabilitySet::FSETID) {
        return Ok(f());
    }
    set_fsetid(thread, sets, true)?;
    let _lowered = Lowered;
    Ok(f())
}

/// Lowers `CAP_FSETID` when dropped, also by a panic.
struct Lowered;

impl Drop for Lowered {
    fn drop(&mut self) {
        let Some(thread) = THREAD.get() else { return };
        let Some(sets) = thread.switching else { return };
        if set_fsetid(thread, sets, false).is_err() {
            // Giving up a capability fails only for want of memory. The thread must not serve on with it: forgetting
            // that it is prepared makes the next request lower it again, or fail.
            THREAD.set(None);
        }
    }
}

fn set_fsetid(thread: Thread, sets: CapabilitySets, raised: bool) -> io::Result<()> {
    let effective = if raised { sets.effective | CapabilitySet::FSETID } else { sets.effective };
    set_capabilities(None, CapabilitySets { effective, ..sets })?;
    THREAD.set(Some(Thread { fsetid: raised, ..thread }));
    Ok(())
}

/// Returns what is known of this thread, preparing it first if need be.
fn prepared() -> io::Result<Thread> {
    match THREAD.get() {
        Some(thread) => Ok(thread),
        None => prepare(),
    }
}

fn prepare() -> io::Result<Thread> {
    raw::unshare_fs()?;
    umask(Mode::from_raw_mode(DAEMON_UMASK));
    let mut thread = Thread {
        switching: None,
        uid: DAEMON.uid,
        gid: DAEMON.gid,
        has_groups: false,
        umask: DAEMON_UMASK,
        fsetid: false,
    };
    if can_switch() {
        let secure = capabilities_secure_bits()? | CapabilitiesSecureBits::NO_SETUID_FIXUP;
        set_capabilities_secure_bits(secure)?;
        let mut sets = capabilities(None)?;
        sets.effective = (sets.effective | NEEDED) - GIVEN_UP;
        set_capabilities(None, sets)?;
        set_thread_groups(&[])?;
        raw::set_fsgid(DAEMON.gid)?;
        raw::set_fsuid(DAEMON.uid)?;
        thread.switching = Some(sets);
    }
    THREAD.set(Some(thread));
    Ok(thread)
}

/// Changes what differs, and notes each change as soon as it is in force.
fn become_identity(mut thread: Thread, wanted: &Identity<'_>) -> io::Result<()> {
    if let Some(mask) = wanted.umask.filter(|mask| *mask != thread.umask) {
        umask(Mode::from_raw_mode(mask & 0o777));
        thread.umask = mask;
        THREAD.set(Some(thread));
    }
    if thread.switching.is_none() {
        return Ok(());
    }
    if wanted.groups.is_some() || thread.has_groups {
        let groups: Vec<Gid> = wanted.groups.unwrap_or_default().iter().map(|&g| Gid::from_raw(g)).collect();
        set_thread_groups(&groups)?;
        thread.has_groups = wanted.groups.is_some();
        THREAD.set(Some(thread));
    }
    if thread.gid != wanted.gid {
        raw::set_fsgid(wanted.gid)?;
        thread.gid = wanted.gid;
        THREAD.set(Some(thread));
    }
    if thread.uid != wanted.uid {
        raw::set_fsuid(wanted.uid)?;
        thread.uid = wanted.uid;
        THREAD.set(Some(thread));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
