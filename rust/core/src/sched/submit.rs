//! Submission: everything is checked first, then everything is taken.

use super::Sched;
use super::batch::BranchState;
use super::dag::Dag;
use super::gates::Gate;
use super::ids::{BatchId, ToolId};
use super::slab::NIL;
use super::slot::State;
use super::spec::{BatchSpec, CallSpec, LAST_LANE, MAX_CALLS, MAX_EDGES};
use crate::clock::Nanos;
use crate::error::SubmitError;

impl Sched {
    /// Takes a batch whole, or nothing of it. Calls without parents are ready at once.
    pub fn submit(&mut self, spec: &BatchSpec<'_>, now: Nanos) -> Result<BatchId, SubmitError> {
        self.check_size(spec)?;
        for (index, call) in (0..).zip(spec.calls) {
            self.check_call(index, call, spec.branches)?;
        }
        let depth = self.depth_below(spec)?;
        let dag = match spec.edges {
            [] => None,
            pairs => Some(Dag::new(spec.calls.len(), pairs)?),
        };
        self.trim(now);
        let batch = self.open_batch(spec, depth, now);
        self.open_calls(batch, spec, dag, now);
        self.peak = self.peak.max(self.calls.slots.live());
        Ok(self.calls.batch_id(batch))
    }

    fn check_size(&self, spec: &BatchSpec<'_>) -> Result<(), SubmitError> {
        let (calls, edges) = (spec.calls.len(), spec.edges.len());
        if calls > MAX_CALLS {
            return Err(SubmitError::TooManyCalls {
                calls,
                limit: MAX_CALLS,
            });
        }
        if edges > MAX_EDGES {
            return Err(SubmitError::TooManyEdges {
                edges,
                limit: MAX_EDGES,
            });
        }
        if let Some(&call) = spec.held.iter().find(|call| **call as usize >= calls) {
            return Err(SubmitError::UnknownHeld { call });
        }
        let (pending, max_pending) = (self.pending(), self.config.max_pending);
        if calls > max_pending.saturating_sub(pending) as usize {
            return Err(SubmitError::Full {
                pending,
                max_pending,
            });
        }
        Ok(())
    }

    fn check_call(&self, index: u32, call: &CallSpec, branches: u32) -> Result<(), SubmitError> {
        let CallSpec {
            tool: ToolId(tool),
            priority,
            branch,
            ..
        } = *call;
        if priority > LAST_LANE {
            return Err(SubmitError::BadPriority {
                call: index,
                priority,
            });
        }
        if branch > branches {
            return Err(SubmitError::BadBranch {
                call: index,
                branch,
                branches,
            });
        }
        if tool as usize >= self.tools.len() {
            return Err(SubmitError::UnknownTool { call: index });
        }
        Ok(())
    }

    /// How deep the batch is nested; a parent that has ended is none.
    fn depth_below(&self, spec: &BatchSpec<'_>) -> Result<u32, SubmitError> {
        let Some(parent) = spec.parent.and_then(|parent| self.calls.slots.find(parent)) else {
            return Ok(0);
        };
        let depth = self.calls.batches[self.calls.slots[parent].batch].depth + 1;
        let limit = self.config.max_depth;
        if depth > limit {
            Err(SubmitError::TooDeep { limit })
        } else {
            Ok(depth)
        }
    }

    fn open_batch(&mut self, spec: &BatchSpec<'_>, depth: u32, now: Nanos) -> u32 {
        let place = self.calls.open_batch();
        let batch = &mut self.calls.batches[place];
        let count = u32::try_from(spec.calls.len()).unwrap_or(NIL);
        (batch.seq, batch.worth) = (self.next_seq, spec.worth);
        batch.submitted = now;
        (batch.pending, batch.live) = (count, count);
        batch.gate = Gate::new(spec.max_parallel);
        batch.group = self.lanes.groups.join(spec.group);
        batch.parent = spec.parent.filter(|_| depth > 0);
        batch.depth = depth;
        batch.fail_fast = spec.fail_fast;
        batch.slots.reserve_exact(spec.calls.len());
        if !spec.held.is_empty() {
            batch.held = vec![false; spec.calls.len()];
            for &call in spec.held {
                batch.held[call as usize] = true;
            }
        }
        if spec.branches > 0 {
            batch.branches = vec![BranchState::Open; spec.branches as usize];
            batch.branch_of = spec.calls.iter().map(|call| call.branch).collect();
        }
        self.next_seq += 1;
        self.nested += u32::from(depth > 0);
        if let Some(timeout) = spec.timeout {
            self.arm_batch(place, now.saturating_add(timeout), now);
        }
        place
    }

    fn open_calls(&mut self, batch: u32, spec: &BatchSpec<'_>, dag: Option<Dag>, now: Nanos) {
        self.calls.slots.reserve(spec.calls.len());
        let mut slots = std::mem::take(&mut self.calls.batches[batch].slots);
        let held = std::mem::take(&mut self.calls.batches[batch].held);
        let mut before = NIL;
        for (index, call) in (0..).zip(spec.calls) {
            let turn = dag.as_ref().map(|dag| dag.turn(index));
            let (parents, rank) = turn.unwrap_or((0, index));
            // Being held is like one parent more, which `release` counts down.
            let parents = parents + u32::from(held.get(index as usize) == Some(&true));
            let (slot, entry) = self.calls.slots.take();
            slots.push(slot);
            entry.open(batch, index, call);
            (entry.down, entry.rank, entry.stamp) = (parents, rank, call.since.unwrap_or(now));
            if parents == 0 {
                entry.state = State::Ready;
                self.lanes.push_new(&mut self.calls, slot, before);
                before = slot;
            }
            if let Some(timeout) = earlier(call.timeout, spec.timeout) {
                self.arm_call(slot, now.saturating_add(timeout), now);
            }
        }
        let batch = &mut self.calls.batches[batch];
        (batch.slots, batch.held) = (slots, held);
        batch.edges = dag.map(|dag| Box::new(dag.edges));
    }
}

/// A call's own deadline, if that of its batch does not come first.
fn earlier(call: Option<Nanos>, batch: Option<Nanos>) -> Option<Nanos> {
    call.filter(|call| batch.is_none_or(|batch| *call < batch))
}
