//! What the kernel can do for a mount, and how that is known: the kernel was asked, its configuration says so, or only its
//! version.

use super::finding::Finding;
use super::machine::{Config, Machine, Version};
use super::offer::{FEATURES, Feature, Offer, PASSTHROUGH};
use std::io;

/// The oldest kernel that fs9 is meant for.
const OLDEST: Version = Version(5, 10);

/// The first kernel with passthrough.
const FIRST_WITH_PASSTHROUGH: Version = Version(6, 9);

/// `CAP_SYS_ADMIN` of `capabilities(7)`.
pub(super) const CAP_SYS_ADMIN: u32 = 21;

/// Returns what is found about the kernel.
pub(super) fn findings(machine: &Machine, config: Option<&Config>, offer: Option<&Offer>) -> Vec<Finding> {
    let mut findings = vec![version(machine), device(machine.open("/dev/fuse").map(drop), machine.is_root)];
    findings.extend(offer.map(protocol));
    findings.extend(offer.map(features));
    findings.push(passthrough(machine, config, offer));
    findings
}

/// Looks at the kernel's version.
fn version(machine: &Machine) -> Finding {
    let Some((release, version)) = machine.release().zip(machine.version()) else {
        return Finding::problem("kernel", "its version cannot be read")
            .advise("mount /proc: fs9 reads /proc/self/mountinfo as well");
    };
    let found = format!("Linux {release}");
    if version < OLDEST {
        let Version(major, minor) = OLDEST;
        return Finding::problem("kernel", found)
            .advise(format!("fs9 is tested with Linux {major}.{minor} and later: use such a kernel"));
    }
    Finding::ok("kernel", found)
}

/// Looks at the device by which file systems talk to the kernel.
fn device(opened: io::Result<()>, is_root: bool) -> Finding {
    let Err(error) = opened else { return Finding::ok("device", "/dev/fuse can be opened") };
    match error.kind() {
        io::ErrorKind::NotFound => Finding::stopper("device", "/dev/fuse is not there").advise(
            "load the module (modprobe fuse); in a container, pass the device in (--device /dev/fuse)",
        ),
        io::ErrorKind::PermissionDenied if is_root => {
            Finding::stopper("device", "/dev/fuse is closed even to root")
                .advise("a container keeps it away: allow the device 10:229")
        }
        io::ErrorKind::PermissionDenied => Finding::stopper("device", "/dev/fuse is closed to this user")
            .advise("open it (chmod 666 /dev/fuse, as udev does), or mount as root"),
        _ => Finding::stopper("device", format!("/dev/fuse: {error}"))
            .advise("load the module (modprobe fuse)"),
    }
}

fn protocol(offer: &Offer) -> Finding {
    Finding::ok("protocol", format!("FUSE {}.{} (the kernel was asked)", offer.major, offer.minor))
}

/// Names what the kernel offers, and what a later one would.
fn features(offer: &Offer) -> Finding {
    let (there, missing): (Vec<&Feature>, Vec<&Feature>) =
        FEATURES.iter().partition(|feature| offer.has(feature));
    let names: Vec<&str> = there.iter().map(|feature| feature.name).collect();
    if missing.is_empty() {
        return Finding::ok("features", names.join(", "));
    }
    let missing: Vec<String> =
        missing.iter().map(|feature| format!("{} (Linux {})", feature.name, feature.since)).collect();
    Finding::off("features", format!("without {}", missing.join(", "))).advise("a later kernel has them")
}

/// Tells whether reads and writes of open files can pass the daemon by.
fn passthrough(machine: &Machine, config: Option<&Config>, offer: Option<&Offer>) -> Finding {
    const TOPIC: &str = "passthrough";
    const OPTION: &str = "CONFIG_FUSE_PASSTHROUGH";
    let is_new = machine.version().is_none_or(|version| version >= FIRST_WITH_PASSTHROUGH);
    let (is_there, source) = match (offer, config) {
        (Some(offer), _) => (offer.has(&PASSTHROUGH), "the kernel was asked".to_owned()),
        (None, Some(config)) => (config.has(OPTION), format!("by {}", config.place)),
        (None, None) => (is_new, "by the kernel's version".to_owned()),
    };
    match is_there {
        false if !is_new => Finding::off(TOPIC, format!("not in this kernel ({source})"))
            .advise("Linux 6.9 has it; until then every read and write goes through the daemon"),
        false => Finding::off(TOPIC, format!("left out of this kernel ({source})"))
            .advise(format!("use a kernel that is built with {OPTION}=y")),
        true if !machine.is_capable(CAP_SYS_ADMIN) => {
            Finding::off(TOPIC, format!("the kernel has it ({source}), for CAP_SYS_ADMIN only"))
                .advise("mount as root to use it")
        }
        true => Finding::ok(TOPIC, format!("the kernel has it ({source})")),
    }
}

