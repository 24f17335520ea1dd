//! A line of the access log: `TIME UID,GID,PID [OPERATION] INODE ARGUMENT RESULT <SECONDS>`.

use super::super::report::escape;
use fs9_sdk::{Caller, ErrorKind, Timestamp};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

/// What a request is about besides its inode. No name can hold a `/`, so that each form can be told apart from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument<'a> {
    /// Nothing: `-`.
    None,
    /// A name in the directory, or of an extended attribute: `NAME`.
    Name(&'a [u8]),
    /// A name in the directory for another inode: `NAME:INODE`.
    Link(&'a [u8], u64),
    /// A name in the directory, the directory where it goes, and its name there: `NAME:INODE/NAME`.
    Move(&'a [u8], u64, &'a [u8]),
    /// A place in a file and a number of bytes: `OFFSET+LENGTH`.
    Range(u64, u64),
}

/// A request that is under way.
#[derive(Debug)]
pub struct AccessRecord {
    /// The line up to the argument.
    line: Vec<u8>,
    begun: Instant,
}

/// Room for a line with a name of common length, in bytes.
const LINE_BYTES: usize = 128;

impl AccessRecord {
    /// Begins a record: the time of the request is measured from now on.
    pub fn begin(caller: &Caller, operation: &str, ino: u64, argument: Argument<'_>) -> AccessRecord {
        let mut line = Vec::with_capacity(LINE_BYTES);
        write_time(&mut line, Timestamp::now());
        let Caller { uid, gid, pid, .. } = caller;
        written(write!(line, " {uid},{gid},{pid} [{operation}] {ino} "));
        write_argument(&mut line, argument);
        AccessRecord { line, begun: Instant::now() }
    }

    /// Ends it with the request's result and returns the line.
    pub fn end(self, result: Result<(), ErrorKind>) -> Arc<[u8]> {
        let AccessRecord { mut line, begun } = self;
        let (took, result) = (begun.elapsed(), result.err().map_or("ok", ErrorKind::name));
        written(writeln!(line, " {result} <{}.{:06}>", took.as_secs(), took.subsec_micros()));
        line.into()
    }
}

fn write_argument(line: &mut Vec<u8>, argument: Argument<'_>) {
    match argument {
        Argument::None => line.push(b'-'),
        Argument::Name(name) => escape(line, name),
        Argument::Link(name, ino) => {
            escape(line, name);
            written(write!(line, ":{ino}"));
        }
        Argument::Move(name, parent, new_name) => {
            escape(line, name);
            written(write!(line, ":{parent}/"));
            escape(line, new_name);
        }
        Argument::Range(offset, length) => written(write!(line, "{offset}+{length}")),
    }
}

/// Writes a time as RFC 3339 has it, in UTC with microseconds.
fn write_time(line: &mut Vec<u8>, time: Timestamp) {
    const DAY_SECONDS: i64 = 86_400;
    let (year, month, day) = date(time.seconds.div_euclid(DAY_SECONDS));
    let second = time.seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let micros = time.nanoseconds / 1000;
    written(write!(line, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"));
}

/// Returns year, month and day of a day since 1970-01-01 in the Gregorian calendar. Years are counted from March on, so
/// that the leap day is their last, in cycles of 400 years.
fn date(days: i64) -> (i64, i64, i64) {
    /// Days of 400 years, of 100 (but the last of a cycle), and of 4.
    const CYCLE: i64 = 146_097;
    const CENTURY: i64 = 36_524;
    const FOUR_YEARS: i64 = 1_461;
    /// Days from 0000-03-01 to 1970-01-01.
    const EPOCH: i64 = 719_468;
    let days = days + EPOCH;
    let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
    // The last day of four years, of a century and of a cycle are leap days, which belong to the year that ends.
    let year = (day - day / (FOUR_YEARS - 1) + day / CENTURY - day / (CYCLE - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, months have 31, 30, 31, 30, 31 days, again and again: 153 in five months.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + next_year, month, day)
}

/// Nothing can go wrong: a vector takes every byte.
fn written(result: std::io::Result<()>) {
    debug_assert!(result.is_ok(), "a vector refused bytes");
}

#[cfg(test)]
mod tests {
    use super::{AccessRecord, Argument, date, write_argument, write_time};
    use fs9_sdk::{Caller, ErrorKind, Timestamp};

    fn argument(argument: Argument<'_>) -> String {
        let mut line = Vec::new();
        write_argument(&mut line, argument);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_line_tells_time_caller_operation_inode_argument_result_and_seconds() {
        let caller = Caller { uid: 1000, gid: 100, pid: 42, ..Caller::ROOT };
        let line =
            AccessRecord::begin(&caller, "lookup", 7, Argument::Name(b"a b\n")).end(Err(ErrorKind::NotFound));
        let line = String::from_utf8(line.to_vec()).unwrap();
        let fields: Vec<&str> = line.strip_suffix('\n').unwrap().split(' ').collect();
        assert_eq!(fields[1..6], ["1000,100,42", "[lookup]", "7", "a\\040b\\012", "ENOENT"]);
        let seconds = fields[6].strip_prefix('<').unwrap().strip_suffix('>').unwrap();
        assert!(seconds.parse::<f64>().unwrap() < 60.0 && seconds.split('.').nth(1).unwrap().len() == 6);
        assert_eq!(fields.len(), 7);
        let ok = AccessRecord::begin(&caller, "flush", 7, Argument::None).end(Ok(()));
        assert!(String::from_utf8_lossy(&ok).contains(" [flush] 7 - ok <0."));
    }

    #[test]
    fn every_form_of_an_argument_is_one_word() {
        assert_eq!(argument(Argument::Name(b"")), "-");
        assert_eq!(argument(Argument::Link(b"a\tb", 9)), "a\\011b:9");
        assert_eq!(argument(Argument::Move(b"a:1", 9, b"b c")), "a:1:9/b\\040c");
        assert_eq!(argument(Argument::Range(4096, 131_072)), "4096+131072");
    }

    #[test]
    fn times_are_written_as_date_says_them() {
        // date -u -d @SECONDS +%FT%T
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000007Z"),
            (951_782_399, "2000-02-28T23:59:59.000007Z"),
            (951_868_799, "2000-02-29T23:59:59.000007Z"),
            (951_868_800, "2000-03-01T00:00:00.000007Z"),
            (1_764_055_092, "2025-11-25T07:18:12.000007Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000007Z"),
            (-1, "1969-12-31T23:59:59.000007Z"),
        ] {
            let mut line = Vec::new();
            write_time(&mut line, Timestamp { seconds, nanoseconds: 7_999 });
            assert_eq!(String::from_utf8(line).unwrap(), text);
        }
    }

    #[test]
    fn each_day_of_a_cycle_follows_the_day_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097 * 2 {
            assert_eq!(date(days), (year, month, day));
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if is_leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
