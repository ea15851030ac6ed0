//! Waiting at a gate, and being woken: nobody is forgotten, and nobody polls.
//!
//! Ground rules. A call waits at the first gate that is full, in lane order. A release *wakes* one
//! waiter: it becomes ready again, in its old turn, and carries the gate's bit. While calls wait at
//! a gate, its `woken` is at least what is free there:
//! - a call that passes lays its bits down: it has used what they promised;
//! - a call that goes back to the gate that woke it lays that bit down: the gate is full again;
//! - a call that meets another full gate lays the bit down and the next waiter is woken, unless
//!   every waiter would meet the same full gate: then it keeps the bit and stands for the others;
//! - a call that goes to the limiter lays its bits down too, as the waiters may have other limits;
//! - a call that is cancelled or rejected lays its bits down and the next waiters are woken.
//!
//! The cost of a wake-up that is passed on is one move. Only two bounds that fill and empty in turn,
//! where nobody stands for the others (a batch and a tool, a service and the engine, any gate and the
//! limits), can make the same calls move again and again between the two.
//! A nested call whose gate is held by nothing but calls that wait for it is rejected.

use super::Sched;
use super::action::{Actions, GateKind, Why};
use super::gates::{GateAt, KINDS, bit, kinds_in};
use super::lanes::READY;
use super::slab::NIL;
use super::slot::State;
use crate::clock::Nanos;

impl Sched {
    /// Wakes as many waiters as a gate has room for.
    pub(crate) fn refill(&mut self, at: GateAt, now: Nanos) {
        let gate = *self.gate(at);
        let free = gate.limit.saturating_sub(gate.used);
        for _ in gate.woken..free {
            if !self.wake(at, now) {
                break;
            }
        }
    }

    /// A gate that is still full was lowered. Then one of its waiters may be locked out for good,
    /// so all of them look again.
    pub(crate) fn released(&mut self, at: GateAt, now: Nanos) {
        let gate = *self.gate(at);
        if !gate.is_full() {
            self.refill(at, now);
        } else if self.nested > 0 && gate.used <= self.config.max_depth {
            while self.wake(at, now) {}
        }
    }

    /// Lays the bits of a waiting call down without having used them.
    pub(crate) fn pass_on(&mut self, slot: u32, keep: impl Fn(GateKind) -> bool, now: Nanos) {
        let carries = self.calls.slots[slot].carries;
        for kind in kinds_in(carries).filter(|kind| !keep(*kind)) {
            let at = self.lay_down(slot, kind);
            self.refill(at, now);
        }
    }

    /// Takes a call that waits out of its order.
    pub(crate) fn unpark(&mut self, slot: u32) {
        if self.calls.slots[slot].waits_for_limits() {
            self.leave_limits(slot);
            return;
        }
        self.lanes.remove(&mut self.calls, slot);
        for kind in KINDS {
            let Some(at) = self.try_gate_at(slot, kind) else {
                continue;
            };
            self.close_if_empty(at);
        }
    }

    pub(crate) fn park(&mut self, slot: u32, full: GateKind, now: Nanos, actions: &mut Actions) {
        if self.only_ancestors_hold(slot, full) {
            self.reject(slot, Why::WouldDeadlock { gate: full }, now, actions);
            return;
        }
        if self.calls.slots[slot].carries & bit(full) != 0 {
            self.lay_down(slot, full);
        }
        self.pass_on(slot, |kind| stands_for_all(kind, full), now);
        let at = self.gate_at(slot, full);
        if self.gate(at).order == NIL {
            self.gate(at).order = self.lanes.open();
        }
        let order = self.gate(at).order;
        self.calls.slots[slot].state = State::Parked;
        self.lanes.push(&mut self.calls, order, slot);
        if !self.guesses.is_empty() {
            self.preempt(slot, full, now, actions);
        }
    }

    /// Takes one bit from a call.
    pub(crate) fn lay_down(&mut self, slot: u32, kind: GateKind) -> GateAt {
        self.calls.slots[slot].carries &= !bit(kind);
        let at = self.gate_at(slot, kind);
        let gate = self.gate(at);
        gate.woken = gate.woken.saturating_sub(1);
        at
    }

    /// Readies the next waiter; false if there is none.
    pub(crate) fn wake(&mut self, at: GateAt, now: Nanos) -> bool {
        let Some(slot) = self.pop_waiter(at, now) else {
            return false;
        };
        self.gate(at).woken += 1;
        let entry = &mut self.calls.slots[slot];
        entry.carries |= bit(at.kind());
        entry.state = State::Ready;
        self.lanes.push(&mut self.calls, READY, slot);
        true
    }

    pub(crate) fn close_if_empty(&mut self, at: GateAt) {
        let order = self.gate(at).order;
        if order != NIL && self.lanes.is_empty(order) {
            self.gate(at).order = NIL;
            self.lanes.close(order);
        }
    }

    /// Whether the full gate is held by nobody but calls that wait for this one.
    fn only_ancestors_hold(&mut self, slot: u32, full: GateKind) -> bool {
        let entry = &self.calls.slots[slot];
        let (own_tool, mut batch) = (entry.tool, entry.batch);
        let own_service = self.tools[own_tool as usize].service;
        let is_held = full == GateKind::Tool && self.tools[own_tool as usize].held.is_some();
        if full == GateKind::Batch || is_held {
            return false; // others open it
        }
        let mut held = 0;
        while let Some(parent) = self.calls.batches[batch].parent {
            let Some(parent) = self.calls.slots.find(parent) else {
                break;
            };
            let entry = &self.calls.slots[parent];
            let holds = match full {
                GateKind::Tool => entry.tool == own_tool,
                GateKind::Service => self.tools[entry.tool as usize].service == own_service,
                GateKind::Engine | GateKind::Batch | GateKind::Limits => {
                    self.tools[entry.tool as usize].weight > 0
                }
            };
            held += u32::from(holds && entry.state.in_flight());
            batch = entry.batch;
        }
        let at = self.gate_at(slot, full);
        held > 0 && held == self.gate(at).used
    }
}

/// Whether each call that waits at `gate` must also pass `full`. Attempts, which do not pass the
/// engine's gate, have tools and batches of their own, but share services with other calls.
fn stands_for_all(gate: GateKind, full: GateKind) -> bool {
    match full {
        GateKind::Engine => matches!(gate, GateKind::Tool | GateKind::Batch),
        GateKind::Service => gate == GateKind::Tool,
        GateKind::Batch | GateKind::Tool | GateKind::Limits => false,
    }
}
