//! The scheduler: which call runs next, and what happens when one ends.
//!
//! Ground rules. One owner, `&mut self`; the caller brings the time; what must be done outside is
//! returned as [`Actions`]. A call is *blocked* by its parents, *ready* in its lane, *parked* at a
//! gate, then *running*, *suspended*, perhaps *cancelling* and *detached*, and then its slot is free
//! and its id stale. Stale ids are ignored by every verb. Nothing is allocated in the steady state:
//! slots, queues, timers and small batches use again what the ones before left behind; only edges
//! and branches bring tables of their own.
//!
//! The life of a call by file: `submit.rs` checks and takes it, `dag.rs` finds its turn, `lanes.rs`
//! orders it, `gates.rs` and `limits.rs` let it start or `waiting.rs` and `hold.rs` wait, `timers.rs` watches it, `cancel.rs` and
//! `end.rs` end it.

mod action;
mod admit;
mod batch;
mod cancel;
mod dag;
mod end;
mod gates;
mod groups;
mod guesses;
mod hold;
mod ids;
mod lanes;
mod limits;
mod order;
mod queue;
mod ranking;
mod release;
mod single;
pub(crate) mod slab;
mod slot;
mod spec;
mod submit;
mod timers;
mod tool;
mod waiting;

use std::collections::VecDeque;
use std::num::NonZeroU32;

pub use action::{Action, Actions, CallRef, Ended, GateKind, Reason, Status, Verdict, Why};
pub use admit::{Admission, Admit, Ask, Permit, Returned, Unlimited, Waiter};
pub use cancel::Target;
pub use guesses::Room;
pub use ids::{BatchId, CallId, ServiceId, ToolId};
pub use slot::State;
pub use spec::{BatchSpec, CallSpec, LAST_LANE, MAX_CALLS, MAX_EDGES, SchedConfig, ToolSpec};
pub use tool::ToolStatistics;

pub use crate::error::SubmitError;

use self::batch::Calls;
use self::gates::{Gate, GateAt};
use self::lanes::{Lanes, READY};
use self::slab::NIL;
use self::tool::Tool;
use crate::clock::Nanos;
use crate::stats::Sketch;
use crate::timer::Wheel;

/// Memory is looked at so often, and kept for the peak of so long.
const MINUTE: Nanos = Nanos::from_secs(60);

/// The time of verbs that are given none: no wait looks long, so the order is the plain one.
const WITHOUT_AGEING: Nanos = Nanos::ZERO;

/// The scheduler of one engine.
#[derive(Debug)]
pub struct Sched {
    config: SchedConfig,
    calls: Calls,
    lanes: Lanes,
    wheel: Wheel,
    engine: Gate,
    tools: Vec<Tool>,
    services: Vec<Gate>,
    /// Batches that were submitted inside a call.
    nested: u32,
    next_seq: u64,
    /// Calls whose successors are to be skipped, and the call that is the cause.
    skipping: Vec<(u32, u32)>,
    /// What calls held or waited for at the limiter, until it fetches that.
    returned: VecDeque<Returned>,
    /// Permits of the calls that a nested one waits inside of; used again.
    ancestors: Vec<Permit>,
    /// Guesses in flight that nobody asked for yet, in the order of their starts.
    guesses: Vec<u32>,
    /// Most calls at once in this minute and in the one before.
    peak: u32,
    last_peak: u32,
    minute: Nanos,
}

/// How full a scheduler is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedStatistics {
    /// Calls that have a slot, whatever their state.
    pub pending: u32,
    /// Calls that have started and not ended, those without a slot included.
    pub in_flight: u32,
    /// Calls in their lanes.
    pub ready: u32,
    /// Calls that run on although their outcome was delivered.
    pub detached: u32,
    /// Batches.
    pub batches: usize,
    /// Groups that share the lanes.
    pub groups: u32,
    /// Timers.
    pub timers: u32,
    /// Slots that memory is held for.
    pub slots: usize,
}

impl Sched {
    /// A scheduler without tools.
    #[must_use]
    pub fn new(config: SchedConfig) -> Self {
        Self {
            config,
            calls: Calls::new(),
            lanes: Lanes::new(),
            wheel: Wheel::new(),
            engine: Gate::new(config.max_parallel),
            tools: Vec::new(),
            services: Vec::new(),
            nested: 0,
            next_seq: 0,
            skipping: Vec::new(),
            returned: VecDeque::new(),
            ancestors: Vec::new(),
            guesses: Vec::new(),
            peak: 0,
            last_peak: 0,
            minute: Nanos::ZERO,
        }
    }

    /// Adds a gate that several tools share.
    pub fn add_service(&mut self, concurrency: Option<NonZeroU32>) -> ServiceId {
        self.services.push(Gate::new(concurrency));
        ServiceId(u32::try_from(self.services.len() - 1).unwrap_or(NIL))
    }

    /// Adds a tool.
    pub fn add_tool(&mut self, spec: ToolSpec) -> ToolId {
        self.tools.push(Tool::new(spec));
        ToolId(u32::try_from(self.tools.len() - 1).unwrap_or(NIL))
    }

    /// What the limiter gets back next; each comes once. It is due before the limiter decides again.
    pub fn pop_returned(&mut self) -> Option<Returned> {
        self.returned.pop_front()
    }

    /// Whether [`Sched::pop_returned`] has something.
    #[must_use]
    pub fn has_returned(&self) -> bool {
        !self.returned.is_empty()
    }

