//! What a provider answers: refusals, ramps, figures.

use penstock_core::clock::Nanos;
use penstock_core::limit::{
    Cost, Feedback, Follow, Observed, Reading, RuleSpec, Scope, SetId, Taken, Unit, Who,
};

use crate::common::{Bench, SECOND, bucket, ms, secs, window};

fn refusal(retry_after: Option<Nanos>, sent_at: Nanos) -> Feedback {
    Feedback {
        status: Some(429),
        retry_after,
        sent_at,
        ..Feedback::default()
    }
}

fn reading(unit: Unit, reading: Reading, sent_at: Nanos) -> Feedback {
    let mut feedback = Feedback {
        status: Some(200),
        sent_at,
        ..Feedback::default()
    };
    feedback.readings[unit as usize] = reading;
    feedback
}

fn remaining(units: u64, sent_at: Nanos) -> Feedback {
    let figure = Reading {
        remaining: Some(units),
        ..Reading::default()
    };
    reading(Unit::Requests, figure, sent_at)
}

fn told(bench: &mut Bench, set: SetId, feedback: &Feedback, now: Nanos) {
    bench.limiter.observe(Observed::Set(set), feedback, 0, now);
}

/// Grants of a second, at most one a poll, a poll each 10 ms.
fn granted_in(bench: &mut Bench, set: SetId, from: Nanos, to: Nanos) -> usize {
    let (mut now, mut granted) = (from, 0);
    while now < to {
        granted += usize::from(bench.try_take(set, 1, now).is_ok());
        now = now.saturating_add(ms(10));
    }
    granted
}

#[test]
fn nothing_goes_before_the_time_of_a_refusal() {
    let (mut bench, set) = Bench::with(bucket(100, SECOND, 100));
    let permit = bench.granted(set, 1, Nanos::ZERO);
    let feedback = refusal(Some(secs(3)), Nanos::ZERO);
    bench
        .limiter
        .observe(Observed::Permit(permit), &feedback, 1_000, ms(10));
    bench.wait(set, 1, ms(10));
    assert_eq!(bench.limiter.next_wake(), Some(Nanos(3_310_000_000)));
    assert!(bench.tokens(ms(3_309)).is_empty());
    assert_eq!(bench.tokens(ms(3_310)), [1]);
}

#[test]
fn the_rate_is_half_after_a_refusal_and_whole_a_second_later() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 10));
    told(
        &mut bench,
        set,
        &refusal(Some(secs(1)), Nanos::ZERO),
        Nanos::ZERO,
    );
    assert_eq!(granted_in(&mut bench, set, Nanos::ZERO, secs(1)), 0);
    assert_eq!(granted_in(&mut bench, set, secs(1), secs(2)), 5);
    // The burst has come back meanwhile.
    assert_eq!(granted_in(&mut bench, set, secs(2), secs(3)), 19);
}

#[test]
fn the_refused_call_is_first_after_the_block() {
    let (mut bench, set) = Bench::with(bucket(10, SECOND, 10));
    let first = bench.ask(set, 1, Nanos::ZERO);
    let Taken::Granted(permit) = bench.limiter.take(&first, Nanos::ZERO) else {
        panic!("it waits");
    };
    told(&mut bench, set, &refusal(Some(secs(1)), Nanos::ZERO), ms(5));
    for _ in 0..3 {
        bench.wait(set, 1, ms(6));
    }
    bench.limiter.cancel(permit, None, ms(7));
    assert!(matches!(
        bench.limiter.take(&first, ms(7)),
        Taken::Waiting(_)
    ));
    assert_eq!(bench.tokens(ms(1_005)), [first.token]);
    assert_eq!(bench.tokens(ms(1_205)), [2]);
}

#[test]
fn a_refusal_concerns_the_service_and_not_the_tenant() {
    let mut bench = Bench::default();
    bench.add("tenant", "tenant:*", Unit::Requests, window(100, SECOND));
    bench.add("service", "service:s", Unit::Requests, window(100, SECOND));
    let who = Who {
        tenant: Some("x"),
        ..Who::default()
    };
    let (plain, served) = (
        bench.set(&who),
        bench.set(&Who {
            service: Some("s"),
            ..who
        }),
    );
    told(
        &mut bench,
        served,
        &refusal(Some(secs(1)), Nanos::ZERO),
        Nanos::ZERO,
    );
    bench.refused(served, 1, ms(500));
    bench.granted(plain, 1, ms(500));
}

