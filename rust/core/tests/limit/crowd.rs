//! Very many sets: what holds for a few holds for a thousand.

use std::collections::BTreeMap;

use penstock_core::clock::Nanos;
use penstock_core::limit::{Change, End, Permit, SetId, Taken, Unit, Who};

use crate::common::{Bench, SECOND, bucket, ms, slots, window};

const TENANTS: u64 = 1_000;

/// A limit for all, and one for each tenant.
fn crowd(
    all: penstock_core::limit::Shape,
    each: penstock_core::limit::Shape,
) -> (Bench, Vec<SetId>) {
    let mut bench = Bench::default();
    bench.add("all", "global", Unit::Requests, all);
    bench.add("each", "tenant:*", Unit::Requests, each);
    let sets = (0..TENANTS)
        .map(|tenant| bench.tenant(&tenant.to_string()))
        .collect();
    (bench, sets)
}

#[test]
fn a_thousand_sets_on_one_limit_are_served_in_order_at_its_rate() {
    let (mut bench, sets) = crowd(bucket(10_000, SECOND, 20), window(100, SECOND));
    let first = bench.granted(sets[0], 20, Nanos::ZERO);
    bench.settle(first, Nanos::ZERO);
    for _ in 0..2 {
        for set in &sets {
            bench.wait(*set, 1, Nanos::ZERO);
        }
    }
    let (mut order, mut now) = (Vec::new(), Nanos::ZERO);
    while order.len() < 2_000 {
        now = bench
            .limiter
            .next_wake()
            .unwrap()
            .max(now.saturating_add(ms(1)));
        order.extend(bench.tokens(now));
    }
    assert!(order.is_sorted());
    assert_eq!(now, ms(200));
}

#[test]
fn nobody_looks_at_a_crowd_that_cannot_go() {
    let (mut bench, sets) = crowd(bucket(1, SECOND, 1), slots(1));
    bench.granted(sets[0], 1, Nanos::ZERO);
    for set in &sets {
        bench.wait(*set, 1, Nanos::ZERO);
    }
    let (mut now, mut polls, mut granted) = (Nanos::ZERO, 0, 0);
    while now < Nanos::from_secs(10) {
        now = bench
            .limiter
            .next_wake()
            .unwrap()
            .max(now.saturating_add(ms(1)));
        granted += bench.tokens(now).len();
        polls += 1;
    }
    assert_eq!(granted, 10);
    assert!(polls <= 50, "{polls} polls for ten grants");
}

#[test]
fn a_limit_that_is_changed_lets_its_own_calls_go_at_once() {
    let (mut bench, sets) = crowd(slots(2_000), slots(0));
    bench.add("other", "tool:a", Unit::Requests, slots(0));
    let other = bench.tool("a");
    for set in &sets {
        bench.wait(*set, 1, Nanos::ZERO);
    }
    bench.wait(other, 1, Nanos::ZERO);
    bench.limiter.poll(ms(1));
    let rule = bench.limiter.rule_called("other").unwrap();
    bench
        .limiter
        .change(
            rule,
            Change {
                n: Some(1),
                ..Change::default()
            },
            ms(2),
        )
        .unwrap();
    assert_eq!(bench.tokens(ms(2)), [TENANTS + 1]);
}

#[test]
fn forgotten_fronts_leave_no_claims() {
    let (mut bench, sets) = crowd(bucket(10, SECOND, 10), slots(1));
    bench.granted(sets[0], 10, Nanos::ZERO);
    let waiters: Vec<_> = sets
        .iter()
        .map(|set| bench.wait(*set, 10, Nanos::ZERO))
        .collect();
    bench.limiter.poll(ms(1));
    for waiter in waiters {
        bench.limiter.forget(waiter, ms(1));
    }
    assert!(bench.grants(ms(2)).is_empty());
    assert_eq!(bench.limiter.statistics().waiting, 0);
    bench.granted(sets[1], 1, ms(100));
}

/// Calls of random tenants that hold a slot for a while: all are served, each tenant in order, and
/// no limit holds more than it may.
#[test]
fn a_busy_crowd_is_served_in_the_order_of_each_set() {
    let (mut bench, sets) = crowd(bucket(2_000, SECOND, 50), slots(2));
    let places = bench.add("places", "service:s", Unit::Requests, slots(40));
    let served: Vec<SetId> = (0..TENANTS)
        .map(|tenant| {
            let tenant = tenant.to_string();
            bench.set(&Who {
                tenant: Some(&tenant),
                service: Some("s"),
                ..Who::default()
            })
        })
        .collect();
    let mut running: Vec<(Permit, Nanos)> = Vec::new();
    let mut owners: BTreeMap<u64, usize> = BTreeMap::new();
    let mut last = vec![0; 2 * usize::try_from(TENANTS).unwrap()];
    let (mut dice, mut granted) = (7_u64, 0);
    for millis in 0..6_000 {
        let now = ms(millis);
        for (permit, _) in running.extract_if(.., |(_, ends)| *ends <= now) {
            bench.limiter.settle(permit, None, End::Ok, now);
        }
        for _ in 0..if millis < 500 { 8 } else { 0 } {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let which = usize::try_from((dice >> 33) % TENANTS).unwrap();
            let with_service = dice >> 62 == 0;
            let set = if with_service {
                served[which]
            } else {
                sets[which]
            };
            match bench.take(set, 1, now) {
                Taken::Granted(permit) => {
                    granted += 1;
                    running.push((permit, now.saturating_add(ms(20))));
                }
                _ => {
                    owners.insert(bench.number, 2 * which + usize::from(with_service));
                }
            }
        }
        for grant in bench.grants(now) {
            let set = owners.remove(&grant.token).unwrap();
            assert!(grant.token > last[set], "a set is out of order");
            last[set] = grant.token;
            granted += 1;
            running.push((grant.result.unwrap(), now.saturating_add(ms(20))));
        }
        assert!(bench.used(places, now) <= 40);
    }
    assert_eq!((granted, owners.len()), (4_000, 0));
}
