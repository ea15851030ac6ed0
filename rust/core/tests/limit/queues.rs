//! Waiting: deadlines, brims, keys, lanes.

use penstock_core::clock::Nanos;
use penstock_core::limit::{Ask, LimiterConfig, RefusalKind, RuleSpec, Scope, Taken, Unit, Who};

use crate::common::{Bench, SECOND, bucket, ms, slots};

fn refused(taken: Taken) -> penstock_core::limit::Refusal {
    match taken {
        Taken::Refused(refusal) => refusal,
        other => panic!("{other:?} instead of a refusal"),
    }
}

#[test]
fn a_call_whose_turn_comes_too_late_is_refused_at_once() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 1));
    bench.granted(set, 1, Nanos::ZERO);
    let ask = Ask {
        deadline: Some(ms(99)),
        ..bench.ask(set, 1, Nanos::ZERO)
    };
    let refusal = refused(bench.limiter.take(&ask, Nanos::ZERO));
    assert_eq!(
        (refusal.kind, refusal.retry_at),
        (RefusalKind::Deadline, Some(ms(100)))
    );
    bench.wait(set, 1, Nanos::ZERO);
    let behind = refused(bench.limiter.take(&ask, Nanos::ZERO));
    assert_eq!(behind.kind, RefusalKind::Deadline);
    let ask = Ask {
        deadline: Some(ms(200)),
        ..ask
    };
    assert!(matches!(
        bench.limiter.take(&ask, Nanos::ZERO),
        Taken::Waiting(_)
    ));
}

#[test]
fn a_limit_has_a_brim() {
    let mut bench = Bench::default();
    let mut spec = RuleSpec::new("few", Scope::default(), Unit::Requests, slots(1));
    spec.max_waiting = 2;
    bench.limiter.add(spec, Nanos::ZERO).unwrap();
    let set = bench.set(&Who::default());
    bench.granted(set, 1, Nanos::ZERO);
    let first = bench.wait(set, 1, Nanos::ZERO);
    bench.wait(set, 1, Nanos::ZERO);
    assert_eq!(
        refused(bench.take(set, 1, Nanos::ZERO)).kind,
        RefusalKind::QueueFull
    );
    bench.limiter.forget(first, Nanos::ZERO);
    bench.wait(set, 1, Nanos::ZERO);
}

#[test]
fn who_waits_can_be_told_for_what() {
    let mut bench = Bench::default();
    bench.add("all", "global", Unit::Requests, bucket(100, SECOND, 10));
    let one = bench.add("one", "tool:a", Unit::Requests, slots(1));
    let slow = bench.add("slow", "tool:b", Unit::Requests, bucket(1, SECOND, 1));
    let (a, b) = (bench.tool("a"), bench.tool("b"));
    for set in [a, b] {
        bench.granted(set, 1, Nanos::ZERO);
    }
    let told = [(a, one, None), (b, slow, Some(SECOND))];
    for (set, limit, until) in told {
        // The second is behind the first of its own set, and waits for the same.
        for _ in 0..2 {
            let ask = bench.ask(set, 1, Nanos::ZERO);
            let taken = bench.limiter.take(&ask, Nanos::ZERO);
            assert!(matches!(taken, Taken::Waiting(_)));
            let found = bench.limiter.waits_for(&ask, Nanos::ZERO);
            assert_eq!(found, Some((limit, until)));
        }
    }
}

#[test]
fn who_is_held_up_by_another_s_claim_waits_for_that_limit() {
    let mut bench = Bench::default();
    let shared = bench.add("shared", "tool:*", Unit::Requests, slots(2));
    bench.add("other", "tenant:*", Unit::Requests, slots(1));
    let who = |tenant| Who {
        tenant,
        tool: Some("a"),
        ..Who::default()
    };
    let (big, small) = (bench.set(&who(Some("x"))), bench.set(&who(None)));
    bench.granted(big, 1, Nanos::ZERO);
    bench.wait(big, 1, Nanos::ZERO); // for its tenant's slot; it claims the second shared one
    let ask = bench.ask(small, 1, Nanos::ZERO);
    let taken = bench.limiter.take(&ask, Nanos::ZERO);
    assert!(matches!(taken, Taken::Waiting(_)));
    let found = bench.limiter.waits_for(&ask, Nanos::ZERO);
    assert_eq!(found, Some((shared, None)));
}

#[test]
fn all_limits_together_have_a_brim() {
    let mut bench = Bench::new(LimiterConfig {
        max_waiting: 1,
        ..LimiterConfig::default()
    });
    bench.add("a", "tool:a", Unit::Requests, slots(0));
    bench.add("b", "tool:b", Unit::Requests, slots(0));
    let (left, right) = (bench.tool("a"), bench.tool("b"));
    bench.wait(left, 1, Nanos::ZERO);
    assert_eq!(
        refused(bench.take(right, 1, Nanos::ZERO)).kind,
        RefusalKind::QueueFull
    );
}

#[test]
fn a_call_that_asks_again_is_where_it_was() {
    let (mut bench, set) = Bench::with(slots(1));
    let first = bench.ask(set, 1, Nanos::ZERO);
    let Taken::Granted(permit) = bench.limiter.take(&first, Nanos::ZERO) else {
        panic!("it waits");
    };
    bench.wait(set, 1, ms(1));
    bench.settle(permit, ms(2));
    let permit = bench.grants(ms(2))[0].result.unwrap();
    bench.wait(set, 1, ms(3));
    assert!(matches!(
        bench.limiter.take(&first, ms(4)),
        Taken::Waiting(_)
    ));
    bench.settle(permit, ms(5));
    assert_eq!(bench.tokens(ms(5)), [first.token]);
}

#[test]
fn a_lane_is_a_second_of_arrival() {
    let (mut bench, set) = Bench::with(slots(0));
    let rule = bench.limiter.rule_called("limit").unwrap();
    let mut wait = |lane, now| {
        let ask = Ask {
            lane,
            ..bench.ask(set, 1, now)
        };
        assert!(matches!(bench.limiter.take(&ask, now), Taken::Waiting(_)));
    };
    wait(8, Nanos::ZERO);
    wait(4, Nanos::ZERO);
    wait(3, ms(900));
    wait(3, ms(1_100));
    let n = Some(10);
    let change = penstock_core::limit::Change {
        n,
        ..Default::default()
    };
    bench.limiter.change(rule, change, ms(2_000)).unwrap();
    assert_eq!(bench.tokens(ms(2_000)), [3, 2, 4, 1]);
}

#[test]
fn a_try_does_not_pass_those_who_wait() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 10));
    bench.granted(set, 5, Nanos::ZERO);
    bench.wait(set, 10, Nanos::ZERO);
    assert_eq!(
        bench.refused(set, 1, Nanos::ZERO).kind,
        RefusalKind::Exceeded
    );
}

#[test]
fn a_thousand_forgotten_calls_leave_a_full_balance() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 10));
    bench.granted(set, 10, Nanos::ZERO);
    let waiters: Vec<_> = (0..1_000)
        .map(|_| bench.wait(set, 1, Nanos::ZERO))
        .collect();
    for waiter in waiters {
        bench.limiter.forget(waiter, ms(1));
    }
    assert!(bench.grants(ms(1_000)).is_empty());
    bench.granted(set, 10, ms(1_000));
}
