//! Good messages, made bad in many ways, for the decoder.
//!
//! `scripts/fuzz` runs it with as many inputs as one wants; by itself it takes fewer. The seed is printed, and with
//! `FS9_FUZZ_SEED` a run is repeated.

use super::properties::{DIALECTS, examine, tell_length};
use super::{Dialect, corpus};
use std::time::{SystemTime, UNIX_EPOCH};

/// Inputs of a run that nobody asked for.
const INPUTS: u64 = 100_000;

/// The most changes of one input.
const CHANGES_MAX: usize = 6;

/// The longest input, in bytes: some times the longest of the corpus.
const LENGTH_MAX: usize = 4096;

/// Numbers that lengths, counts and flags go wrong at.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    7,
    8,
    31,
    32,
    33,
    128,
    0xffff,
    0x1000_0001,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 63,
    u64::MAX,
];

/// Numbers without a pattern that a decoder could meet by chance (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number below a limit, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 32) as usize % limit
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Changes an input in one way.
fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    if bytes.is_empty() {
        return bytes.extend_from_slice(random.pick::<Vec<u8>>(corpus));
    }
    let at = random.below(bytes.len());
    match random.below(10) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => write(bytes, at & !3, &(*random.pick(&EDGES) as u32).to_ne_bytes()),
        3 => write(bytes, at & !7, &random.pick(&EDGES).to_ne_bytes()),
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..at + random.below(bytes.len() - at + 1))),
        6 => {
            let added: Vec<u8> =
                (0..random.below(24)).map(|_| random.pick(&EDGES).to_ne_bytes()[0]).collect();
            bytes.splice(at..at, added);
        }
        7 => {
            let other = random.pick(corpus);
            bytes.truncate(at);
            bytes.extend_from_slice(other.get(at.min(other.len())..).unwrap_or_default());
        }
        // Another request with these arguments; other extensions.
        8 => write(bytes, 4, &(random.below(56) as u32).to_ne_bytes()),
        _ => write(bytes, 36, &(random.below(20) as u16).to_ne_bytes()),
    }
}

fn write(bytes: &mut [u8], at: usize, number: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + number.len()) {
        place.copy_from_slice(number);
    }
}

/// Says which input it was when the test fails.
struct Case {
    seed: u64,
    index: u64,
    bytes: Vec<u8>,
    dialect: Dialect,
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, input {}: {:02x?} in {:?}", self.seed, self.index, self.bytes, self.dialect);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {value}")))
}

#[test]
fn the_decoder_takes_what_it_is_given() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("FS9_FUZZ_SEED").unwrap_or(clock).max(1);
    let inputs = number("FS9_FUZZ_INPUTS").unwrap_or(INPUTS);
    eprintln!("seed {seed}, {inputs} inputs");
    let corpus: Vec<Vec<u8>> = corpus::all().iter().map(super::Request::contiguous).collect();
    let (mut random, mut messages) = (Random(seed), 0u64);
    let mut case = Case { seed, index: 0, bytes: Vec::new(), dialect: DIALECTS[0] };
    for index in 0..inputs {
        case.index = index;
        case.bytes.clear();
        case.bytes.extend_from_slice(random.pick::<Vec<u8>>(&corpus));
        case.dialect = *random.pick(&DIALECTS);
        for _ in 0..=random.below(CHANGES_MAX) {
            change(&mut case.bytes, &corpus, &mut random);
        }
        case.bytes.truncate(LENGTH_MAX);
        // With a wrong length in the header, nothing behind it is looked at.
        if random.below(16) != 0 {
            tell_length(&mut case.bytes);
        }
        messages += u64::from(examine(&case.bytes, case.dialect));
    }
    eprintln!("seed {seed}: {messages} of {inputs} inputs were messages");
    // Too few would mean that only the header is tried; all, that nothing is refused.
    assert!(inputs < 1000 || (inputs / 20..inputs).contains(&messages), "{messages} of {inputs}");
}
