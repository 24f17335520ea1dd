//! Resolution of paths. The goal: under a microsecond at the 99th percentile with 100,000 sibling mounts in the worst
//! layout, and a cost that grows with the depth of a path, not with the number of mounts.
//!
//! Criterion tells means; the percentiles of single resolutions are written to stderr before.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_sdk::{
    Attr, Call, Capabilities, DirSink, Entry, ErrorKind, Execution, FileHandle, Name, NodeId, OpenFlags,
    OpenNode, Opened, Provider, Result,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A provider that is never called.
struct Nothing;

impl Provider for Nothing {
    fn capabilities(&self) -> Capabilities {
        Capabilities { execution: Execution::Inline, ..Capabilities::default() }
    }

    fn lookup(&self, _: &Call, _: NodeId, _: Name<'_>) -> Result<Entry> {
        Err(ErrorKind::NotFound.into())
    }

    fn getattr(&self, _: &Call, _: NodeId, _: Option<FileHandle>) -> Result<Attr> {
        Err(ErrorKind::Stale.into())
    }

    fn open(&self, _: &Call, _: NodeId, _: OpenFlags) -> Result<Opened> {
        Err(ErrorKind::IsADirectory.into())
    }

    fn read(&self, _: &Call, _: OpenNode, _: u64, _: &mut [u8]) -> Result<usize> {
        Err(ErrorKind::BadDescriptor.into())
    }

    fn readdir(&self, _: &Call, _: OpenNode, _: u64, _: bool, _: &mut dyn DirSink) -> Result<()> {
        Ok(())
    }
}

#[expect(clippy::expect_used, reason = "a benchmark ends at its first error")]
fn path(text: &str) -> VfsPath {
    VfsPath::parse(text.as_bytes()).expect("an absolute path")
}

#[expect(clippy::expect_used, reason = "a benchmark ends at its first error")]
fn mounted(paths: impl Iterator<Item = String>) -> Arc<Namespace> {
    let namespace = Namespace::new();
    for at in std::iter::once("/".to_owned()).chain(paths) {
        namespace.mount(&path(&at), Arc::new(Nothing), MountOptions::default()).expect("a free path");
    }
    namespace
}

/// Siblings that sort between the path that is asked for and the mount that serves it.
fn siblings(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|index| format!("/srv/tenants/tenant-{index:06}"))
}

/// Paths in an order that no cache foresees: below each sibling, and beside all of them.
fn asked(count: usize, siblings: usize) -> Vec<VfsPath> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count)
        .map(|index| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let sibling = state % siblings as u64;
            match index % 4 {
                0 => path("/srv/tenants/z-sorts-behind-all-siblings/file"),
                _ => path(&format!("/srv/tenants/tenant-{sibling:06}/dir/file")),
            }
        })
        .collect()
}

fn write_percentiles(what: &str, namespace: &Namespace, paths: &[VfsPath]) {
    let table = namespace.table();
    let mut took: Vec<u64> = paths
        .iter()
        .map(|path| {
            let begin = Instant::now();
            black_box(table.resolve(black_box(path)));
            begin.elapsed().as_nanos() as u64
        })
        .collect();
    took.sort_unstable();
    let at = |fraction: f64| took[((took.len() - 1) as f64 * fraction) as usize];
    eprintln!("{what}: p50 {} ns, p99 {} ns, p99.9 {} ns (clock included)", at(0.5), at(0.99), at(0.999));
}

fn number_of_mounts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resolve among siblings");
    for count in [100, 1_000, 10_000, 100_000] {
        let (namespace, paths) = (mounted(siblings(count)), asked(100_000, count));
        for _ in 0..3 {
            write_percentiles(&format!("{count} siblings"), &namespace, &paths);
        }
        let mut next = paths.iter().cycle();
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |bencher, _| {
            bencher.iter(|| next.next().map(|path| black_box(namespace.table().resolve(path)).is_some()));
        });
    }
    group.finish();
}

fn depth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resolve by depth, a mount at each level");
    for depth in [1, 4, 16, 64] {
        let deepest = "/d".repeat(depth);
        let levels = (1..=depth).map(|level| "/d".repeat(level));
        let namespace = mounted(siblings(100_000).chain(levels));
        let asked = path(&format!("{deepest}/file"));
        group.bench_with_input(BenchmarkId::from_parameter(depth), &depth, |bencher, _| {
            bencher.iter(|| black_box(namespace.table().resolve(black_box(&asked))).is_some());
        });
    }
    group.finish();
}

fn mounting(criterion: &mut Criterion) {
    let namespace = mounted(siblings(100_000));
    let at = path("/srv/tenants/one-more");
    criterion.bench_function("mount and unmount beside 100,000 siblings", |bencher| {
        bencher.iter(|| {
            let mount = namespace.mount(&at, Arc::new(Nothing), MountOptions::default());
            black_box((mount.is_ok(), namespace.unmount(&at, false).is_ok()))
        });
    });
}

fn configured() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = resolve;
    config = configured();
    targets = number_of_mounts, depth, mounting
}
criterion_main!(resolve);
