//! What each answer looks like to the kernel.

use super::request::Field::{D, W};
use super::request::{Field, UNIQUE};
use super::{NEWEST, OLDEST, record};
use crate::protocol::{Attached, Dialect, Encoded, Opcode, Scratch, encode};
use crate::reply::{Answer, EntryAnswer, OpenAnswer};
use crate::{Ino, ReadBuffer, RequestId};
use fs9_core::HandleId;
use fs9_sdk::{
    Attr, ErrorKind, FileLock, FileType, IoctlReply, LockKind, ObjectId, OpenTraits, PollEvents, StatFs,
    Timestamp,
};
use std::time::Duration;
use zerocopy::IntoBytes;

const INO: u64 = 0x2122_2324_2526_2728;

pub(super) fn attr() -> Attr {
    Attr {
        id: ObjectId { device: 1, number: 2, generation: 0x9192_9394_9596_9798 },
        kind: FileType::Regular,
        permissions: 0o4755,
        nlink: 3,
        uid: 4,
        gid: 5,
        // Major 8, minor 0x12345, as the kernel packs it.
        rdev: 0x1230_0845,
        size: 7,
        blocks: 8,
        block_size: 4096,
        atime: Timestamp { seconds: -1, nanoseconds: 10 },
        mtime: Timestamp { seconds: 11, nanoseconds: 12 },
        ctime: Timestamp { seconds: 13, nanoseconds: 14 },
        btime: Some(Timestamp { seconds: 15, nanoseconds: 16 }),
    }
}

pub(super) fn entry() -> EntryAnswer {
    let (entry_lifetime, attr_lifetime) = (Duration::new(20, 21), Duration::new(22, 23));
    EntryAnswer { ino: Ino(INO), attr: attr(), entry_lifetime, attr_lifetime }
}

pub(super) fn opened(traits: OpenTraits) -> OpenAnswer {
    OpenAnswer { handle: HandleId(0x77), traits, backing: None }
}

/// The 88 bytes of [`attr`].
fn attr_fields(size: u64) -> Vec<Field> {
    let times = [D(-1i64 as u64), D(11), D(13), W(10), W(12), W(14)];
    let rest = [W(0o104_755), W(3), W(4), W(5), W(0x1230_0845), W(4096), W(0)];
    [&[D(INO), D(size), D(8)][..], &times, &rest].concat()
}

/// The 128 bytes of [`entry`].
pub(super) fn entry_fields() -> Vec<Field> {
    let head = [D(INO), D(0x9192_9394_9596_9798), D(20), D(22), W(21), W(23)];
    [&head[..], &attr_fields(7)].concat()
}

/// Encodes an answer, and returns its error and all its bytes without the header.
fn encoded_in(opcode: Opcode, answer: &Answer, attached: Attached<'_>, dialect: Dialect) -> (i32, Vec<u8>) {
    let mut scratch = Scratch::new();
    let encoded = encode(opcode, answer, attached, dialect, &mut scratch);
    assert_eq!(encoded.len(), encoded.fixed().len() + encoded.data().len());
    (encoded.errno(), [encoded.fixed(), encoded.data()].concat())
}

fn encoded(opcode: Opcode, answer: &Answer) -> (i32, Vec<u8>) {
    encoded_in(opcode, answer, Attached::default(), NEWEST)
}

fn success(fields: &[Field]) -> (i32, Vec<u8>) {
    (0, record(fields))
}

#[test]
fn the_header_tells_length_error_and_request() {
    let mut scratch = Scratch::new();
    let answer = Answer::Bytes(b"target".to_vec());
    let encoded = encode(Opcode::Readlink, &answer, Attached::default(), NEWEST, &mut scratch);
    let header = encoded.header(RequestId(UNIQUE));
    assert_eq!(header.as_bytes(), record(&[W(22), W(0), D(UNIQUE)]));
    let header = Encoded::error(ErrorKind::NotFound).header(RequestId(1 << 63 | 4));
    assert_eq!(header.as_bytes(), record(&[W(16), W(-2i32 as u32), D(1 << 63 | 4)]));
}

