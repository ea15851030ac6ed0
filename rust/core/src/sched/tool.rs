//! What the scheduler keeps of a tool: its gate, its times, its statistics.

use super::action::Status;
use super::gates::Gate;
use super::slab::NIL;
use super::spec::ToolSpec;
use crate::clock::Nanos;
use crate::stats::Counters;

#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) gate: Gate,
    pub(crate) service: u32,
    /// Its limit set, and what a call costs there.
    pub(crate) set: u32,
    pub(crate) cost: u64,
    /// Calls that run on although their outcome was delivered.
    pub(crate) detached: u32,
    pub(crate) timeout: Option<Nanos>,
    pub(crate) grace: Nanos,
    pub(crate) counters: Counters,
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
}

impl Tool {
    pub(crate) fn new(spec: ToolSpec) -> Self {
        Self {
            gate: Gate::new(spec.concurrency),
            service: spec.service.map_or(NIL, |service| service.0),
            set: NIL,
            cost: 0,
            detached: 0,
            timeout: spec.timeout,
            grace: spec.grace,
            counters: Counters::default(),
        }
    }

    /// Counts an outcome, and how long it took if it ran at all.
    pub(crate) fn record(&mut self, status: Status, _started: Option<Nanos>, _now: Nanos) {
        self.counters.by_status[status as usize] += 1;
    }

    pub(crate) fn statistics(&self) -> ToolStatistics {
        ToolStatistics {
            counters: self.counters,
            in_flight: self.gate.used,
            detached: self.detached,
        }
    }
}
