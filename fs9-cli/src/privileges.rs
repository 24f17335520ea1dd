//! What an ordinary user may mount, and how many files a daemon may hold open.

use crate::fault::{Fault, Outcome};
use crate::options::Settings;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

/// Where `fusermount3(1)` is told what users may do.
const FUSE_CONF: &str = "/etc/fuse.conf";

/// The kernel's device.
const DEVICE: &str = "/dev/fuse";

/// Refuses what only root may, before `fusermount3` does so in its own words.
///
/// # Errors
/// A fault that names the option or the missing program.
pub(crate) fn check_user(settings: &Settings) -> Outcome<()> {
    if geteuid().is_root() {
        return check_device();
    }
    if settings.allow_other && !users_may_allow_other(&std::fs::read_to_string(FUSE_CONF).unwrap_or_default())
    {
        return Err(Fault::usage(format!(
            "mount: allow_other: {FUSE_CONF} does not permit it to users: add the line user_allow_other there, or leave the option out"
        )));
    }
    for (is_given, name) in [(settings.suid, "suid"), (settings.dev, "dev")] {
        if is_given {
            return Err(Fault::usage(format!(
                "mount: {name}: only root can mount with it: leave the option out"
            )));
        }
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&search).any(|directory| directory.join("fusermount3").is_file()) {
        return Err(Fault::mount(
            "mount: fusermount3: not found: install it (package fuse3), or mount as root",
        ));
    }
    check_device()
}

/// Refuses a machine without FUSE, or one that keeps it from users: `fusermount3` opens the device as the user.
///
/// # Errors
/// A fault that names the device.
fn check_device() -> Outcome<()> {
    let opened = std::fs::File::options().read(true).write(true).open(DEVICE);
    opened.map(drop).map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::NotFound => "not there: load the kernel module fuse",
            std::io::ErrorKind::PermissionDenied => {
                "closed to users: open it (chmod 666 /dev/fuse), or mount as root"
            }
            _ => return Fault::mount(format!("mount: {DEVICE}: {error}")),
        };
        Fault::mount(format!("mount: {DEVICE}: {advice}"))
    })
}

/// Reads `fuse.conf`: the permission is a line of its own.
pub(crate) fn users_may_allow_other(conf: &str) -> bool {
    conf.lines().any(|line| line.trim() == "user_allow_other")
}

/// Raises the limit of open files as far as we may: a file that is open through the mount is open here as well.
///
/// # Errors
/// What the system refuses.
pub(crate) fn raise_open_files() -> std::io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::users_may_allow_other;

    #[test]
    fn the_permission_in_fuse_conf_is_a_line_without_comment() {
        assert!(users_may_allow_other("# x\n user_allow_other \n"));
        assert!(!users_may_allow_other("#user_allow_other\nmount_max = 7\n"));
    }
}
