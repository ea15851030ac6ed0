//! What an event costs: written while nobody reads, and read by one, by many, beside sleepers.

#![expect(missing_docs, reason = "criterion makes public functions without any")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use penstock_core::clock::Nanos;
use penstock_core::ring::{Fact, Kind, Look, Ring, RingConfig};

const CALLS: u32 = 10_000;
const PAGE: u64 = 256;

fn call(ring: &mut Ring<u64>, index: u32) {
    let time = Nanos(u64::from(index));
    ring.append(Fact::new(Kind::CallStarted, index, time));
    ring.append(Fact::new(Kind::CallEnded, index, time));
}

fn log() -> Ring<u64> {
    let mut ring = Ring::new(RingConfig::default());
    (0..CALLS).for_each(|index| call(&mut ring, index));
    ring
}

/// Reads on from a cursor; returns where it stopped.
fn read(ring: &Ring<u64>, mut cursor: u64) -> u64 {
    while let Look::Records { first, last } = ring.look(cursor, PAGE) {
        for seq in first..=last {
            black_box(ring.get(seq));
        }
        cursor = last;
    }
    cursor
}

fn off(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(u64::from(CALLS)));
    group.bench_function("events-off/new", |bencher| {
        bencher.iter_batched(
            || Ring::<u64>::new(RingConfig::default()),
            |mut ring| {
                ring.reserve(2 * CALLS as usize);
                (0..CALLS).for_each(|index| call(&mut ring, black_box(index)));
                ring
            },
            BatchSize::LargeInput,
        );
    });
    let mut full = log();
    (0..65_536).for_each(|index| call(&mut full, index % CALLS));
    group.bench_function("events-off/full", |bencher| {
        bencher.iter(|| (0..CALLS).for_each(|index| call(&mut full, black_box(index))));
    });
    group.finish();
}

fn readers(criterion: &mut Criterion) {
    let ring = log();
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(u64::from(2 * CALLS)));
    group.bench_function("events-one", |bencher| bencher.iter(|| read(&ring, 0)));
    group.throughput(Throughput::Elements(u64::from(2 * CALLS) * 100));
    group.bench_function("events-many/100", |bencher| {
        bencher.iter(|| (0..100).map(|_| read(&ring, 0)).sum::<u64>());
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("fold", |bencher| {
        bencher.iter(|| ring.fold().rows().len());
    });
    group.finish();
}

/// A reader that keeps up while a log forgets: sleepers are cursors, of which the log knows nothing.
fn slow(criterion: &mut Criterion) {
    let mut ring = Ring::new(RingConfig {
        history: 4_096,
        ..RingConfig::default()
    });
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(u64::from(2 * CALLS)));
    group.bench_function("events-slow", |bencher| {
        bencher.iter(|| {
            let mut cursor = ring.newest();
            for index in 0..CALLS {
                call(&mut ring, index);
                if index % 128 == 0 {
                    cursor = read(&ring, cursor);
                }
            }
            cursor
        });
    });
    group.finish();
}

criterion_group!(benches, off, readers, slow);
criterion_main!(benches);
