//! FUSE over io_uring: whether the kernel has it, whether it is on, and whether io_uring itself may be used.

use super::finding::Finding;
use super::kernel::CAP_SYS_ADMIN;
use super::machine::{Config, Machine, Version};
use super::offer::{OVER_IO_URING, Offer};
use rustix::io::Errno;
use std::io;

/// The first kernel with FUSE over io_uring.
const FIRST: Version = Version(6, 14);

/// The parameter that turns it on.
const PARAMETER: &str = "/sys/module/fuse/parameters/enable_uring";

/// Returns what is found about io_uring; `tried` is how it went to set up a ring.
pub(super) fn findings(
    machine: &Machine,
    config: Option<&Config>,
    offer: Option<&Offer>,
    tried: io::Result<()>,
) -> Vec<Finding> {
    vec![io_uring(machine, tried), over_io_uring(machine, config, offer)]
}

/// Tells whether a process may use io_uring.
fn io_uring(machine: &Machine, tried: io::Result<()>) -> Finding {
    const TOPIC: &str = "io_uring";
    let Err(error) = tried else { return Finding::ok(TOPIC, "a ring can be set up") };
    let setting = machine.number("/proc/sys/kernel/io_uring_disabled");
    let lasting = "sysctl -w kernel.io_uring_disabled=0, and in a file of /etc/sysctl.d to keep it";
    match (Errno::from_io_error(&error), setting) {
        (Some(Errno::NOSYS), _) => Finding::off(TOPIC, "not in this kernel")
            .advise("use a kernel that is built with CONFIG_IO_URING=y"),
        (Some(Errno::PERM), Some(2)) => {
            Finding::off(TOPIC, "turned off for all (kernel.io_uring_disabled is 2)").advise(lasting)
        }
        (Some(Errno::PERM), Some(1)) if !machine.is_capable(CAP_SYS_ADMIN) => {
            Finding::off(TOPIC, "turned off for users (kernel.io_uring_disabled is 1)")
                .advise(format!("mount as root, join the group of kernel.io_uring_group, or {lasting}"))
        }
        (Some(Errno::PERM | Errno::ACCESS), _) if machine.has_system_call_filter() => Finding::off(
            TOPIC,
            "a filter of system calls forbids it",
        )
        .advise(
            "allow io_uring_setup, io_uring_enter and io_uring_register in the container's seccomp profile",
        ),
        (Some(Errno::NOMEM), _) => Finding::off(TOPIC, "no ring: too little memory may be locked")
            .advise("raise the limit (ulimit -l, LimitMEMLOCK= of a systemd unit)"),
        _ => Finding::off(TOPIC, format!("no ring can be set up: {error}"))
            .advise("ask who runs this machine: a security module may forbid it"),
    }
}

/// Tells whether a mount's requests can travel over io_uring.
fn over_io_uring(machine: &Machine, config: Option<&Config>, offer: Option<&Offer>) -> Finding {
    const TOPIC: &str = "fuse-io_uring";
    match machine.text(PARAMETER).as_deref() {
        Some("Y" | "1") => match offer.map(|offer| offer.has(&OVER_IO_URING)) {
            Some(false) => Finding::off(TOPIC, "turned on, but the kernel does not offer it (it was asked)")
                .advise("mounts use /dev/fuse instead: ask who runs this machine"),
            Some(true) => Finding::ok(TOPIC, "turned on (the kernel was asked)"),
            None => Finding::ok(TOPIC, format!("turned on (by {PARAMETER})")),
        },
        Some(_) => Finding::off(TOPIC, "turned off").advise(how_to_turn_on(machine, config)),
        None if machine.version().is_some_and(|version| version < FIRST) => {
            Finding::off(TOPIC, "not in this kernel (by its version)").advise("Linux 6.14 has it")
        }
        None if config.is_some_and(|config| !config.has("CONFIG_FUSE_IO_URING")) => {
            let place = config.map(|config| config.place.clone()).unwrap_or_default();
            Finding::off(TOPIC, format!("left out of this kernel (by {place})"))
                .advise("use a kernel that is built with CONFIG_FUSE_IO_URING=y")
        }
        None if !machine.has("/sys/module/fuse") => {
            Finding::off(TOPIC, "not known before the module is loaded")
                .advise("modprobe fuse, then ask again")
        }
        None => Finding::off(TOPIC, format!("not in this kernel: {PARAMETER} is missing"))
            .advise("use a kernel that is built with CONFIG_FUSE_IO_URING=y"),
    }
}