#[test]
fn every_error_is_one_that_the_kernel_takes() {
    for kind in ErrorKind::ALL {
        let refused = Encoded::error(*kind);
        assert_eq!((refused.errno(), refused.len()), (-kind.errno(), 0));
        // `ERESTARTSYS` and above are the kernel's own (`fuse_dev_do_write`).
        assert!((-511..0).contains(&refused.errno()));
    }
}

#[test]
fn names_lead_to_entries_with_two_lifetimes() {
    for opcode in [Opcode::Lookup, Opcode::Mknod, Opcode::Mkdir, Opcode::Symlink, Opcode::Link] {
        assert_eq!(encoded(opcode, &Answer::Entry(entry())), success(&entry_fields()), "{opcode:?}");
    }
}

#[test]
fn a_missing_name_is_cached_or_an_error() {
    let missing = |lifetime| encoded(Opcode::Lookup, &Answer::Missing(lifetime));
    assert_eq!(missing(Duration::ZERO), (-2, vec![]));
    let expected = [&[D(0), D(0), D(5), D(0), W(6), W(0)][..], &[D(0); 11]].concat();
    assert_eq!(missing(Duration::new(5, 6)), success(&expected));
}

#[test]
fn attributes_look_as_the_request_wants_them() {
    let answer = |attr| Answer::Attributes(Ino(INO), attr, Duration::new(30, 31));
    let expected = [vec![D(30), W(31), W(0)], attr_fields(7)].concat();
    for opcode in [Opcode::Getattr, Opcode::Setattr] {
        assert_eq!(encoded(opcode, &answer(attr())), success(&expected));
    }
    let statx = |mask, birth: [Field; 3]| {
        let head = vec![D(30), W(31), W(0), D(0), D(0), W(mask), W(4096), D(0), W(3), W(4), W(5)];
        let mode = vec![Field::H(0o104_755), Field::H(0), D(INO), D(7), D(8), D(0)];
        let access = vec![D(-1i64 as u64), W(10), W(0)];
        let others = vec![D(13), W(14), W(0), D(11), W(12), W(0), W(8), W(0x12345), W(0), W(0)];
        [head, mode, access, birth.to_vec(), others, vec![D(0); 14]].concat()
    };
    assert_eq!(encoded(Opcode::Statx, &answer(attr())), success(&statx(0xfff, [D(15), W(16), W(0)])));
    let without = answer(Attr { btime: None, ..attr() });
    assert_eq!(encoded(Opcode::Statx, &without), success(&statx(0x7ff, [D(0), W(0), W(0)])));
}

#[test]
fn no_size_is_larger_than_the_kernel_takes() {
    let huge = Attr { size: u64::MAX, ..attr() };
    let answer = Answer::Attributes(Ino(INO), huge, Duration::ZERO);
    let expected = [vec![D(0), W(0), W(0)], attr_fields(i64::MAX as u64)].concat();
    assert_eq!(encoded(Opcode::Getattr, &answer), success(&expected));
    assert_eq!(encoded(Opcode::Lseek, &Answer::Offset(u64::MAX)), success(&[D(i64::MAX as u64)]));
    assert_eq!(encoded(Opcode::Lseek, &Answer::Offset(77)), success(&[D(77)]));
}

#[test]
fn data_targets_and_values_go_out_as_they_are() {
    let bytes = Answer::Bytes(b"bytes".to_vec());
    for opcode in [Opcode::Readlink, Opcode::Read, Opcode::Getxattr, Opcode::Listxattr] {
        assert_eq!(encoded(opcode, &bytes), (0, b"bytes".to_vec()));
    }
    let read = ReadBuffer::fill(4, |room| {
        room.copy_from_slice(b"data");
        Ok::<_, ()>(3)
    });
    assert_eq!(encoded(Opcode::Read, &Answer::Data(read.unwrap())), (0, b"dat".to_vec()));
    for opcode in [Opcode::Getxattr, Opcode::Listxattr] {
        assert_eq!(encoded(opcode, &Answer::Size(9)), success(&[W(9), W(0)]));
    }
    let long = |length| encoded(Opcode::Readlink, &Answer::Bytes(vec![b'a'; length]));
    assert_eq!(long(4095).1.len(), 4095);
    assert_eq!(long(4096), (-ErrorKind::NameTooLong.errno(), vec![]));
}

