//! Budgets and calendar windows.

use penstock_core::clock::Nanos;
use penstock_core::limit::{Change, Cost, End, Overrun, RefusalKind, Shape, Taken, Unit, Who};

use crate::common::{Bench, budget, ms, secs};

fn daily(amount: u64, ends: Nanos) -> Shape {
    Shape::Budget {
        amount,
        ends: Some(ends),
        warn: vec![500, 800, 1_000],
        overrun: Overrun::Cancel,
    }
}

fn spend(bench: &mut Bench, set: penstock_core::limit::SetId, units: u64, now: Nanos) {
    let permit = bench.granted(set, units, now);
    bench.settle(permit, now);
}

#[test]
fn a_budget_that_is_spent_refuses_at_once_and_says_until_when() {
    let (mut bench, set) = Bench::with(daily(10, secs(60)));
    spend(&mut bench, set, 7, Nanos::ZERO);
    let Taken::Refused(refusal) = bench.take(set, 4, ms(1)) else {
        panic!("it waits");
    };
    assert_eq!(refusal.kind, RefusalKind::Budget);
    assert_eq!((refusal.remaining, refusal.retry_at), (3, Some(secs(60))));
    assert_eq!(bench.limiter.describe(&refusal), ("limit", "global"));
}

#[test]
fn a_waiting_call_is_refused_when_its_budget_is_spent() {
    let (mut bench, set) = Bench::with(budget(10));
    let permit = bench.granted(set, 8, Nanos::ZERO);
    bench.wait(set, 5, Nanos::ZERO);
    bench.settle(permit, ms(1));
    let grants = bench.grants(ms(1));
    let refusal = grants[0].result.unwrap_err();
    assert_eq!((refusal.kind, refusal.remaining), (RefusalKind::Budget, 2));
    assert_eq!(grants[0].waited, ms(1));
}

#[test]
fn a_new_period_has_the_whole_amount() {
    let mut bench = Bench::default();
    let rule = bench.add("daily", "global", Unit::Requests, daily(10, secs(60)));
    let set = bench.set(&Who::default());
    spend(&mut bench, set, 10, Nanos::ZERO);
    assert_eq!(bench.limiter.rolls_due(secs(59)).count(), 0);
    assert_eq!(
        bench.limiter.rolls_due(secs(60)).collect::<Vec<_>>(),
        [rule]
    );
    spend(&mut bench, set, 4, secs(60));
    bench.limiter.roll(rule, secs(120), secs(61));
    assert_eq!(bench.used(rule, secs(61)), 4);
    assert_eq!(bench.limiter.rolls_due(secs(61)).count(), 0);
}

#[test]
fn a_call_of_an_older_period_gives_nothing_back_to_the_new_one() {
    let mut bench = Bench::default();
    let rule = bench.add("daily", "global", Unit::Requests, daily(10, secs(60)));
    let set = bench.set(&Who::default());
    let (less, more) = (
        bench.granted(set, 4, secs(59)),
        bench.granted(set, 4, secs(59)),
    );
    bench.limiter.roll(rule, secs(120), secs(60));
    bench.granted(set, 5, secs(61));
    bench
        .limiter
        .settle(less, Some(&Cost::requests(1)), End::Ok, secs(62));
    assert_eq!(bench.used(rule, secs(62)), 5);
    bench
        .limiter
        .settle(more, Some(&Cost::requests(6)), End::Ok, secs(62));
    assert_eq!(bench.used(rule, secs(62)), 7);
}

#[test]
fn each_share_is_told_once_a_period() {
    let (mut bench, set) = Bench::with(daily(10, secs(60)));
    let shares = |bench: &mut Bench| -> Vec<u16> {
        bench
            .limiter
            .warnings()
            .map(|warning| warning.share)
            .collect()
    };
    spend(&mut bench, set, 4, Nanos::ZERO);
    assert!(shares(&mut bench).is_empty());
    spend(&mut bench, set, 4, Nanos::ZERO);
    assert_eq!(shares(&mut bench), [500, 800]);
    spend(&mut bench, set, 1, Nanos::ZERO);
    assert!(shares(&mut bench).is_empty());
    spend(&mut bench, set, 5, secs(61));
    assert_eq!(shares(&mut bench), [500]);
}

#[test]
fn an_overrun_is_refused_or_becomes_a_debt() {
    let (mut bench, set) = Bench::with(daily(10, secs(60)));
    let permit = bench.granted(set, 8, Nanos::ZERO);
    assert!(bench.limiter.extend(permit, &Cost::requests(2), ms(1)));
    assert!(!bench.limiter.extend(permit, &Cost::requests(1), ms(1)));
    let (mut bench, set) = Bench::with(budget(10));
    let permit = bench.granted(set, 8, Nanos::ZERO);
    assert!(bench.limiter.extend(permit, &Cost::requests(5), ms(1)));
    bench.settle(permit, ms(2));
    assert_eq!(bench.refused(set, 1, ms(2)).kind, RefusalKind::Budget);
}

#[test]
fn more_money_lets_waiting_calls_go() {
    let mut bench = Bench::default();
    let rule = bench.add("money", "global", Unit::Requests, budget(10));
    let set = bench.set(&Who::default());
    bench.granted(set, 8, Nanos::ZERO);
    bench.wait(set, 5, Nanos::ZERO);
    let change = Change {
        n: Some(20),
        ..Change::default()
    };
    bench.limiter.change(rule, change, ms(1)).unwrap();
    assert_eq!(bench.tokens(ms(1)), [1]);
}

#[test]
fn a_calendar_window_waits_for_its_end() {
    let mut bench = Bench::default();
    let shape = Shape::Calendar {
        n: 3,
        ends: secs(60),
    };
    let rule = bench.add("day", "global", Unit::Requests, shape);
    let set = bench.set(&Who::default());
    let first = bench.granted(set, 3, Nanos::ZERO);
    bench.wait(set, 2, ms(1));
    assert_eq!(bench.limiter.next_wake(), Some(secs(60)));
    assert_eq!(bench.tokens(secs(60)), [1]);
    bench.limiter.roll(rule, secs(120), secs(60));
    bench.limiter.refund(first, secs(60));
    assert_eq!(bench.used(rule, secs(60)), 2);
}

#[test]
fn a_clock_that_is_set_back_opens_no_window_again() {
    let mut bench = Bench::default();
    let shape = Shape::Calendar {
        n: 3,
        ends: secs(60),
    };
    let rule = bench.add("day", "global", Unit::Requests, shape);
    let set = bench.set(&Who::default());
    bench.granted(set, 3, Nanos::ZERO);
    bench.limiter.roll(rule, secs(90), secs(10));
    bench.refused(set, 1, secs(60));
    bench.limiter.roll(rule, secs(30), secs(50));
    bench.granted(set, 3, secs(61));
    bench.refused(set, 1, secs(61));
}
