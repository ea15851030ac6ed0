//! Who is next: order, claims, and what never waits.

use penstock_core::clock::Nanos;
use penstock_core::limit::{Cost, RefusalKind, Taken, Unit, Who};

use crate::common::{Bench, SECOND, bucket, budget, ms, secs, slots, window};

#[test]
fn a_bucket_grants_its_burst_and_then_its_rate() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 2));
    bench.granted(set, 1, Nanos::ZERO);
    bench.granted(set, 1, Nanos::ZERO);
    let refusal = bench.refused(set, 1, Nanos::ZERO);
    assert_eq!(
        (refusal.kind, refusal.retry_at),
        (RefusalKind::Exceeded, Some(ms(100)))
    );
    bench.refused(set, 1, Nanos(99_999_999));
    bench.granted(set, 1, ms(100));
}

#[test]
fn calls_that_wait_are_granted_in_the_order_of_arrival() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 1));
    bench.granted(set, 1, Nanos::ZERO);
    for _ in 0..3 {
        bench.wait(set, 1, Nanos::ZERO);
    }
    assert_eq!(bench.limiter.next_wake(), Some(ms(100)));
    assert!(bench.tokens(ms(99)).is_empty());
    assert_eq!(bench.tokens(ms(100)), [1]);
    assert_eq!(bench.tokens(ms(300)), [2]);
    assert_eq!(bench.limiter.next_wake(), Some(ms(400)));
    assert_eq!(bench.tokens(ms(400)), [3]);
    assert_eq!(bench.limiter.next_wake(), None);
}

#[test]
fn a_set_takes_from_all_its_limits_or_from_none() {
    let mut bench = Bench::default();
    let wide = bench.add("wide", "global", Unit::Requests, window(100, SECOND));
    bench.add("narrow", "tool:a", Unit::Requests, slots(1));
    let set = bench.tool("a");
    let permit = bench.granted(set, 1, Nanos::ZERO);
    bench.refused(set, 1, Nanos::ZERO);
    assert_eq!(bench.used(wide, Nanos::ZERO), 1);
    bench.limiter.refund(permit, Nanos::ZERO);
    assert_eq!(bench.used(wide, Nanos::ZERO), 0);
    bench.granted(set, 1, Nanos::ZERO);
}

#[test]
fn a_slot_that_comes_back_wakes_the_next_at_the_next_poll() {
    let (mut bench, set) = Bench::with(slots(1));
    let permit = bench.granted(set, 1, Nanos::ZERO);
    bench.wait(set, 1, Nanos::ZERO);
    assert_eq!(bench.limiter.next_wake(), None);
    bench.settle(permit, ms(5));
    assert!(bench.limiter.is_due(ms(5)));
    assert_eq!(bench.tokens(ms(5)), [1]);
}

#[test]
fn a_big_call_is_not_delayed_by_small_ones() {
    let (mut bench, set) = Bench::with(bucket(1_000, SECOND, 100));
    bench.granted(set, 100, Nanos::ZERO);
    bench.wait(set, 100, Nanos::ZERO);
    let other = bench.add("other", "tool:a", Unit::Requests, window(1_000, SECOND));
    let small = bench.tool("a");
    bench.refused(small, 1, ms(50));
    assert!(matches!(bench.take(small, 1, ms(50)), Taken::Waiting(_)));
    assert!(bench.tokens(ms(99)).is_empty());
    assert_eq!(bench.tokens(ms(100)), [1]);
    assert_eq!(bench.used(other, ms(100)), 0);
    assert_eq!(bench.tokens(ms(101)), [2]);
}

#[test]
fn a_small_call_passes_where_it_delays_nobody() {
    let mut bench = Bench::default();
    bench.add("rate", "global", Unit::Requests, bucket(10, SECOND, 10));
    bench.add("slow", "tool:a", Unit::Requests, bucket(1, secs(10), 1));
    let (slow, fast) = (bench.tool("a"), bench.tool("b"));
    bench.granted(slow, 1, Nanos::ZERO);
    bench.wait(slow, 1, Nanos::ZERO);
    bench.granted(fast, 9, Nanos::ZERO);
}

#[test]
fn a_call_behind_one_that_is_held_up_goes_when_there_is_enough_for_both() {
    let mut bench = Bench::default();
    bench.add("slow", "service:s", Unit::Requests, bucket(1, secs(10), 2));
    bench.add("fast", "tenant:x", Unit::Requests, bucket(5, SECOND, 2));
    let (service, tenant) = (Some("s"), Some("x"));
    let slow = bench.set(&Who {
        service,
        ..Who::default()
    });
    let fast = bench.set(&Who {
        tenant,
        ..Who::default()
    });
    let both = bench.set(&Who {
        tenant,
        service,
        ..Who::default()
    });
    bench.granted(slow, 1, Nanos::ZERO);
    bench.granted(fast, 1, Nanos::ZERO);
    bench.wait(slow, 2, Nanos::ZERO);
    bench.wait(both, 1, Nanos::ZERO);
    bench.wait(fast, 1, Nanos::ZERO);
    assert_eq!(bench.limiter.next_wake(), Some(ms(200)));
    assert_eq!(bench.tokens(ms(200)), [3]);
}

#[test]
fn a_cost_above_the_burst_is_impossible_at_once() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 2));
    let refusal = bench.refused(set, 3, Nanos::ZERO);
    assert_eq!(refusal.kind, RefusalKind::Impossible);
    let taken = bench.take(set, 3, Nanos::ZERO);
    assert!(matches!(taken, Taken::Refused(refusal) if refusal.kind == RefusalKind::Impossible));
}

#[test]
fn a_budget_that_only_reservations_exhaust_is_waited_for() {
    let mut bench = Bench::default();
    let rule = bench.add("money", "global", Unit::Requests, budget(10));
    let set = bench.tool("a");
    let permit = bench.granted(set, 8, Nanos::ZERO);
    bench.wait(set, 5, Nanos::ZERO);
    bench.limiter.settle(
        permit,
        Some(&Cost::requests(2)),
        penstock_core::limit::End::Ok,
        ms(1),
    );
    assert_eq!(bench.tokens(ms(1)), [1]);
    assert_eq!(bench.used(rule, ms(1)), 7);
}