#[test]
fn opened_files_say_how_they_are_treated() {
    let flags = [
        (OpenTraits::empty(), 0),
        (OpenTraits::DIRECT_IO, 1),
        (OpenTraits::KEEP_CACHE, 2),
        (OpenTraits::NONSEEKABLE, 4),
        (OpenTraits::CACHE_DIR, 8),
        (OpenTraits::STREAM, 16),
        (OpenTraits::NO_FLUSH, 32),
        (OpenTraits::PARALLEL_DIRECT_WRITES, 64),
        (OpenTraits::all(), 127),
    ];
    for (traits, flags) in flags {
        for opcode in [Opcode::Open, Opcode::Opendir] {
            let answer = Answer::Opened(opened(traits));
            assert_eq!(encoded(opcode, &answer), success(&[D(0x77), W(flags), W(0)]));
        }
        for opcode in [Opcode::Create, Opcode::Tmpfile] {
            let answer = Answer::Created(entry(), opened(traits));
            let expected = [entry_fields(), vec![D(0x77), W(flags), W(0)]].concat();
            assert_eq!(encoded(opcode, &answer), success(&expected));
        }
    }
}

#[test]
fn a_backing_goes_out_only_where_the_kernel_takes_it() {
    let answer = Answer::Opened(opened(OpenTraits::KEEP_CACHE | OpenTraits::NO_FLUSH));
    let with = |backing, dialect| {
        let attached = Attached { backing, ..Attached::default() };
        encoded_in(Opcode::Open, &answer, attached, dialect)
    };
    // Nothing is cached beside a backing, and saying so would be an error.
    assert_eq!(with(Some(5), NEWEST), success(&[D(0x77), W(1 << 7 | 1 << 5), W(5)]));
    for (backing, dialect) in [(None, NEWEST), (Some(0), NEWEST), (Some(-1), NEWEST), (Some(5), OLDEST)] {
        assert_eq!(with(backing, dialect), success(&[D(0x77), W(1 << 5 | 1 << 1), W(0)]));
    }
}

#[test]
fn counts_are_as_wide_as_the_request_has_them() {
    for opcode in [Opcode::Write, Opcode::CopyFileRange] {
        assert_eq!(encoded(opcode, &Answer::Written(5)), success(&[W(5), W(0)]));
        assert_eq!(encoded(opcode, &Answer::Written(1 << 32)), success(&[W(u32::MAX), W(0)]));
    }
    assert_eq!(encoded(Opcode::CopyFileRange64, &Answer::Written(1 << 32)), success(&[D(1 << 32)]));
}

#[test]
fn file_systems_have_sizes_and_counts() {
    let statfs = StatFs {
        blocks: 1,
        blocks_free: 2,
        blocks_available: 3,
        files: 4,
        files_free: 5,
        block_size: 6,
        name_max: 7,
        fragment_size: 8,
    };
    let expected = [&[D(1), D(2), D(3), D(4), D(5), W(6), W(7), W(8), W(0)][..], &[W(0); 6]].concat();
    assert_eq!(encoded(Opcode::Statfs, &Answer::Statfs(statfs)), success(&expected));
}

