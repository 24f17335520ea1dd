//! What each request means.

use super::corpus::{self, CONTEXT, HANDLE, OFFSET, OWNER};
use super::request::{CALLER, Field};
use super::{NEWEST, OLDEST, Request, UNTOLD, checked, record};
use crate::protocol::message::PollHandle;
use crate::protocol::{Body, Message, Opcode};
use crate::{AttributeChanges, Ino, Operation as P, RequestId};
use fs9_core::HandleId;
use fs9_sdk::{
    FallocateMode, FileLock, IoctlFlags, LockFamily, LockKind, LockOwner, OpenFlags, PollEvents, RenameFlags,
    SetTime, Timestamp, WriteOptions, XattrFlags,
};

/// Checks that a request means an operation of this shape, and then what follows.
macro_rules! means {
    ($request:expr, $shape:pat => $check:expr) => {
        checked(&$request, |message| {
            let Body::Operation($shape) = message.body else { panic!("{:?}", message.opcode) };
            $check
        })
    };
}

const H: HandleId = HandleId(HANDLE);

#[test]
fn requests_with_a_name_only() {
    means!(corpus::lookup(), P::Lookup { name } => assert_eq!(*name, *b"name"));
    means!(corpus::unlink(), P::Unlink { name } => assert_eq!(*name, *b"name"));
    means!(corpus::rmdir(), P::Rmdir { name } => assert_eq!(*name, *b"name"));
    means!(corpus::removexattr(), P::Removexattr { name } => assert_eq!(*name, *b"user.key"));
}

#[test]
fn requests_without_arguments() {
    means!(corpus::readlink(), P::Readlink => ());
    means!(corpus::statfs(), P::Statfs => ());
    means!(corpus::opendir(), P::Opendir => ());
    means!(corpus::access(), P::Access => ());
    checked(&corpus::destroy(), |message| assert!(matches!(message.body, Body::Destroy)));
}

#[test]
fn attributes_are_asked_for_with_and_without_an_open_file() {
    for request in [corpus::getattr, corpus::statx] {
        means!(request(1), P::Getattr { handle } => assert_eq!(handle, Some(H)));
        means!(request(0), P::Getattr { handle } => assert_eq!(handle, None));
    }
}

#[test]
fn only_the_attributes_that_are_meant_are_changed() {
    let none = AttributeChanges::default();
    let before_the_epoch = SetTime::At(Timestamp { seconds: -2, nanoseconds: 5 });
    let given = SetTime::At(Timestamp { seconds: 3, nanoseconds: 6 });
    let cases = [
        (0, none),
        (1, AttributeChanges { mode: Some(0o100_640), ..none }),
        (1 << 1, AttributeChanges { uid: Some(9), ..none }),
        (1 << 2, AttributeChanges { gid: Some(10), ..none }),
        (1 << 3, AttributeChanges { size: Some(8), ..none }),
        (1 << 4, AttributeChanges { atime: Some(before_the_epoch), ..none }),
        (1 << 5, AttributeChanges { mtime: Some(given), ..none }),
        (1 << 4 | 1 << 7, AttributeChanges { atime: Some(SetTime::Now), ..none }),
        (1 << 5 | 1 << 8, AttributeChanges { mtime: Some(SetTime::Now), ..none }),
        // The owner of locks, and the time of change that a kernel with a write cache keeps.
        (1 << 9 | 1 << 10, none),
        (1 << 11, AttributeChanges { kill_privileges: true, ..none }),
    ];
    for (valid, expected) in cases {
        means!(corpus::setattr(valid), P::Setattr { handle: None, changes } => {
            assert_eq!(changes, expected, "{valid:#x}");
        });
    }
    means!(corpus::setattr(1 << 6), P::Setattr { handle, changes } => {
        assert_eq!((handle, changes), (Some(H), none));
    });
}

