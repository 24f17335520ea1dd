//! Extended attributes: values, flags, names and errors.

use super::failure::{Outcome, ensure, ensure_eq, refused};
use super::session::{ROOT, Session};
use fs9_sdk::{ErrorKind, NodeId, Result, XattrFlags};
use std::collections::BTreeSet;

const ANY: XattrFlags = XattrFlags::empty();
const NO_DATA: &[ErrorKind] = &[ErrorKind::NoData];

fn set(s: &Session<'_>, node: NodeId, name: &str, value: &[u8], flags: XattrFlags) -> Result<()> {
    s.provider.setxattr(&s.call, node, name.as_bytes(), value, flags)
}

fn get(s: &Session<'_>, node: NodeId, name: &str) -> Result<Vec<u8>> {
    s.provider.getxattr(&s.call, node, name.as_bytes())
}

/// Returns the names of the `user.` namespace; a system may add others of its own.
fn names(s: &Session<'_>, node: NodeId) -> std::result::Result<BTreeSet<Vec<u8>>, super::Failure> {
    let list = s.provider.listxattr(&s.call, node)?;
    ensure!(list.last().is_none_or(|&byte| byte == 0), "the last name is not followed by a NUL");
    let all = list.split(|&byte| byte == 0);
    Ok(all.filter(|name| name.starts_with(b"user.")).map(<[u8]>::to_vec).collect())
}

pub(super) fn values_come_back_byte_for_byte(s: &Session<'_>) -> Outcome {
    let file = s.file(ROOT, "f", "data")?.node;
    let dir = s.dir(ROOT, "d")?.node;
    for node in [file, dir] {
        for value in [&b"text"[..], b"", b"\0\xff\0", &[0xa5; 1_000]] {
            set(s, node, "user.x", value, ANY)?;
            ensure!(get(s, node, "user.x")? == value, "a value of {} bytes came back wrong", value.len());
        }
    }
    ensure_eq!(s.content(file)?, b"data", "content of the file");
    Ok(())
}

pub(super) fn names_are_listed_each_with_a_nul(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "")?.node;
    ensure!(names(s, node)?.is_empty(), "a new file has extended attributes");
    set(s, node, "user.one", b"1", ANY)?;
    set(s, node, "user.two.three", b"23", ANY)?;
    let expected = BTreeSet::from([b"user.one".to_vec(), b"user.two.three".to_vec()]);
    ensure_eq!(names(s, node)?, expected, "names");
    s.provider.removexattr(&s.call, node, b"user.one")?;
    ensure_eq!(names(s, node)?, BTreeSet::from([b"user.two.three".to_vec()]), "names after removal");
    Ok(())
}

pub(super) fn create_and_replace_mind_what_exists(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "")?.node;
    refused(set(s, node, "user.x", b"1", XattrFlags::REPLACE), NO_DATA, "REPLACE of what is missing")?;
    refused(get(s, node, "user.x"), NO_DATA, "value after a refused REPLACE")?;
    set(s, node, "user.x", b"1", XattrFlags::CREATE)?;
    let exists = [ErrorKind::AlreadyExists];
    refused(set(s, node, "user.x", b"2", XattrFlags::CREATE), &exists, "CREATE of what exists")?;
    ensure_eq!(get(s, node, "user.x")?, b"1", "value after a refused CREATE");
    set(s, node, "user.x", b"3", XattrFlags::REPLACE)?;
    ensure_eq!(get(s, node, "user.x")?, b"3", "value after REPLACE");
    Ok(())
}

pub(super) fn a_missing_attribute_is_enodata(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "")?.node;
    refused(get(s, node, "user.x"), NO_DATA, "getxattr")?;
    refused(s.provider.removexattr(&s.call, node, b"user.x"), NO_DATA, "removexattr")?;
    set(s, node, "user.x", b"1", ANY)?;
    s.provider.removexattr(&s.call, node, b"user.x")?;
    refused(get(s, node, "user.x"), NO_DATA, "getxattr after removal")?;
    refused(s.provider.removexattr(&s.call, node, b"user.x"), NO_DATA, "second removal")
}

pub(super) fn a_foreign_namespace_is_eopnotsupp(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "")?.node;
    let no = [ErrorKind::NotSupported];
    refused(set(s, node, "nonsense.x", b"1", ANY), &no, "setxattr")?;
    refused(get(s, node, "nonsense.x"), &no, "getxattr")?;
    refused(s.provider.removexattr(&s.call, node, b"nonsense.x"), &no, "removexattr")
}

pub(super) fn what_is_too_long_is_refused(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "")?.node;
    // 65,537 bytes are more than the kernel passes on (XATTR_SIZE_MAX).
    let value = vec![b'v'; 65_537];
    let too_big = [ErrorKind::ArgumentListTooLong, ErrorKind::NoSpace, ErrorKind::OutOfRange];
    refused(set(s, node, "user.x", &value, ANY), &too_big, "a value of 65,537 bytes")?;
    let name = format!("user.{}", "n".repeat(251));
    refused(set(s, node, &name, b"1", ANY), &too_big, "a name of 256 bytes")?;
    ensure!(names(s, node)?.is_empty(), "a refused attribute is listed");
    let longest = format!("user.{}", "n".repeat(250));
    set(s, node, &longest, b"1", ANY)?;
    ensure_eq!(get(s, node, &longest)?, b"1", "value under the longest name");
    Ok(())
}

pub(super) fn attributes_belong_to_the_file_not_its_name(s: &Session<'_>) -> Outcome {
    let node = s.file(ROOT, "f", "")?.node;
    set(s, node, "user.x", b"1", ANY)?;
    s.mv("f", "g")?;
    ensure_eq!(get(s, node, "user.x")?, b"1", "value after rename");
    let other = s.file(ROOT, "f", "")?.node;
    refused(get(s, other, "user.x"), NO_DATA, "value of a new file at the old name")?;
    s.unlink(ROOT, "g")?;
    let again = s.file(ROOT, "g", "")?.node;
    refused(get(s, again, "user.x"), NO_DATA, "value of a new file after unlink")
}
