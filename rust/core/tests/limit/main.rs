//! The limiter, verb by verb: one behaviour a test, its name is the fact.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must stop"
)]

mod admission;
mod budgets;
mod common;
mod crowd;
mod figures;
mod guesses;
mod laws;
mod leases;
mod model;
mod permits;
mod provider;
mod queues;
mod registry;
mod steps;
mod story;
