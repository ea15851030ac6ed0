//! Permits: what each end gives back, and to whom.

use penstock_core::clock::Nanos;
use penstock_core::limit::{Cost, End, RefusalKind, Share, Unit, Waiter, Who};

use crate::common::{Bench, SECOND, bucket, ms, secs, slots, window};

#[test]
fn a_refund_gives_everything_back() {
    let (mut bench, set) = Bench::with(window(10, SECOND));
    let permit = bench.granted(set, 10, Nanos::ZERO);
    bench.refused(set, 1, ms(1));
    bench.limiter.refund(permit, ms(1));
    bench.granted(set, 10, ms(1));
}

#[test]
fn what_was_not_spent_comes_back_with_the_end() {
    let (mut bench, set) = Bench::with(window(10, SECOND));
    let permit = bench.granted(set, 10, Nanos::ZERO);
    bench
        .limiter
        .settle(permit, Some(&Cost::requests(4)), End::Ok, ms(1));
    bench.refused(set, 7, ms(1));
    bench.granted(set, 6, ms(1));
}

#[test]
fn a_debt_makes_later_calls_wait() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 10));
    let permit = bench.granted(set, 10, Nanos::ZERO);
    bench
        .limiter
        .settle(permit, Some(&Cost::requests(20)), End::Ok, Nanos::ZERO);
    let refusal = bench.refused(set, 1, Nanos::ZERO);
    assert_eq!(refusal.retry_at, Some(ms(1_100)));
}

#[test]
fn a_refund_lands_in_no_other_window() {
    let mut bench = Bench::default();
    let rule = bench.add("window", "global", Unit::Requests, window(10, SECOND));
    let set = bench.set(&Who::default());
    let permit = bench.granted(set, 5, Nanos::ZERO);
    bench.granted(set, 5, ms(900));
    assert_eq!(bench.used(rule, ms(1_100)), 5);
    bench.limiter.refund(permit, ms(1_100));
    assert_eq!(bench.used(rule, ms(1_100)), 5);
}

#[test]
fn what_flowed_in_again_is_not_given_back_a_second_time() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 10));
    let old = bench.granted(set, 10, Nanos::ZERO);
    bench.granted(set, 10, secs(2));
    bench.limiter.refund(old, secs(2));
    bench.refused(set, 1, secs(2));
}

#[test]
fn a_cancelled_call_keeps_its_requests_spent() {
    let mut bench = Bench::default();
    let calls = bench.add("calls", "global", Unit::Requests, window(10, SECOND));
    let tokens = bench.add("tokens", "global", Unit::TotalTokens, window(1_000, SECOND));
    let set = bench.set(&Who::default());
    let cost = Cost {
        input_tokens: 300,
        ..Cost::ONE
    };
    let mut take = || {
        bench
            .limiter
            .try_take(set, &cost, 4, None, Nanos::ZERO)
            .unwrap()
    };
    let (unknown, known) = (take(), take());
    bench.limiter.cancel(unknown, None, ms(1));
    bench.limiter.cancel(
        known,
        Some(&Cost {
            input_tokens: 40,
            ..Cost::ZERO
        }),
        ms(1),
    );
    assert_eq!(
        (bench.used(calls, ms(1)), bench.used(tokens, ms(1))),
        (2, 340)
    );
}

#[test]
fn a_lost_permit_frees_its_slot_and_is_counted() {
    let mut bench = Bench::default();
    let slot = bench.add("slot", "global", Unit::Requests, slots(1));
    let rate = bench.add("rate", "global", Unit::Requests, window(10, SECOND));
    let set = bench.set(&Who::default());
    let permit = bench.granted(set, 1, Nanos::ZERO);
    bench.limiter.drop_permit(permit, ms(1));
    assert_eq!((bench.used(slot, ms(1)), bench.used(rate, ms(1))), (0, 1));
    assert_eq!(bench.limiter.rule_statistics(slot).unwrap().dropped, 1);
}

#[test]
fn a_second_end_does_nothing() {
    let mut bench = Bench::default();
    let rule = bench.add("slots", "global", Unit::Requests, slots(2));
    let set = bench.set(&Who::default());
    let first = bench.granted(set, 1, Nanos::ZERO);
    bench.granted(set, 1, Nanos::ZERO);
    bench.settle(first, ms(1));
    bench.settle(first, ms(1));
    bench.limiter.refund(first, ms(1));
    assert_eq!(bench.used(rule, ms(1)), 1);
}

