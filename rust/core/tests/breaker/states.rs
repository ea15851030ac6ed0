//! Misconfigured keys, resets, tickets, and what listeners hear.

use penstock_core::breaker::{Cause, Class, State, Ticket, Transition};
use penstock_core::clock::Nanos;

use super::{START, admit, after, all_admitted, breaker, calls, causes, open};

#[test]
fn an_unauthorised_call_leaves_one_probe_a_minute() {
    let mut breaker = breaker();
    calls(&mut breaker, 1, Class::Misconfigured, START);
    assert_eq!(breaker.state(), State::Misconfigured);
    assert_eq!(breaker.admit(START, None), Err(after(60_000)));
    assert_eq!(all_admitted(&mut breaker, after(60_000)).len(), 1);
    assert_eq!(breaker.admit(after(60_001), None), Err(after(120_000)));
}

#[test]
fn errors_say_nothing_of_a_key_and_answers_correct_it() {
    let mut breaker = breaker();
    calls(&mut breaker, 1, Class::Misconfigured, START);
    let classes = [
        Class::Fail,
        Class::Connect,
        Class::Misconfigured,
        Class::Ignored,
    ];
    for (minute, class) in (1..).zip(classes) {
        calls(&mut breaker, 1, class, after(minute * 60_000));
        assert_eq!(breaker.state(), State::Misconfigured, "{class:?}");
    }
    calls(&mut breaker, 1, Class::Slow, after(300_000));
    let expected = [
        (State::Misconfigured, Cause::Unauthorised),
        (State::Closed, Cause::Recovered),
    ];
    assert_eq!(causes(&mut breaker), expected);
}

#[test]
fn a_dead_probe_of_a_misconfigured_breaker_frees_its_place() {
    let mut breaker = breaker();
    calls(&mut breaker, 1, Class::Misconfigured, START);
    let dead = breaker.admit(after(60_000), Some(after(200_000))).unwrap();
    assert_eq!(breaker.admit(after(120_000), None), Err(after(200_000)));
    let probe = admit(&mut breaker, after(200_000));
    breaker.record(dead, Class::Ok, after(200_001), 0); // in whose place the new one is
    assert_eq!(breaker.state(), State::Misconfigured);
    breaker.record(probe, Class::Ok, after(200_002), 0);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_probe_that_is_not_authorised_ends_the_probing() {
    let mut breaker = open();
    calls(&mut breaker, 1, Class::Misconfigured, after(1_000));
    assert_eq!(breaker.state(), State::Misconfigured);
}

#[test]
fn a_reset_closes_and_forgets() {
    let mut breaker = open();
    for millis in [1_000, 3_000, 7_000] {
        calls(&mut breaker, 1, Class::Fail, after(millis));
    }
    breaker.remote_open(after(7_000));
    breaker.reset(after(7_000));
    let statistics = breaker.statistics(after(7_000));
    assert_eq!(
        (statistics.state, statistics.recent_failed),
        (State::Closed, 0)
    );
    assert_eq!(statistics.wary_until, Nanos::ZERO);
    assert_eq!(statistics.opened, 4);
    calls(&mut breaker, 20, Class::Fail, after(7_000));
    assert_eq!(breaker.admit(after(7_000), None), Err(after(8_000)));
}

#[test]
fn calls_admitted_before_a_reset_do_not_count_after_it() {
    let mut breaker = breaker();
    let older: Vec<Ticket> = (0..50).map(|_| admit(&mut breaker, START)).collect();
    breaker.reset(START);
    for ticket in older {
        breaker.record(ticket, Class::Fail, START, 0);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn record_says_whether_those_who_wait_should_ask_again() {
    let mut breaker = open();
    let probe = admit(&mut breaker, after(1_000));
    assert!(breaker.record(probe, Class::Ok, after(1_000), 0)); // two places now
    assert!(!breaker.record(probe, Class::Ok, after(1_000), 0));
    breaker.reset(after(1_000));
    let ticket = admit(&mut breaker, after(1_000));
    assert!(!breaker.record(ticket, Class::Ok, after(1_000), 0));
    let ticket = admit(&mut breaker, after(1_000));
    assert!(breaker.record(ticket, Class::Misconfigured, after(1_000), 0));
}

#[test]
fn listeners_hear_of_each_transition_once() {
    let mut breaker = breaker();
    calls(&mut breaker, 1, Class::Misconfigured, START);
    let transition = Transition {
        from: State::Closed,
        to: State::Misconfigured,
        cause: Cause::Unauthorised,
        at: START,
    };
    assert_eq!(breaker.pop_transition(), Some(transition));
    assert_eq!(breaker.pop_transition(), None);
}

#[test]
fn without_listeners_the_last_transitions_are_kept() {
    let mut breaker = breaker();
    for millis in 0..1_000 {
        breaker.reset(after(millis));
    }
    assert_eq!(
        breaker.pop_transition().map(|first| first.at),
        Some(after(936))
    );
    assert_eq!(causes(&mut breaker).len(), 63);
}

#[test]
fn a_ticket_survives_as_a_number() {
    let mut breaker = open();
    let probe = admit(&mut breaker, after(1_000));
    assert_eq!(Ticket::from_bits(probe.to_bits()), probe);
    breaker.record(Ticket::from_bits(u64::MAX), Class::Fail, after(1_000), 0);
    breaker.cancel(Ticket::from_bits(1 << 20), after(1_000));
    assert_eq!(breaker.state(), State::HalfOpen);
}
