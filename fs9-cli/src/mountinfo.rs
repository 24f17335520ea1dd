//! The kernel's list of mounts, `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// The type under which the kernel shows our mounts.
pub(crate) const FS_TYPE: &str = "fuse.fs9";

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountLine {
    /// The number by which `/proc/PID/fdinfo` names the mount.
    pub(crate) id: u32,
    /// The device number, as `major:minor`.
    pub(crate) device: String,
    /// Where it is mounted.
    pub(crate) mountpoint: PathBuf,
    /// The options of this mount point.
    pub(crate) options: String,
    /// The type, such as `fuse.fs9`.
    pub(crate) fs_type: String,
    /// The source.
    pub(crate) source: OsString,
    /// The options of the file system.
    pub(crate) super_options: String,
}

impl MountLine {
    /// Tells whether it is one of ours.
    pub(crate) fn is_fs9(&self) -> bool {
        self.fs_type == FS_TYPE
    }

    /// Tells whether an option stands in either list.
    pub(crate) fn has_option(&self, option: &str) -> bool {
        self.options.split(',').chain(self.super_options.split(',')).any(|known| known == option)
    }

    /// Returns the number of the user who mounted it, as FUSE tells it.
    pub(crate) fn owner(&self) -> Option<u32> {
        self.super_options.split(',').find_map(|option| option.strip_prefix("user_id=")?.parse().ok())
    }

    /// Reads a line; `None` if it has not the documented form.
    fn parse(line: &[u8]) -> Option<MountLine> {
        let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        let mut fields = line.split(|b| *b == b' ');
        let id = text(fields.next()?).parse().ok()?;
        let device = text(fields.nth(1)?);
        let mountpoint = PathBuf::from(OsString::from_vec(unescape(fields.nth(1)?)));
        let options = text(fields.next()?);
        // Optional fields end at a lone hyphen.
        let mut tail = fields.skip_while(|field| *field != b"-").skip(1);
        Some(MountLine {
            id,
            device,
            mountpoint,
            options,
            fs_type: text(tail.next()?),
            source: OsString::from_vec(unescape(tail.next()?)),
            super_options: text(tail.next().unwrap_or_default()),
        })
    }
}

/// Reads the list of this process's mount namespace, in the order of mounting.
///
/// # Errors
/// Where `/proc` is not there.
pub(crate) fn read() -> std::io::Result<Vec<MountLine>> {
    let text = std::fs::read("/proc/self/mountinfo")?;
    Ok(text.split(|b| *b == b'\n').filter_map(MountLine::parse).collect())
}

/// Finds the mount that is seen at a mount point: the last one there lies on top.
pub(crate) fn on_top<'a>(lines: &'a [MountLine], mountpoint: &Path) -> Option<&'a MountLine> {
    lines.iter().rev().find(|line| line.mountpoint == mountpoint)
}

/// Returns our mounts that can be seen: not those that another one covers.
pub(crate) fn visible_of_fs9(lines: &[MountLine]) -> Vec<MountLine> {
    let is_on_top = |line: &&MountLine| on_top(lines, &line.mountpoint).is_some_and(|top| top.id == line.id);
    lines.iter().filter(|line| line.is_fs9()).filter(is_on_top).cloned().collect()
}

/// Undoes the kernel's octal escapes (`\040` for a blank).
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail.first_chunk::<3>().and_then(octal)) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

/// Reads three octal digits.
pub(crate) fn octal(digits: &[u8; 3]) -> Option<u8> {
    let number = digits.iter().try_fold(0_u32, |sum, digit| match digit {
        b'0'..=b'7' => Some(sum * 8 + u32::from(digit - b'0')),
        _ => None,
    })?;
    u8::try_from(number).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{MountLine, on_top};
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    /// Returns a mount of fs9 by root.
    pub(crate) fn mount() -> MountLine {
        MountLine {
            id: 1,
            device: "0:39".into(),
            mountpoint: "/mnt/x".into(),
            options: "rw".into(),
            fs_type: super::FS_TYPE.into(),
            source: "memory:".into(),
            super_options: "rw,user_id=0".into(),
        }
    }

    const LINE: &[u8] =
        br"36 35 98:0 / /mnt/a\040b rw,noatime shared:1 master:2 - fuse.fs9 memory:\134 rw,user_id=7,group_id=0";

    #[test]
    fn a_line_with_optional_fields_and_escapes_is_read() {
        let line = MountLine::parse(LINE).unwrap();
        assert_eq!((line.id, line.device.as_str()), (36, "98:0"));
        assert_eq!(line.mountpoint, Path::new("/mnt/a b"));
        assert_eq!(line.source, r"memory:\");
        assert!(line.is_fs9() && line.has_option("noatime") && !line.has_option("ro"));
        assert_eq!(line.owner(), Some(7));
    }

    #[test]
    fn a_mount_point_of_any_bytes_is_kept() {
        let line = MountLine::parse(b"36 35 98:0 / /m\xfe\\012\\04 rw - fuse.fs9 s\xff rw").unwrap();
        assert_eq!(line.mountpoint.as_os_str().as_bytes(), b"/m\xfe\n\\04");
        assert_eq!(line.source.as_bytes(), b"s\xff");
    }

    #[test]
    fn a_broken_line_is_left_out() {
        assert_eq!(MountLine::parse(b"36 35 98:0 / /mnt rw"), None);
        assert_eq!(MountLine::parse(b""), None);
    }

    #[test]
    fn the_last_of_two_mounts_at_one_place_is_seen() {
        let first = MountLine::parse(LINE).unwrap();
        let second = MountLine { id: 99, ..first.clone() };
        assert_eq!(on_top(&[first, second], Path::new("/mnt/a b")).unwrap().id, 99);
    }
}
