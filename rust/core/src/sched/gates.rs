//! Gates: how many calls may be in flight at once, for the engine, a batch, a tool, a service.
//!
//! Ground rules. A call passes all its gates at once or takes nothing, in the order engine, batch,
//! tool, service, limits. At the first full one it waits: see `waiting.rs`. What it took is given
//! back when its code has really ended, never before. A lowered bound interrupts nothing. The limits
//! count for themselves, and have an order of their own: a call that they let in later comes back
//! with its permit, and gives it back whole if another gate is full by then.

use std::num::NonZeroU32;

use super::Sched;
use super::action::{Actions, CallRef, GateKind, Why};
use super::admit::Admit;
use super::batch::{Batch, call_ref};
use super::lanes::{READY, START_CHARGE};
use super::slab::NIL;
use super::slot::{Slot, State};
use super::spec::LAST_LANE;
use super::tool::Tool;
use crate::clock::Nanos;

/// After so many calls that could not start, `next` lets the host look at its clock.
const LONGEST_SEARCH: u32 = 1_024;

/// What stands between a ready call and its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    pub(crate) limit: u32,
    pub(crate) used: u32,
    /// Where calls wait; `NIL` while none does.
    pub(crate) order: u32,
    /// Ready calls that count on this gate.
    pub(crate) woken: u32,
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
}

/// The gates where calls wait here; those who wait for limits wait with the limiter.
pub(crate) const KINDS: [GateKind; 4] = [
    GateKind::Engine,
    GateKind::Batch,
    GateKind::Tool,
    GateKind::Service,
];

pub(crate) const fn bit(kind: GateKind) -> u8 {
    1 << kind as u8
}

pub(crate) fn kinds_in(bits: u8) -> impl Iterator<Item = GateKind> {
    KINDS.into_iter().filter(move |kind| bits & bit(*kind) != 0)
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

    /// Starts a call that nothing can hold up: no service, no limits, its other gates open.
    #[inline]
    fn try_start(&mut self, slot: u32, now: Nanos) -> Option<CallRef> {
        let entry = &mut self.calls.slots[slot];
        let batch = &mut self.calls.batches[entry.batch];
        let tool = &mut self.tools[entry.tool as usize];
        let full = self.engine.is_full() || batch.gate.is_full() || tool.gate.is_full();
        let plain = tool.service & entry.limits() == NIL
            && entry.carries == 0
            && tool.weight == 1
            && entry.priority != LAST_LANE;
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
        let limit = self.config.max_detached;
        if tool.detached >= limit {
            self.reject(slot, Why::TooManyDetached { limit }, now, actions);
        } else if let Some(full) = self.full_gate(slot) {
            self.give_permit_back(slot);
            self.park(slot, full, now, actions);
        } else if entry.limits() == NIL || entry.permit != NIL {
            return true;
        } else {
            return self.pass_limits(slot, now, admit, actions);
        }
        false
    }

    fn full_gate(&self, slot: u32) -> Option<GateKind> {
        let entry = &self.calls.slots[slot];
        let tool = &self.tools[entry.tool as usize];
        if self.engine.is_full() && tool.weight > 0 {
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
        self.engine.used += tool.weight;
        self.lanes.charge(batch.group, START_CHARGE);
        entry.sleep = NIL; // until now that were its limits
        if tool.service != NIL {
            self.services[tool.service as usize].used += 1;
        }
        if entry.priority == LAST_LANE {
            self.guesses.push(slot);
        }
        let call = run(slot, entry, batch, tool, now);
        for kind in kinds_in(entry.carries) {
            self.lay_down(slot, kind);
        }
        call
    }

    /// Gives back what a call in flight holds, and wakes who waits for it.
    #[inline]
    pub(crate) fn leave_gates(&mut self, slot: u32, now: Nanos) {
        let entry = &mut self.calls.slots[slot];
        let (batch, tool) = (entry.batch, entry.tool);
        if entry.priority == LAST_LANE {
            self.guesses.retain(|guess| *guess != slot);
        }
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
        self.engine.used -= entry.weight;
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

    pub(crate) fn try_gate_at(&self, slot: u32, kind: GateKind) -> Option<GateAt> {
        let entry = &self.calls.slots[slot];
        let tool = &self.tools[entry.tool as usize];
        match kind {
            GateKind::Engine => Some(GateAt::Engine),
            GateKind::Batch => Some(GateAt::Batch(entry.batch)),
            GateKind::Tool => Some(GateAt::Tool(entry.tool)),
            GateKind::Service => (tool.service != NIL).then_some(GateAt::Service(tool.service)),
            GateKind::Limits => None,
        }
    }

    pub(crate) fn gate_at(&self, slot: u32, kind: GateKind) -> GateAt {
        self.try_gate_at(slot, kind).unwrap_or(GateAt::Engine)
    }

    pub(crate) fn gate(&mut self, at: GateAt) -> &mut Gate {
        match at {
            GateAt::Engine => &mut self.engine,
            GateAt::Batch(batch) => &mut self.calls.batches[batch].gate,
            GateAt::Tool(tool) => &mut self.tools[tool as usize].gate,
            GateAt::Service(service) => &mut self.services[service as usize],
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
    pub(crate) const fn kind(self) -> GateKind {
        match self {
            Self::Engine => GateKind::Engine,
            Self::Batch(_) => GateKind::Batch,
            Self::Tool(_) => GateKind::Tool,
            Self::Service(_) => GateKind::Service,
        }
    }
}
