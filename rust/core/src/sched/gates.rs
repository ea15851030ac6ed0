//! Gates: how many calls may be in flight at once, for the engine, a batch, a tool, a service.
//!
//! Ground rules. A call passes all its gates at once or takes nothing, in the order engine, batch,
//! tool, service, limits. At the first full one it waits, in lane order. A release *wakes* one
//! waiter: it becomes ready again, in its old turn, and carries the gate's bit. While calls wait at
//! a gate, `woken` is at least what is free there, so nobody is forgotten and nobody polls:
//! - a call that passes lays its bits down, it has used what they promised;
//! - a call that meets another full gate lays the bit down and the next waiter is woken, unless
//!   every waiter would meet the same full gate: then it keeps the bit and stands for the others;
//! - a call that is cancelled or rejected lays its bits down and the next waiters are woken.
//!
//! A lowered bound interrupts nothing. The limits count for themselves: `release` says how many to
//! wake, and a woken call that is not admitted after all passes the wake-up on.

use std::num::NonZeroU32;

use super::Sched;
use super::action::{Actions, CallRef, GateKind, Why};
use super::admit::{Admission, Admit, Permit};
use super::batch::{Batch, call_ref};
use super::lanes::{READY, START_CHARGE};
use super::slab::NIL;
use super::slot::{Slot, State};
use super::tool::Tool;
use crate::clock::Nanos;

/// After so many calls that could not start, `next` lets the host look at its clock.
const LONGEST_SEARCH: u32 = 1_024;

/// What stands between a ready call and its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    limit: u32,
    pub(crate) used: u32,
    /// Where calls wait; `NIL` while none does.
    order: u32,
    /// Ready calls that count on this gate.
    woken: u32,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Gate {
    pub(crate) fn new(limit: Option<NonZeroU32>) -> Self {
        Self {
            limit: limit.map_or(u32::MAX, NonZeroU32::get),
            used: 0,
            order: NIL,
            woken: 0,
        }
    }

    pub(crate) fn set_limit(&mut self, limit: Option<NonZeroU32>) {
        self.limit = Self::new(limit).limit;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.used >= self.limit
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        self.order != NIL
    }

    /// Nobody waits for it, and it would let one more call in.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_full() && self.order == NIL && self.woken == 0
    }
}

/// One gate of the scheduler.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GateAt {
    Engine,
    Batch(u32),
    Tool(u32),
    Service(u32),
    Limits(u32),
}

const KINDS: [GateKind; 5] = [
    GateKind::Engine,
    GateKind::Batch,
    GateKind::Tool,
    GateKind::Service,
    GateKind::Limits,
];

const fn bit(kind: GateKind) -> u8 {
    1 << kind as u8
}

fn kinds_in(bits: u8) -> impl Iterator<Item = GateKind> {
    KINDS.into_iter().filter(move |kind| bits & bit(*kind) != 0)
}

/// Whether each call that waits at `gate` must also pass `full`.
fn stands_for_all(gate: GateKind, full: GateKind) -> bool {
    full == GateKind::Engine
        || (gate == GateKind::Tool && matches!(full, GateKind::Service | GateKind::Limits))
}

impl Sched {
    /// The next call that starts now: its gates are taken, it is running since `now`. Calls that
    /// cannot start at all end through `actions`. After a long search in vain this is `None`
    /// although [`Sched::has_ready`] is true: look at the clock and ask again.
    #[inline]
    pub fn next(
        &mut self,
        now: Nanos,
        admit: &mut impl Admit,
        actions: &mut Actions,
    ) -> Option<CallRef> {
        for _ in 0..LONGEST_SEARCH {
            let slot = self.lanes.pop(&mut self.calls, READY, now)?;
            let started = self.try_start(slot, now);
            if started.is_some() {
                return started;
            }
            if self.pass_gates(slot, now, admit, actions) {
                return Some(self.start(slot, now));
            }
        }
        None
    }

    /// Lets up to `count` calls that wait for the limit set `set` ask again.
    pub fn release(&mut self, set: u32, count: u32, now: Nanos) {
        for _ in 0..count {
            if set as usize >= self.sets.len() || !self.wake(GateAt::Limits(set), now) {
                break;
            }
        }
    }