#[test]
fn new_inodes_have_a_mode_and_a_mask() {
    let umask = |message: &Message<'_>| message.header.caller.umask;
    checked(&corpus::mknod(), |message| {
        assert_eq!(umask(&message), 0o027);
        let Body::Operation(P::Mknod { name, mode, rdev, creation }) = message.body else { panic!() };
        assert_eq!((&*name, mode, rdev), (&b"name"[..], 0o020_644, 0x0501));
        assert!(creation.security.is_empty());
    });
    checked(&corpus::mkdir(), |message| {
        assert_eq!(umask(&message), 0o027);
        let Body::Operation(P::Mkdir { name, mode, .. }) = message.body else { panic!() };
        assert_eq!((&*name, mode), (&b"name"[..], 0o755));
    });
    checked(&corpus::create(35, 0), |message| {
        assert_eq!(umask(&message), 0o027);
        let Body::Operation(P::Create { name, mode, flags, kill_privileges, .. }) = message.body else {
            panic!()
        };
        assert_eq!((&*name, mode, kill_privileges), (&b"name"[..], 0o100_644, false));
        assert_eq!(flags, OpenFlags::CREATE | OpenFlags::READ_WRITE);
    });
    checked(&corpus::create(51, 0), |message| {
        assert_eq!(umask(&message), 0o027);
        let Body::Operation(P::Tmpfile { mode, flags, .. }) = message.body else { panic!() };
        assert_eq!((mode, flags), (0o100_644, OpenFlags::CREATE | OpenFlags::READ_WRITE));
    });
    means!(corpus::create(35, 1), P::Create { kill_privileges, .. } => assert!(kill_privileges));
    checked(&corpus::symlink(), |message| {
        assert_eq!(message.header.caller, CALLER);
        let Body::Operation(P::Symlink { name, target, .. }) = message.body else { panic!() };
        assert_eq!((&*name, &*target), (&b"name"[..], &b"../target"[..]));
    });
}

/// Names and values.
type Contexts = Vec<(Vec<u8>, Vec<u8>)>;

/// Returns the security contexts and groups of a request that makes an inode.
fn extensions(message: Message<'_>) -> (Contexts, Vec<u32>) {
    let groups = message.groups.collect();
    let Body::Operation(operation) = message.body else { panic!() };
    let (P::Symlink { creation, .. }
    | P::Mknod { creation, .. }
    | P::Mkdir { creation, .. }
    | P::Create { creation, .. }
    | P::Tmpfile { creation, .. }) = operation
    else {
        panic!()
    };
    let security = creation.security.into_iter();
    (security.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(), groups)
}

#[test]
fn new_inodes_come_with_a_security_context_and_a_group() {
    let selinux = || vec![(b"security.selinux".to_vec(), CONTEXT.to_vec())];
    let creating =
        [corpus::symlink(), corpus::mknod(), corpus::mkdir(), corpus::create(35, 0), corpus::create(51, 0)];
    for request in creating {
        checked(&request, |message| assert_eq!(extensions(message), (vec![], vec![])));
        let labelled = corpus::with_context(request.clone());
        checked(&labelled, |message| assert_eq!(extensions(message), (selinux(), vec![])));
        let grouped = corpus::with_group(request.clone(), 50);
        checked(&grouped, |message| assert_eq!(extensions(message), (vec![], vec![50])));
        let both = corpus::with_group(labelled, 51);
        checked(&both, |message| assert_eq!(extensions(message), (selinux(), vec![51])));
        // No security module had anything to say: a header without contexts.
        checked(&request.clone().extension(0, &[]), |message| {
            assert_eq!(extensions(message), (vec![], vec![]));
        });
        // What is not known is skipped.
        let strange = corpus::with_group(request.extension(33, b"abc"), 52);
        checked(&strange, |message| assert_eq!(extensions(message), (vec![], vec![52])));
    }
}

#[test]
fn several_security_contexts_are_told_apart() {
    let mut first = corpus::context(b"security.selinux", b"abc");
    first.resize(first.len().next_multiple_of(8), 0);
    let contexts = [first, corpus::context(b"security.SMACK64", b"")].concat();
    let request = corpus::mkdir().extension(2, &contexts);
    let expected =
        vec![(b"security.selinux".to_vec(), b"abc".to_vec()), (b"security.SMACK64".to_vec(), Vec::new())];
    checked(&request, |message| assert_eq!(extensions(message).0, expected));
}

#[test]
fn before_7_38_the_header_does_not_tell_the_length_of_security_contexts() {
    // Linux 5.17 does not pad them either.
    let context = corpus::context(b"security.selinux", b"abc");
    let mut request = corpus::mkdir();
    request.rest.extend(record(&[Field::W(8 + context.len() as u32), Field::W(1)]));
    request.rest.extend(context);
    let expected = vec![(b"security.selinux".to_vec(), b"abc".to_vec())];
    request.each_way(UNTOLD, |message| assert_eq!(extensions(message).0, expected));
}

