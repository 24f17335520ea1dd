//! What the kernel's FUSE offers, asked of the kernel itself.
//!
//! The kernel says in its first request, `FUSE_INIT`, which version of the protocol it speaks and what it can do
//! (`include/uapi/linux/fuse.h`). It sends that as soon as a file system is made, also one that is mounted nowhere: one
//! is made with `fsopen(2)`, its first request is read, and both descriptors are closed, with which it is gone. Nobody
//! else can see it, but it needs the right to mount.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsRawFd as _;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::{FsOpenFlags, fsconfig_create, fsconfig_set_string, fsopen};

/// What the kernel says in `FUSE_INIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// The version of the protocol.
    pub(super) major: u32,
    /// Its minor number.
    pub(super) minor: u32,
    flags: u64,
}

/// A feature that is offered by a flag.
pub(super) struct Feature {
    /// Its name.
    pub(super) name: &'static str,
    bit: u32,
    /// The first kernel with it.
    pub(super) since: &'static str,
}

/// `FUSE_PASSTHROUGH`.
pub(super) const PASSTHROUGH: Feature = Feature { name: "passthrough", bit: 37, since: "6.9" };

/// `FUSE_OVER_IO_URING`, offered where it is turned on.
pub(super) const OVER_IO_URING: Feature = Feature { name: "FUSE over io_uring", bit: 41, since: "6.14" };

/// What fs9 uses where it is offered, besides the two above.
pub(super) const FEATURES: [Feature; 6] = [
    Feature { name: "killpriv_v2", bit: 28, since: "5.11" },
    Feature { name: "large requests", bit: 22, since: "4.20" },
    Feature { name: "security contexts", bit: 32, since: "5.17" },
    Feature { name: "supplementary groups", bit: 34, since: "6.3" },
    Feature { name: "mmap of direct I/O", bit: 36, since: "6.6" },
    Feature { name: "resend", bit: 39, since: "6.9" },
];

/// The flag that says that the second word of flags is there (`FUSE_INIT_EXT`).
const HAS_MORE_FLAGS: u32 = 1 << 30;

/// The number of `FUSE_INIT`.
const INIT: u32 = 26;

/// The header of a request (`struct fuse_in_header`), in bytes.
const HEADER_BYTES: usize = 40;

/// The kernel sends its first request at once; a second is for a machine that is out of breath.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

impl Offer {
    /// Asks the kernel.
    ///
    /// # Errors
    /// `EPERM` without the right to mount, `ENOSYS` before Linux 5.2, those of opening the device.
    pub(super) fn ask() -> std::io::Result<Offer> {
        let device = rustix::fs::open(
            "/dev/fuse",
            OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK,
            rustix::fs::Mode::empty(),
        )?;
        let context = fsopen("fuse", FsOpenFlags::FSOPEN_CLOEXEC)?;
        let descriptor = device.as_raw_fd().to_string();
        let options =
            [("fd", descriptor.as_str()), ("rootmode", "40000"), ("user_id", "0"), ("group_id", "0")];
        for (name, value) in options {
            fsconfig_set_string(&context, name, value)?;
        }
        fsconfig_create(&context)?;
        let mut ready = [PollFd::new(&device, PollFlags::IN)];
        if poll(&mut ready, Some(&PATIENCE))? == 0 {
            return Err(Errno::TIMEDOUT.into());
        }
        // The kernel reads into nothing smaller than its smallest buffer (`FUSE_MIN_READ_BUFFER`).
        let mut request = [0_u8; 8192];
        let length = rustix::io::read(&device, &mut request)?;
        request.get(..length).and_then(Offer::parse).ok_or_else(|| Errno::PROTO.into())
    }

    /// Reads the kernel's first request.
    fn parse(request: &[u8]) -> Option<Offer> {
        let word = |at: usize| Some(u32::from_ne_bytes(*request.get(at..)?.first_chunk::<4>()?));
        if word(4)? != INIT {
            return None;
        }
        let flags = word(HEADER_BYTES + 12)?;
        let more = if flags & HAS_MORE_FLAGS != 0 { word(HEADER_BYTES + 16)? } else { 0 };
        Some(Offer {
            major: word(HEADER_BYTES)?,
            minor: word(HEADER_BYTES + 4)?,
            flags: u64::from(flags) | u64::from(more) << 32,
        })
    }

    /// Tells whether a feature is offered.
    pub(super) fn has(&self, feature: &Feature) -> bool {
        self.flags >> feature.bit & 1 == 1
    }

    /// Returns an offer of these features.
    #[cfg(test)]
    pub(super) fn of(features: &[&Feature]) -> Offer {
        let flags = features.iter().fold(0, |flags, feature| flags | 1 << feature.bit);
        Offer { major: 7, minor: 45, flags }
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER_BYTES, INIT, OVER_IO_URING, Offer, PASSTHROUGH};

    fn request(words: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[4..8].copy_from_slice(&INIT.to_ne_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        bytes
    }

    #[test]
    fn flags_of_both_words_are_read() {
        let new = Offer::parse(&request(&[7, 45, 0, 1 << 30, 1 << 5])).unwrap();
        assert_eq!((new.major, new.minor), (7, 45));
        assert!(new.has(&PASSTHROUGH) && !new.has(&OVER_IO_URING));
        let old = Offer::parse(&request(&[7, 32, 0, 1 << 28, 1 << 5])).unwrap();
        assert!(!old.has(&PASSTHROUGH), "without the first word's mark the second is no flags");
    }

    #[test]
    fn what_is_no_first_request_is_refused() {
        assert_eq!(Offer::parse(&request(&[7, 45, 0])), None);
        assert_eq!(Offer::parse(&[0; 104]), None);
        assert_eq!(Offer::parse(b""), None);
    }

    #[test]
    fn the_kernel_of_this_machine_answers_whoever_may_mount() {
        match Offer::ask() {
            Ok(offer) => assert!(offer.major == 7 && offer.minor >= 31, "{offer:?}"),
            Err(error) => {
                assert!(!rustix::process::geteuid().is_root(), "{error}");
                eprintln!("skipped: only who may mount can ask");
            }
        }
    }
}
