//! Statistics that cost a few nanoseconds a call.

mod counters;

pub use counters::Counters;
