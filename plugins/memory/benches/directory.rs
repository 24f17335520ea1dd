//! A directory of 1,000,000 entries: making, finding and listing them; and moving data.
//!
//! Before the benchmarks it says what an empty file costs in resident memory.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up ends")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fs9_memory::{MemoryOptions, MemoryProvider};
use fs9_sdk::{
    Call, Caller, DirEntry, DirSink, FileHandle, Fill, Name, NewNode, NodeId, OpenFlags, OpenNode, Place,
    Provider, WriteOptions,
};
use std::hint::black_box;

const ENTRIES: u64 = 1_000_000;
const MIB: usize = 1 << 20;

fn empty() -> MemoryProvider {
    let options =
        MemoryOptions { size_max: 4 << 30, inodes_max: Some(10 * ENTRIES), ..MemoryOptions::default() };
    MemoryProvider::new(options).expect("the options are valid")
}

fn name_of(buffer: &mut String, number: u64) -> Name<'_> {
    use std::fmt::Write;
    buffer.clear();
    write!(buffer, "file-{number:07}").expect("a string takes everything");
    Name::new(buffer.as_bytes()).expect("the name is valid")
}

/// Makes the entries and forgets the lookups, as after `echo 2 > /proc/sys/vm/drop_caches`.
fn fill(provider: &MemoryProvider, call: &Call) {
    let mut buffer = String::new();
    for number in 0..ENTRIES {
        let new = NewNode { mode: 0o100_644, rdev: 0 };
        let made = provider.mknod(call, NodeId::ROOT, name_of(&mut buffer, number), new);
        provider.forget(made.expect("there is room").node, 1);
    }
}

/// A reader that takes as many entries as fit a buffer of 128 KiB.
struct Reader {
    room: usize,
    cookie: u64,
    count: u64,
}

impl DirSink for Reader {
    fn has_room(&self, name_len: usize) -> bool {
        self.room >= 24 + name_len
    }

    fn push(&mut self, entry: DirEntry<'_>) -> Fill {
        self.room -= 24 + entry.name.as_bytes().len();
        self.cookie = entry.cookie;
        self.count += 1;
        Fill::More
    }
}

fn list(provider: &MemoryProvider, call: &Call) -> u64 {
    let dir = OpenNode { node: NodeId::ROOT, handle: FileHandle(0) };
    let mut reader = Reader { room: 0, cookie: 0, count: 0 };
    loop {
        let before = reader.count;
        reader.room = 128 * 1024;
        provider.readdir(call, dir, reader.cookie, false, &mut reader).expect("the root can be listed");
        if reader.count == before {
            return reader.count;
        }
    }
}

/// Returns the resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("proc is mounted");
    let pages = statm.split(' ').nth(1).and_then(|field| field.parse::<u64>().ok());
    pages.expect("statm has a second field") * 4096
}

fn directory(c: &mut Criterion) {
    let call = Call::by(Caller::ROOT);
    let before = resident();
    let provider = empty();
    fill(&provider, &call);
    eprintln!("an empty file costs {} bytes of resident memory", (resident() - before) / ENTRIES);

    let mut group = c.benchmark_group("directory of 1,000,000 entries");
    group.sample_size(10);
    group.throughput(Throughput::Elements(ENTRIES));
    group.bench_function("create", |bencher| {
        bencher.iter_batched(
            empty,
            |provider| {
                fill(&provider, &call);
                provider
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("list", |bencher| {
        bencher.iter(|| assert_eq!(list(&provider, &call), ENTRIES));
    });
    group.throughput(Throughput::Elements(1));
    let mut number = 0;
    let mut buffer = String::new();
    group.bench_function("lookup", |bencher| {
        bencher.iter(|| {
            // A step that is prime to the number of entries visits them all, far from each other.
            number = (number + 700_001) % ENTRIES;
            let found =
                provider.lookup(&call, NodeId::ROOT, name_of(&mut buffer, number)).expect("it exists");
            provider.forget(black_box(found).node, 1);
        });
    });
    group.finish();
}

fn data(c: &mut Criterion) {
    let call = Call::by(Caller::ROOT);
    let provider = empty();
    let place = Place { parent: NodeId::ROOT, name: Name::new(b"data").expect("the name is valid") };
    let (entry, opened) =
        provider.create(&call, place, 0o600, OpenFlags::READ_WRITE).expect("there is room for a file");
    let file = OpenNode { node: entry.node, handle: opened.handle };
    let mut buffer = vec![7; MIB];
    let mut target = vec![0; MIB];

    let mut group = c.benchmark_group("1 MiB");
    group.throughput(Throughput::Bytes(MIB as u64));
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| black_box(&mut target).copy_from_slice(black_box(&buffer)));
    });
    group.bench_function("overwrite", |bencher| {
        bencher.iter(|| provider.write(&call, file, 0, black_box(&buffer), WriteOptions::default()));
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| provider.read(&call, file, 0, black_box(&mut buffer)));
    });
    group.bench_function("write of new pages, and truncate", |bencher| {
        let cut = fs9_sdk::SetAttr { size: Some(0), ..fs9_sdk::SetAttr::default() };
        bencher.iter(|| {
            provider
                .write(&call, file, 0, black_box(&target), WriteOptions::default())
                .expect("there is room");
            provider.setattr(&call, file.node, None, cut).expect("a file can be cut")
        });
    });
    group.finish();
}

criterion_group!(benches, directory, data);
criterion_main!(benches);
