//! What the control directory promises, as a provider in a namespace.

use crate::support::Tree;
use fs9_core::control::{
    AccessLog, COMMAND_MAX, Commands, ControlOptions, ControlProvider, HandleReport, OpenFor, OpenHandle,
    READERS_MAX,
};
use fs9_core::{MountId, MountOptions, Namespace, VfsPath};
use fs9_sdk::{
    Attr, Call, Caller, Cancellation, Deadline, DirEntry, DirSink, Error, ErrorKind, Execution, FileType,
    Fill, Name, NodeId, OpenFlags, OpenNode, OpenTraits, Operation, PollEvents, Provider, Result, SetAttr,
    WriteOptions,
};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

const OWNER: u32 = 1000;

/// Understands `ok TEXT` and `busy`.
struct Echo;

impl Commands for Echo {
    fn run(&self, _call: &Call, line: &[u8]) -> Result<String> {
        match line.strip_prefix(b"ok ") {
            Some(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            None => Err(Error::new(ErrorKind::Busy).during("run").at(line.escape_ascii())),
        }
    }
}

/// Mounts at `/late`, once it is allowed to; with `whatever`, also for nobody.
struct Slow {
    namespace: Weak<Namespace>,
    begun: SyncSender<()>,
    allowed: Mutex<Receiver<()>>,
}

impl Commands for Slow {
    fn run(&self, call: &Call, line: &[u8]) -> Result<String> {
        self.begun.send(()).unwrap();
        self.allowed.lock().unwrap().recv().unwrap();
        let nobody = by(OWNER);
        let call = if line == b"whatever" { &nobody } else { call };
        let (path, tree) = (VfsPath::parse(b"/late")?, Tree::new(Execution::Inline, &[]));
        self.namespace.upgrade().unwrap().mount_for(&path, tree, MountOptions::default(), call)?;
        Ok("mounted".to_owned())
    }
}

#[derive(Default)]
struct OneHandle(Arc<AccessLog>);

impl HandleReport for OneHandle {
    fn open_handles(&self) -> Vec<OpenHandle> {
        let (mount, node) = (MountId(1), NodeId(5));
        vec![OpenHandle { handle: 3, mount, node, purpose: OpenFor::Listing, pid: 77 }]
    }

    fn access_log(&self) -> &Arc<AccessLog> {
        &self.0
    }
}

fn control(namespace: &Arc<Namespace>) -> ControlProvider {
    control_with(namespace, Arc::new(Echo))
}

fn control_with(namespace: &Arc<Namespace>, commands: Arc<dyn Commands>) -> ControlProvider {
    let options = ControlOptions { version: "fs9 1.2.3".into(), uid: OWNER, gid: 100, log_waits: true };
    ControlProvider::new(namespace, options, commands, Arc::new(OneHandle::default()))
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
    write_by(control, &by(uid), command)
}

fn write_by(control: &ControlProvider, call: &Call, command: &[u8]) -> Result<usize> {
    let node = node(control, "ctl").0;
    let opened = control.open(call, node, OpenFlags::WRITE_ONLY | OpenFlags::TRUNCATE)?;
    let file = OpenNode { node, handle: opened.handle };
    let written = control.write(call, file, 0, command, WriteOptions::default());
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
    assert_eq!(rest.0, ["providers 3", "stats 4", "handles 5", "ctl 6", "accesslog 7"]);
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
    assert_eq!(latencies.len(), 7);
    assert!(latencies[1..6].is_sorted() && latencies[0] <= latencies[5], "{latencies:?}");
    assert_eq!(latencies[6] / 3, latencies[0], "the sum of three calls and their mean");
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

/// Symptom: a mount whose write had failed with ETIMEDOUT appeared later, and `ctl` said what the command before it had
/// given. Cause: the command went on, and nobody told it. Fix: it looks before the mount is made, and `ctl` tells what
/// becomes of it.
#[test]
fn a_command_that_nobody_waits_for_does_nothing_and_ctl_tells_what_becomes_of_it() {
    let goes_on = "the command goes on: what becomes of it is told here\n";
    let cases = [
        ("mount", Deadline::At(Instant::now()), "ETIMEDOUT", 0),
        ("mount", Deadline::Unlimited, "EINTR", 0),
        ("whatever", Deadline::Unlimited, "EINTR", 1),
    ];
    for (command, deadline, told, mounts) in cases {
        let namespace = Namespace::new();
        let (begun, has_begun) = sync_channel(1);
        let (allow, allowed) = sync_channel(1);
        let slow = Slow { namespace: Arc::downgrade(&namespace), begun, allowed: Mutex::new(allowed) };
        let control = control_with(&namespace, Arc::new(slow));
        let ctl = || String::from_utf8(read(&control, OWNER, "ctl")).unwrap();
        let call = Call { deadline, cancellation: Cancellation::new(), ..by(OWNER) };
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| write_by(&control, &call, command.as_bytes()));
            has_begun.recv().unwrap();
            call.cancellation.cancel();
            let said = ctl();
            assert!(said.starts_with(&format!("{told}\t")) && said.ends_with(goes_on), "{said}");
            allow.send(()).unwrap();
            writer.join().unwrap()
        });
        assert_eq!(namespace.table().mounts().count(), mounts, "{command}");
        if mounts == 1 {
            written.unwrap();
            assert_eq!(ctl(), "ok\tmounted, after the writer was told EINTR\n");
        } else {
            assert_eq!(written.unwrap_err().kind().name(), told);
            let said = ctl();
            assert!(said.starts_with(&format!("{told}\tmount at /late: ")), "{said}");
            assert!(said.ends_with(": nobody waits for it any more: nothing is mounted\n"), "{said}");
        }
    }
}