    /// Starts a call that nothing can hold up: no service, no limits, its other gates open.
    #[inline]
    fn try_start(&mut self, slot: u32, now: Nanos) -> Option<CallRef> {
        let entry = &mut self.calls.slots[slot];
        let batch = &mut self.calls.batches[entry.batch];
        let tool = &mut self.tools[entry.tool as usize];
        let full = self.engine.is_full() || batch.gate.is_full() || tool.gate.is_full();
        let plain = tool.service & tool.set == NIL && entry.carries == 0;
        if full || !plain || tool.detached >= self.config.max_detached {
            return None;
        }
        self.engine.used += 1;
        self.lanes.charge(batch.group, START_CHARGE);
        Some(run(slot, entry, batch, tool, now))
    }

    /// Looks at all gates in turn. A call that cannot pass is parked or ended.
    fn pass_gates(
        &mut self,
        slot: u32,
        now: Nanos,
        admit: &mut impl Admit,
        actions: &mut Actions,
    ) -> bool {
        let entry = &self.calls.slots[slot];
        let tool = &self.tools[entry.tool as usize];
        let (set, cost, limit) = (tool.set, tool.cost, self.config.max_detached);
        if tool.detached >= limit {
            self.reject(slot, Why::TooManyDetached { limit }, now, actions);
        } else if let Some(full) = self.full_gate(slot) {
            self.park(slot, full, now, actions);
        } else if set == NIL {
            return true;
        } else {
            match admit.admit(set, cost, now) {
                Admission::Granted(permit) => {
                    self.calls.slots[slot].permit = permit.0;
                    return true;
                }
                Admission::Parked => self.park(slot, GateKind::Limits, now, actions),
                Admission::Refused => self.reject(slot, Why::Refused { set }, now, actions),
            }
        }
        false
    }

    fn full_gate(&self, slot: u32) -> Option<GateKind> {
        let entry = &self.calls.slots[slot];
        let tool = &self.tools[entry.tool as usize];
        if self.engine.is_full() {
            Some(GateKind::Engine)
        } else if self.calls.batches[entry.batch].gate.is_full() {
            Some(GateKind::Batch)
        } else if tool.gate.is_full() {
            Some(GateKind::Tool)
        } else if tool.service != NIL && self.services[tool.service as usize].is_full() {
            Some(GateKind::Service)
        } else {
            None
        }
    }

    /// Takes all gates of a call that may pass them.
    fn start(&mut self, slot: u32, now: Nanos) -> CallRef {
        let entry = &mut self.calls.slots[slot];
        let batch = &mut self.calls.batches[entry.batch];
        let tool = &mut self.tools[entry.tool as usize];
        self.engine.used += 1;
        self.lanes.charge(batch.group, START_CHARGE);
        if tool.service != NIL {
            self.services[tool.service as usize].used += 1;
        }
        let call = run(slot, entry, batch, tool, now);
        self.use_bits(slot);
        call
    }

    /// Lays the bits of a call down that has used what they promised.
    fn use_bits(&mut self, slot: u32) {
        let carries = std::mem::take(&mut self.calls.slots[slot].carries);
        for kind in kinds_in(carries) {
            let at = self.gate_at(slot, kind);
            self.gate(at).woken -= 1;
        }
    }

    /// Gives back what a call in flight holds, and wakes who waits for it.
    #[inline]
    pub(crate) fn leave_gates(&mut self, slot: u32, now: Nanos) {
        let entry = &mut self.calls.slots[slot];
        let batch = entry.batch;
        let permit = std::mem::replace(&mut entry.permit, NIL);
        if permit != NIL {
            self.settled.push_back(Permit(permit));
        }
        let tool = entry.tool;
        let gate = &mut self.calls.batches[batch].gate;
        gate.used -= 1;
        if gate.order != NIL {
            self.released(GateAt::Batch(batch), now);
        }
        self.leave_shared_gates(tool, now);
    }

