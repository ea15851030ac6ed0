//! What each call pays for being watched: a breaker's admission and record, an adaptive limit's.

#![expect(missing_docs, reason = "criterion makes public functions without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use penstock_core::breaker::{Breaker, BreakerConfig, Class};
use penstock_core::clock::Nanos;
use penstock_core::limit::adaptive::{Adaptive, AdaptiveConfig, End, Mode};
use penstock_core::limit::allowance::Allowance;

/// Between two calls: 10,000 a second, so that cells and samples are renewed as in use.
const PACE: u64 = 100_000;

fn breaker(criterion: &mut Criterion) {
    let mut breaker = Breaker::new(BreakerConfig::default());
    let mut now = 0;
    criterion.bench_function("breaker/admit_and_record", |bencher| {
        bencher.iter(|| {
            now += PACE;
            let ticket = breaker.admit(black_box(Nanos(now)), None);
            ticket.map(|ticket| breaker.record(ticket, black_box(Class::Ok), Nanos(now), 0))
        });
    });
}

fn adaptive(criterion: &mut Criterion) {
    for (name, mode) in [("aimd", Mode::Aimd), ("gradient", Mode::Gradient)] {
        let config = AdaptiveConfig {
            mode,
            ..AdaptiveConfig::default()
        };
        let mut adaptive = Adaptive::new(config, 100);
        let mut now = 0;
        criterion.bench_function(&format!("adaptive/{name}"), |bencher| {
            bencher.iter(|| {
                now += PACE;
                let latency = Nanos(black_box(5_000_000 + now % 4_096));
                let started = Nanos(now).saturating_sub(latency);
                adaptive.record(black_box(End::Ok), started, latency, 60, 0, Nanos(now));
                black_box(adaptive.limit())
            });
        });
    }
}

fn allowance(criterion: &mut Criterion) {
    let mut allowance = Allowance::new();
    let mut now = 0;
    criterion.bench_function("allowance/first_attempt", |bencher| {
        bencher.iter(|| {
            now += PACE;
            allowance.first_attempt(black_box(Nanos(now)));
        });
    });
}

criterion_group!(benches, breaker, adaptive, allowance);
criterion_main!(benches);
