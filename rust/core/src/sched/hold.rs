//! Holding a tool: none of its calls starts until it is let go, and what waited long is refused.
//!
//! For what is scarce outside of the scheduler, such as memory for results. A held tool's gate is
//! full whatever runs; its calls wait there in their turn, and those that run are unharmed.

use super::Sched;
use super::action::{Actions, Why};
use super::gates::GateAt;
use super::ids::ToolId;
use super::slab::NIL;
use crate::clock::Nanos;

impl Sched {
    /// Lets no further call of a tool start. False if it is held already, or there is no such tool.
    pub fn hold_tool(&mut self, tool: ToolId) -> bool {
        let Some(entry) = self.tools.get_mut(tool.0 as usize) else {
            return false;
        };
        let is_news = entry.held.is_none();
        if is_news {
            entry.held = Some(std::mem::take(&mut entry.gate.limit));
        }
        is_news
    }

    /// Lets the calls of a held tool start again, as many as its bound allows.
    pub fn release_tool(&mut self, tool: ToolId, now: Nanos) {
        let entry = self.tools.get_mut(tool.0 as usize);
        if let Some((entry, limit)) = entry.and_then(|entry| {
            let limit = entry.held.take()?;
            Some((entry, limit))
        }) {
            entry.gate.limit = limit;
            self.refill(GateAt::Tool(tool.0), now);
        }
    }

    /// Ends the calls that wait at the gate of a held tool; returns how many there were.
    pub fn refuse_held(&mut self, tool: ToolId, now: Nanos, actions: &mut Actions) -> u32 {
        let is_held = |tool: &super::tool::Tool| tool.held.is_some();
        if !self.tools.get(tool.0 as usize).is_some_and(is_held) {
            return 0;
        }
        let mut refused = 0;
        // One end may cancel others, a fail-fast batch's: each is the first of those still there.
        while let Some(slot) = self.pop_waiter(GateAt::Tool(tool.0), now) {
            self.reject(slot, Why::Held, now, actions);
            refused += 1;
        }
        refused
    }

    /// Takes the next waiter out of its order.
    pub(crate) fn pop_waiter(&mut self, at: GateAt, now: Nanos) -> Option<u32> {
        let order = self.gate(at).order;
        if order == NIL {
            return None;
        }
        let next = self.lanes.pop(&mut self.calls, order, now);
        self.close_if_empty(at);
        next
    }
}
