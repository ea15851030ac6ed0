//! Probes: how many at once, and what their ends and deadlines do.

use penstock_core::breaker::{Cause, Class, State, Ticket};

use super::{admit, after, all_admitted, calls, causes, open};

/// pybreaker #24, #96: a half-open breaker let everyone in at once.
#[test]
fn a_hundred_arrivals_are_one_probe() {
    let mut breaker = open();
    let admitted = (0..100).filter(|_| breaker.admit(after(1_000), None).is_ok());
    assert_eq!(admitted.count(), 1);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn rounds_are_of_one_two_four_and_eight_probes() {
    let mut breaker = open();
    let mut rounds = Vec::new();
    while breaker.state() != State::Closed {
        let probes = all_admitted(&mut breaker, after(1_000));
        rounds.push(probes.len());
        for probe in probes {
            assert!(probe.is_probe());
            breaker.record(probe, Class::Ok, after(1_000), 0);
        }
    }
    assert_eq!(rounds, [1, 2, 4, 8]);
    let expected = [
        (State::Open, Cause::Failures),
        (State::HalfOpen, Cause::Waited),
        (State::Closed, Cause::Recovered),
    ];
    assert_eq!(causes(&mut breaker), expected);
}

#[test]
fn a_round_begins_when_all_probes_of_the_one_before_have_passed() {
    let mut breaker = open();
    calls(&mut breaker, 1, Class::Ok, after(1_000));
    let pair = all_admitted(&mut breaker, after(1_000));
    breaker.record(pair[0], Class::Ok, after(1_100), 0);
    assert!(breaker.admit(after(1_100), None).is_err());
    breaker.record(pair[1], Class::Ok, after(1_200), 0);
    assert_eq!(all_admitted(&mut breaker, after(1_200)).len(), 4);
}

#[test]
fn one_probe_that_fails_or_is_slow_opens_for_longer() {
    for class in [Class::Fail, Class::Connect, Class::Slow] {
        let mut breaker = open();
        calls(&mut breaker, 3, Class::Ok, after(1_000));
        calls(&mut breaker, 1, class, after(1_000));
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.admit(after(1_000), None), Err(after(3_000)));
    }
}

/// resilience4j #903, purgatory: a probe that never ended kept its breaker half-open for ever.
#[test]
fn a_dead_probe_fails_at_its_deadline() {
    let mut breaker = open();
    breaker.admit(after(1_000), Some(after(1_500))).unwrap();
    assert_eq!(breaker.admit(after(1_499), None), Err(after(1_500)));
    assert_eq!(breaker.admit(after(1_500), None), Err(after(3_500)));
    assert!(breaker.admit(after(3_500), None).is_ok());
}

#[test]
fn a_deadline_counts_from_its_own_time_however_late_it_is_noticed() {
    let mut breaker = open();
    breaker.admit(after(1_000), Some(after(1_500))).unwrap();
    assert!(breaker.admit(after(60_000), None).is_ok());
    let expected = [
        (State::Open, Cause::Failures),
        (State::HalfOpen, Cause::Waited),
        (State::Open, Cause::Probe),
        (State::HalfOpen, Cause::Waited),
    ];
    assert_eq!(causes(&mut breaker), expected);
}

#[test]
fn a_probe_without_a_deadline_has_ten_seconds() {
    let mut breaker = open();
    let probe = admit(&mut breaker, after(1_000));
    assert_eq!(breaker.admit(after(1_001), None), Err(after(11_000)));
    breaker.record(probe, Class::Ok, after(11_000), 0);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.statistics(after(11_000)).late, 1);
}

#[test]
fn a_cancelled_or_ignored_probe_frees_its_place() {
    let mut breaker = open();
    for _ in 0..50 {
        let probe = admit(&mut breaker, after(1_000));
        breaker.cancel(probe, after(1_000));
        let probe = admit(&mut breaker, after(1_000));
        breaker.record(probe, Class::Ignored, after(1_000), 0);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.statistics(after(1_000)).probes, 0);
}

#[test]
fn a_probe_that_is_cancelled_after_its_deadline_has_failed() {
    let mut breaker = open();
    let probe = admit(&mut breaker, after(1_000));
    breaker.cancel(probe, after(11_000));
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn late_ends_of_older_calls_neither_open_nor_close() {
    let mut breaker = super::breaker();
    let older: Vec<Ticket> = (0..100)
        .map(|_| admit(&mut breaker, super::START))
        .collect();
    calls(&mut breaker, 20, Class::Fail, super::START);
    let probe = admit(&mut breaker, after(1_000));
    for (ticket, class) in older.iter().zip([Class::Ok, Class::Fail].iter().cycle()) {
        breaker.record(*ticket, *class, after(1_100), 0);
        assert_eq!(breaker.state(), State::HalfOpen);
    }
    assert_eq!(breaker.statistics(after(1_100)).late, 100);
    breaker.record(probe, Class::Ok, after(1_200), 0);
    assert_eq!(all_admitted(&mut breaker, after(1_200)).len(), 2);
}

#[test]
fn a_probe_that_ended_does_not_end_twice() {
    let mut breaker = open();
    let probe = admit(&mut breaker, after(1_000));
    breaker.record(probe, Class::Ok, after(1_000), 0);
    breaker.record(probe, Class::Ok, after(1_000), 0);
    breaker.record(probe, Class::Fail, after(1_000), 0);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(all_admitted(&mut breaker, after(1_000)).len(), 2);
}

#[test]
fn asking_without_starting_takes_no_place() {
    let mut breaker = open();
    assert_eq!(breaker.check(after(999)), Err(after(1_000)));
    for _ in 0..10 {
        assert_eq!(breaker.check(after(1_000)), Ok(()));
    }
    assert_eq!(breaker.state(), State::Open);
    assert!(breaker.admit(after(1_000), None).is_ok());
    assert_eq!(breaker.check(after(1_000)), Err(after(11_000)));
}
