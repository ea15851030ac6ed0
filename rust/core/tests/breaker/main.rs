//! The breaker: its rules one by one, then random histories against a model without cells or bits.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod half_open;
mod laws;
mod model;
mod opening;
mod states;

use penstock_core::breaker::{Breaker, BreakerConfig, Cause, Class, State, Ticket};
use penstock_core::clock::Nanos;

const START: Nanos = Nanos::from_secs(10_000);

fn after(millis: u64) -> Nanos {
    START.saturating_add(Nanos::from_millis(millis))
}

fn breaker() -> Breaker {
    Breaker::new(BreakerConfig::default())
}

fn admit(breaker: &mut Breaker, now: Nanos) -> Ticket {
    breaker.admit(now, None).unwrap()
}

/// Admits and ends so many calls at once.
fn calls(breaker: &mut Breaker, count: usize, class: Class, now: Nanos) {
    for _ in 0..count {
        let ticket = admit(breaker, now);
        breaker.record(ticket, class, now, 0);
    }
}

/// A breaker that opened at START for one second.
fn open() -> Breaker {
    let mut breaker = breaker();
    calls(&mut breaker, 20, Class::Fail, START);
    assert_eq!(breaker.state(), State::Open);
    breaker
}

/// Admits as many calls as there are places.
fn all_admitted(breaker: &mut Breaker, now: Nanos) -> Vec<Ticket> {
    std::iter::from_fn(|| breaker.admit(now, None).ok())
        .take(100)
        .collect()
}

/// Plays all rounds of probes without a failure.
fn recover(breaker: &mut Breaker, now: Nanos) {
    for _ in 0..4 {
        for ticket in all_admitted(breaker, now) {
            breaker.record(ticket, Class::Ok, now, 0);
        }
    }
    assert_eq!(breaker.state(), State::Closed);
}

fn causes(breaker: &mut Breaker) -> Vec<(State, Cause)> {
    std::iter::from_fn(|| breaker.pop_transition())
        .map(|transition| (transition.to, transition.cause))
        .collect()
}
