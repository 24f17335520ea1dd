//! What is refused, with which error, and who hears of it.

use super::request::{Field, HEADER, UNIQUE};
use super::{NEWEST, OLDEST, Request, corpus, record};
use crate::RequestId;
use crate::protocol::{Dialect, Malformed, Opcode, decode, decode_parts};
use fs9_sdk::ErrorKind;

const WAITING: Option<RequestId> = Some(RequestId(UNIQUE));

fn refusal(request: &Request) -> (Option<RequestId>, ErrorKind) {
    let Malformed { id, errno, .. } = request.refused(NEWEST);
    (id, errno)
}

#[test]
fn requests_that_nobody_knows_are_not_implemented() {
    for opcode in [0, 7, 19, 54, 4096, 26 << 24, u32::MAX] {
        assert_eq!(refusal(&Request::new(opcode)), (WAITING, ErrorKind::NotImplemented), "{opcode}");
    }
    for request in corpus::unsupported() {
        assert_eq!(refusal(&request), (WAITING, ErrorKind::NotImplemented), "{}", request.opcode);
    }
}

#[test]
fn a_cut_header_leaves_nobody_to_answer() {
    let whole = corpus::lookup().contiguous();
    for length in 0..HEADER {
        let malformed = decode(&whole[..length], NEWEST).err().unwrap();
        assert_eq!((malformed.id, malformed.errno), (None, ErrorKind::Io));
        let malformed = decode_parts(&whole[..length], &[], &[], NEWEST).err().unwrap();
        assert_eq!((malformed.id, malformed.errno), (None, ErrorKind::Io));
    }
}

#[test]
fn nobody_is_answered_who_does_not_wait() {
    for mut request in
        [corpus::forget(), corpus::interrupt(), corpus::notify_reply(b""), corpus::batch_forget(&[])]
    {
        request.first.pop();
        assert_eq!(refusal(&request), (None, ErrorKind::Io), "{}", request.opcode);
    }
}

/// Returns whether a request may be longer than it is known to be.
fn may_differ(request: &Request) -> bool {
    request.opcode == Opcode::Init as u32
}

#[test]
fn a_message_that_is_cut_anywhere_is_refused() {
    for request in corpus::all() {
        let whole = request.contiguous();
        for length in HEADER..whole.len() {
            // The length of the header as it was.
            assert!(decode(&whole[..length], NEWEST).is_err(), "{} {length}", request.opcode);
            // The length of the header fits what is left.
            let mut cut = whole[..length].to_vec();
            cut[..4].copy_from_slice(&(length as u32).to_ne_bytes());
            let malformed = decode(&cut, NEWEST).err();
            assert!(malformed.is_some() || may_differ(&request), "{} {length}", request.opcode);
        }
    }
}

#[test]
fn a_first_argument_of_another_length_is_refused() {
    for request in corpus::all().into_iter().filter(|request| !may_differ(request)) {
        let mut longer = request.clone();
        longer.first.push(0);
        let (header, first) = longer.headers();
        assert!(decode_parts(&header, &first, &longer.rest, NEWEST).is_err(), "{}", request.opcode);
        let mut shorter = request.clone();
        if shorter.first.pop().is_some() {
            let (header, first) = shorter.headers();
            assert!(decode_parts(&header, &first, &shorter.rest, NEWEST).is_err(), "{}", request.opcode);
        }
        // Longer than the room for it.
        let (mut header, first) = request.headers();
        let length = (HEADER + 129 + request.rest.len()) as u32;
        header[..4].copy_from_slice(&length.to_ne_bytes());
        assert!(decode_parts(&header, &first, &request.rest, NEWEST).is_err(), "{}", request.opcode);
    }
}

#[test]
fn bytes_after_the_arguments_are_refused() {
    for request in corpus::all().into_iter().filter(|request| !may_differ(request)) {
        let longer = request.bytes(b"\0\0\0\0\0\0\0\0");
        assert_eq!(longer.refused(NEWEST).errno, ErrorKind::Io, "{}", longer.opcode);
    }
}

