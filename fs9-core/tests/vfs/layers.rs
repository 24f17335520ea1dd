//! What layers promise: everything is forwarded once, policies hold, and every operation is counted.

use fs9_core::layers::{Contain, Intent, Interceptor, Layered, Layers, Metrics, ReadOnly, Timeout};
use fs9_core::{MountOptions, Namespace, Statistics, VfsPath};
use fs9_sdk::{
    Attr, Call, Caller, Cancellation, Capabilities, ChangeSink, CopyRange, Deadline, DirEntry, DirSink,
    Entry, ErrorKind, FallocateMode, FileHandle, FileLock, Fill, IoctlFlags, IoctlReply, IoctlRequest,
    LockFamily, LockKind, LockOwner, Name, NewNode, NodeId, OpenFlags, OpenNode, Opened, Operation, Place,
    PollEvents, PollWaker, Provider, RenameFlags, Result, SetAttr, SetLock, StatFs, Whence, WriteOptions,
    XattrFlags,
};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Writes down every operation that reaches it, with its arguments, and refuses it with `ENOTUNIQ`.
#[derive(Default)]
struct Recorder(Mutex<Vec<(Operation, String)>>);

impl Recorder {
    fn note<T>(&self, operation: Operation, arguments: std::fmt::Arguments<'_>) -> Result<T> {
        self.0.lock().unwrap().push((operation, arguments.to_string()));
        Err(ErrorKind::NotUnique.into())
    }

