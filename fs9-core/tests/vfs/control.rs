//! What the control directory promises, as a provider in a namespace.

use crate::support::Tree;
use fs9_core::control::{
    COMMAND_MAX, Commands, ControlOptions, ControlProvider, HandleReport, OpenFor, OpenHandle,
};
use fs9_core::{MountId, MountOptions, Namespace, VfsPath};
use fs9_sdk::{
    Attr, Call, Caller, DirEntry, DirSink, Error, ErrorKind, Execution, FileType, Fill, Name, NodeId,
    OpenFlags, OpenNode, OpenTraits, Operation, Provider, Result, SetAttr, WriteOptions,
};
use std::sync::Arc;

const OWNER: u32 = 1000;

/// Understands `ok TEXT` and `busy`.
struct Echo;

impl Commands for Echo {
    fn run(&self, _caller: Caller, line: &[u8]) -> Result<String> {
        match line.strip_prefix(b"ok ") {
            Some(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            None => Err(Error::new(ErrorKind::Busy).during("run").at(line.escape_ascii())),
        }
    }
}

struct OneHandle;

impl HandleReport for OneHandle {
    fn open_handles(&self) -> Vec<OpenHandle> {
        let (mount, node) = (MountId(1), NodeId(5));
        vec![OpenHandle { handle: 3, mount, node, purpose: OpenFor::Listing, pid: 77 }]
    }
}

fn control(namespace: &Arc<Namespace>) -> ControlProvider {
    let options = ControlOptions { version: "fs9 1.2.3".into(), uid: OWNER, gid: 100 };
    ControlProvider::new(namespace, options, Arc::new(Echo), Arc::new(OneHandle))
}

fn by(uid: u32) -> Call {
    Call::by(Caller { uid, ..Caller::ROOT })
}

fn node(control: &ControlProvider, name: &str) -> (NodeId, Attr) {
    let name = Name::new(name.as_bytes()).unwrap();
    let entry = control.lookup(&by(OWNER), NodeId::ROOT, name).unwrap();
    (entry.node, entry.attr)
}

/// Reads a file as `cat` does, in pieces.
fn read(control: &ControlProvider, uid: u32, name: &str) -> Vec<u8> {
    let node = node(control, name).0;
    let opened = control.open(&by(uid), node, OpenFlags::empty()).unwrap();
    assert!(opened.traits.contains(OpenTraits::DIRECT_IO));
    let (file, mut content) = (OpenNode { node, handle: opened.handle }, Vec::new());
    loop {
        let mut piece = [0; 7];
        let length = control.read(&by(uid), file, content.len() as u64, &mut piece).unwrap();
        content.extend_from_slice(&piece[..length]);
        if length == 0 {
            control.release(file);
            let stale = control.read(&by(uid), file, 0, &mut piece).unwrap_err();
            assert_eq!(stale.kind(), ErrorKind::BadDescriptor);
            return content;
        }
    }
}

/// Writes as `echo` does.
fn write(control: &ControlProvider, uid: u32, command: &[u8]) -> Result<usize> {
    let node = node(control, "ctl").0;
    let opened = control.open(&by(uid), node, OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE)?;
    let file = OpenNode { node, handle: opened.handle };
    let written = control.write(&by(uid), file, 0, command, WriteOptions::default());
    control.release(file);
    written
}

#[derive(Default)]
struct Names(Vec<String>, usize);

impl DirSink for Names {
    fn has_room(&self, _: usize) -> bool {
        self.0.len() < self.1
    }
    fn push(&mut self, entry: DirEntry<'_>) -> Fill {
        if !self.has_room(0) {
            return Fill::Full;
        }
        self.0.push(format!("{} {}", entry.name, entry.cookie));
        Fill::More
    }
}

#[test]
fn it_lists_its_files_in_pieces_and_each_has_its_mode() {
    let control = control(&Namespace::new());
    let opened = control.opendir(&by(OWNER), NodeId::ROOT).unwrap();
    let dir = OpenNode { node: NodeId::ROOT, handle: opened.handle };
    let (mut first, mut rest) = (Names(vec![], 2), Names(vec![], 99));
    control.readdir(&by(OWNER), dir, 0, false, &mut first).unwrap();
    control.readdir(&by(OWNER), dir, 2, true, &mut rest).unwrap();
    assert_eq!(first.0, ["version 1", "mounts 2"]);
    assert_eq!(rest.0, ["providers 3", "stats 4", "handles 5", "ctl 6"]);
    let root = control.getattr(&by(OWNER), NodeId::ROOT, None).unwrap();
    assert_eq!((root.kind, root.permissions, root.uid, root.gid), (FileType::Directory, 0o700, OWNER, 100));
    for (name, mode) in [("version", 0o400), ("stats", 0o400), ("ctl", 0o600)] {
        let attr = node(&control, name).1;
        assert_eq!((attr.kind, attr.permissions, attr.uid), (FileType::Regular, mode, OWNER), "{name}");
    }
}

#[test]
fn it_is_seen_through_a_hidden_mount_that_it_does_not_show() {
    let namespace = Namespace::new();
    let at = |path: &[u8]| VfsPath::parse(path).unwrap();
    let options = MountOptions { source: "/a b".into(), provider: "tree".into(), ..MountOptions::default() };
    namespace.mount(&at(b"/x\ty"), Tree::new(Execution::Inline, &["dir/"]), options).unwrap();
    let bound = namespace.bind(&at(b"/x\ty/dir"), &at(b"/b")).unwrap();
    let _open = bound.begin_use().unwrap();
    let hidden = MountOptions { hidden: true, ..MountOptions::default() };
    let mount = namespace.mount(&at(b"/.fs9"), Arc::new(control(&namespace)), hidden).unwrap();
    assert!(mount.pool().is_some(), "commands must not run on a request's thread");
    let control = control(&namespace);
    let mounts =
        "1\t1\t/x\\011y\ttree\t/a\\040b\trw\t0\tprovider\n2\t1\t/b\ttree\t/a\\040b\trw\t1\tprovider\n";
    assert_eq!(String::from_utf8(read(&control, OWNER, "mounts")).unwrap(), mounts);
    assert_eq!(read(&control, OWNER, "providers"), b"1\ttree\t/a\\040b\tinline\t0\t0\t0\t0\t0\n");
    assert_eq!(read(&control, OWNER, "version"), b"fs9 1.2.3\n");
    assert_eq!(read(&control, OWNER, "handles"), b"3\t1\t5\tdir\t77\n");
}

#[test]
fn stats_tell_calls_errors_and_rising_percentiles() {
    let namespace = Namespace::new();
    let mount =
        namespace.mount(&VfsPath::root(), Tree::new(Execution::Inline, &["x"]), MountOptions::default());
    let provider = Arc::clone(mount.unwrap().provider());
    for name in [b"x", b"x", b"y"] {
        let found = provider.lookup(&by(0), NodeId::ROOT, Name::new(name).unwrap());
        assert_eq!(found.is_ok(), name == b"x");
    }
    let stats = String::from_utf8(read(&control(&namespace), OWNER, "stats")).unwrap();
    let fields: Vec<&str> = stats.trim_end().split('\t').collect();
    assert_eq!(fields[..4], ["1", Operation::Lookup.name(), "3", "1"]);
    let latencies: Vec<u64> = fields[4..].iter().map(|field| field.parse().unwrap()).collect();
    assert_eq!(latencies.len(), 6);
    assert!(latencies[1..].is_sorted() && latencies[0] <= latencies[5], "{latencies:?}");
}

#[test]
fn a_command_answers_to_its_user_and_a_refused_one_fails_its_write() {
    let control = control(&Namespace::new());
    assert_eq!(read(&control, OWNER, "ctl"), b"");
    assert_eq!(write(&control, OWNER, b"ok mounted there\n").unwrap(), 17);
    assert_eq!(write(&control, 0, b"grab it").unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(read(&control, OWNER, "ctl"), b"ok\tmounted there\n");
    assert_eq!(read(&control, 0, "ctl"), b"EBUSY\trun grab it: device or resource busy (EBUSY)\n");
}

#[test]
fn one_write_is_one_line_of_bounded_length() {
    let control = control(&Namespace::new());
    let longest = [b"ok ".as_slice(), &[b'x'; COMMAND_MAX - 3]].concat();
    assert_eq!(write(&control, OWNER, &longest).unwrap(), COMMAND_MAX);
    let longer = [longest.as_slice(), b"x"].concat();
    assert_eq!(write(&control, OWNER, &longer).unwrap_err().kind(), ErrorKind::MessageTooLong);
    for bad in [&b""[..], b"\n", b"ok a\nok b\n", b"ok a\n\n", b"ok a\0"] {
        let refused = write(&control, OWNER, bad).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{bad:?}");
        assert!(read(&control, OWNER, "ctl").starts_with(b"EINVAL\t"));
    }
}

#[test]
fn strangers_get_nothing_and_nobody_changes_the_directory() {
    let control = control(&Namespace::new());
    let (stranger, ctl) = (by(OWNER + 1), node(&control, "ctl").0);
    let name = Name::new(b"ctl").unwrap();
    let denied = ErrorKind::AccessDenied;
    assert_eq!(control.lookup(&stranger, NodeId::ROOT, name).unwrap_err().kind(), denied);
    assert_eq!(control.open(&stranger, ctl, OpenFlags::empty()).unwrap_err().kind(), denied);
    assert_eq!(control.opendir(&stranger, NodeId::ROOT).unwrap_err().kind(), denied);
    assert_eq!(write(&control, OWNER + 1, b"ok x").unwrap_err().kind(), denied);
    let version = node(&control, "version").0;
    assert_eq!(control.open(&by(0), version, OpenFlags::WRITE_ONLY).unwrap_err().kind(), denied);
    let chmod = SetAttr { permissions: Some(0o777), ..SetAttr::default() };
    assert_eq!(control.setattr(&by(0), ctl, None, chmod).unwrap_err().kind(), ErrorKind::NotPermitted);
    let truncate = SetAttr { size: Some(0), ..SetAttr::default() };
    assert_eq!(control.setattr(&by(OWNER), ctl, None, truncate).unwrap().size, 0);
    assert_eq!(control.unlink(&by(0), NodeId::ROOT, name).unwrap_err().kind(), ErrorKind::NotPermitted);
    assert_eq!(control.mkdir(&by(0), NodeId::ROOT, name, 0o755).unwrap_err().kind(), ErrorKind::NotPermitted);
}

#[test]
fn an_open_file_says_what_it_said_at_its_opening() {
    let namespace = Namespace::new();
    let control = control(&namespace);
    let mounts = node(&control, "mounts").0;
    let opened = control.open(&by(0), mounts, OpenFlags::empty()).unwrap();
    let tree = Tree::new(Execution::Inline, &[]);
    namespace.mount(&VfsPath::root(), tree, MountOptions::default()).unwrap();
    let file = OpenNode { node: mounts, handle: opened.handle };
    assert_eq!(control.read(&by(0), file, 0, &mut [0; 64]).unwrap(), 0);
    assert!(!read(&control, 0, "mounts").is_empty());
}