#[test]
fn names_have_a_beginning_and_an_end() {
    let endless = Request::new(1).bytes(b"name");
    let cases = [
        Request::new(1),
        Request::new(1).string(b""),
        endless,
        Request::new(12).first(&[Field::D(33)]).string(b"one"),
    ];
    for request in cases {
        assert_eq!(refusal(&request), (WAITING, ErrorKind::Io), "{request:?}");
    }
}

#[test]
fn values_are_as_long_as_they_say() {
    let mut short = corpus::setxattr(0);
    short.rest.pop();
    let mut write = corpus::write(0, b"data");
    write.first[16..20].copy_from_slice(&u32::MAX.to_ne_bytes());
    let mut forget = corpus::batch_forget(&[(1, 1)]);
    forget.first[..4].copy_from_slice(&0x1000_0001_u32.to_ne_bytes());
    for request in [short, write, forget] {
        assert_eq!(request.refused(NEWEST).errno, ErrorKind::Io, "{}", request.opcode);
    }
}

#[test]
fn numbers_that_mean_nothing_are_invalid() {
    let mut backwards = corpus::lock(32, 1, 0);
    backwards.first[24..32].copy_from_slice(&99_u64.to_ne_bytes());
    let mut nanoseconds = corpus::setattr(1 << 4);
    nanoseconds.first[56..60].copy_from_slice(&1_000_000_000_u32.to_ne_bytes());
    for request in [corpus::lock(31, 3, 0), corpus::lock(33, u32::MAX, 1), backwards, nanoseconds] {
        assert_eq!(refusal(&request), (WAITING, ErrorKind::InvalidArgument), "{request:?}");
    }
}

#[test]
fn before_the_beginning_there_is_no_data_to_seek() {
    let before = corpus::lseek(-1i64 as u64);
    assert_eq!(refusal(&before), (WAITING, ErrorKind::NoSuchDeviceOrAddress));
}

#[test]
fn attributes_are_set_in_the_dialect_that_was_agreed_upon() {
    assert_eq!(corpus::setxattr(0).refused(OLDEST).errno, ErrorKind::Io);
    assert_eq!(corpus::setxattr_short().refused(NEWEST).errno, ErrorKind::Io);
}

#[test]
fn extensions_are_as_long_as_they_say() {
    use Field::W;
    let mkdir = corpus::mkdir;
    let mut untold = corpus::with_group(mkdir(), 5);
    untold.total_extlen = 0;
    let mut promised = mkdir();
    promised.total_extlen = 1;
    let raw = |fields: &[Field]| {
        let mut request = mkdir().bytes(&record(fields));
        request.total_extlen = (record(fields).len() / 8) as u16;
        request
    };
    let cases = [
        untold,
        promised,
        raw(&[W(7), W(1)]),
        raw(&[W(0), W(0)]),
        raw(&[W(24), W(32), W(1), W(5)]),
        raw(&[W(16), W(32), W(2), W(5)]),
        raw(&[W(16), W(32), W(u32::MAX), W(5)]),
        raw(&[W(8), W(1)]),
        raw(&[W(16), W(1), W(0), W(0)]),
        mkdir().extension(1, &corpus::context(b"", b"value")),
        mkdir().extension(1, &record(&[W(9), W(0), W(0x0061_6161), W(0)])),
    ];
    for request in cases {
        assert_eq!(refusal(&request), (WAITING, ErrorKind::Io), "{request:?}");
    }
    let many = corpus::context(b"a", b"12345678901234").repeat(31);
    let twice = mkdir().extension(31, &many).extension(31, &many);
    assert_eq!(refusal(&twice), (WAITING, ErrorKind::InvalidArgument));
}

#[test]
fn kernels_before_linux_5_4_are_refused() {
    for request in [corpus::init_short(7, 30), corpus::init_short(6, 45), corpus::init_short(0, 0)] {
        let malformed = request.refused(Dialect::BEFORE_INIT);
        assert_eq!((malformed.id, malformed.errno), (WAITING, ErrorKind::Protocol));
    }
    let mut cut = corpus::init_short(7, 31);
    cut.first.pop();
    assert_eq!(cut.refused(Dialect::BEFORE_INIT).errno, ErrorKind::Io);
}