#[test]
fn locks_ioctls_and_polls() {
    for (kind, number) in [(LockKind::Read, 0), (LockKind::Write, 1), (LockKind::Unlock, 2)] {
        let lock = |start, end| Answer::Lock(FileLock { kind, start, end, pid: 9 });
        let last = i64::MAX as u64;
        assert_eq!(encoded(Opcode::Getlk, &lock(1, 2)), success(&[D(1), D(2), W(number), W(9)]));
        // Beyond the largest offset the kernel sees an error.
        let cut = success(&[D(last), D(last), W(number), W(9)]);
        assert_eq!(encoded(Opcode::Getlk, &lock(u64::MAX, u64::MAX)), cut);
    }
    let ioctl = Answer::Ioctl(IoctlReply { result: -3, output: b"out".to_vec() });
    let expected = [record(&[W(-3i32 as u32), W(0), W(0), W(0)]), b"out".to_vec()].concat();
    assert_eq!(encoded(Opcode::Ioctl, &ioctl), (0, expected));
    let ready = PollEvents::IN | PollEvents::HUP;
    assert_eq!(encoded(Opcode::Poll, &Answer::Events(ready)), success(&[W(0x51), W(0)]));
}

/// One answer of each kind.
fn answers() -> Vec<Answer> {
    vec![
        Answer::Done,
        Answer::Entry(entry()),
        Answer::Missing(Duration::from_secs(1)),
        Answer::Attributes(Ino(INO), attr(), Duration::ZERO),
        Answer::Data(ReadBuffer::fill(1, |_| Ok::<_, ()>(1)).unwrap()),
        Answer::Bytes(vec![1]),
        Answer::Size(1),
        Answer::Written(1),
        Answer::Opened(opened(OpenTraits::empty())),
        Answer::Created(entry(), opened(OpenTraits::empty())),
        Answer::Listing,
        Answer::Statfs(StatFs::default()),
        Answer::Offset(1),
        Answer::Ioctl(IoctlReply::default()),
        Answer::Events(PollEvents::IN),
        Answer::Lock(FileLock { kind: LockKind::Read, start: 0, end: 1, pid: 0 }),
    ]
}

/// Returns the lengths that the kernel takes as the answer to a request: of one byte of data, if it brings data
/// (`out_args` in `fs/fuse/*.c`).
fn accepted_lengths(opcode: Opcode) -> &'static [usize] {
    use Opcode as O;
    match opcode {
        O::Lookup | O::Mknod | O::Mkdir | O::Symlink | O::Link => &[128],
        O::Getattr | O::Setattr => &[104],
        O::Statx => &[288],
        O::Readlink | O::Read | O::Readdir | O::Readdirplus => &[1],
        O::Getxattr | O::Listxattr => &[1, 8],
        O::Open | O::Opendir | O::Ioctl => &[16],
        O::Create | O::Tmpfile => &[144],
        O::Write | O::CopyFileRange | O::CopyFileRange64 | O::Poll | O::Lseek => &[8],
        O::Statfs => &[80],
        O::Getlk => &[24],
        // Not offered, without an answer, or answered apart.
        O::Bmap | O::Setupmapping | O::Removemapping | O::Syncfs => &[],
        O::Forget | O::BatchForget | O::Interrupt | O::NotifyReply | O::Init => &[],
        _ => &[0],
    }
}

#[test]
fn an_answer_has_the_length_that_the_kernel_takes_or_is_an_error() {
    for opcode in Opcode::ALL {
        let mut fitting = 0;
        for answer in &answers() {
            let attached = Attached { listing: &[1], backing: None };
            let (errno, bytes) = encoded_in(opcode, answer, attached, NEWEST);
            let accepted = errno == 0 && accepted_lengths(opcode).contains(&bytes.len());
            let refused = errno == -ErrorKind::Io.errno() && bytes.is_empty();
            assert!(accepted || refused, "{opcode:?}: {errno}, {} bytes", bytes.len());
            fitting += usize::from(accepted);
        }
        assert_eq!(fitting > 0, !accepted_lengths(opcode).is_empty(), "{opcode:?}");
    }
}

#[test]
fn an_entry_without_a_number_would_say_that_there_is_none() {
    let nameless = EntryAnswer { ino: Ino(0), ..entry() };
    let refused = (-ErrorKind::Io.errno(), vec![]);
    assert_eq!(encoded(Opcode::Lookup, &Answer::Entry(nameless)), refused);
    assert_eq!(encoded(Opcode::Create, &Answer::Created(nameless, opened(OpenTraits::empty()))), refused);
}