    /// Gives back the gates that calls without a slot hold too.
    #[inline]
    pub(crate) fn leave_shared_gates(&mut self, tool: u32, now: Nanos) {
        let entry = &mut self.tools[tool as usize];
        entry.gate.used -= 1;
        self.engine.used -= 1;
        let (order, service) = (entry.gate.order, entry.service);
        if self.engine.order != NIL {
            self.released(GateAt::Engine, now);
        }
        if order != NIL {
            self.released(GateAt::Tool(tool), now);
        }
        if service != NIL {
            self.services[service as usize].used -= 1;
            self.released(GateAt::Service(service), now);
        }
    }

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
    fn released(&mut self, at: GateAt, now: Nanos) {
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
            self.calls.slots[slot].carries &= !bit(kind);
            let at = self.gate_at(slot, kind);
            self.gate(at).woken -= 1;
            if kind == GateKind::Limits {
                self.wake(at, now);
            } else {
                self.refill(at, now);
            }
        }
    }

    /// Takes a call that waits out of its order.
    pub(crate) fn unpark(&mut self, slot: u32) {
        self.lanes.remove(&mut self.calls, slot);
        for kind in KINDS {
            let Some(at) = self.try_gate_at(slot, kind) else {
                continue;
            };
            self.close_if_empty(at);
        }
    }

    fn park(&mut self, slot: u32, full: GateKind, now: Nanos, actions: &mut Actions) {
        if self.only_ancestors_hold(slot, full) {
            self.reject(slot, Why::WouldDeadlock { gate: full }, now, actions);
            return;
        }
        if self.calls.slots[slot].carries != 0 {
            self.lay_down(slot, full);
            self.pass_on(slot, |kind| stands_for_all(kind, full), now);
        }
        let at = self.gate_at(slot, full);
        if self.gate(at).order == NIL {
            self.gate(at).order = self.lanes.open();
        }
        let order = self.gate(at).order;
        self.calls.slots[slot].state = State::Parked;
        self.lanes.push(&mut self.calls, order, slot);
    }

    /// A call that goes back to the gate that woke it needs nobody woken in its place.
    fn lay_down(&mut self, slot: u32, full: GateKind) {
        if self.calls.slots[slot].carries & bit(full) != 0 {
            self.calls.slots[slot].carries &= !bit(full);
            let at = self.gate_at(slot, full);
            self.gate(at).woken -= 1;
        }
    }

    /// Readies the next waiter; false if there is none.
    fn wake(&mut self, at: GateAt, now: Nanos) -> bool {
        let order = self.gate(at).order;
        if order == NIL {
            return false;
        }
        let Some(slot) = self.lanes.pop(&mut self.calls, order, now) else {
            return false;
        };
        self.close_if_empty(at);
        self.gate(at).woken += 1;
        let entry = &mut self.calls.slots[slot];
        entry.carries |= bit(at.kind());
        entry.state = State::Ready;
        self.lanes.push(&mut self.calls, READY, slot);
        true
    }

    fn close_if_empty(&mut self, at: GateAt) {
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
        if matches!(full, GateKind::Batch | GateKind::Limits) {
            return false;
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
                _ => true,
            };
            held += u32::from(holds && entry.state.in_flight());
            batch = entry.batch;
        }
        let at = self.gate_at(slot, full);
        held > 0 && held == self.gate(at).used
    }

    fn try_gate_at(&self, slot: u32, kind: GateKind) -> Option<GateAt> {
        let entry = &self.calls.slots[slot];
        let tool = &self.tools[entry.tool as usize];
        match kind {
            GateKind::Engine => Some(GateAt::Engine),
            GateKind::Batch => Some(GateAt::Batch(entry.batch)),
            GateKind::Tool => Some(GateAt::Tool(entry.tool)),
            GateKind::Service => (tool.service != NIL).then_some(GateAt::Service(tool.service)),
            GateKind::Limits => (tool.set != NIL).then_some(GateAt::Limits(tool.set)),
        }
    }

    fn gate_at(&self, slot: u32, kind: GateKind) -> GateAt {
        self.try_gate_at(slot, kind).unwrap_or(GateAt::Engine)
    }

    fn gate(&mut self, at: GateAt) -> &mut Gate {
        match at {
            GateAt::Engine => &mut self.engine,
            GateAt::Batch(batch) => &mut self.calls.batches[batch].gate,
            GateAt::Tool(tool) => &mut self.tools[tool as usize].gate,
            GateAt::Service(service) => &mut self.services[service as usize],
            GateAt::Limits(set) => &mut self.sets[set as usize],
        }
    }
}

/// The part of a start that every call has.
#[inline]
fn run(slot: u32, entry: &mut Slot, batch: &mut Batch, tool: &mut Tool, now: Nanos) -> CallRef {
    entry.state = State::Running;
    entry.stamp = now;
    batch.gate.used += 1;
    tool.gate.used += 1;
    tool.counters.attempts += 1;
    call_ref(slot, entry, batch)
}

impl GateAt {
    const fn kind(self) -> GateKind {
        match self {
            Self::Engine => GateKind::Engine,
            Self::Batch(_) => GateKind::Batch,
            Self::Tool(_) => GateKind::Tool,
            Self::Service(_) => GateKind::Service,
            Self::Limits(_) => GateKind::Limits,
        }
    }
}