    /// Changes a service's bound. It holds at once for starts; calls in flight go on.
    pub fn set_service_concurrency(&mut self, service: ServiceId, limit: Option<NonZeroU32>) {
        if let Some(gate) = self.services.get_mut(service.0 as usize) {
            gate.set_limit(limit);
            self.refill(GateAt::Service(service.0), WITHOUT_AGEING);
        }
    }

    /// Changes a tool's bound. It holds at once for starts; calls in flight go on.
    pub fn set_tool_concurrency(&mut self, tool: ToolId, limit: Option<NonZeroU32>) {
        if let Some(entry) = self.tools.get_mut(tool.0 as usize) {
            entry.set_limit(limit);
            self.refill(GateAt::Tool(tool.0), WITHOUT_AGEING);
        }
    }

    /// How many calls of a tool have ended well.
    #[must_use]
    pub fn ok_calls(&self, tool: ToolId) -> u64 {
        let entry = self.tools.get(tool.0 as usize);
        entry.map_or(0, |entry| entry.counters.of(Status::Ok))
    }

    /// When a call in flight started; `None` if it has not, or is over.
    #[must_use]
    pub fn started(&self, id: CallId) -> Option<Nanos> {
        let slot = &self.calls.slots[self.calls.slots.find(id)?];
        slot.state.in_flight().then_some(slot.stamp)
    }

    /// Where a call is in its life; `None` if it is over.
    #[must_use]
    pub fn state(&self, id: CallId) -> Option<State> {
        self.calls
            .slots
            .find(id)
            .map(|slot| self.calls.slots[slot].state)
    }

    /// Why a call is being cancelled; `None` if it is not, or is over.
    #[must_use]
    pub fn reason(&self, id: CallId) -> Option<Reason> {
        self.calls.slots[self.calls.slots.find(id)?].reason
    }

    /// The batch of a call; `None` if it is over.
    #[must_use]
    pub fn batch_of(&self, id: CallId) -> Option<BatchId> {
        let slot = self.calls.slots.find(id)?;
        Some(self.calls.batch_id(self.calls.slots[slot].batch))
    }

    /// A call by its id; `None` if it is over.
    #[must_use]
    pub fn call(&self, id: CallId) -> Option<CallRef> {
        let slot = self.calls.slots.find(id)?;
        Some(self.calls.call_ref(slot))
    }

    /// The lane of a call; `None` if it is over.
    #[must_use]
    pub fn lane(&self, id: CallId) -> Option<u8> {
        let slot = self.calls.slots.find(id)?;
        Some(self.calls.slots[slot].lane)
    }

    /// A call by its place in its batch; `None` if it is over.
    #[must_use]
    pub fn call_at(&self, batch: BatchId, index: u32) -> Option<CallId> {
        let slot = self.calls.slot_at(self.calls.find_batch(batch)?, index)?;
        Some(self.calls.slots.id(slot))
    }

    /// Whether [`Sched::next`] has calls to look at.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.lanes.is_empty(READY)
    }

    /// Calls that have a slot, whatever their state.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.calls.slots.live()
    }

    /// Whether one call more would be taken, nested in `parent` if there is one.
    #[must_use]
    pub fn has_room(&self, parent: Option<CallId>) -> bool {
        let parent = parent.and_then(|parent| self.calls.slots.find(parent));
        let around = parent.map(|slot| &self.calls.batches[self.calls.slots[slot].batch]);
        let is_deep = around.is_some_and(|batch| batch.depth >= self.config.max_depth);
        self.pending() < self.config.max_pending && !is_deep
    }

    /// Calls that have started and not ended.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.engine.used
    }

    /// How full it is.
    #[must_use]
    pub fn statistics(&self) -> SchedStatistics {
        SchedStatistics {
            pending: self.pending(),
            in_flight: self.in_flight(),
            ready: self.lanes.len(READY),
            detached: self.tools.iter().map(|tool| tool.detached).sum(),
            batches: self.calls.batches.live(),
            groups: self.lanes.groups.live(),
            timers: self.wheel.len(),
            slots: self.calls.slots.capacity(),
        }
    }

    /// How the calls of a tool fared; `None` for a tool that was never added.
    #[must_use]
    pub fn tool_statistics(&self, tool: ToolId) -> Option<ToolStatistics> {
        self.tools.get(tool.0 as usize).map(Tool::statistics)
    }

    /// The quantiles of a tool's durations; `None` for a tool that was never added.
    #[must_use]
    pub fn tool_quantiles(&self, tool: ToolId) -> Option<&Sketch> {
        self.tools.get(tool.0 as usize).map(Tool::quantiles)
    }

    /// Sets the bounds of a tool's histogram, at most 20, and empties it.
    pub fn set_tool_bounds(&mut self, tool: ToolId, bounds: &[Nanos]) {
        if let Some(tool) = self.tools.get_mut(tool.0 as usize) {
            tool.set_bounds(bounds);
        }
    }

    /// Once a minute, gives back what neither this nor the last minute needed.
    fn trim(&mut self, now: Nanos) {
        if now.saturating_sub(self.minute) < MINUTE {
            return;
        }
        let peak = self.peak.max(self.last_peak) as usize;
        self.minute = now;
        self.last_peak = std::mem::replace(&mut self.peak, self.calls.slots.live());
        if self.calls.slots.live() == 0 {
            self.calls.trim(peak);
            self.lanes.trim(peak.max(64));
            self.wheel.trim(peak.max(64));
        }
    }
}
