//! What a timer costs: armed and disarmed among 100,000 others, and fired.

#![expect(missing_docs, reason = "criterion makes public functions without any")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use penstock_core::clock::Nanos;
use penstock_core::timer::{Target, Wheel};

fn arm_and_disarm(criterion: &mut Criterion) {
    let mut wheel = Wheel::new();
    for place in 0..100_000 {
        wheel.arm(
            Nanos::from_millis(30_000 + u64::from(place % 10_000)),
            Target(place),
        );
    }
    let mut millis = 0;
    criterion.bench_function("wheel/arm_and_disarm", |bencher| {
        bencher.iter(|| {
            millis = (millis + 1) % 1_000;
            let key = wheel.arm(Nanos::from_millis(2_000 + millis), Target(1));
            black_box(wheel.disarm(black_box(key)))
        });
    });
}

fn fire(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wheel");
    group.throughput(Throughput::Elements(10_000));
    let mut wheel = Wheel::new();
    let mut fired = Vec::new();
    let mut now = 0;
    group.bench_function("arm_and_fire", |bencher| {
        bencher.iter(|| {
            for place in 0..10_000_u32 {
                let millis = now + u64::from(place.wrapping_mul(2_654_435_761) % 60_000);
                wheel.arm(Nanos::from_millis(millis), Target(place));
            }
            now += 60_000;
            wheel.expire(Nanos::from_millis(now), &mut fired);
            fired.clear();
        });
    });
    group.finish();
}

criterion_group!(benches, arm_and_disarm, fire);
criterion_main!(benches);
