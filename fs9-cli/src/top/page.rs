//! A page of `fs9 top`, as lines of text.

use super::rates::{OperationRates, ProviderRates};
use crate::fault::one_line;
use crate::status::{MountRecord, State, duration};

/// Returns the lines of a page: the mount, its providers, their operations.
pub(super) fn lines(record: &MountRecord, rates: &[ProviderRates<'_>], time: &str) -> Vec<String> {
    let mut lines = vec![headline(record, rates, time)];
    if matches!(record.state, State::Serving) {
        lines.push(String::new());
        lines.push(format!(
            "{:>3} {:<10} {:<9} {:>7} {:>6} {:>9} {:>9} {:>5} {:>7} {:>7}  PATH  SOURCE",
            "ID", "PROVIDER", "RUN", "THREADS", "QUEUED", "CALLS/S", "ERRORS/S", "SLOW", "TIMEOUT", "REFUSED"
        ));
        lines.extend(rates.iter().map(|rates| provider(rates, path_of(record, rates.provider.origin))));
        lines.push(String::new());
        lines.push(format!(
            "{:>3} {:<16} {:>9} {:>9} {:>10} {:>7} {:>10} {:>10} {:>12}",
            "ID", "OPERATION", "CALLS/S", "ERRORS/S", "MEAN", "BUSY", "P50(ALL)", "P99(ALL)", "CALLS"
        ));
        lines.extend(operations(rates));
    }
    lines.iter().map(|line| one_line(line)).collect()
}

fn headline(record: &MountRecord, rates: &[ProviderRates<'_>], time: &str) -> String {
    let calls: f64 = rates.iter().map(|provider| provider.calls).sum();
    let errors: f64 = rates.iter().map(|provider| provider.errors).sum();
    let state = match record.state {
        State::Serving => format!(
            "{} calls/s, {} errors/s, {} open",
            rate(calls),
            rate(errors),
            record.handles.unwrap_or_default()
        ),
        State::WithoutControl => "mounted with nocontrol: it tells nothing".to_owned(),
        State::Closed => "no permission to look".to_owned(),
        State::Dead => "its daemon is gone".to_owned(),
        State::Silent => "not answering".to_owned(),
    };
    format!("{}: {}: {state} ({time})", record.mountpoint, record.source)
}

/// Returns where a provider is mounted; the first place, if it is bound to others.
fn path_of(record: &MountRecord, origin: u64) -> &str {
    record.mounts.iter().find(|path| path.origin == origin).map_or("-", |path| &path.path)
}

fn provider(rates: &ProviderRates<'_>, path: &str) -> String {
    let ProviderRates { provider, slow, timed_out, refused, .. } = rates;
    format!(
        "{:>3} {:<10} {:<9} {:>7} {:>6} {:>9} {:>9} {slow:>5} {timed_out:>7} {refused:>7}  {path}  {}",
        provider.origin,
        provider.provider,
        provider.execution,
        provider.threads,
        provider.queued,
        rate(rates.calls),
        rate(rates.errors),
        provider.source
    )
}

/// Returns the lines of all operations, the one that took most time first.
fn operations(rates: &[ProviderRates<'_>]) -> Vec<String> {
    let of_provider = |rates: &'_ ProviderRates<'_>| rates.provider.origin;
    let mut all: Vec<(u64, &OperationRates<'_>)> = rates
        .iter()
        .flat_map(|rates| rates.operations.iter().map(move |operation| (of_provider(rates), operation)))
        .collect();
    // Stable: those of one provider are in this order already.
    all.sort_by(|(_, one), (_, other)| other.busy.total_cmp(&one.busy));
    all.into_iter().map(|(origin, operation)| line(origin, operation)).collect()
}

fn line(origin: u64, rates: &OperationRates<'_>) -> String {
    let operation = rates.operation;
    format!(
        "{origin:>3} {:<16} {:>9} {:>9} {:>10} {:>6.1}% {:>10} {:>10} {:>12}",
        operation.operation,
        rate(rates.calls),
        rate(rates.errors),
        duration(rates.mean_ns),
        rates.busy * 100.0,
        duration(operation.p50_ns),
        duration(operation.p99_ns),
        operation.calls
    )
}

/// Returns a number a second, with a decimal where whole numbers say too little.
fn rate(number: f64) -> String {
    match number {
        // Also the zero with a sign, which an empty sum is.
        0.0 => "0".to_owned(),
        100.0.. => format!("{number:.0}"),
        _ => format!("{number:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{lines, rate};
    use crate::status::State;
    use crate::top::rates::{between, tests::mount};
    use std::time::Duration;

    #[test]
    fn a_page_tells_the_mount_its_providers_and_their_operations() {
        let before = mount(1, &[]);
        let after = mount(1, &[("lookup", 200, 10, 2_000_000), ("mkdir", 1, 0, 3_000_000)]);
        let rates = between(&before, &after, Duration::from_secs(1));
        let page = lines(&after, &rates, "now");
        assert_eq!(page[0], "/mnt/x: memory:: 201 calls/s, 10.0 errors/s, 3 open (now)");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&page[3])[..7], ["1", "memory", "inline", "0", "0", "201", "10.0"]);
        assert_eq!(words(&page[3])[10..], ["/a", "memory:"]);
        let mkdir = ["1", "mkdir", "1.0", "0", "3.0", "ms", "0.3%", "1.5", "µs", "2.5", "ms", "1"];
        assert_eq!(words(&page[6]), mkdir);
        assert_eq!(words(&page[7])[..3], ["1", "lookup", "200"]);
        assert_eq!(page.len(), 8);
    }

    #[test]
    fn a_mount_that_tells_nothing_is_one_line() {
        let mut silent = mount(1, &[("lookup", 1, 0, 1)]);
        silent.state = State::Silent;
        assert_eq!(lines(&silent, &[], "now"), ["/mnt/x: memory:: not answering (now)"]);
    }

    #[test]
    fn small_rates_have_a_decimal() {
        assert_eq!([rate(0.25), rate(99.96), rate(100.4)], ["0.2", "100.0", "100"]);
        assert_eq!([rate(0.0), rate(-0.0)], ["0", "0"]);
    }
}
