//! One well-formed request of each kind, with a number of its own in each field.

use super::Request;
use super::request::Field::{D, W};
use super::request::record;

pub(super) const HANDLE: u64 = 0xf1f2_f3f4_f5f6_f7f8;
pub(super) const OWNER: u64 = 0xe1e2_e3e4_e5e6_e7e8;
pub(super) const OFFSET: u64 = 0x0d0e_0f10_1112_1314;
pub(super) const CONTEXT: &[u8] = b"system_u:object_r:tmp_t:s0\0";

pub(super) fn lookup() -> Request {
    Request::new(1).string(b"name")
}

pub(super) fn forget() -> Request {
    Request::new(2).first(&[D(7)])
}

pub(super) fn getattr(flags: u32) -> Request {
    Request::new(3).first(&[W(flags), W(0), D(HANDLE)])
}

/// `valid` says which of the fields are meant.
pub(super) fn setattr(valid: u32) -> Request {
    let times = [D(-2i64 as u64), D(3), D(4), W(5), W(6), W(7)];
    let head = [W(valid), W(0), D(HANDLE), D(8), D(OWNER)];
    let tail = [W(0o100_640), W(0), W(9), W(10), W(0)];
    Request::new(4).first(&[&head[..], &times, &tail].concat())
}

pub(super) fn readlink() -> Request {
    Request::new(5)
}

pub(super) fn symlink() -> Request {
    Request::new(6).string(b"name").string(b"../target")
}

pub(super) fn mknod() -> Request {
    Request::new(8).first(&[W(0o020_644), W(0x0501), W(0o027), W(0)]).string(b"name")
}

pub(super) fn mkdir() -> Request {
    Request::new(9).first(&[W(0o755), W(0o027)]).string(b"name")
}

pub(super) fn unlink() -> Request {
    Request::new(10).string(b"name")
}

pub(super) fn rmdir() -> Request {
    Request::new(11).string(b"name")
}

pub(super) fn rename() -> Request {
    Request::new(12).first(&[D(33)]).string(b"old").string(b"new name")
}

pub(super) fn link() -> Request {
    Request::new(13).first(&[D(34)]).string(b"name")
}

pub(super) fn open(open_flags: u32) -> Request {
    Request::new(14).first(&[W(0x8000_0402), W(open_flags)])
}

/// `READ`, `READDIR` and `READDIRPLUS` have one record.
pub(super) fn read(opcode: u32) -> Request {
    Request::new(opcode).first(&[D(HANDLE), D(OFFSET), W(4096), W(2), D(OWNER), W(0), W(0)])
}

pub(super) fn write(write_flags: u32, data: &[u8]) -> Request {
    let size = data.len() as u32;
    let fields = [D(HANDLE), D(OFFSET), W(size), W(write_flags), D(OWNER), W(1), W(0)];
    Request::new(16).first(&fields).bytes(data)
}

pub(super) fn statfs() -> Request {
    Request::new(17)
}

/// `RELEASE` and `RELEASEDIR` have one record.
pub(super) fn release(opcode: u32, release_flags: u32) -> Request {
    Request::new(opcode).first(&[D(HANDLE), W(1), W(release_flags), D(OWNER)])
}

/// `FSYNC` and `FSYNCDIR` have one record.
pub(super) fn fsync(opcode: u32, fsync_flags: u32) -> Request {
    Request::new(opcode).first(&[D(HANDLE), W(fsync_flags), W(0)])
}

pub(super) fn setxattr(own_flags: u32) -> Request {
    Request::new(21).first(&[W(5), W(2), W(own_flags), W(0)]).string(b"user.key").bytes(b"va\0ue")
}

/// As long as the kernel knows nothing of flags of its own.
pub(super) fn setxattr_short() -> Request {
    Request::new(21).first(&[W(5), W(1)]).string(b"user.key").bytes(b"va\0ue")
}

pub(super) fn getxattr() -> Request {
    Request::new(22).first(&[W(64), W(0)]).string(b"user.key")
}

pub(super) fn listxattr() -> Request {
    Request::new(23).first(&[W(65), W(0)])
}

pub(super) fn removexattr() -> Request {
    Request::new(24).string(b"user.key")
}

pub(super) fn flush() -> Request {
    Request::new(25).first(&[D(HANDLE), W(0), W(0), D(OWNER)])
}

/// As Linux 6.18 sends it.
pub(super) fn init(minor: u32, flags: u32, flags2: u32) -> Request {
    let unused = [W(0); 11];
    let fields = [&[W(7), W(minor), W(131_072), W(flags), W(flags2)][..], &unused].concat();
    Request::new(26).first(&fields)
}

/// As Linux 5.10 sends it.
pub(super) fn init_short(major: u32, minor: u32) -> Request {
    Request::new(26).first(&[W(major), W(minor), W(131_072), W(0x0fff_fffb)])
}

pub(super) fn opendir() -> Request {
    Request::new(27).first(&[W(0o200_000), W(0)])
}

/// `GETLK`, `SETLK` and `SETLKW` have one record.
pub(super) fn lock(opcode: u32, kind: u32, lk_flags: u32) -> Request {
    let fields = [D(HANDLE), D(OWNER), D(100), D(i64::MAX as u64), W(kind), W(77), W(lk_flags), W(0)];
    Request::new(opcode).first(&fields)
}

