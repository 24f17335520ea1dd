//! `INIT` both ways.

use super::request::Field::{D, H, W};
use super::{corpus, record};
use crate::protocol::dialect::{MINOR, MINOR_MIN};
use crate::protocol::{Body, Dialect, InitFlags, InitReply, InitRequest, MAJOR, Scratch};

fn offered(request: &super::Request) -> InitRequest {
    let mut offered = None;
    request.each_way(Dialect::BEFORE_INIT, |message| {
        let Body::Init(init) = message.body else { panic!("{:?}", message.opcode) };
        assert_eq!(*offered.get_or_insert(init), init);
    });
    offered.unwrap()
}

const EXT: u32 = 1 << 30;

#[test]
fn the_second_word_of_flags_is_believed_where_it_is_announced() {
    let with = offered(&corpus::init(45, EXT | 1, 1 << 10));
    let flags = InitFlags::INIT_EXT | InitFlags::ASYNC_READ | InitFlags::REQUEST_TIMEOUT;
    assert_eq!(with, InitRequest { major: 7, minor: 45, max_readahead: 131_072, flags });
    let without = offered(&corpus::init(45, 1, 1 << 10));
    assert_eq!(without.flags, InitFlags::ASYNC_READ);
    let short = offered(&corpus::init_short(7, 31));
    assert_eq!((short.minor, short.flags.bits()), (31, 0x0fff_fffb));
}

#[test]
fn requests_of_newer_kernels_may_be_longer() {
    let longer = corpus::init(46, EXT, 1 << 31);
    let longer = super::Request { first: [longer.first, vec![1; 8]].concat(), ..longer };
    let request = offered(&longer);
    assert_eq!((request.minor, request.common_minor()), (46, MINOR));
    // What has no name here is kept, and not taken.
    assert_eq!(request.flags.bits(), 1 << 63 | u64::from(EXT));
}

#[test]
fn a_newer_major_version_steps_back() {
    let request = offered(&corpus::init_short(8, 0));
    assert_eq!(request.major, 8);
    let mut scratch = Scratch::new();
    let reply = InitReply::other_major(&mut scratch);
    assert_eq!((reply.errno(), reply.data()), (0, &b""[..]));
    let expected = [record(&[W(MAJOR), W(MINOR)]), vec![0; 56]].concat();
    assert_eq!(reply.fixed(), expected);
}

fn reply(flags: InitFlags) -> InitReply {
    InitReply {
        minor: MINOR,
        max_readahead: 65_536,
        flags,
        max_background: 64,
        congestion_threshold: 48,
        max_write: 1 << 20,
        time_gran: 1,
        max_pages: 256,
        max_stack_depth: 2,
        request_timeout: 30,
    }
}

#[test]
fn the_reply_has_every_field_in_its_place() {
    let request = offered(&corpus::init(45, EXT | 1, 1 << 5));
    // Passthrough is in the second word, which is announced.
    let answer = reply(InitFlags::ASYNC_READ | InitFlags::PASSTHROUGH);
    let mut scratch = Scratch::new();
    let encoded = answer.encode(&request, &mut scratch);
    let head = [W(7), W(45), W(65_536), W(EXT | 1), H(64), H(48), W(1 << 20), W(1), H(256), H(0)];
    let tail = [W(1 << 5), W(2), H(30), H(0), H(0), H(0), D(0), D(0)];
    assert_eq!(encoded.fixed(), record(&[&head[..], &tail].concat()));
    assert_eq!((encoded.fixed().len(), encoded.data().len(), encoded.errno()), (64, 0, 0));
    let dialect = request.agreed(&answer);
    assert_eq!(dialect, Dialect { minor: 45, flags: answer.flags });
    assert!(dialect.has(InitFlags::PASSTHROUGH) && !dialect.has(InitFlags::SETXATTR_EXT));
}

#[test]
fn the_reply_is_as_long_as_an_old_kernel_takes_it() {
    for (minor, length) in [(4, 8), (5, 24), (22, 24), (23, 64), (MINOR_MIN, 64)] {
        let request = InitRequest { major: 7, minor, max_readahead: 65_536, flags: InitFlags::empty() };
        let mut scratch = Scratch::new();
        let answer = InitReply { minor, ..reply(InitFlags::empty()) };
        let encoded = answer.encode(&request, &mut scratch);
        assert_eq!(encoded.fixed().len(), length, "{minor}");
        assert_eq!(encoded.fixed()[..8], record(&[W(7), W(minor)]));
    }
}
