//! What the files of the control directory say.

use super::{OpenFor, OpenHandle};
use crate::{Mount, MountTable, OriginId};
use fs9_sdk::Execution;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Builds lines of fields.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// Adds a field of any bytes.
    fn name(&mut self, bytes: &[u8]) -> &mut Lines {
        if !self.0.is_empty() && self.0.last() != Some(&b'\n') {
            self.0.push(b'\t');
        }
        escape(&mut self.0, bytes);
        self
    }

    /// Adds a field of something printable.
    fn field(&mut self, value: impl std::fmt::Display) -> &mut Lines {
        self.name(value.to_string().as_bytes())
    }

    fn end(&mut self) {
        self.0.push(b'\n');
    }
}

/// Writes a name of any bytes as one word.
pub(super) fn escape(to: &mut Vec<u8>, name: &[u8]) {
    if name.is_empty() {
        to.push(b'-');
    }
    for &byte in name {
        match byte {
            b' ' => to.extend_from_slice(b"\\040"),
            b'\t' => to.extend_from_slice(b"\\011"),
            b'\n' => to.extend_from_slice(b"\\012"),
            b'\\' => to.extend_from_slice(b"\\134"),
            _ => to.push(byte),
        }
    }
}

/// Returns the content of `version`.
pub(super) fn version(version: &str) -> Vec<u8> {
    let mut lines = Lines::default();
    lines.0.extend_from_slice(version.as_bytes());
    lines.end();
    lines.0
}

/// Returns the content of `mounts`; `withdrawn` is what forbids passthrough on all of them.
pub(super) fn mounts(table: &MountTable, withdrawn: Option<&'static str>) -> Vec<u8> {
    let mut lines = Lines::default();
    for mount in shown(table) {
        let options = mount.options();
        lines.field(mount.id()).field(mount.origin()).name(mount.path().as_bytes());
        lines.name(options.provider.as_bytes()).name(options.source.as_bytes());
        lines.field(if mount.capabilities().read_only { "ro" } else { "rw" }).field(mount.uses());
        let by_provider = (!mount.capabilities().backing_descriptors).then_some("provider");
        // The nearest reason: a layer takes from the provider what it had, and the frontend asks neither without need.
        let reason = mount.backing_withdrawn_by().or(by_provider).or(withdrawn);
        lines.field(reason.unwrap_or_default()).end();
    }
    lines.0
}

/// Returns the content of `providers`.
pub(super) fn providers(table: &MountTable) -> Vec<u8> {
    let mut lines = Lines::default();
    for (origin, mount) in origins(table) {
        let (options, statistics) = (mount.options(), mount.statistics());
        lines.field(origin).name(options.provider.as_bytes()).name(options.source.as_bytes());
        lines.field(match mount.capabilities().execution {
            Execution::Inline => "inline",
            Execution::MayBlock => "may-block",
        });
        let pool = mount.pool().map(|pool| pool.load()).unwrap_or_default();
        lines.field(pool.threads).field(pool.queued).field(statistics.slow());
        lines.field(pool.timed_out).field(pool.refused).end();
    }
    lines.0
}

/// Returns the content of `stats`.
pub(super) fn stats(table: &MountTable) -> Vec<u8> {
    let mut lines = Lines::default();
    for (origin, mount) in origins(table) {
        for counted in mount.statistics().operations() {
            let latencies = &counted.latencies;
            lines.field(origin).field(counted.operation).field(latencies.count()).field(counted.errors);
            lines.field(nanoseconds(latencies.mean()));
            for fraction in [0.5, 0.9, 0.99, 0.999, 1.0] {
                lines.field(nanoseconds(latencies.percentile(fraction)));
            }
            lines.field(latencies.total().as_nanos()).end();
        }
    }
    lines.0
}

/// Returns the content of `handles`.
pub(super) fn handles(open: &[OpenHandle]) -> Vec<u8> {
    let mut lines = Lines::default();
    for handle in open {
        lines.field(handle.handle).field(handle.mount).field(handle.node.0);
        lines.field(match handle.purpose {
            OpenFor::Read => "r",
            OpenFor::Write => "w",
            OpenFor::ReadWrite => "rw",
            OpenFor::Listing => "dir",
        });
        lines.field(handle.pid).end();
    }
    lines.0
}

fn shown(table: &MountTable) -> impl Iterator<Item = &Arc<Mount>> {
    table.mounts().filter(|mount| !mount.options().hidden)
}

/// Returns one mount of each origin: the oldest.
fn origins(table: &MountTable) -> BTreeMap<OriginId, &Arc<Mount>> {
    let mut origins = BTreeMap::new();
    for mount in shown(table) {
        origins.entry(mount.origin()).or_insert(mount);
    }
    origins
}

fn nanoseconds(duration: Option<Duration>) -> u128 {
    duration.unwrap_or_default().as_nanos()
}

#[cfg(test)]
mod tests {
    use super::{Lines, handles};
    use crate::MountId;
    use crate::control::{OpenFor, OpenHandle};
    use fs9_sdk::NodeId;

    #[test]
    fn names_cannot_break_a_line_or_a_field() {
        let mut lines = Lines::default();
        lines.name(b"a b\tc\nd\\e\xff").field(7).name(b"").end();
        assert_eq!(lines.0, b"a\\040b\\011c\\012d\\134e\xff\t7\t-\n");
    }

    #[test]
    fn a_handle_is_one_line() {
        let open = OpenHandle {
            handle: 1 << 32,
            mount: MountId(2),
            node: NodeId(3),
            purpose: OpenFor::ReadWrite,
            pid: 44,
        };
        assert_eq!(handles(&[open]), b"4294967296\t2\t3\trw\t44\n");
    }
}