pub(super) fn access() -> Request {
    Request::new(34).first(&[W(4), W(0)])
}

/// `CREATE` and `TMPFILE` have one record.
pub(super) fn create(opcode: u32, open_flags: u32) -> Request {
    Request::new(opcode).first(&[W(0o102), W(0o100_644), W(0o027), W(open_flags)]).string(b"name")
}

pub(super) fn interrupt() -> Request {
    Request { unique: 0x21, ..Request::new(36).first(&[D(0x20)]) }
}

pub(super) fn destroy() -> Request {
    Request::new(38)
}

pub(super) fn ioctl(input: &[u8]) -> Request {
    let fields = [D(HANDLE), W(16), W(0x5401), D(0), W(input.len() as u32), W(60)];
    Request::new(39).first(&fields).bytes(input)
}

pub(super) fn poll(flags: u32) -> Request {
    Request::new(40).first(&[D(HANDLE), D(5555), W(flags), W(0x41)])
}

pub(super) fn notify_reply(data: &[u8]) -> Request {
    let fields = [D(0), D(OFFSET), W(data.len() as u32), W(0), D(0), D(0)];
    Request::new(41).first(&fields).bytes(data)
}

pub(super) fn batch_forget(inodes: &[(u64, u64)]) -> Request {
    let request = Request::new(42).first(&[W(inodes.len() as u32), W(0)]);
    inodes.iter().fold(request, |request, &(ino, count)| request.bytes(&record(&[D(ino), D(count)])))
}

pub(super) fn fallocate() -> Request {
    Request::new(43).first(&[D(HANDLE), D(OFFSET), D(4096), W(3), W(0)])
}

pub(super) fn rename2(flags: u32) -> Request {
    Request::new(45).first(&[D(33), W(flags), W(0)]).string(b"old").string(b"new name")
}

pub(super) fn lseek(offset: u64) -> Request {
    Request::new(46).first(&[D(HANDLE), D(offset), W(4), W(0)])
}

/// `COPY_FILE_RANGE` and `COPY_FILE_RANGE_64` have one record.
pub(super) fn copy_file_range(opcode: u32, length: u64) -> Request {
    let fields = [D(HANDLE), D(1), D(66), D(HANDLE + 1), D(2), D(length), D(0)];
    Request::new(opcode).first(&fields)
}

pub(super) fn statx(flags: u32) -> Request {
    Request::new(52).first(&[W(flags), W(0), D(HANDLE), W(0), W(0xfff)])
}

/// `BMAP`, `SETUPMAPPING`, `REMOVEMAPPING` and `SYNCFS`.
pub(super) fn unsupported() -> [Request; 4] {
    [
        Request::new(37).first(&[D(1), W(4096), W(0)]),
        Request::new(48).first(&[D(HANDLE), D(0), D(4096), D(1), D(0)]),
        Request::new(49).first(&[W(1)]).bytes(&record(&[D(0), D(4096)])),
        Request::new(50).first(&[D(0)]),
    ]
}

/// Adds what SELinux wants a new inode to have, in the kernel's way.
pub(super) fn with_context(request: Request) -> Request {
    request.extension(1, &context(b"security.selinux", CONTEXT))
}

/// Adds the parent's group, in the kernel's way.
pub(super) fn with_group(request: Request, group: u32) -> Request {
    request.extension(32, &record(&[W(1), W(group)]))
}

/// One security context without the header of the extension.
pub(super) fn context(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = record(&[W(value.len() as u32), W(0)]);
    bytes.extend_from_slice(name);
    bytes.push(0);
    bytes.extend_from_slice(value);
    bytes
}

/// Every request of Linux 6.18 that makes sense here, some of them twice.
pub(super) fn all() -> Vec<Request> {
    let creating = [symlink(), mknod(), mkdir(), create(35, 1), create(51, 0)];
    let extended = creating.clone().map(|request| with_group(with_context(request), 50));
    let others = vec![
        lookup(),
        forget(),
        getattr(1),
        setattr(0xfff),
        setattr(0x7f),
        readlink(),
        unlink(),
        rmdir(),
        rename(),
        link(),
        open(1),
        read(15),
        write(4, b"some data"),
        statfs(),
        release(18, 2),
        fsync(20, 1),
        setxattr(1),
        getxattr(),
        listxattr(),
        removexattr(),
        flush(),
        init(45, 0x4fff_fffb, 0x7ff),
        opendir(),
        read(28),
        release(29, 0),
        fsync(30, 0),
        lock(31, 1, 0),
        lock(32, 2, 0),
        lock(33, 0, 1),
        access(),
        interrupt(),
        destroy(),
        ioctl(b"in"),
        poll(1),
        notify_reply(b"cached"),
        batch_forget(&[(2, 1), (3, 9)]),
        fallocate(),
        read(44),
        rename2(2),
        lseek(4),
        copy_file_range(47, 1 << 20),
        copy_file_range(53, 1 << 40),
        statx(1),
    ];
    others.into_iter().chain(creating).chain(extended).collect()
}
