//! Guesses in flight: calls of the last lane, which make room for those that somebody asked for.
//!
//! Ground rules. A call that must wait at a gate, or with the limiter for a place, asks the guess to end
//! that is worth least of those that hold the same, of equal ones the latest, one for each such call; it
//! gets the place when the end of that guess was seen. Guesses that wait go in the order of their worth, whoever came first. One
//! that is *promoted* is a guess no more, and keeps its place.

use super::Sched;
use super::action::{Actions, GateKind, Reason};
use super::admit::{Admit, Permit};
use super::ids::{CallId, ToolId};
use super::slab::NIL;
use super::slot::Slot;
use super::spec::LAST_LANE;
use crate::clock::Nanos;

/// Places for calls at once: of a gate, or of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many may be in flight.
    pub bound: u32,
    /// How many are.
    pub used: u32,
    /// How many of these nobody asked for.
    pub guesses: u32,
}

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

    /// The gates that a call of a tool passes, those of its batch left out, if they have a bound.
    pub fn rooms(&self, tool: ToolId) -> impl Iterator<Item = Room> {
        let known = self.tools.get(tool.0 as usize);
        let gates = known.into_iter().flat_map(move |known| {
            let engine = (known.weight > 0).then_some((GateKind::Engine, self.engine));
            let service = self.services.get(known.service as usize);
            let service = service.map(|gate| (GateKind::Service, *gate));
            [engine, Some((GateKind::Tool, known.gate)), service]
        });
        let bounded = gates.flatten().filter(|(_, gate)| gate.limit < u32::MAX);
        bounded.map(move |(kind, gate)| Room {
            bound: gate.limit,
            used: gate.used,
            guesses: self.guesses_at(kind, tool.0),
        })
    }

    fn guesses_at(&self, kind: GateKind, tool: u32) -> u32 {
        let own = self.guesses.iter();
        let own = own.filter(|guess| self.share_gate(self.calls.slots[**guess].tool, tool, kind));
        u32::try_from(own.count()).unwrap_or(u32::MAX)
    }

    /// Has a guess make room at a gate where a call waits that is no guess.
    #[cold]
    pub(crate) fn preempt(&mut self, slot: u32, full: GateKind, now: Nanos, actions: &mut Actions) {
        if self.calls.slots[slot].priority == LAST_LANE {
            return;
        }
        let own = self.calls.slots[slot].tool;
        let holds = |guess: &Slot| self.share_gate(guess.tool, own, full);
        if let Some(guess) = self.cheapest(holds) {
            self.cancel_call(guess, Reason::Preempted, now, actions);
        }
    }

    /// The same where a call waits with the limiter, for a place that a guess holds.
    #[cold]
    pub(crate) fn preempt_at_limits(
        &mut self,
        slot: u32,
        now: Nanos,
        admit: &mut impl Admit,
        actions: &mut Actions,
    ) {
        let entry = &self.calls.slots[slot];
        if entry.priority == LAST_LANE || !entry.waits_for_limits() {
            return;
        }
        let set = entry.limits();
        let holds =
            |guess: &Slot| guess.permit != NIL && admit.wants_place(set, Permit(guess.permit));
        if let Some(guess) = self.cheapest(holds) {
            self.cancel_call(guess, Reason::Preempted, now, actions);
        }
    }

    /// Of the guesses that hold something, the one that is worth least.
    fn cheapest(&self, mut holds: impl FnMut(&Slot) -> bool) -> Option<u32> {
        let slots = &self.calls.slots;
        let free = self.guesses.iter().rev().copied().filter(|guess| {
            let entry = &slots[*guess];
            entry.reason.is_none() && holds(entry)
        });
        free.min_by_key(|guess| self.calls.batches[slots[*guess].batch].worth)
    }

    /// Whether calls of both tools pass the gate.
    fn share_gate(&self, one: u32, other: u32, kind: GateKind) -> bool {
        let service = |tool: u32| self.tools[tool as usize].service;
        match kind {
            GateKind::Engine => self.tools[one as usize].weight > 0,
            GateKind::Tool => one == other,
            GateKind::Service => service(one) == service(other),
            GateKind::Batch | GateKind::Limits => false,
        }
    }
}
