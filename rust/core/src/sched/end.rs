//! The end of calls: the only way out, and what follows from it.
//!
//! Ground rules. A call *departs*: it leaves its queue or its gates, its timers are disarmed, its
//! slot is free, its outcome is known. What follows from the outcome is done afterwards, from a
//! work list and never by recursion, in this order: successors become ready or are skipped, a
//! fail-fast batch cancels its rest, the batch ends. A detached call had its outcome before: when
//! its code really ends, only slot and gates are left to give back.

use super::Sched;
use super::action::{Action, Actions, Ended, Reason, Status, Verdict, Why};
use super::batch::{Batch, call_ref};
use super::ids::CallId;
use super::lanes::READY;
use super::slab::NIL;
use super::slot::{Slot, State};
use crate::clock::Nanos;

impl Sched {
    /// Ends a call, from any state. `None`: the id is stale, or the code of a detached call has now
    /// really ended, and its gates are free.
    pub fn end(
        &mut self,
        id: CallId,
        verdict: Verdict,
        now: Nanos,
        actions: &mut Actions,
    ) -> Option<Ended> {
        let slot = self.calls.slots.find(id)?;
        let entry = &self.calls.slots[slot];
        if entry.state == State::Detached {
            self.end_detached(slot, now, actions);
            return None;
        }
        let (status, late) = read_end(verdict, entry.reason);
        let batch = entry.batch;
        let ended = self.depart(slot, status, late, now);
        let entry = &self.calls.batches[batch];
        if entry.pending == 0 || entry.edges.is_some() || entry.fail_fast {
            self.conclude(batch, &ended, now, actions);
        }
        Some(ended)
    }

    fn end_detached(&mut self, slot: u32, now: Nanos, actions: &mut Actions) {
        let entry = &self.calls.slots[slot];
        let batch = entry.batch;
        let status = entry.reason.map_or(Status::Cancelled, Reason::status);
        self.tools[entry.tool as usize].detached -= 1;
        self.settle(slot, status);
        self.vacate(slot, now);
        self.close_batch(batch, actions);
    }

    /// Ends a call that was popped and cannot start.
    pub(crate) fn reject(&mut self, slot: u32, why: Why, now: Nanos, actions: &mut Actions) {
        let entry = &mut self.calls.slots[slot];
        entry.state = State::Blocked; // in no queue
        let batch = entry.batch;
        let ended = self.depart(slot, Status::Rejected, false, now);
        actions.push(Action::Ended { ended, why });
        self.conclude(batch, &ended, now, actions);
    }

    /// Delivers the outcome of a cancelled call whose grace is over.
    pub(crate) fn detach(&mut self, slot: u32, now: Nanos, actions: &mut Actions) {
        let entry = &mut self.calls.slots[slot];
        let status = entry.reason.map_or(Status::Cancelled, Reason::status);
        let at_batch = entry.batch;
        let batch = &mut self.calls.batches[at_batch];
        let tool = &mut self.tools[entry.tool as usize];
        entry.state = State::Detached;
        tool.detached += 1;
        tool.counters.detached += 1;
        tool.record(status, Some(entry.stamp), now);
        let service = now.saturating_sub(entry.stamp).0;
        self.lanes.charge(batch.group, service);
        let ended = outcome(slot, entry, batch, status, false);
        actions.push(Action::Detached { ended });
        self.conclude(at_batch, &ended, now, actions);
    }

    /// Takes a call out and says what became of it.
    #[inline]
    pub(crate) fn depart(&mut self, slot: u32, status: Status, late: bool, now: Nanos) -> Ended {
        let entry = &mut self.calls.slots[slot];
        let batch = &mut self.calls.batches[entry.batch];
        let tool = &mut self.tools[entry.tool as usize];
        let ended = outcome(slot, entry, batch, status, late);
        tool.record(status, ended.started, now);
        if let Some(started) = ended.started {
            let service = now.saturating_sub(started).0;
            self.lanes.charge(batch.group, service);
            let bare = entry.timer & entry.sleep & entry.permit & tool.service == NIL;
            let waited = self.engine.is_waited_for()
                || batch.gate.is_waited_for()
                || tool.gate.is_waited_for();
            if bare && !waited && self.guesses.is_empty() {
                self.engine.used -= tool.weight;
                batch.gate.used -= 1;
                tool.gate.used -= 1;
                batch.live -= 1;
                self.calls.slots.give(slot);
                return ended;
            }
            self.settle(slot, status);
        }
        self.vacate(slot, now);
        ended
    }

    /// Follows up on an outcome.
    pub(crate) fn conclude(
        &mut self,
        batch: u32,
        ended: &Ended,
        now: Nanos,
        actions: &mut Actions,
    ) {
        let entry = &self.calls.batches[batch];
        if entry.edges.is_some() {
            self.follow(
                batch,
                ended.call.index,
                ended.status == Status::Ok,
                now,
                actions,
            );
        }
        let entry = &self.calls.batches[batch];
        let fails = matches!(
            ended.status,
            Status::Failed | Status::Rejected | Status::Timeout
        );
        if fails && entry.fail_fast && entry.pending > 0 {
            self.cancel_where(batch, |_, _| true, Reason::FailFast, now, actions);
        }
        self.close_batch(batch, actions);
    }

