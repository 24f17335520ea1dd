//! Promise 2: names and targets are bytes. That `.` and `..` are neither asked for nor listed is the type's doing:
//! no [`Name`](fs9_sdk::Name) can be one of them.

use super::failure::{Outcome, ensure, ensure_eq};
use super::session::{ROOT, Session};
use fs9_sdk::FileType;

/// Names that careless code breaks: not UTF-8, separators of other systems, dots, control characters, full length.
pub(super) fn difficult_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        &b"\xff\xfe\x80"[..],
        b"line\nbreak",
        b" leading and trailing ",
        b"...",
        b"..a",
        b"-rf",
        b"back\\slash:colon",
        b"\x01\x7f",
        b"%s%n",
        "e\u{301}".as_bytes(),
        "\u{e9}".as_bytes(),
        b"case",
        b"CASE",
    ]
    .map(<[u8]>::to_vec)
    .into();
    names.extend([vec![b'x'; 255], vec![0xff; 255], vec![b'x'; 254]]);
    names.sort();
    names
}

pub(super) fn any_bytes_make_a_file_name(s: &Session<'_>) -> Outcome {
    let names = difficult_names();
    for name in &names {
        s.file(ROOT, name, name)?;
    }
    ensure_eq!(s.names(ROOT)?, names, "names listed");
    for name in &names {
        let file = s.lookup(ROOT, name)?;
        ensure_eq!(s.content(file.node)?, *name, "content of the file of that name");
    }
    for name in &names {
        s.unlink(ROOT, name)?;
    }
    ensure!(s.list(ROOT)?.is_empty(), "files are left after all were removed");
    Ok(())
}

pub(super) fn any_bytes_make_a_directory_name(s: &Session<'_>) -> Outcome {
    let names = difficult_names();
    for name in &names {
        let dir = s.dir(ROOT, name)?;
        s.file(dir.node, name, "inside")?;
    }
    ensure_eq!(s.names(ROOT)?, names, "names listed");
    for name in &names {
        let dir = s.lookup(ROOT, name)?;
        ensure_eq!(s.names(dir.node)?, vec![name.clone()], "names in the directory of that name");
    }
    Ok(())
}

pub(super) fn any_bytes_can_be_renamed_to(s: &Session<'_>) -> Outcome {
    let mut last = b"first".to_vec();
    let file = s.file(ROOT, &last, "data")?;
    for name in difficult_names() {
        s.mv(&last, &name)?;
        ensure_eq!(s.lookup(ROOT, &name)?.node, file.node, "node under its new name");
        last = name;
    }
    ensure_eq!(s.names(ROOT)?, [last], "names listed");
    Ok(())
}

pub(super) fn link_targets_are_returned_byte_for_byte(s: &Session<'_>) -> Outcome {
    let targets: [&[u8]; 8] = [
        b"plain",
        b"/absolute/../and//odd/",
        b"..",
        b"\xff\xfe/\x80",
        b" ",
        b"new\nline",
        &[b'x'; 255],
        &[b't'; 4_095],
    ];
    for (number, target) in targets.iter().enumerate() {
        let link = s.symlink(ROOT, format!("link{number}"), target)?;
        ensure_eq!(link.attr.kind, FileType::Symlink, "type of a link");
        ensure_eq!(link.attr.size, target.len() as u64, "size of a link");
        let read = s.provider.readlink(&s.call, link.node)?;
        ensure!(read == *target, "target {:?} came back as {:?}", target, read);
    }
    Ok(())
}