    fn take(&self) -> Vec<(Operation, String)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Notes an operation that cannot fail.
fn noted(result: Result<()>) {
    assert!(result.is_err());
}

impl Provider for Recorder {
    fn capabilities(&self) -> Capabilities {
        Capabilities { backing_descriptors: true, posix_acl: true, ..Capabilities::default() }
    }
    fn lookup(&self, _: &Call, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        self.note(Operation::Lookup, format_args!("{parent:?} {name}"))
    }
    fn forget(&self, node: NodeId, count: u64) {
        noted(self.note(Operation::Forget, format_args!("{node:?} {count}")));
    }
    fn getattr(&self, _: &Call, node: NodeId, handle: Option<FileHandle>) -> Result<Attr> {
        self.note(Operation::Getattr, format_args!("{node:?} {handle:?}"))
    }
    fn setattr(&self, _: &Call, node: NodeId, handle: Option<FileHandle>, changes: SetAttr) -> Result<Attr> {
        self.note(Operation::Setattr, format_args!("{node:?} {handle:?} {:?}", changes.size))
    }
    fn readlink(&self, _: &Call, node: NodeId) -> Result<Vec<u8>> {
        self.note(Operation::Readlink, format_args!("{node:?}"))
    }
    fn mknod(&self, _: &Call, parent: NodeId, name: Name<'_>, new: NewNode) -> Result<Entry> {
        self.note(Operation::Mknod, format_args!("{parent:?} {name} {} {}", new.mode, new.rdev))
    }
    fn mkdir(&self, _: &Call, parent: NodeId, name: Name<'_>, permissions: u16) -> Result<Entry> {
        self.note(Operation::Mkdir, format_args!("{parent:?} {name} {permissions}"))
    }
    fn symlink(&self, _: &Call, parent: NodeId, name: Name<'_>, target: &[u8]) -> Result<Entry> {
        self.note(Operation::Symlink, format_args!("{parent:?} {name} {target:?}"))
    }
    fn link(&self, _: &Call, node: NodeId, parent: NodeId, name: Name<'_>) -> Result<Entry> {
        self.note(Operation::Link, format_args!("{node:?} {parent:?} {name}"))
    }
    fn unlink(&self, _: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.note(Operation::Unlink, format_args!("{parent:?} {name}"))
    }
    fn rmdir(&self, _: &Call, parent: NodeId, name: Name<'_>) -> Result<()> {
        self.note(Operation::Rmdir, format_args!("{parent:?} {name}"))
    }
    fn rename(&self, _: &Call, from: Place<'_>, to: Place<'_>, flags: RenameFlags) -> Result<()> {
        self.note(Operation::Rename, format_args!("{} {} {}", from.name, to.name, flags.bits()))
    }
    fn open(&self, _: &Call, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        self.note(Operation::Open, format_args!("{node:?} {}", flags.bits()))
    }
    fn create(&self, _: &Call, place: Place<'_>, mode: u16, flags: OpenFlags) -> Result<(Entry, Opened)> {
        self.note(Operation::Create, format_args!("{} {mode} {}", place.name, flags.bits()))
    }
    fn tmpfile(&self, _: &Call, dir: NodeId, mode: u16, flags: OpenFlags) -> Result<(Entry, Opened)> {
        self.note(Operation::Tmpfile, format_args!("{dir:?} {mode} {}", flags.bits()))
    }
    fn read(&self, _: &Call, file: OpenNode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.note(Operation::Read, format_args!("{file:?} {offset} {}", buffer.len()))
    }
    fn write(&self, _: &Call, file: OpenNode, offset: u64, data: &[u8], _: WriteOptions) -> Result<usize> {
        self.note(Operation::Write, format_args!("{file:?} {offset} {data:?}"))
    }
    fn flush(&self, _: &Call, file: OpenNode) -> Result<()> {
        self.note(Operation::Flush, format_args!("{file:?}"))
    }
    fn release(&self, file: OpenNode) {
        noted(self.note(Operation::Release, format_args!("{file:?}")));
    }
    fn fsync(&self, _: &Call, file: OpenNode, data_only: bool) -> Result<()> {
        self.note(Operation::Fsync, format_args!("{file:?} {data_only}"))
    }
    fn opendir(&self, _: &Call, node: NodeId) -> Result<Opened> {
        self.note(Operation::Opendir, format_args!("{node:?}"))
    }
    fn readdir(&self, _: &Call, dir: OpenNode, cookie: u64, attr: bool, _: &mut dyn DirSink) -> Result<()> {
        self.note(Operation::Readdir, format_args!("{dir:?} {cookie} {attr}"))
    }
    fn releasedir(&self, dir: OpenNode) {
        noted(self.note(Operation::Releasedir, format_args!("{dir:?}")));
    }
    fn fsyncdir(&self, _: &Call, dir: OpenNode, data_only: bool) -> Result<()> {
        self.note(Operation::Fsyncdir, format_args!("{dir:?} {data_only}"))
    }
    fn statfs(&self, _: &Call, node: NodeId) -> Result<StatFs> {
        self.note(Operation::Statfs, format_args!("{node:?}"))
    }
    fn getxattr(&self, _: &Call, node: NodeId, name: &[u8]) -> Result<Vec<u8>> {
        self.note(Operation::Getxattr, format_args!("{node:?} {name:?}"))
    }
    fn setxattr(&self, _: &Call, node: NodeId, name: &[u8], value: &[u8], flags: XattrFlags) -> Result<()> {
        self.note(Operation::Setxattr, format_args!("{node:?} {name:?} {value:?} {}", flags.bits()))
    }
    fn listxattr(&self, _: &Call, node: NodeId) -> Result<Vec<u8>> {
        self.note(Operation::Listxattr, format_args!("{node:?}"))
    }
    fn removexattr(&self, _: &Call, node: NodeId, name: &[u8]) -> Result<()> {
        self.note(Operation::Removexattr, format_args!("{node:?} {name:?}"))
    }
    fn fallocate(&self, _: &Call, file: OpenNode, mode: FallocateMode, from: u64, length: u64) -> Result<()> {
        self.note(Operation::Fallocate, format_args!("{file:?} {} {from} {length}", mode.bits()))
    }
    fn lseek(&self, _: &Call, file: OpenNode, offset: u64, whence: Whence) -> Result<u64> {
        self.note(Operation::Lseek, format_args!("{file:?} {offset} {whence:?}"))
    }
    fn copy_file_range(&self, _: &Call, range: CopyRange) -> Result<u64> {
        self.note(Operation::CopyFileRange, format_args!("{range:?}"))
    }
    fn getlk(&self, _: &Call, file: OpenNode, owner: LockOwner, lock: FileLock) -> Result<FileLock> {
        self.note(Operation::Getlk, format_args!("{file:?} {owner:?} {lock:?}"))
    }
    fn setlk(&self, _: &Call, file: OpenNode, change: SetLock) -> Result<()> {
        self.note(Operation::Setlk, format_args!("{file:?} {change:?}"))
    }
    fn ioctl(&self, _: &Call, file: OpenNode, request: IoctlRequest<'_>) -> Result<IoctlReply> {
        self.note(Operation::Ioctl, format_args!("{file:?} {}", request.command))
    }
    fn poll(&self, _: &Call, file: OpenNode, events: PollEvents, _: Option<PollWaker>) -> Result<PollEvents> {
        self.note(Operation::Poll, format_args!("{file:?} {}", events.bits()))
    }
    fn lend_backing(&self, _: OpenNode, borrow: &mut dyn FnMut(BorrowedFd<'_>)) -> bool {
        borrow(std::io::stdin().as_fd());
        true
    }
    fn report_changes_to(&self, _: Arc<dyn ChangeSink>) {
        self.0.lock().unwrap().push((Operation::Forget, "report_changes_to".to_owned()));
    }
}

struct NoSink;

impl DirSink for NoSink {
    fn has_room(&self, _: usize) -> bool {
        false
    }
    fn push(&mut self, _: DirEntry<'_>) -> Fill {
        Fill::Full
    }
}

impl ChangeSink for NoSink {
    fn changed(&self, _: fs9_sdk::Change) {}
}

/// A command that only reads (`_IOR`), and one that passes data in (`_IOW`).
const IOCTL_READ: u32 = 2 << 30 | 1;
const IOCTL_WRITE: u32 = 1 << 30 | 2;

fn ioctl(command: u32) -> IoctlRequest<'static> {
    IoctlRequest { command, flags: IoctlFlags::empty(), input: &[], output_max: 0 }
}

const LOCK: FileLock = FileLock { kind: LockKind::Write, start: 19, end: 20, pid: 21 };
const SET_LOCK: SetLock = SetLock { owner: LockOwner(18), lock: LOCK, family: LockFamily::Flock, wait: true };
const FILE: OpenNode = OpenNode { node: NodeId(5), handle: FileHandle(6) };

/// Calls one operation and returns the error that it ends with; `None` for those that cannot fail.
fn call_one(provider: &dyn Provider, call: &Call, operation: Operation) -> Option<ErrorKind> {
    use Operation as O;
    let (node, name) = (NodeId(5), Name::new(b"name").unwrap());
    let (from, to) = (Place { parent: node, name }, Place { parent: node, name: Name::new(b"to").unwrap() });
    let result = match operation {
        O::Lookup => provider.lookup(call, node, name).map(drop),
        O::Forget => {
            provider.forget(node, 3);
            return None;
        }
        O::Getattr => provider.getattr(call, node, Some(FILE.handle)).map(drop),
        O::Setattr => {
            provider.setattr(call, node, None, SetAttr { size: Some(8), ..SetAttr::default() }).map(drop)
        }
        O::Readlink => provider.readlink(call, node).map(drop),
        O::Mknod => provider.mknod(call, node, name, NewNode { mode: 0o100_644, rdev: 9 }).map(drop),
        O::Mkdir => provider.mkdir(call, node, name, 0o755).map(drop),
        O::Symlink => provider.symlink(call, node, name, b"target").map(drop),
        O::Link => provider.link(call, node, NodeId(7), name).map(drop),
        O::Unlink => provider.unlink(call, node, name),
        O::Rmdir => provider.rmdir(call, node, name),
        O::Rename => provider.rename(call, from, to, RenameFlags::EXCHANGE),
        O::Open => provider.open(call, node, OpenFlags::empty()).map(drop),
        O::Create => provider.create(call, from, 0o600, OpenFlags::WRITE_ONLY).map(drop),
        O::Tmpfile => provider.tmpfile(call, node, 0o600, OpenFlags::READ_WRITE).map(drop),
        O::Read => provider.read(call, FILE, 11, &mut [0; 3]).map(drop),
        O::Write => provider.write(call, FILE, 12, b"data", WriteOptions::default()).map(drop),
        O::Flush => provider.flush(call, FILE),
        O::Release => {
            provider.release(FILE);
            return None;
        }
        O::Fsync => provider.fsync(call, FILE, true),
        O::Opendir => provider.opendir(call, node).map(drop),
        O::Readdir => provider.readdir(call, FILE, 13, true, &mut NoSink),
        O::Releasedir => {
            provider.releasedir(FILE);
            return None;
        }
        O::Fsyncdir => provider.fsyncdir(call, FILE, true),
        O::Statfs => provider.statfs(call, node).map(drop),
        O::Getxattr => provider.getxattr(call, node, b"user.a").map(drop),
        O::Setxattr => provider.setxattr(call, node, b"user.a", b"v", XattrFlags::CREATE),
        O::Listxattr => provider.listxattr(call, node).map(drop),
        O::Removexattr => provider.removexattr(call, node, b"user.a"),
        O::Fallocate => provider.fallocate(call, FILE, FallocateMode::KEEP_SIZE, 14, 15),
        O::Lseek => provider.lseek(call, FILE, 16, Whence::Hole).map(drop),
        O::CopyFileRange => {
            let range = CopyRange { source: (FILE, 1), target: (FILE, 2), length: 3 };
            provider.copy_file_range(call, range).map(drop)
        }
        O::Getlk => provider.getlk(call, FILE, LockOwner(17), LOCK).map(drop),
        O::Setlk => provider.setlk(call, FILE, SET_LOCK),
        O::Ioctl => provider.ioctl(call, FILE, ioctl(IOCTL_READ)).map(drop),
        O::Poll => provider.poll(call, FILE, PollEvents::IN, None).map(drop),
    };
    Some(result.unwrap_err().kind())
}

fn root_call() -> Call {
    Call::by(Caller::ROOT)
}

#[test]
fn every_operation_passes_a_stack_of_layers_once_with_its_arguments_and_is_counted() {
    let (bare, recorder) = (Recorder::default(), Arc::new(Recorder::default()));
    let statistics = Arc::<Statistics>::default();
    let metrics = Metrics::new(Arc::clone(&statistics));
    let stack = Layers::over(Arc::clone(&recorder) as _).with(Contain).with(Timeout).with(metrics).build();
    for &operation in Operation::ALL {
        let expected = call_one(&bare, &root_call(), operation);
        assert_eq!(call_one(&*stack, &root_call(), operation), expected, "{operation}");
        let (bare, layered) = (bare.take(), recorder.take());
        assert_eq!((layered.len(), layered[0].0), (1, operation));
        assert_eq!(bare, layered);
        let counted = statistics.of(operation).unwrap();
        assert_eq!(counted.latencies.count(), 1, "{operation}");
        assert_eq!(counted.errors, u64::from(expected.is_some()), "{operation}");
    }
    stack.report_changes_to(Arc::new(NoSink));
    assert_eq!(recorder.take().len(), 1);
    assert_eq!(stack.capabilities(), recorder.capabilities());
}

#[test]
fn read_only_refuses_every_change_and_nothing_else() {
    let recorder = Arc::new(Recorder::default());
    let stack = Layers::over(Arc::clone(&recorder) as _).with(ReadOnly).build();
    for &operation in Operation::ALL {
        let told = call_one(&*stack, &root_call(), operation);
        assert_eq!(told == Some(ErrorKind::ReadOnly), operation.mutates(), "{operation}");
        assert_eq!(recorder.take().is_empty(), operation.mutates(), "{operation}");
    }
    let refused = Some(ErrorKind::ReadOnly);
    let passed = Some(ErrorKind::NotUnique);
    for (flags, expected) in [
        (OpenFlags::empty(), passed),
        (OpenFlags::NOATIME | OpenFlags::DIRECT, passed),
        (OpenFlags::WRITE_ONLY, refused),
        (OpenFlags::READ_WRITE, refused),
        (OpenFlags::TRUNCATE, refused),
    ] {
        let told = stack.open(&root_call(), NodeId(5), flags).err().map(|error| error.kind());
        assert_eq!(told, expected, "{flags:?}");
    }
    let told = stack.ioctl(&root_call(), FILE, ioctl(IOCTL_WRITE)).unwrap_err().kind();
    assert_eq!(Some(told), refused);
    assert!(stack.capabilities().read_only);
}

#[test]
fn a_call_whose_time_is_up_or_that_was_cancelled_does_not_start() {
    let recorder = Arc::new(Recorder::default());
    let stack = Layers::over(Arc::clone(&recorder) as _).with(Timeout).build();
    let late = Call { deadline: Deadline::At(Instant::now()), ..root_call() };
    let cancelled = Call { cancellation: Cancellation::new(), deadline: Deadline::Wait, ..root_call() };
    cancelled.cancellation.cancel();
    for (call, expected) in [(late, ErrorKind::TimedOut), (cancelled, ErrorKind::Interrupted)] {
        for &operation in Operation::ALL {
            let told = call_one(&*stack, &call, operation);
            assert!(told.is_none_or(|kind| kind == expected), "{operation}");
        }
    }
    // What cannot fail is forwarded, whatever the time.
    let forwarded: Vec<_> = recorder.take().into_iter().map(|(operation, _)| operation).collect();
    let never_refused = [Operation::Forget, Operation::Release, Operation::Releasedir];
    assert_eq!(forwarded, [never_refused, never_refused].concat());
}

/// A layer that has to see data.
struct Sees(&'static str);

impl Interceptor for Sees {
    fn call<T>(&self, _: Intent, _: Option<&Call>, forward: impl FnOnce() -> Result<T>) -> Result<T> {
        forward()
    }
    fn withdraws_backing(&self) -> Option<&'static str> {
        Some(self.0)
    }
}

#[test]
fn a_layer_that_must_see_data_withdraws_the_backing_and_is_named() {
    let borrowed = |provider: &dyn Provider| {
        let mut count = 0;
        let lent = provider.lend_backing(FILE, &mut |_| count += 1);
        (lent, count)
    };
    let plain = Layers::over(Arc::new(Recorder::default())).with(Timeout).with(ReadOnly);
    assert_eq!(plain.backing_withdrawn_by(), None);
    let plain = plain.build();
    assert_eq!((borrowed(&*plain), plain.capabilities().backing_descriptors), ((true, 1), true));
    let seeing = Layers::over(Arc::new(Recorder::default())).with(Sees("audit")).with(Sees("quota"));
    assert_eq!(seeing.backing_withdrawn_by(), Some("audit"));
    let seeing = seeing.with(Timeout).build();
    assert_eq!((borrowed(&*seeing), seeing.capabilities().backing_descriptors), ((false, 0), false));
}

#[test]
fn the_first_layer_given_is_nearest_to_the_provider() {
    let statistics = Arc::<Statistics>::default();
    let metrics = Metrics::new(Arc::clone(&statistics));
    let stack = Layers::over(Arc::new(Recorder::default())).with(ReadOnly).with(metrics).build();
    call_one(&*stack, &root_call(), Operation::Mkdir);
    assert_eq!(statistics.of(Operation::Mkdir).unwrap().errors, 1);
    let inside = Layered::new(Arc::new(Recorder::default()), Metrics::new(Arc::clone(&statistics)));
    let stack = Layers::over(Arc::new(inside)).with(ReadOnly).build();
    call_one(&*stack, &root_call(), Operation::Rmdir);
    assert_eq!(statistics.of(Operation::Rmdir), None);
}

#[test]
fn a_mount_made_read_only_refuses_changes_and_counts_them() {
    let namespace = Namespace::new();
    let options = MountOptions { read_only: true, ..MountOptions::default() };
    let mount = namespace.mount(&VfsPath::root(), Arc::new(Recorder::default()), options).unwrap();
    let told = call_one(&**mount.provider(), &root_call(), Operation::Unlink);
    assert_eq!(told, Some(ErrorKind::ReadOnly));
    assert_eq!(mount.statistics().of(Operation::Unlink).unwrap().errors, 1);
}

/// Panics in every operation.
struct Panics;

impl Provider for Panics {
    fn lookup(&self, _: &Call, _: NodeId, _: Name<'_>) -> Result<Entry> {
        panic!("on purpose")
    }
    fn forget(&self, _: NodeId, _: u64) {
        panic!("on purpose")
    }
    fn getattr(&self, _: &Call, _: NodeId, _: Option<FileHandle>) -> Result<Attr> {
        panic!("on purpose")
    }
    fn open(&self, _: &Call, _: NodeId, _: OpenFlags) -> Result<Opened> {
        panic!("on purpose")
    }
    fn read(&self, _: &Call, _: OpenNode, _: u64, _: &mut [u8]) -> Result<usize> {
        panic!("on purpose")
    }
    fn readdir(&self, _: &Call, _: OpenNode, _: u64, _: bool, _: &mut dyn DirSink) -> Result<()> {
        panic!("on purpose")
    }
}

#[test]
fn a_panic_of_a_provider_is_an_io_error_of_that_call_and_is_counted() {
    let namespace = Namespace::new();
    let mount = namespace.mount(&VfsPath::root(), Arc::new(Panics), MountOptions::default()).unwrap();
    let panicking =
        [Operation::Lookup, Operation::Getattr, Operation::Open, Operation::Read, Operation::Readdir];
    for operation in panicking {
        let told = call_one(&**mount.provider(), &root_call(), operation);
        assert_eq!(told, Some(ErrorKind::Io), "{operation}");
        assert_eq!(mount.statistics().of(operation).unwrap().errors, 1);
    }
    assert_eq!(call_one(&**mount.provider(), &root_call(), Operation::Forget), None);
}