#[cfg(test)]
mod tests {
    use super::{CAP_SYS_ADMIN, device, features, findings, passthrough, version};
    use crate::doctor::finding::State;
    use crate::doctor::fixture::Fixture;
    use crate::doctor::offer::{FEATURES, Offer, PASSTHROUGH};
    use std::io;

    fn machine(release: &str, is_root: bool) -> Fixture {
        let fixture = Fixture::new(is_root);
        fixture.file("proc/sys/kernel/osrelease", release);
        let mask = if is_root { 1_u64 << CAP_SYS_ADMIN } else { 0 };
        fixture.file("proc/self/status", &format!("CapEff:\t{mask:016x}\n"));
        fixture
    }

    #[test]
    fn a_kernel_that_is_too_old_or_unknown_is_a_problem() {
        assert_eq!(version(&machine("5.10.0-1", true).machine).state, State::Ok);
        assert_eq!(version(&machine("5.4.200", true).machine).state, State::Problem);
        assert_eq!(version(&Fixture::new(true).machine).state, State::Problem);
    }

    #[test]
    fn a_device_that_does_not_open_stops_every_mount_and_the_reason_is_told() {
        assert_eq!(device(Ok(()), true).state, State::Ok);
        let refused = |kind: io::ErrorKind, is_root| device(Err(kind.into()), is_root);
        for (finding, word) in [
            (refused(io::ErrorKind::NotFound, true), "modprobe fuse"),
            (refused(io::ErrorKind::PermissionDenied, false), "chmod 666"),
            (refused(io::ErrorKind::PermissionDenied, true), "container"),
            (refused(io::ErrorKind::Other, true), "modprobe fuse"),
        ] {
            assert!(finding.stops_mounting && finding.line().contains(word), "{}", finding.line());
        }
        let found = findings(&machine("6.18.0", true).machine, None, None);
        assert!(found.iter().any(|finding| finding.stops_mounting), "there is no device in the fixture");
    }

    #[test]
    fn passthrough_is_known_best_by_asking_then_by_configuration_then_by_version() {
        let fixture = machine("6.18.0", true);
        let line = |offer: Option<&Offer>| {
            passthrough(&fixture.machine, fixture.machine.config().as_ref(), offer).line()
        };
        assert_eq!(line(None), "ok       passthrough: the kernel has it (by the kernel's version)");
        fixture.file("boot/config-6.18.0", "# CONFIG_FUSE_PASSTHROUGH is not set\n");
        assert!(
            line(None).starts_with("off      passthrough: left out of this kernel (by /boot/config-6.18.0)")
        );
        let asked = line(Some(&Offer::of(&[&PASSTHROUGH])));
        assert_eq!(asked, "ok       passthrough: the kernel has it (the kernel was asked)");
        assert!(line(Some(&Offer::of(&[]))).contains("CONFIG_FUSE_PASSTHROUGH=y"));
    }

    #[test]
    fn passthrough_needs_a_later_kernel_or_root() {
        let old = passthrough(&machine("6.8.12", true).machine, None, None);
        assert!(old.state == State::Off && old.line().contains("Linux 6.9"), "{}", old.line());
        let user = passthrough(&machine("6.9.1", false).machine, None, None);
        assert!(user.state == State::Off && user.line().contains("as root"), "{}", user.line());
    }

    #[test]
    fn features_that_are_missing_are_named_with_the_kernel_that_has_them() {
        let all: Vec<_> = FEATURES.iter().collect();
        assert_eq!(features(&Offer::of(&all)).state, State::Ok);
        let line = features(&Offer::of(&all[1..])).line();
        assert!(line.starts_with("off      features: without killpriv_v2 (Linux 5.11): "), "{line}");
    }
}
