//! When a breaker opens, and for how long.

use crate::clock::Nanos;

/// The thresholds of one breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// The share of failed calls that opens it, per mille.
    pub failures_permille: u32,
    /// The share of slow calls that opens it, per mille.
    pub slow_permille: u32,
    /// A longer call is slow; `None`: none is.
    pub slow_after: Option<Nanos>,
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
            slow_after: None,
            min_calls: 20,
            consecutive: 5,
            open_least: Nanos::from_secs(1),
            open_most: Nanos::from_secs(60),
        }
    }
}

impl BreakerConfig {
    /// The class of a call that was answered after `latency`.
    #[must_use]
    pub fn answered(&self, latency: Nanos) -> super::Class {
        if self.slow_after.is_some_and(|bound| latency > bound) {
            super::Class::Slow
        } else {
            super::Class::Ok
        }
    }
}
