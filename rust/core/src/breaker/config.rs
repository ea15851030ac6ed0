//! When a breaker opens, and for how long.

use crate::clock::Nanos;

/// The thresholds of one breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// The share of failed calls that opens it, per mille.
    pub failures_permille: u32,
    /// The share of slow calls that opens it, per mille.
    pub slow_permille: u32,
    /// Calls in ten seconds without which shares mean nothing.
    pub min_calls: u32,
    /// Failed connections in a row that open it, however few calls there were.
    pub consecutive: u32,
    /// The first open time.
    pub open_least: Nanos,
    /// The longest open time, before jitter.
    pub open_most: Nanos,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures_permille: 500,
            slow_permille: 800,
            min_calls: 20,
            consecutive: 5,
            open_least: Nanos::from_secs(1),
            open_most: Nanos::from_secs(60),
        }
    }
}
