//! What the check of a model's arguments costs.

#![expect(missing_docs, reason = "criterion makes public functions without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use penstock_core::arguments::{ArgumentLimits, check};

fn sound(criterion: &mut Criterion) {
    let limits = ArgumentLimits::default();
    let small = br#"{"city": "Oslo", "days": 3}   "#;
    let large = format!(
        "{{\"text\": \"{}\", \"items\": [{}0]}}",
        "x".repeat(600),
        "1, ".repeat(100)
    );
    criterion.bench_function("arguments/30_bytes", |bencher| {
        bencher.iter(|| check(black_box(small), &limits));
    });
    criterion.bench_function("arguments/1_kib", |bencher| {
        bencher.iter(|| check(black_box(large.as_bytes()), &limits));
    });
}

criterion_group!(benches, sound);
criterion_main!(benches);
