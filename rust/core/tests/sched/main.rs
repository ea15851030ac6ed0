//! The scheduler, verb by verb: one behaviour a test, its name is the fact.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must stop"
)]

mod cancel;
mod common;
mod end;
mod gates;
mod guesses;
mod laws;
mod limits;
mod model;
mod order;
mod release;
mod steps;
mod story;
mod submit;
mod timers;