    /// Counts the successors of a call down, or skips them and theirs.
    fn follow(&mut self, batch: u32, index: u32, ok: bool, now: Nanos, actions: &mut Actions) {
        if ok {
            self.each_successor(batch, index, |sched, slot| {
                let entry = &mut sched.calls.slots[slot];
                entry.down -= 1;
                if entry.down == 0 {
                    sched.ready(slot, now);
                }
            });
        } else {
            self.skipping.push((index, index));
            self.skip_successors(batch, now, actions);
        }
    }

    /// Skips everything below the calls on the work list.
    pub(crate) fn skip_successors(&mut self, batch: u32, now: Nanos, actions: &mut Actions) {
        while let Some((index, root)) = self.skipping.pop() {
            self.each_successor(batch, index, |sched, slot| {
                let ended = sched.depart(slot, Status::Skipped, false, now);
                actions.push(Action::Ended {
                    ended,
                    why: Why::Skipped { parent: root },
                });
                sched.skipping.push((ended.call.index, root));
            });
        }
    }

    /// Ends a batch whose last outcome is known, and forgets it with its last slot.
    pub(crate) fn close_batch(&mut self, batch: u32, actions: &mut Actions) {
        let entry = &mut self.calls.batches[batch];
        if entry.pending > 0 {
            return;
        }
        let live = entry.live;
        if !entry.ended {
            entry.ended = true;
            let timer = std::mem::replace(&mut entry.timer, NIL);
            actions.push(Action::BatchEnded(self.calls.batch_id(batch)));
            self.disarm(timer);
        }
        if live == 0 {
            let entry = &self.calls.batches[batch];
            self.nested -= u32::from(entry.depth > 0);
            self.lanes.groups.leave(entry.group);
            self.calls.close_batch(batch);
        }
    }

    /// Lets a call wait in its lane from now on.
    pub(crate) fn ready(&mut self, slot: u32, now: Nanos) {
        let entry = &mut self.calls.slots[slot];
        entry.state = State::Ready;
        entry.stamp = now;
        self.lanes.push(&mut self.calls, READY, slot);
    }

    fn each_successor(&mut self, batch: u32, index: u32, mut visit: impl FnMut(&mut Self, u32)) {
        let Some(edges) = &self.calls.batches[batch].edges else {
            return;
        };
        let (first, end) = edges.range(index);
        for at in first..end {
            let Some(edges) = &self.calls.batches[batch].edges else {
                return;
            };
            let successor = edges.successor(at);
            let live = self.calls.slot_at(batch, successor);
            if let Some(slot) = live.filter(|slot| self.calls.slots[*slot].state == State::Blocked)
            {
                visit(self, slot);
            }
        }
    }

    /// Leaves queue, gates and timers, and frees the slot.
    fn vacate(&mut self, slot: u32, now: Nanos) {
        let entry = &mut self.calls.slots[slot];
        let (batch, state, carries) = (entry.batch, entry.state, entry.carries);
        let timer = std::mem::replace(&mut entry.timer, NIL);
        let sleep = std::mem::replace(&mut entry.sleep, NIL);
        self.disarm(timer);
        if state.in_flight() {
            self.disarm(sleep);
            self.leave_gates(slot, now);
        } else if state == State::Ready {
            self.lanes.remove(&mut self.calls, slot);
        } else if state == State::Parked {
            self.unpark(slot);
        }
        self.give_permit_back(slot);
        if carries != 0 {
            self.pass_on(slot, |_| false, now);
        }
        self.calls.batches[batch].live -= 1;
        self.calls.slots.give(slot);
    }
}

/// What became of a call; its batch has one less to wait for.
#[inline]
fn outcome(slot: u32, entry: &Slot, batch: &mut Batch, status: Status, late: bool) -> Ended {
    batch.pending -= 1;
    Ended {
        call: call_ref(slot, entry, batch),
        status,
        late,
        detached: entry.state == State::Detached,
        reason: entry.reason,
        submitted: batch.submitted,
        started: entry.state.in_flight().then_some(entry.stamp),
    }
}

/// What an end means for a call that was, or was not, cancelled before; and whether it is late.
fn read_end(verdict: Verdict, reason: Option<Reason>) -> (Status, bool) {
    let asked = reason.is_some();
    match verdict {
        Verdict::Returned => (Status::Ok, asked),
        Verdict::Raised => (Status::Failed, asked),
        Verdict::Cancelled => (reason.map_or(Status::Cancelled, Reason::status), false),
        Verdict::Rejected => (Status::Rejected, false),
        Verdict::TimedOut => (Status::Timeout, asked),
    }
}