#[test]
fn a_figure_lowers_a_balance_and_never_lifts_it() {
    let (mut bench, set) = Bench::with(window(100, SECOND));
    bench.granted(set, 10, Nanos::ZERO);
    told(&mut bench, set, &remaining(95, Nanos::ZERO), ms(1));
    bench.refused(set, 91, ms(1));
    told(&mut bench, set, &remaining(20, ms(1)), ms(2));
    bench.refused(set, 21, ms(2));
    bench.granted(set, 20, ms(2));
}

#[test]
fn what_was_granted_since_is_not_in_the_figure() {
    let (mut bench, set) = Bench::with(bucket(100, secs(60), 100));
    told(&mut bench, set, &remaining(100, Nanos::ZERO), Nanos::ZERO);
    bench.granted(set, 1, ms(1));
    bench.granted(set, 30, ms(2));
    told(&mut bench, set, &remaining(50, ms(1)), ms(3));
    bench.refused(set, 21, ms(3));
    bench.granted(set, 20, ms(3));
}

#[test]
fn the_answer_to_an_older_call_is_out_of_date() {
    let (mut bench, set) = Bench::with(window(100, SECOND));
    told(&mut bench, set, &remaining(90, ms(5)), ms(6));
    told(&mut bench, set, &remaining(10, ms(4)), ms(7));
    bench.granted(set, 90, ms(7));
}

#[test]
fn a_figure_is_about_the_limit_of_its_size() {
    let mut bench = Bench::default();
    let minute = bench.add("minute", "tool:a", Unit::Requests, window(100, secs(60)));
    let day = bench.add(
        "day",
        "tool:a",
        Unit::Requests,
        window(10_000, secs(86_400)),
    );
    let set = bench.tool("a");
    let figure = Reading {
        limit: Some(90),
        remaining: Some(40),
        reset: None,
    };
    told(
        &mut bench,
        set,
        &reading(Unit::Requests, figure, ms(1)),
        ms(2),
    );
    assert_eq!((bench.used(minute, ms(2)), bench.used(day, ms(2))), (60, 0));
}

#[test]
fn a_window_that_is_used_up_blocks_until_it_is_new() {
    let (mut bench, set) = Bench::with(window(100, secs(60)));
    let figure = Reading {
        limit: None,
        remaining: Some(0),
        reset: Some(secs(7)),
    };
    let feedback = Feedback {
        renews: true,
        ..reading(Unit::Requests, figure, ms(1))
    };
    told(&mut bench, set, &feedback, ms(2));
    bench.refused(set, 1, secs(7));
    let none = bench.limiter.payable_at(set, &Cost::ZERO, ms(3)).unwrap();
    assert_eq!(none.0, Nanos(7_002_000_000));
}

#[test]
fn a_limit_that_is_told_three_times_is_followed_down_only() {
    let follow = |follow, theirs: u64| {
        let mut bench = Bench::default();
        let shape = window(100, SECOND);
        let mut spec = RuleSpec::new("rate", Scope::default(), Unit::Requests, shape);
        spec.follow = follow;
        let rule = bench.limiter.add(spec, Nanos::ZERO).unwrap();
        let set = bench.set(&Who::default());
        for time in 1..=3 {
            let figure = Reading {
                limit: Some(theirs),
                ..Reading::default()
            };
            told(
                &mut bench,
                set,
                &reading(Unit::Requests, figure, ms(time)),
                ms(time),
            );
        }
        bench
            .limiter
            .state_statistics(rule, ms(3))
            .next()
            .unwrap()
            .most
    };
    assert_eq!(follow(Follow::Down, 60), 60);
    assert_eq!(follow(Follow::Down, 200), 100);
    assert_eq!(follow(Follow::Both, 200), 200);
    assert_eq!(follow(Follow::Off, 60), 100);
}

#[test]
fn statistics_say_who_is_blocked() {
    let (mut bench, set) = Bench::with(bucket(100, SECOND, 100));
    let rule = bench.limiter.rule_called("limit").unwrap();
    told(
        &mut bench,
        set,
        &refusal(Some(secs(3)), Nanos::ZERO),
        Nanos::ZERO,
    );
    let state = bench.limiter.state_statistics(rule, ms(1)).next().unwrap();
    assert_eq!((state.blocked_until, state.ramp), (Some(secs(3)), 2));
    let state = bench
        .limiter
        .state_statistics(rule, secs(5))
        .next()
        .unwrap();
    assert_eq!((state.blocked_until, state.ramp), (None, 1));
}
