//! What the scheduler keeps of a tool: its gate, its times, its statistics.

use std::num::NonZeroU32;

use super::action::Status;
use super::gates::Gate;
use super::slab::NIL;
use super::spec::ToolSpec;
use crate::clock::Nanos;
use crate::stats::{Counters, Histogram, Sketch};

#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) gate: Gate,
    /// The bound of its gate, while it is held: the gate itself lets nobody in.
    pub(crate) held: Option<u32>,
    pub(crate) service: u32,
    /// Calls that run on although their outcome was delivered.
    pub(crate) detached: u32,
    pub(crate) timeout: Option<Nanos>,
    pub(crate) grace: Nanos,
    /// What one of its calls takes of the engine's gate: 1, or 0 for attempts.
    pub(crate) weight: u32,
    pub(crate) counters: Counters,
    durations: Histogram,
    quantiles: Sketch,
}

/// How the calls of one tool fared.
#[derive(Clone, Debug)]
pub struct ToolStatistics {
    /// What was counted since the start.
    pub counters: Counters,
    /// Calls that have started and not ended.
    pub in_flight: u32,
    /// Of those, the ones whose outcome was delivered.
    pub detached: u32,
    /// How long calls took from start to end; those that never started are left out.
    pub durations: Histogram,
}

impl Tool {
    pub(crate) fn new(spec: ToolSpec) -> Self {
        Self {
            gate: Gate::new(spec.concurrency),
            held: None,
            service: spec.service.map_or(NIL, |service| service.0),
            detached: 0,
            timeout: spec.timeout,
            grace: spec.grace,
            weight: u32::from(!spec.is_attempt),
            counters: Counters::default(),
            durations: Histogram::default(),
            quantiles: Sketch::new(),
        }
    }

    /// Changes the bound of its gate; of one that is held, from its release on.
    pub(crate) fn set_limit(&mut self, limit: Option<NonZeroU32>) {
        let bound = Gate::new(limit).limit;
        *self.held.as_mut().unwrap_or(&mut self.gate.limit) = bound;
    }

    /// Whether its calls are attempts of other calls, which wait for them.
    pub(crate) const fn is_attempt(&self) -> bool {
        self.weight == 0
    }

    /// Counts an outcome, and how long it took if it ran at all.
    pub(crate) fn record(&mut self, status: Status, started: Option<Nanos>, now: Nanos) {
        self.counters.count(status);
        if let Some(started) = started {
            let duration = now.saturating_sub(started);
            self.durations.record(duration);
            self.quantiles.record(duration, now);
            if status != Status::Ok {
                self.quantiles.mark_at_least(duration);
            }
        }
    }

    /// Forgets the durations counted so far, and counts by other bounds.
    pub(crate) fn set_bounds(&mut self, bounds: &[Nanos]) {
        self.durations = Histogram::new(bounds);
    }

    pub(crate) fn quantiles(&self) -> &Sketch {
        &self.quantiles
    }

    pub(crate) fn statistics(&self) -> ToolStatistics {
        ToolStatistics {
            counters: self.counters,
            in_flight: self.gate.used,
            detached: self.detached,
            durations: self.durations.clone(),
        }
    }
}
