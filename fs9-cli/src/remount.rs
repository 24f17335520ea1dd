//! `mount -o remount`: what can change on a mount that is in use.
//!
//! The kernel's own flags (`ro`, `nosuid`, ...) are changed here, by `mount(2)`: only root may. They cannot be changed by
//! the daemon: whoever has `.fs9/ctl` open for writing keeps the kernel from making the mount read-only. All else goes to
//! the daemon through `.fs9/ctl`, which knows what it was mounted with. What `mount(8)` repeats from its own list
//! is no change.

use crate::fault::{Fault, Outcome, Status};
use crate::mountinfo::MountLine;
use crate::options::{self, Given, Remount, Settings};
use crate::umount;
use rustix::mount::MountFlags;
use std::io::Write as _;
use std::path::Path;

/// Changes the options of the mount at `target`.
///
/// # Errors
/// A fault that names the first option that cannot change.
pub(crate) fn run(target: &Path, list: &str) -> Outcome<()> {
    let mount = umount::find("remount", target)?;
    let place = mount.mountpoint.display();
    let current = kernel_settings(&mount);
    let mut wanted = current.clone();
    let mut for_daemon = Vec::new();
    for given in options::split(list) {
        let spec = given.spec().map_err(|wrong| Fault::usage(format!("remount: {place}: {wrong}")))?;
        match spec.remount {
            _ if spec.is_noise() || spec.name == options::REMOUNT => {}
            Remount::Kernel => given
                .apply(&mut wanted)
                .map_err(|wrong| Fault::usage(format!("remount: {place}: {wrong}")))?,
            Remount::Live | Remount::Fixed if mount.has_option(&given.to_string()) => {}
            Remount::Live | Remount::Fixed => for_daemon.push(given),
        }
    }
    let is_kernel_change = !wanted.has_effect_of(&current);
    // The control file can be written while the mount is writable: before it becomes read-only, after it was so.
    if is_kernel_change && !wanted.read_only {
        set_kernel_flags(&mount, &wanted)?;
    }
    tell_daemon(&mount, &for_daemon, wanted.read_only && current.read_only)?;
    if is_kernel_change && wanted.read_only {
        set_kernel_flags(&mount, &wanted)?;
    }
    Ok(())
}

/// Returns what the kernel's list says.
fn kernel_settings(mount: &MountLine) -> Settings {
    Settings {
        read_only: mount.has_option("ro"),
        suid: !mount.has_option("nosuid"),
        dev: !mount.has_option("nodev"),
        exec: !mount.has_option("noexec"),
        ..Settings::default()
    }
}

/// Changes the kernel's flags; those about access times stay.
fn set_kernel_flags(mount: &MountLine, wanted: &Settings) -> Outcome<()> {
    let mut flags = MountFlags::empty();
    flags.set(MountFlags::RDONLY, wanted.read_only);
    flags.set(MountFlags::NOSUID, !wanted.suid);
    flags.set(MountFlags::NODEV, !wanted.dev);
    flags.set(MountFlags::NOEXEC, !wanted.exec);
    flags.set(MountFlags::NOATIME, mount.has_option("noatime"));
    flags.set(MountFlags::NODIRATIME, mount.has_option("nodiratime"));
    flags.set(MountFlags::RELATIME, mount.has_option("relatime"));
    rustix::mount::mount_remount(&mount.mountpoint, flags, c"").map_err(|errno| {
        let advice = match errno {
            rustix::io::Errno::BUSY => "files are open for writing: close them first",
            rustix::io::Errno::PERM => "only root can change ro, rw, suid, dev and exec",
            _ => "unmount and mount it anew",
        };
        Fault::mount(format!("remount: {}: {errno}: {advice}", mount.mountpoint.display()))
    })
}

/// Hands options to the daemon.
fn tell_daemon(mount: &MountLine, given: &[Given], stays_read_only: bool) -> Outcome<()> {
    if given.is_empty() {
        return Ok(());
    }
    let list = given.iter().map(Given::to_string).collect::<Vec<_>>().join(",");
    let place = mount.mountpoint.display();
    if stays_read_only {
        return Err(Fault::mount(format!(
            "remount: {place}: {list}: the mount is read-only, and so is its control file: give rw as well, or unmount and mount it anew"
        )));
    }
    let command = format!("remount \"{}\"\n", list.replace('\\', "\\\\").replace('"', "\\\""));
    let ctl = mount.mountpoint.join(".fs9/ctl");
    let written = std::fs::OpenOptions::new().write(true).open(&ctl).and_then(|mut file| {
        // One write is one command.
        file.write_all(command.as_bytes())
    });
    written.map_err(|error| {
        let answer = std::fs::read_to_string(&ctl).unwrap_or_default();
        // `ERRNO<tab>what is wrong`: the errno is that of `error`.
        let answer = answer.trim().split_once('\t').map_or("", |(_, words)| words);
        match (error.kind(), answer) {
            (std::io::ErrorKind::NotFound, _) => Fault::mount(format!(
                "remount: {place}: {list}: mounted with nocontrol: unmount and mount it anew"
            )),
            (std::io::ErrorKind::PermissionDenied, _) => Fault::new(
                Status::Usage,
                format!("remount: {place}: {list}: only the one who mounted it can change it"),
            ),
            (_, "") => Fault::mount(format!("remount: {place}: {list}: {error}")),
            (_, answer) => Fault::mount(format!("remount: {place}: {answer}")),
        }
    })
}