#[test]
fn links_and_renames_name_two_places() {
    means!(corpus::link(), P::Link { ino, name } => {
        assert_eq!((ino, &*name), (Ino(34), &b"name"[..]));
    });
    let names = (&b"old"[..], &b"new name"[..]);
    means!(corpus::rename(), P::Rename { name, new_parent, new_name, flags } => {
        assert_eq!(((&*name, &*new_name), new_parent, flags), (names, Ino(33), RenameFlags::empty()));
    });
    means!(corpus::rename2(2 | 1 << 20), P::Rename { name, new_parent, new_name, flags } => {
        assert_eq!(((&*name, &*new_name), new_parent), (names, Ino(33)));
        assert_eq!(flags.bits(), 2 | 1 << 20);
    });
}

#[test]
fn opens_say_how_and_whether_privileges_go() {
    means!(corpus::open(0), P::Open { flags, kill_privileges } => {
        assert_eq!((flags.bits(), kill_privileges), (0x8000_0402, false));
    });
    means!(corpus::open(1), P::Open { kill_privileges, .. } => assert!(kill_privileges));
}

#[test]
fn data_is_read_and_written() {
    means!(corpus::read(15), P::Read { handle, offset, length } => {
        assert_eq!((handle, offset, length), (H, OFFSET, 4096));
    });
    let cases = [
        (0, WriteOptions::default()),
        (1, WriteOptions { from_cache: true, kill_privileges: false }),
        (4, WriteOptions { from_cache: false, kill_privileges: true }),
        (7, WriteOptions { from_cache: true, kill_privileges: true }),
    ];
    for (flags, expected) in cases {
        means!(corpus::write(flags, b"da\0ta"), P::Write { handle, offset, data, options } => {
            assert_eq!((handle, offset, &*data, options), (H, OFFSET, &b"da\0ta"[..], expected));
        });
    }
    means!(corpus::write(0, b""), P::Write { data, .. } => assert!(data.is_empty()));
}

#[test]
fn files_are_flushed_released_and_synced() {
    means!(corpus::flush(), P::Flush { handle, owner } => {
        assert_eq!((handle, owner), (H, LockOwner(OWNER)));
    });
    means!(corpus::release(18, 1), P::Release { handle, flock_owner } => {
        assert_eq!((handle, flock_owner), (H, None));
    });
    means!(corpus::release(18, 2), P::Release { flock_owner, .. } => {
        assert_eq!(flock_owner, Some(LockOwner(OWNER)));
    });
    means!(corpus::release(29, 0), P::Releasedir { handle } => assert_eq!(handle, H));
    for (flags, expected) in [(0, false), (1, true)] {
        means!(corpus::fsync(20, flags), P::Fsync { handle, data_only } => {
            assert_eq!((handle, data_only), (H, expected));
        });
        means!(corpus::fsync(30, flags), P::Fsyncdir { handle, data_only } => {
            assert_eq!((handle, data_only), (H, expected));
        });
    }
}

#[test]
fn listings_say_how_much_room_there_is() {
    for (opcode, plus) in [(28, false), (44, true)] {
        checked(&corpus::read(opcode), |message| {
            assert_eq!(message.listing_size, 4096);
            let Body::Operation(P::Readdir { handle, cookie, attributes }) = message.body else { panic!() };
            assert_eq!((handle, cookie, attributes), (H, OFFSET, plus));
        });
    }
    checked(&corpus::read(15), |message| assert_eq!(message.listing_size, 0));
}

#[test]
fn extended_attributes_have_names_values_and_sizes() {
    let key = &b"user.key"[..];
    means!(corpus::getxattr(), P::Getxattr { name, size } => assert_eq!((&*name, size), (key, 64)));
    means!(corpus::listxattr(), P::Listxattr { size } => assert_eq!(size, 65));
    for own in [0, 1] {
        means!(corpus::setxattr(own), P::Setxattr { name, value, flags, kill_setgid } => {
            assert_eq!((&*name, &*value, kill_setgid), (key, &b"va\0ue"[..], own == 1));
            assert_eq!(flags, XattrFlags::REPLACE);
        });
    }
    corpus::setxattr_short().each_way(OLDEST, |message| {
        let Body::Operation(P::Setxattr { name, value, flags, kill_setgid }) = message.body else { panic!() };
        assert_eq!((&*name, &*value, kill_setgid), (key, &b"va\0ue"[..], false));
        assert_eq!(flags, XattrFlags::CREATE);
    });
}

