//! The handle registry on two threads. The goal: more than ten million operations a second with a million handles open,
//! and a cost that does not grow with their number. An element is one operation.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fs9_core::{HandleId, HandleRegistry, OwnerId};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Duration;

const THREADS: u64 = 2;
const OPEN: [u64; 3] = [1_000, 32_000, 1_000_000];

/// About as much as a frontend keeps for an open file.
struct OpenFile {
    _node: u64,
    _handle: u64,
    _rest: [u64; 6],
}

fn open_file(number: u64) -> OpenFile {
    OpenFile { _node: number, _handle: number, _rest: [0; 6] }
}

/// Numbers in an order that no cache foresees (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Returns the time that this thread has had on a processor (`/proc/PID/schedstat`).
#[expect(clippy::expect_used, reason = "a benchmark ends at its first error")]
fn time_on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel with schedstat");
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanoseconds.expect("nanoseconds first"))
}

/// Returns how long the slowest of the threads takes for `work` from a common start, without the time that other
/// programs have its processor.
fn on_all_threads(work: impl Fn(&mut Random) + Sync) -> Duration {
    let start = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        let (start, work) = (&start, &work);
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (thread + 1));
                    start.wait();
                    let begin = time_on_cpu();
                    work(&mut random);
                    time_on_cpu() - begin
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).max().unwrap_or_default()
    })
}

fn filled(open: u64) -> (HandleRegistry<OpenFile>, Vec<HandleId>) {
    let registry = HandleRegistry::new();
    let ids = (0..open).map(|number| registry.insert(OwnerId::KERNEL, open_file(number))).collect();
    (registry, ids)
}

fn get(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("get, two threads");
    group.throughput(Throughput::Elements(THREADS));
    for open in OPEN {
        let (registry, ids) = filled(open);
        group.bench_with_input(BenchmarkId::from_parameter(open), &open, |bencher, _| {
            bencher.iter_custom(|rounds| {
                on_all_threads(|random| {
                    for _ in 0..rounds {
                        black_box(registry.get(ids[random.below(ids.len())]));
                    }
                })
            });
        });
    }
    group.finish();
}

/// A file's life: open, four reads, close.
fn open_read_close(criterion: &mut Criterion) {
    const OPERATIONS: u64 = 6;
    let mut group = criterion.benchmark_group("open, four reads, close, two threads");
    group.throughput(Throughput::Elements(THREADS * OPERATIONS));
    for open in OPEN {
        let (registry, ids) = filled(open);
        group.bench_with_input(BenchmarkId::from_parameter(open), &open, |bencher, _| {
            bencher.iter_custom(|rounds| {
                on_all_threads(|random| {
                    for round in 0..rounds {
                        let id = registry.insert(OwnerId::KERNEL, open_file(round));
                        for _ in 0..2 {
                            black_box(registry.get(id));
                            black_box(registry.get(ids[random.below(ids.len())]));
                        }
                        black_box(registry.remove(id));
                    }
                })
            });
        });
    }
    group.finish();
}

fn configured() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = handles;
    config = configured();
    targets = get, open_read_close
}
criterion_main!(handles);
