//! Cancelling calls: one, a branch, a batch, all; and committing a branch, which cancels the others.
//!
//! Ground rules. A call that has not started ends at once and no code of it runs. A call in flight
//! is only *asked* to end: it keeps slot, gates and permit until its end was seen, and its grace
//! period begins, at least to the next tick so that it can hear of it. The first reason stays. When
//! many are cancelled, all of them are ended before anything is skipped: a call that was cancelled
//! itself is never called skipped.

use super::Sched;
use super::action::{Action, Actions, Ended, Reason, Why};
use super::batch::{Batch, BranchState};
use super::ids::{BatchId, CallId};
use super::slab::NIL;
use super::slot::State;
use crate::clock::Nanos;

/// What to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One call.
    Call(CallId),
    /// The calls of one branch, unless it was committed.
    Branch(BatchId, u32),
    /// The calls of one batch.
    Batch(BatchId),
    /// Every call.
    All,
}

/// A cancelled call hears of it before its grace is over.
const LEAST_GRACE: Nanos = Nanos::from_millis(1);

impl Sched {
    /// Cancels what has not ended; returns how many calls were cancelled that were not before.
    pub fn cancel(
        &mut self,
        target: Target,
        reason: Reason,
        now: Nanos,
        actions: &mut Actions,
    ) -> u32 {
        match target {
            Target::Call(id) => match self.calls.slots.find(id) {
                Some(slot) => u32::from(self.cancel_call(slot, reason, now, actions)),
                None => 0,
            },
            Target::Branch(id, branch) => match self.calls.find_batch(id) {
                Some(batch) => self.cancel_branch(batch, branch, reason, now, actions),
                None => 0,
            },
            Target::Batch(id) => match self.calls.find_batch(id) {
                Some(batch) => self.cancel_batch(batch, reason, now, actions),
                None => 0,
            },
            Target::All => (0..self.calls.batches.places())
                .map(|batch| self.cancel_batch(batch, reason, now, actions))
                .sum(),
        }
    }

    /// Keeps a branch: every branch of the batch that was not committed is cancelled, this one can
    /// no longer be. False if the batch is over, or has no such branch, or it was cancelled before.
    pub fn commit(
        &mut self,
        batch: BatchId,
        branch: u32,
        now: Nanos,
        actions: &mut Actions,
    ) -> bool {
        let Some(place) = self.calls.find_batch(batch) else {
            return false;
        };
        let branches = &mut self.calls.batches[place].branches;
        match branch_state(branches, branch) {
            None | Some(BranchState::Cancelled) => return false,
            Some(BranchState::Committed) => return true,
            Some(BranchState::Open) => {}
        }
        for state in branches
            .iter_mut()
            .filter(|state| **state == BranchState::Open)
        {
            *state = BranchState::Cancelled;
        }
        branches[branch as usize - 1] = BranchState::Committed;
        let loses = |batch: &Batch, index: u32| {
            let branch = batch.branch_of[index as usize];
            branch_state(&batch.branches, branch) == Some(BranchState::Cancelled)
        };
        self.cancel_where(place, loses, Reason::Race, now, actions);
        self.close_batch(place, actions);
        true
    }

    /// The branches of a batch that are neither kept nor given up, by their numbers.
    #[must_use]
    pub fn open_branches(&self, batch: BatchId) -> Vec<u32> {
        let Some(place) = self.calls.find_batch(batch) else {
            return Vec::new();
        };
        let branches = (1..).zip(&self.calls.batches[place].branches);
        let open = branches.filter(|(_, state)| **state == BranchState::Open);
        open.map(|(number, _)| number).collect()
    }

    /// Cancels one call and follows up on its end, if it ends.
    pub(crate) fn cancel_call(
        &mut self,
        slot: u32,
        reason: Reason,
        now: Nanos,
        actions: &mut Actions,
    ) -> bool {
        let entry = &self.calls.slots[slot];
        if entry.reason.is_some() {
            return false;
        }
        let batch = entry.batch;
        if entry.state.in_flight() {
            self.ask_to_end(slot, reason, now, actions);
        } else {
            let ended = self.end_unstarted(slot, reason, now, actions);
            self.conclude(batch, &ended, now, actions);
        }
        true
    }

    pub(crate) fn cancel_batch(
        &mut self,
        batch: u32,
        reason: Reason,
        now: Nanos,
        actions: &mut Actions,
    ) -> u32 {
        if self.calls.batches[batch].pending == 0 {
            return 0;
        }
        let count = self.cancel_where(batch, |_, _| true, reason, now, actions);
        self.close_batch(batch, actions);
        count
    }

    fn cancel_branch(
        &mut self,
        batch: u32,
        branch: u32,
        reason: Reason,
        now: Nanos,
        actions: &mut Actions,
    ) -> u32 {
        let branches = &mut self.calls.batches[batch].branches;
        if branch_state(branches, branch) != Some(BranchState::Open) {
            return 0;
        }
        branches[branch as usize - 1] = BranchState::Cancelled;
        let inside = |batch: &Batch, index: u32| batch.branch_of[index as usize] == branch;
        let count = self.cancel_where(batch, inside, reason, now, actions);
        self.close_batch(batch, actions);
        count
    }

    /// Cancels the wanted calls of a batch, then skips what waits for them. The caller closes the
    /// batch.
    pub(crate) fn cancel_where(
        &mut self,
        batch: u32,
        wanted: impl Fn(&Batch, u32) -> bool,
        reason: Reason,
        now: Nanos,
        actions: &mut Actions,
    ) -> u32 {
        let mut count = 0;
        let entry = &self.calls.batches[batch];
        let (calls, graph) = (entry.slots.len(), entry.edges.is_some());
        for index in (0..).take(calls) {
            let Some(slot) = self.calls.slot_at(batch, index) else {
                continue;
            };
            let entry = &self.calls.slots[slot];
            if entry.reason.is_some() || !wanted(&self.calls.batches[batch], index) {
                continue;
            }
            count += 1;
            if entry.state.in_flight() {
                self.ask_to_end(slot, reason, now, actions);
            } else {
                self.end_unstarted(slot, reason, now, actions);
                if graph {
                    self.skipping.push((index, index));
                }
            }
        }
        self.skip_successors(batch, now, actions);
        count
    }

    fn end_unstarted(
        &mut self,
        slot: u32,
        reason: Reason,
        now: Nanos,
        actions: &mut Actions,
    ) -> Ended {
        self.calls.slots[slot].reason = Some(reason);
        let ended = self.depart(slot, reason.status(), false, now);
        actions.push(Action::Ended {
            ended,
            why: Why::Cancelled(reason),
        });
        ended
    }

    fn ask_to_end(&mut self, slot: u32, reason: Reason, now: Nanos, actions: &mut Actions) {
        let entry = &mut self.calls.slots[slot];
        let suspended = entry.state == State::Suspended;
        entry.state = State::Cancelling;
        entry.reason = Some(reason);
        let sleep = std::mem::replace(&mut entry.sleep, NIL);
        let grace = self.tools[entry.tool as usize].grace.max(LEAST_GRACE);
        self.disarm(sleep);
        self.arm_call(slot, now.saturating_add(grace), now);
        let call = self.calls.call_ref(slot);
        actions.push(if suspended {
            Action::Throw(call)
        } else {
            Action::MustCancel(call)
        });
    }
}

/// The state of branch number `branch`; 0 and numbers that the batch lacks have none.
fn branch_state(branches: &[BranchState], branch: u32) -> Option<BranchState> {
    branches.get((branch as usize).checked_sub(1)?).copied()
}
