//! Placeholder of the adaptive limit: a fixed one.

use crate::clock::Nanos;

/// How an adaptive limit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveConfig {
    /// The smallest limit.
    pub least: u32,
    /// The largest.
    pub most: u32,
}

/// How a call ended, for a limit that adapts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Well.
    Ok,
    /// Refused because of too much load.
    Overload,
    /// It took too long.
    Timeout,
    /// Otherwise: says nothing about load.
    Failed,
}

/// A limit that adapts.
#[derive(Clone, Debug)]
pub struct Adaptive {
    config: AdaptiveConfig,
    limit: u32,
}

impl Adaptive {
    /// Starts at `start`.
    #[must_use]
    pub fn new(config: AdaptiveConfig, start: u32) -> Self {
        Self {
            config,
            limit: start.clamp(config.least, config.most),
        }
    }

    /// The limit now.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Learns from an end.
    pub fn record(
        &mut self,
        end: End,
        _started: Nanos,
        _latency: Nanos,
        _in_flight: u32,
        _now: Nanos,
    ) {
        if end == End::Overload {
            self.limit = (self.limit * 7 / 10).max(self.config.least);
        }
    }
}
