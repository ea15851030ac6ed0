//! Guesses in flight: calls of the last lane, which make room for those that somebody asked for.
//!
//! Ground rules. A call that must wait at a gate asks the latest guess that holds the same gate to end,
//! one for each such call; it gets the place when the end of that guess was seen. A guess that is
//! *promoted* is a guess no more, and keeps its place.

use super::Sched;
use super::action::{Actions, GateKind, Reason};
use super::ids::CallId;
use super::spec::LAST_LANE;
use crate::clock::Nanos;

impl Sched {
    /// Somebody asked for what a guess runs: it is that one's call now, in this lane.
    pub fn promote(&mut self, id: CallId, lane: u8) {
        let Some(slot) = self.calls.slots.find(id) else {
            return;
        };
        let entry = &mut self.calls.slots[slot];
        if entry.priority == LAST_LANE && entry.state.in_flight() {
            (entry.priority, entry.lane) = (lane, lane);
            self.guesses.retain(|guess| *guess != slot);
        }
    }

    /// Guesses in flight.
    #[must_use]
    pub fn guesses(&self) -> usize {
        self.guesses.len()
    }

    /// Has a guess make room at a gate where a call waits that is no guess.
    #[cold]
    pub(crate) fn preempt(&mut self, slot: u32, full: GateKind, now: Nanos, actions: &mut Actions) {
        if self.calls.slots[slot].priority == LAST_LANE {
            return;
        }
        let holds = |guess: &&u32| {
            let entry = &self.calls.slots[**guess];
            entry.reason.is_none() && self.share_gate(**guess, slot, full)
        };
        if let Some(guess) = self.guesses.iter().rev().find(holds).copied() {
            self.cancel_call(guess, Reason::Preempted, now, actions);
        }
    }

    fn share_gate(&self, guess: u32, slot: u32, full: GateKind) -> bool {
        let of = |slot: u32| {
            let tool = self.calls.slots[slot].tool;
            (tool, self.tools[tool as usize].service)
        };
        let ((tool, service), (own_tool, own_service)) = (of(guess), of(slot));
        match full {
            GateKind::Engine => self.tools[tool as usize].weight > 0,
            GateKind::Tool => tool == own_tool,
            GateKind::Service => service == own_service,
            GateKind::Batch | GateKind::Limits => false,
        }
    }
}
