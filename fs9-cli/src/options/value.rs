//! Values of options: text to number, with a sentence for what does not fit.

use super::settings::Settings;
use super::spec::Word;
use std::time::Duration;

/// The longest lifetime, about 31 years: beyond it the kernel's clock arithmetic means nothing.
const SECONDS_MAX: f64 = 1e9;

/// Reads seconds, such as `1`, `0.5` or `86400`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("\"{text}\" is not a number of seconds"))?;
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return Err(format!("\"{text}\" is not between 0 and {SECONDS_MAX} seconds"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Reads a number from 1 to `max`.
pub(super) fn count(text: &str, max: u32) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|count| (1..=max).contains(count))
        .ok_or_else(|| format!("\"{text}\" is not a number from 1 to {max}"))
}

/// Reads a size, such as `4096`, `64k`, `512M` or `2G`; the letters are powers of 1024, as in `tmpfs(5)`.
pub(super) fn size_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is not a size such as 4096, 64k, 512M or 2G");
    let (digits, shift) = match text.trim_end_matches(|c: char| c.is_ascii_alphabetic()) {
        digits if digits.len() == text.len() => (digits, 0),
        digits => match text[digits.len()..].to_ascii_lowercase().as_str() {
            "k" => (digits, 10),
            "m" => (digits, 20),
            "g" => (digits, 30),
            "t" => (digits, 40),
            _ => return Err(wrong()),
        },
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|size| *size > 0).ok_or_else(wrong)
}

/// Reads a user or group number.
pub(super) fn id(text: &str) -> Result<u32, String> {
    // 2^32 - 1 means "do not change" to chown(2) and is nobody's number.
    text.parse()
        .ok()
        .filter(|id| *id != u32::MAX)
        .ok_or_else(|| format!("\"{text}\" is not a user or group number"))
}

/// Reads permission bits in octal.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
    mode.ok_or_else(|| format!("\"{text}\" is not an octal mode such as 755"))
}

/// Finds a word among those that are allowed.
pub(super) fn choice(text: &str, words: &'static [Word]) -> Result<fn(&mut Settings), String> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, set)| *set);
    found.ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("\"{text}\" is not one of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::{count, id, mode, seconds, size_bytes};
    use std::time::Duration;

    #[test]
    fn sizes_count_in_powers_of_1024() {
        assert_eq!(size_bytes("4096"), Ok(4096));
        assert_eq!(size_bytes("64k"), Ok(65536));
        assert_eq!(size_bytes("2G"), Ok(2 << 30));
        for wrong in ["", "0", "k", "-1", "1x", "1kb", "99999999999T"] {
            size_bytes(wrong).unwrap_err();
        }
    }

    #[test]
    fn seconds_have_fractions_and_bounds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "-1", "nan", "inf", "1e99", "1s"] {
            seconds(wrong).unwrap_err();
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        count("0", 9).unwrap_err();
        count("10", 9).unwrap_err();
        id("4294967295").unwrap_err();
        mode("778").unwrap_err();
        mode("10000").unwrap_err();
        assert_eq!(mode("1777"), Ok(0o1777));
    }
}
