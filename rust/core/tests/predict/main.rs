//! The predictor learns what really happened, answers the same each time, and stays within its bounds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod arguments;
mod backoff;
mod bounds;
mod chain;
mod common;
mod gate;
mod judge;
mod key;
mod laws;
mod sibling;
mod snapshot;
mod tools;
