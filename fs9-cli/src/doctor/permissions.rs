//! Who may mount, and with what.

use super::finding::Finding;
use super::kernel::CAP_SYS_ADMIN;
use super::machine::Machine;
use crate::privileges::users_may_allow_other;

/// Returns what is found about permissions.
pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    vec![mounting(machine), allow_other(machine), low_latency(machine)]
}

/// Tells by which way this process can mount.
fn mounting(machine: &Machine) -> Finding {
    const TOPIC: &str = "mounting";
    let fusermount = machine.program("fusermount3");
    if machine.is_root && machine.is_capable(CAP_SYS_ADMIN) {
        return Finding::ok(
            TOPIC,
            match fusermount {
                Some((path, true)) => format!("as root, by fsmount(2); users by {}", path.display()),
                _ => "as root, by fsmount(2); users cannot, without a set-user-ID fusermount3".to_owned(),
            },
        );
    }
    if machine.is_root {
        return Finding::stopper(TOPIC, "root without CAP_SYS_ADMIN may not mount")
            .advise("give it to the container (--cap-add SYS_ADMIN), or mount outside");
    }
    match fusermount {
        Some((path, true)) => Finding::ok(TOPIC, format!("as a user, by {}", path.display())),
        Some((path, false)) => Finding::stopper(TOPIC, format!("{} is not set-user-ID root", path.display()))
            .advise(
                "as root, chown root it and chmod u+s it, or reinstall it (package fuse3); or mount as root",
            ),
        None => Finding::stopper(TOPIC, "users mount by fusermount3, which is not in PATH")
            .advise("install it (package fuse3), or mount as root"),
    }
}

/// Tells whether users may let others into their mounts.
fn allow_other(machine: &Machine) -> Finding {
    const TOPIC: &str = "allow_other";
    let is_allowed = machine.text("/etc/fuse.conf").is_some_and(|conf| users_may_allow_other(&conf));
    match is_allowed {
        true => Finding::ok(TOPIC, "root and users may give it (user_allow_other in /etc/fuse.conf)"),
        false if machine.is_root => {
            Finding::ok(TOPIC, "root may give it; users not, without user_allow_other in /etc/fuse.conf")
        }
        false => Finding::off(TOPIC, "users may not give it")
            .advise("as root, add the line user_allow_other to /etc/fuse.conf"),
    }
}

/// Tells whether processors can be kept awake.
fn low_latency(machine: &Machine) -> Finding {
    const TOPIC: &str = "low_latency";
    const DEVICE: &str = "/dev/cpu_dma_latency";
    if machine.may_write(DEVICE) {
        return Finding::ok(TOPIC, format!("{DEVICE} may be used"));
    }
    let found = if machine.has(DEVICE) { "is closed to this user" } else { "is not there" };
    Finding::off(TOPIC, format!("{DEVICE} {found}: each request may have to wake up a processor"))
        .advise(if machine.has(DEVICE) { "mount as root" } else { "in a container, pass the device in" })
}

#[cfg(test)]
mod tests {
    use super::{allow_other, low_latency, mounting};
    use crate::doctor::finding::State;
    use crate::doctor::fixture::Fixture;

    #[test]
    fn root_needs_the_capability_and_a_user_the_program() {
        let root = Fixture::new(true);
        assert!(
            mounting(&root.machine).stops_mounting && mounting(&root.machine).text.contains("CAP_SYS_ADMIN")
        );
        root.file("proc/self/status", "CapEff:\t000001ffffffffff\n");
        assert_eq!(mounting(&root.machine).state, State::Ok);
        let user = Fixture::new(false);
        assert!(mounting(&user.machine).stops_mounting && mounting(&user.machine).line().contains("fuse3"));
        user.program("usr/bin/fusermount3", 0o755);
        let plain = mounting(&user.machine);
        assert!(plain.stops_mounting && plain.text.contains("/usr/bin/fusermount3 is not set-user-ID"));
    }

    #[test]
    fn a_set_user_id_program_of_root_lets_users_mount() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can make a program of root");
            return;
        }
        let user = Fixture::new(false);
        user.program("usr/bin/fusermount3", 0o4755);
        assert_eq!(mounting(&user.machine).line(), "ok       mounting: as a user, by /usr/bin/fusermount3");
    }

    #[test]
    fn allow_other_is_told_for_root_and_for_users() {
        for (is_root, conf, state) in [
            (false, "#user_allow_other\n", State::Off),
            (false, "user_allow_other\n", State::Ok),
            (true, "", State::Ok),
        ] {
            let fixture = Fixture::new(is_root);
            fixture.file("etc/fuse.conf", conf);
            assert_eq!(allow_other(&fixture.machine).state, state, "{is_root} {conf}");
        }
        assert_eq!(allow_other(&Fixture::new(false).machine).state, State::Off);
    }

    #[test]
    fn the_device_of_latency_is_looked_at_and_not_opened() {
        let fixture = Fixture::new(true);
        assert!(low_latency(&fixture.machine).line().contains("is not there"));
        fixture.program("dev/cpu_dma_latency", 0o600);
        assert_eq!(low_latency(&fixture.machine).state, State::Ok);
    }
}