#[test]
fn locks_have_a_kind_a_range_and_a_family() {
    let end = i64::MAX as u64;
    for (number, kind) in [(0, LockKind::Read), (1, LockKind::Write), (2, LockKind::Unlock)] {
        let expected = FileLock { kind, start: 100, end, pid: 77 };
        means!(corpus::lock(31, number, 0), P::Getlk { handle, owner, lock } => {
            assert_eq!((handle, owner, lock), (H, LockOwner(OWNER), expected));
        });
        for (opcode, waits) in [(32, false), (33, true)] {
            for (flags, of) in [(0, LockFamily::Range), (1, LockFamily::Flock)] {
                let request = corpus::lock(opcode, number, flags);
                means!(request, P::Setlk { handle, owner, lock, family, wait } => {
                    assert_eq!((handle, owner, lock), (H, LockOwner(OWNER), expected));
                    assert_eq!((family, wait), (of, waits));
                });
            }
        }
    }
}

#[test]
fn rarer_requests_on_open_files() {
    means!(corpus::ioctl(b"in"), P::Ioctl { handle, flags, command, input, output_max } => {
        assert_eq!((handle, flags, command), (H, IoctlFlags::DIRECTORY, 0x5401));
        assert_eq!((&*input, output_max), (&b"in"[..], 60));
    });
    means!(corpus::fallocate(), P::Fallocate { handle, mode, offset, length } => {
        assert_eq!((handle, offset, length), (H, OFFSET, 4096));
        assert_eq!(mode, FallocateMode::KEEP_SIZE | FallocateMode::PUNCH_HOLE);
    });
    means!(corpus::lseek(9), P::Lseek { handle, offset, whence } => {
        assert_eq!((handle, offset, whence), (H, 9, 4));
    });
    let copies = [(47, 1 << 40, 0xffff_f000), (47, 4097, 4097), (53, 1 << 40, 1 << 40)];
    for (opcode, asked, expected) in copies {
        means!(corpus::copy_file_range(opcode, asked), P::CopyFileRange { source, target, length } => {
            assert_eq!((source, target), ((H, 1), (HandleId(HANDLE + 1), 2)));
            assert_eq!(length, expected, "{opcode} {asked}");
        });
    }
}

#[test]
fn polls_come_without_a_waker() {
    for (flags, notify) in [(0, false), (1, true)] {
        checked(&corpus::poll(flags), |message| {
            assert_eq!(message.poll, Some(PollHandle { kernel: 5555, notify }));
            let Body::Operation(P::Poll { handle, events, waker }) = message.body else { panic!() };
            assert_eq!((handle, events, waker.is_none()), (H, PollEvents::IN, true));
        });
    }
}

#[test]
fn messages_that_are_no_operations() {
    checked(&corpus::forget(), |message| assert!(matches!(message.body, Body::Forget { count: 7 })));
    let inodes = [(2, 1), (3, 9), (u64::MAX, u64::MAX)];
    checked(&corpus::batch_forget(&inodes), |message| {
        let Body::BatchForget(list) = message.body else { panic!() };
        assert_eq!(list.size_hint(), (3, Some(3)));
        assert!(list.eq(inodes.map(|(ino, count)| (Ino(ino), count))));
    });
    checked(&corpus::interrupt(), |message| {
        let Body::Interrupt { request } = message.body else { panic!() };
        assert_eq!(request, RequestId(0x20));
    });
    checked(&corpus::notify_reply(b"cached"), |message| {
        let Body::Retrieved { offset, data } = message.body else { panic!() };
        assert_eq!((offset, data), (OFFSET, &b"cached"[..]));
    });
}

#[test]
fn a_request_that_was_sent_before_says_so() {
    checked(&corpus::lookup(), |message| assert!(!message.resent));
    let again = Request { unique: 1 << 63 | 8, ..corpus::lookup() };
    checked(&again, |message| {
        assert!(message.resent);
        assert_eq!(message.header.id, RequestId(1 << 63 | 8));
    });
}

#[test]
fn every_request_is_in_the_corpus() {
    let requests: Vec<Request> = corpus::all().into_iter().chain(corpus::unsupported()).collect();
    for opcode in Opcode::ALL {
        assert!(requests.iter().any(|request| request.opcode == opcode as u32), "{opcode:?}");
    }
    for request in corpus::all() {
        request.each_way(NEWEST, |message| assert_eq!(message.opcode as u32, request.opcode));
    }
}
