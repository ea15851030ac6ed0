//! A call that runs in its caller's own task: it passes the gates, but needs no slot and no turn.

use super::Sched;
use super::action::{Actions, Status};
use super::ids::ToolId;
use super::slab::NIL;
use crate::clock::Nanos;

impl Sched {
    /// Takes the gates of a tool if they are free and nobody waits at them. A tool with too many
    /// detached calls must be submitted: then this is false too. So must one with limits, which are
    /// known for each call and not here.
    pub fn try_enter(&mut self, tool: ToolId) -> bool {
        let Some(entry) = self.tools.get_mut(tool.0 as usize) else {
            return false;
        };
        let crowded = entry.detached >= self.config.max_detached;
        let engine_is_open = self.engine.is_open() || entry.weight == 0;
        if crowded || !entry.gate.is_open() || !engine_is_open {
            return false;
        }
        if entry.service != NIL {
            let service = &mut self.services[entry.service as usize];
            if !service.is_open() {
                return false;
            }
            service.used += 1;
        }
        entry.gate.used += 1;
        entry.counters.attempts += 1;
        self.engine.used += entry.weight;
        true
    }

    /// Gives the gates back that [`Sched::try_enter`] took, and counts the call. The list is for
    /// calls that a release ends; today a release only readies them.
    pub fn leave(
        &mut self,
        tool: ToolId,
        status: Status,
        started: Nanos,
        now: Nanos,
        _actions: &mut Actions,
    ) {
        if let Some(entry) = self.tools.get_mut(tool.0 as usize) {
            entry.record(status, Some(started), now);
            self.leave_shared_gates(tool.0, now);
        }
    }
}
