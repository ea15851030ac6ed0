//! JSON in pieces: what is told and when, what is refused and where, and that cuts change nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod common;
mod faults;
mod laws;
mod told;
