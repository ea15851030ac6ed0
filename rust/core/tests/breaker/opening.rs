//! What opens a breaker, and for how long.

use penstock_core::breaker::{Breaker, Cause, Class, State};
use penstock_core::clock::Nanos;

use super::{START, admit, after, all_admitted, breaker, calls, causes, open, recover};

#[test]
fn half_of_twenty_calls_failed() {
    let mut breaker = breaker();
    calls(&mut breaker, 10, Class::Ok, START);
    calls(&mut breaker, 9, Class::Fail, START);
    assert_eq!(breaker.state(), State::Closed);
    calls(&mut breaker, 1, Class::Fail, START);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(causes(&mut breaker), [(State::Open, Cause::Failures)]);
}

#[test]
fn a_share_of_few_calls_means_nothing() {
    let mut breaker = breaker();
    calls(&mut breaker, 19, Class::Fail, START);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn failures_are_forgotten_after_ten_seconds() {
    let mut breaker = breaker();
    calls(&mut breaker, 19, Class::Fail, START);
    calls(&mut breaker, 10, Class::Ok, after(10_000));
    calls(&mut breaker, 9, Class::Fail, after(19_999));
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.statistics(after(19_999)).recent_failed, 9);
}

#[test]
fn four_fifths_of_the_calls_were_slow() {
    let mut breaker = breaker();
    calls(&mut breaker, 4, Class::Ok, START);
    calls(&mut breaker, 15, Class::Slow, START);
    assert_eq!(breaker.state(), State::Closed);
    calls(&mut breaker, 1, Class::Slow, START);
    assert_eq!(causes(&mut breaker), [(State::Open, Cause::Slow)]);
}

#[test]
fn five_connections_failed_one_after_the_other() {
    let mut breaker = breaker();
    calls(&mut breaker, 4, Class::Connect, START);
    calls(&mut breaker, 1, Class::Ok, START);
    calls(&mut breaker, 4, Class::Connect, START);
    calls(&mut breaker, 1, Class::Fail, START); // a timeout: perhaps no connection either
    assert_eq!(breaker.state(), State::Closed);
    calls(&mut breaker, 1, Class::Connect, START);
    assert_eq!(causes(&mut breaker), [(State::Open, Cause::Connect)]);
}

#[test]
fn refusals_of_limits_and_cancelled_calls_count_neither_way() {
    let mut breaker = breaker();
    calls(&mut breaker, 100, Class::Ignored, START);
    for _ in 0..100 {
        let ticket = admit(&mut breaker, START);
        breaker.cancel(ticket, START);
    }
    calls(&mut breaker, 19, Class::Fail, START);
    assert_eq!(breaker.state(), State::Closed);
    calls(&mut breaker, 1, Class::Fail, START);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn an_open_breaker_says_when_to_ask_again() {
    let mut breaker = open();
    assert_eq!(breaker.admit(START, None), Err(after(1_000)));
    assert_eq!(breaker.admit(after(999), None), Err(after(1_000)));
    assert_eq!(breaker.statistics(after(999)).refused, 2);
    assert!(breaker.admit(after(1_000), None).is_ok());
}

#[test]
fn jitter_lengthens_the_open_time_by_up_to_a_fifth() {
    for (jitter, until) in [(0, 1_000), (500, 1_100), (1_000, 1_200), (u32::MAX, 1_200)] {
        let mut breaker = breaker();
        calls(&mut breaker, 19, Class::Fail, START);
        let ticket = admit(&mut breaker, START);
        breaker.record(ticket, Class::Fail, START, jitter);
        assert_eq!(breaker.admit(START, None), Err(after(until)));
    }
}

/// Lets the one probe fail as soon as it is admitted; the open times in milliseconds.
fn open_times(breaker: &mut Breaker, openings: usize) -> Vec<u64> {
    let mut now = START;
    let mut times = Vec::new();
    for _ in 0..openings {
        let retry_at = breaker.admit(now, None).unwrap_err();
        times.push(retry_at.saturating_sub(now).0 / 1_000_000);
        now = retry_at;
        calls(breaker, 1, Class::Fail, now);
    }
    times
}

#[test]
fn the_open_time_doubles_to_a_minute() {
    let times = open_times(&mut open(), 9);
    assert_eq!(
        times,
        [
            1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000
        ]
    );
}

#[test]
fn the_open_time_halves_with_each_minute_closed() {
    for (minutes, millis) in [
        (0, 16_000),
        (1, 8_000),
        (3, 2_000),
        (4, 1_000),
        (500, 1_000),
    ] {
        let mut breaker = open();
        open_times(&mut breaker, 3); // 1, 2, 4 s; open for 8 s at START + 7 s
        recover(&mut breaker, after(15_000));
        let now = after(15_000 + minutes * 60_000);
        assert_eq!(
            breaker.statistics(now).next_open_time,
            Nanos::from_millis(millis)
        );
        calls(&mut breaker, 20, Class::Fail, now);
        let until = now.saturating_add(Nanos::from_millis(millis));
        assert_eq!(breaker.admit(now, None), Err(until), "{minutes} minutes");
    }
}

#[test]
fn a_peers_open_breaker_halves_thresholds_for_thirty_seconds() {
    let fails = |count: usize, class: Class, millis: u64| {
        let mut breaker = breaker();
        breaker.remote_open(START);
        calls(&mut breaker, 7, Class::Ok, after(millis));
        calls(&mut breaker, count, class, after(millis));
        breaker.state()
    };
    assert_eq!(fails(3, Class::Fail, 29_999), State::Open); // 3 of 10
    assert_eq!(fails(3, Class::Connect, 29_999), State::Open);
    assert_eq!(fails(3, Class::Fail, 30_000), State::Closed);
    assert_eq!(fails(3, Class::Connect, 30_000), State::Closed);
    assert_eq!(fails(2, Class::Fail, 0), State::Closed);
}

#[test]
fn a_peers_open_breaker_never_opens_this_one() {
    let mut breaker = breaker();
    calls(&mut breaker, 19, Class::Fail, START);
    breaker.remote_open(START);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(all_admitted(&mut breaker, START).len(), 100);
}