#[test]
fn a_bind_that_nobody_waits_for_is_not_made() {
    let namespace = Namespace::new();
    let at = |path: &[u8]| VfsPath::parse(path).unwrap();
    namespace.mount(&at(b"/"), Tree::new(Execution::Inline, &["dir/"]), MountOptions::default()).unwrap();
    let call = Call { cancellation: Cancellation::new(), ..by(OWNER) };
    call.cancellation.cancel();
    let refused = namespace.bind_for(&at(b"/dir"), &at(b"/b"), &call).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Interrupted);
    assert_eq!(namespace.table().mounts().count(), 1);
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

/// Opens the access log.
fn open_log(control: &ControlProvider, flags: OpenFlags) -> OpenNode {
    let node = node(control, "accesslog").0;
    let opened = control.open(&by(OWNER), node, flags).unwrap();
    assert!(opened.traits.contains(OpenTraits::DIRECT_IO | OpenTraits::STREAM));
    OpenNode { node, handle: opened.handle }
}

fn read_log(control: &ControlProvider, file: OpenNode) -> Result<String> {
    let mut buffer = [0; 64];
    let length = control.read(&by(OWNER), file, 0, &mut buffer)?;
    Ok(String::from_utf8(buffer[..length].to_vec()).unwrap())
}

#[test]
fn the_access_log_is_on_while_somebody_has_it_open() {
    let (namespace, requests) = (Namespace::new(), Arc::new(OneHandle::default()));
    let options = ControlOptions { version: "fs9 1.2.3".into(), uid: OWNER, gid: 100, log_waits: true };
    let control = ControlProvider::new(&namespace, options, Arc::new(Echo), Arc::clone(&requests) as _);
    assert_eq!(node(&control, "accesslog").1.permissions, 0o400);
    assert!(!requests.access_log().is_open());
    let file = open_log(&control, OpenFlags::NONBLOCK);
    assert!(requests.access_log().is_open());
    assert_eq!(read_log(&control, file).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(control.poll(&by(OWNER), file, PollEvents::IN, None).unwrap(), PollEvents::empty());
    requests.access_log().append((*b"a line\n").into());
    assert_eq!(control.poll(&by(OWNER), file, PollEvents::IN, None).unwrap(), PollEvents::IN);
    assert_eq!(read_log(&control, file).unwrap(), "a line\n");
    control.release(file);
    assert!(!requests.access_log().is_open());
    assert_eq!(read_log(&control, file).unwrap_err().kind(), ErrorKind::BadDescriptor);
}

#[test]
fn the_access_log_is_for_the_owner_and_for_reading() {
    let control = control(&Namespace::new());
    let log = node(&control, "accesslog").0;
    let refused = |uid, flags| control.open(&by(uid), log, flags).map(drop).unwrap_err().kind();
    assert_eq!(refused(OWNER + 1, OpenFlags::empty()), ErrorKind::AccessDenied);
    assert_eq!(refused(OWNER, OpenFlags::READ_WRITE), ErrorKind::AccessDenied);
}

#[test]
fn readers_of_the_access_log_that_wait_leave_threads_for_commands() {
    let namespace = Namespace::new();
    let options = MountOptions { hidden: true, reads_wait: true, ..MountOptions::default() };
    let path = VfsPath::parse(b"/.fs9").unwrap();
    let control = Arc::new(control(&namespace));
    let mount = namespace.mount(&path, Arc::clone(&control) as _, options).unwrap();
    assert_eq!(mount.deadlines().of(Operation::Read), Deadline::Wait);
    let (pool, cancellation) = (mount.pool().unwrap(), Cancellation::new());
    let (sender, ended) = std::sync::mpsc::channel();
    for _ in 0..READERS_MAX {
        let file = open_log(&control, OpenFlags::empty());
        let call = Call { deadline: Deadline::Wait, cancellation: cancellation.clone(), ..by(OWNER) };
        let (control, sender) = (Arc::clone(&control), sender.clone());
        let read = move || {
            let error = control.read(&call, file, 0, &mut [0; 9]).unwrap_err();
            sender.send(error.kind()).unwrap();
        };
        pool.submit(Box::new(read)).unwrap();
    }
    let log = node(&control, "accesslog").0;
    let one_more = control.open(&by(OWNER), log, OpenFlags::empty()).map(drop).unwrap_err();
    assert_eq!(one_more.kind(), ErrorKind::Busy);
    let command = Arc::clone(&control);
    let answer = pool.call(&by(OWNER), move || write(&command, OWNER, b"ok x"), drop).unwrap();
    assert_eq!(answer.unwrap(), 4);
    cancellation.cancel();
    let kinds: Vec<ErrorKind> = (0..READERS_MAX).map(|_| ended.recv().unwrap()).collect();
    assert_eq!(kinds, [ErrorKind::Interrupted; READERS_MAX]);
}
