//! Lists of processors, as the kernel writes them: `0-3,8`.

/// Returns how many processors a list has; `None` for what is no list.
pub(super) fn count(list: &str) -> Option<usize> {
    ranges(list).map(|range| range.map(|(first, last)| last - first + 1)).sum()
}

/// Returns the highest number of a list; `None` for what is no list.
pub(super) fn last(list: &str) -> Option<usize> {
    ranges(list).try_fold(0, |highest, range| range.map(|(_, last)| last.max(highest)))
}

fn ranges(list: &str) -> impl Iterator<Item = Option<(usize, usize)>> {
    list.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last && last < usize::MAX).then_some((first, last))
    })
}

#[cfg(test)]
mod tests {
    use super::{count, last};

    #[test]
    fn lists_are_counted_and_their_end_is_found() {
        for (list, size, end) in [("0", 1, 0), ("0-3,8,10-11", 7, 11), ("0-1", 2, 1)] {
            assert_eq!((count(list), last(list)), (Some(size), Some(end)), "{list}");
        }
        for list in ["", "3-1", "a", "0-18446744073709551615"] {
            assert_eq!((count(list), last(list)), (None, None), "{list}");
        }
    }
}
