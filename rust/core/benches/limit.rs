//! What a limit costs: hot sets that nobody waits for, long lines, and many sets on one limit.

#![expect(missing_docs, reason = "criterion makes public functions without any")]
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot go on must stop"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use penstock_core::clock::Nanos;
use penstock_core::limit::{
    Ask, Cost, End, Limiter, Owner, RuleSpec, Scope, SetId, Shape, Unit, Who,
};

const PLENTY: u64 = 1 << 50;
const SECOND: Nanos = Nanos::from_secs(1);

fn limiter(rules: &[(&str, Shape)], who: &Who<'_>) -> (Limiter, SetId) {
    let mut limiter = Limiter::default();
    for (place, (scope, shape)) in rules.iter().enumerate() {
        let scope = Scope::parse(scope).expect("a scope");
        let rule = RuleSpec::new(place.to_string(), scope, Unit::Requests, shape.clone());
        limiter.add(rule, Nanos::ZERO).expect("a rule");
    }
    let set = limiter.resolve(who, Nanos::ZERO);
    let set = set.expect("few limits").expect("some limit");
    (limiter, set)
}

fn take_and_settle(criterion: &mut Criterion, name: &str, shapes: &[Shape]) {
    let rules: Vec<_> = shapes
        .iter()
        .map(|shape| ("global", shape.clone()))
        .collect();
    let (mut limiter, set) = limiter(&rules, &Who::default());
    let mut now = Nanos::ZERO;
    criterion.bench_function(&format!("limit/{name}"), |bencher| {
        bencher.iter(|| {
            now = now.saturating_add(Nanos(200));
            let permit = limiter.try_take(set, black_box(&Cost::ONE), 4, None, now);
            limiter.settle(permit.expect("a permit"), None, End::Ok, now);
        });
    });
}

fn uncontended(criterion: &mut Criterion) {
    let bucket = Shape::Bucket {
        n: PLENTY,
        per: SECOND,
        burst: PLENTY,
    };
    let window = |secs| Shape::Window {
        n: PLENTY,
        per: Nanos::from_secs(secs),
    };
    let slots = Shape::Slots {
        n: 4,
        adaptive: None,
    };
    take_and_settle(criterion, "bucket", &[bucket]);
    take_and_settle(criterion, "window", &[window(60)]);
    take_and_settle(criterion, "slots", std::slice::from_ref(&slots));
    let windows = [1, 60, 3_600, 86_400, 60].map(window);
    take_and_settle(criterion, "five_windows", &windows);
    let tiers = [window(1), window(60), window(3_600), window(86_400), slots];
    take_and_settle(criterion, "tiers", &tiers);
}

fn ask(owner: Owner, set: SetId, number: u64, now: Nanos) -> Ask {
    Ask {
        owner,
        set,
        token: number,
        number,
        arrival: now,
        lane: 4,
        ..Ask::default()
    }
}

/// 1,000 calls wait for 10,000 a second: all of them are granted, a poll each millisecond.
fn waiters(criterion: &mut Criterion) {
    let bucket = Shape::Bucket {
        n: 10_000,
        per: SECOND,
        burst: 10,
    };
    let (mut limiter, set) = limiter(&[("global", bucket)], &Who::default());
    let owner = limiter.add_owner();
    let mut group = criterion.benchmark_group("limit");
    group.throughput(Throughput::Elements(1_000));
    let (mut now, mut number) = (SECOND, 0);
    group.bench_function("waiters", |bencher| {
        bencher.iter(|| {
            for _ in 0..1_000 {
                number += 1;
                black_box(limiter.take(&ask(owner, set, number, now), now));
            }
            drain(&mut limiter, owner, &mut now);
        });
    });
    group.finish();
}

/// A tenant each, all on one limit: 1,000 sets wait, and are granted as above.
fn fronts(criterion: &mut Criterion) {
    let shared = Shape::Bucket {
        n: 10_000,
        per: SECOND,
        burst: 10,
    };
    let own = Shape::Window {
        n: PLENTY,
        per: SECOND,
    };
    let rules = [("global", shared), ("tenant:*", own)];
    let (mut limiter, _) = limiter(&rules, &Who::default());
    let owner = limiter.add_owner();
    let sets: Vec<SetId> = (0..1_000)
        .map(|tenant| set_of(&mut limiter, tenant))
        .collect();
    let mut group = criterion.benchmark_group("limit");
    group.throughput(Throughput::Elements(1_000));
    let (mut now, mut number) = (SECOND, 0);
    group.bench_function("fronts", |bencher| {
        bencher.iter(|| {
            for set in &sets {
                number += 1;
                black_box(limiter.take(&ask(owner, *set, number, now), now));
            }
            drain(&mut limiter, owner, &mut now);
        });
    });
    group.finish();
}

fn set_of(limiter: &mut Limiter, tenant: u32) -> SetId {
    let tenant = tenant.to_string();
    let who = Who {
        tenant: Some(&tenant),
        ..Who::default()
    };
    limiter
        .resolve(&who, Nanos::ZERO)
        .expect("few limits")
        .expect("some limit")
}

/// Polls each millisecond until nobody waits, and ends each call at once.
fn drain(limiter: &mut Limiter, owner: Owner, now: &mut Nanos) {
    while limiter.statistics().waiting > 0 {
        *now = now.saturating_add(Nanos::from_millis(1));
        limiter.poll(*now);
        while let Some(grant) = limiter.pop_grant(owner) {
            limiter.settle(grant.result.expect("a permit"), None, End::Ok, *now);
        }
    }
}

criterion_group!(benches, uncontended, waiters, fronts);
criterion_main!(benches);
