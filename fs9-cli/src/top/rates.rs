//! What happened between two looks at a mount.
//!
//! Invariant: a counter that went down, because a provider was mounted anew, counts from zero.

use crate::status::{MountRecord, OperationRecord, ProviderRecord};
use std::time::Duration;

/// What a provider did.
#[derive(Debug, PartialEq)]
pub(super) struct ProviderRates<'a> {
    pub(super) provider: &'a ProviderRecord,
    /// Calls a second, all operations together.
    pub(super) calls: f64,
    /// Calls that failed, a second.
    pub(super) errors: f64,
    /// Calls that took over 10 s, timed out, or were refused.
    pub(super) slow: u64,
    pub(super) timed_out: u64,
    pub(super) refused: u64,
    /// Its operations that were called, the one that took most time first.
    pub(super) operations: Vec<OperationRates<'a>>,
}

/// What happened to one operation of a provider.
#[derive(Debug, PartialEq)]
pub(super) struct OperationRates<'a> {
    pub(super) operation: &'a OperationRecord,
    /// Calls a second.
    pub(super) calls: f64,
    /// Calls that failed, a second.
    pub(super) errors: f64,
    /// The mean latency of these calls.
    pub(super) mean_ns: u64,
    /// How many calls were under way on average.
    pub(super) busy: f64,
}

/// Returns what each provider did in an interval.
pub(super) fn between<'a>(
    before: &MountRecord,
    after: &'a MountRecord,
    interval: Duration,
) -> Vec<ProviderRates<'a>> {
    let earlier = |origin| before.providers.iter().find(|provider| provider.origin == origin);
    after.providers.iter().map(|provider| rates(earlier(provider.origin), provider, interval)).collect()
}

fn rates<'a>(
    before: Option<&ProviderRecord>,
    after: &'a ProviderRecord,
    interval: Duration,
) -> ProviderRates<'a> {
    let earlier = |name: &str| before?.operations.iter().find(|operation| operation.operation == name);
    let each = |operation: &'a OperationRecord| of_one(earlier(&operation.operation), operation, interval);
    let mut operations: Vec<OperationRates<'a>> = after.operations.iter().filter_map(each).collect();
    operations.sort_by(|one, other| other.busy.total_cmp(&one.busy).then(other.calls.total_cmp(&one.calls)));
    let grown = |now: u64, of: fn(&ProviderRecord) -> u64| since(before.map(of), now);
    ProviderRates {
        provider: after,
        calls: operations.iter().map(|operation| operation.calls).sum(),
        errors: operations.iter().map(|operation| operation.errors).sum(),
        slow: grown(after.slow, |provider| provider.slow),
        timed_out: grown(after.timed_out, |provider| provider.timed_out),
        refused: grown(after.refused, |provider| provider.refused),
        operations,
    }
}

/// Returns what happened to an operation, if it was called.
fn of_one<'a>(
    before: Option<&OperationRecord>,
    after: &'a OperationRecord,
    interval: Duration,
) -> Option<OperationRates<'a>> {
    let calls = since(before.map(|operation| operation.calls), after.calls);
    if calls == 0 {
        return None;
    }
    let seconds = interval.as_secs_f64().max(f64::MIN_POSITIVE);
    let errors = since(before.map(|operation| operation.errors), after.errors);
    let total_ns = since(before.map(|operation| operation.total_ns), after.total_ns);
    Some(OperationRates {
        operation: after,
        calls: calls as f64 / seconds,
        errors: errors as f64 / seconds,
        mean_ns: total_ns / calls,
        busy: Duration::from_nanos(total_ns).as_secs_f64() / seconds,
    })
}

/// Returns how far a counter came.
fn since(before: Option<u64>, after: u64) -> u64 {
    after.checked_sub(before.unwrap_or_default()).unwrap_or(after)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{between, since};
    use crate::mountinfo;
    use crate::status::{MountRecord, OperationRecord, PathRecord, ProviderRecord, State};
    use std::time::Duration;

    /// Returns a mount with one provider, whose operations have these calls, errors and nanoseconds.
    pub(in crate::top) fn mount(origin: u64, operations: &[(&str, u64, u64, u64)]) -> MountRecord {
        let operation = |&(name, calls, errors, total_ns): &(&str, u64, u64, u64)| OperationRecord {
            operation: name.to_owned(),
            calls,
            errors,
            mean_ns: 0,
            p50_ns: 1_500,
            p90_ns: 0,
            p99_ns: 2_500_000,
            p999_ns: 0,
            max_ns: 0,
            total_ns,
        };
        let provider = ProviderRecord {
            origin,
            provider: "memory".into(),
            source: "memory:".into(),
            execution: "inline".into(),
            threads: 0,
            queued: 0,
            slow: calls_of(operations),
            timed_out: 0,
            refused: 0,
            operations: operations.iter().map(operation).collect(),
        };
        let mut record = MountRecord::new(&mountinfo::tests::mount(), State::Serving);
        (record.handles, record.providers) = (Some(3), vec![provider]);
        record.mounts = vec![PathRecord {
            path: "/a".into(),
            origin,
            provider: "memory".into(),
            source: "memory:".into(),
            read_only: false,
            uses: 0,
            passthrough_withdrawn_by: None,
        }];
        record
    }

    fn calls_of(operations: &[(&str, u64, u64, u64)]) -> u64 {
        operations.iter().map(|operation| operation.1).sum()
    }

    #[test]
    fn rates_are_those_of_the_interval_and_the_busiest_operation_is_first() {
        let before = mount(1, &[("lookup", 100, 10, 5_000), ("read", 7, 0, 7)]);
        let after =
            mount(1, &[("lookup", 300, 20, 205_000), ("read", 7, 0, 7), ("open", 2, 0, 4_000_000_000)]);
        let rates = between(&before, &after, Duration::from_secs(2));
        let names: Vec<&str> = rates[0].operations.iter().map(|o| o.operation.operation.as_str()).collect();
        assert_eq!(names, ["open", "lookup"], "what was not called is not shown");
        let lookup = &rates[0].operations[1];
        assert_eq!((lookup.calls, lookup.errors, lookup.mean_ns), (100.0, 5.0, 1_000));
        assert_eq!((rates[0].operations[0].mean_ns, rates[0].operations[0].busy), (2_000_000_000, 2.0));
        assert_eq!((rates[0].calls, rates[0].errors, rates[0].slow), (101.0, 5.0, 202));
    }

    #[test]
    fn a_provider_that_is_new_counts_from_zero() {
        let (before, after) = (mount(1, &[("lookup", 100, 0, 9)]), mount(2, &[("lookup", 4, 0, 8)]));
        let rates = between(&before, &after, Duration::from_secs(1));
        assert_eq!((rates[0].calls, rates[0].operations[0].mean_ns), (4.0, 2));
        assert_eq!((since(Some(9), 3), since(None, 3), since(Some(1), 3)), (3, 3, 2));
    }
}