#[test]
fn a_call_may_take_more_into_debt() {
    let mut bench = Bench::default();
    let tokens = bench.add("tokens", "global", Unit::OutputTokens, window(100, SECOND));
    let slot = bench.add("slot", "global", Unit::Requests, slots(1));
    let set = bench.set(&Who::default());
    let cost = |output_tokens| Cost {
        output_tokens,
        ..Cost::ZERO
    };
    let permit = bench
        .limiter
        .try_take(set, &cost(90), 4, None, Nanos::ZERO)
        .unwrap();
    assert!(bench.limiter.extend(permit, &cost(256), ms(1)));
    assert_eq!(
        (bench.used(tokens, ms(1)), bench.used(slot, ms(1))),
        (346, 1)
    );
    bench
        .limiter
        .settle(permit, Some(&cost(300)), End::Ok, ms(2));
    assert_eq!(
        (bench.used(tokens, ms(2)), bench.used(slot, ms(2))),
        (300, 0)
    );
}

#[test]
fn a_grant_that_races_a_cancel_is_refunded_whole() {
    let mut bench = Bench::default();
    let rate = bench.add("rate", "global", Unit::Requests, window(1, SECOND));
    let slot = bench.add("slot", "global", Unit::Requests, slots(1));
    let set = bench.set(&Who::default());
    let first = bench.granted(set, 1, Nanos::ZERO);
    let waiter = bench.wait(set, 1, Nanos::ZERO);
    bench.limiter.refund(first, ms(1));
    bench.limiter.poll(ms(1));
    assert_eq!((bench.used(rate, ms(1)), bench.used(slot, ms(1))), (1, 1));
    bench.limiter.forget(waiter, ms(1));
    assert_eq!((bench.used(rate, ms(1)), bench.used(slot, ms(1))), (0, 0));
    assert!(bench.grants(ms(1)).is_empty());
}

#[test]
fn a_stale_waiter_forgets_nobody() {
    let (mut bench, set) = Bench::with(slots(1));
    let mut held = bench.granted(set, 1, Nanos::ZERO);
    let old: Waiter = bench.wait(set, 1, Nanos::ZERO);
    bench.settle(held, ms(1));
    held = bench.grants(ms(1))[0].result.unwrap();
    bench.wait(set, 1, ms(1));
    bench.limiter.forget(old, ms(1));
    bench.settle(held, ms(2));
    assert_eq!(bench.tokens(ms(2)), [2]);
}

#[test]
fn an_owner_that_leaves_takes_its_calls_with_it() {
    let mut bench = Bench::default();
    let rule = bench.add("slots", "global", Unit::Requests, slots(1));
    let set = bench.set(&Who::default());
    let held = bench.granted(set, 1, Nanos::ZERO);
    bench.wait(set, 1, Nanos::ZERO);
    bench.wait(set, 1, Nanos::ZERO);
    bench.settle(held, ms(1));
    bench.limiter.poll(ms(1));
    bench.limiter.remove_owner(bench.owner, ms(1));
    assert_eq!(bench.used(rule, ms(1)), 0);
    assert_eq!(bench.limiter.statistics().waiting, 0);
    assert_eq!(bench.limiter.owners_with_grants().count(), 0);
}

#[test]
fn a_call_inside_the_only_slots_would_wait_for_itself() {
    let mut bench = Bench::default();
    bench.add("slots", "global", Unit::Requests, slots(2));
    let set = bench.set(&Who::default());
    let mine = bench.granted(set, 1, Nanos::ZERO);
    assert!(!bench.limiter.is_held_by(set, &Cost::ONE, &[mine]));
    let other = bench.granted(set, 1, Nanos::ZERO);
    assert!(!bench.limiter.is_held_by(set, &Cost::ONE, &[mine]));
    assert!(bench.limiter.is_held_by(set, &Cost::ONE, &[mine, other]));
}

#[test]
fn a_guess_has_a_tenth_and_leaves_a_fifth() {
    let (mut bench, set) = Bench::with(window(100, SECOND));
    let mut guess = || {
        bench
            .limiter
            .try_take(set, &Cost::ONE, 8, Some(Share::default()), Nanos::ZERO)
    };
    let guesses: Vec<_> = (0..10).map(|_| guess().unwrap()).collect();
    assert_eq!(guess().unwrap_err().kind, RefusalKind::Exceeded);
    bench.limiter.promote(guesses[0], Nanos::ZERO);
    bench
        .limiter
        .try_take(set, &Cost::ONE, 8, Some(Share::default()), Nanos::ZERO)
        .unwrap();
    bench.limiter.refund(guesses[1], Nanos::ZERO);
    bench.granted(set, 70, Nanos::ZERO);
    bench
        .limiter
        .try_take(set, &Cost::ONE, 8, Some(Share::default()), Nanos::ZERO)
        .unwrap_err();
    bench.granted(set, 20, Nanos::ZERO);
    bench.refused(set, 1, Nanos::ZERO);
}