/// Says how to turn it on now and for good. That depends on whether FUSE is a module.
fn how_to_turn_on(machine: &Machine, config: Option<&Config>) -> String {
    let now = format!("as root, echo 1 > {PARAMETER}");
    let loaded = machine.text("/proc/modules").unwrap_or_default();
    let is_module = loaded.lines().any(|line| line.split(' ').next() == Some("fuse"));
    let is_built_in = !is_module && config.is_some_and(|config| config.has("CONFIG_FUSE_FS"));
    let module = "the line \"options fuse enable_uring=1\" in a file of /etc/modprobe.d";
    let built_in = "fuse.enable_uring=1 on the kernel's command line";
    match (is_module, is_built_in) {
        (true, _) => format!("{now}; to keep it, {module}"),
        (_, true) => format!("{now}; to keep it, {built_in}"),
        _ => format!("{now}; to keep it, {module}, or, if FUSE is built in, {built_in}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{io_uring, over_io_uring};
    use crate::doctor::finding::State;
    use crate::doctor::fixture::Fixture;
    use crate::doctor::offer::{OVER_IO_URING, Offer};
    use rustix::io::Errno;

    const PARAMETER: &str = "sys/module/fuse/parameters/enable_uring";

    fn machine(release: &str) -> Fixture {
        let fixture = Fixture::new(true);
        fixture.file("proc/sys/kernel/osrelease", release);
        fixture
    }

    fn line(fixture: &Fixture) -> String {
        over_io_uring(&fixture.machine, fixture.machine.config().as_ref(), None).line()
    }

    #[test]
    fn what_is_off_is_told_with_how_to_turn_it_on_for_a_module_and_built_in() {
        let fixture = machine("6.18.0");
        fixture.file(PARAMETER, "N\n");
        assert!(line(&fixture).contains("modprobe.d, or, if FUSE is built in, fuse.enable_uring=1"));
        fixture.file("boot/config-6.18.0", "CONFIG_FUSE_FS=y\nCONFIG_FUSE_IO_URING=y\n");
        let built_in = line(&fixture);
        assert!(
            built_in.contains(
                "echo 1 > /sys/module/fuse/parameters/enable_uring; to keep it, fuse.enable_uring=1"
            )
        );
        fixture.file("proc/modules", "fuse 200704 3 - Live 0x0\n");
        let module = line(&fixture);
        assert!(module.ends_with("\"options fuse enable_uring=1\" in a file of /etc/modprobe.d"), "{module}");
        fixture.file(PARAMETER, "Y\n");
        assert!(line(&fixture).starts_with("ok       fuse-io_uring: turned on (by /sys/module/fuse/"));
    }

    #[test]
    fn a_kernel_that_was_asked_goes_over_the_parameter() {
        let fixture = machine("6.18.0");
        fixture.file(PARAMETER, "Y\n");
        let finding = |offer: Offer| over_io_uring(&fixture.machine, None, Some(&offer));
        assert_eq!(finding(Offer::of(&[&OVER_IO_URING])).text, "turned on (the kernel was asked)");
        assert_eq!(finding(Offer::of(&[])).state, State::Off);
    }

    #[test]
    fn a_kernel_without_it_is_told_apart_from_a_module_that_is_not_loaded() {
        assert!(line(&machine("6.12.0")).contains("Linux 6.14 has it"));
        let fixture = machine("6.14.0");
        assert!(line(&fixture).contains("modprobe fuse"), "{}", line(&fixture));
        fixture.file("sys/module/fuse/parameters/max_user_bgreq", "1\n");
        assert!(line(&fixture).contains("enable_uring is missing"));
        fixture.file("boot/config-6.14.0", "# CONFIG_FUSE_IO_URING is not set\n");
        assert!(line(&fixture).contains("left out of this kernel (by /boot/config-6.14.0)"));
    }

    #[test]
    fn whoever_forbids_a_ring_is_named() {
        let fixture = machine("6.18.0");
        let refused = |errno: Errno| {
            let finding = io_uring(&fixture.machine, Err(errno.into()));
            assert!(finding.state == State::Off && finding.advice.is_some());
            finding.text
        };
        assert_eq!(io_uring(&fixture.machine, Ok(())).state, State::Ok);
        assert_eq!(refused(Errno::NOSYS), "not in this kernel");
        assert!(refused(Errno::NOMEM).contains("locked"));
        assert!(refused(Errno::PERM).starts_with("no ring can be set up: "));
        fixture.file("proc/self/status", "CapEff:\t0\nSeccomp:\t2\n");
        assert!(refused(Errno::PERM).contains("filter"));
        fixture.file("proc/sys/kernel/io_uring_disabled", "1\n");
        assert!(refused(Errno::PERM).contains("for users"));
        fixture.file("proc/sys/kernel/io_uring_disabled", "2\n");
        assert!(refused(Errno::PERM).contains("for all"));
    }
}
