//! The last gate: the limits, which count for themselves and have an order of their own.
//!
//! Ground rules. A call asks when every gate before has room, and holds nothing while it waits. Who
//! waits, waits with the limiter: the slot keeps the *waiter*. The answer comes by `granted`, and the
//! call goes through its lane once more with its permit; or by `refused`. It stands for nobody at the
//! gates meanwhile, for the next waiter may have other limits. What is not used goes back:
//! a waiter that ends is *forgotten*, a permit whose call does not start now is *refunded*, whatever
//! the reason; one whose code has really ended is *settled*. Each exactly once, through `returned`.

use super::Sched;
use super::action::{Actions, CallRef, GateKind, Status, Why};
use super::admit::{Admission, Admit, Ask, Permit, Returned, Waiter};
use super::ids::{CallId, ToolId};
use super::lanes::READY;
use super::slab::NIL;
use super::slot::{AT_LIMITS, State};
use crate::clock::Nanos;

/// A turn is the number of the batch, then that of the call in it: `MAX_CALLS` is below 2 to this.
const RANK_BITS: u32 = 20;

impl Sched {
    /// The limiter lets a call in that waited for it. False if that call is over: its permit is to
    /// be refunded.
    pub fn granted(&mut self, id: CallId, permit: Permit) -> bool {
        let Some(slot) = self.waiting_for_limits(id) else {
            return false;
        };
        let entry = &mut self.calls.slots[slot];
        entry.flags &= !AT_LIMITS;
        (entry.state, entry.permit) = (State::Ready, permit.0);
        self.lanes.push(&mut self.calls, READY, slot);
        true
    }

    /// The limiter will never let a call in that waited for it.
    pub fn refused(&mut self, id: CallId, now: Nanos, actions: &mut Actions) {
        let Some(slot) = self.waiting_for_limits(id) else {
            return;
        };
        let entry = &mut self.calls.slots[slot];
        entry.flags &= !AT_LIMITS;
        entry.permit = NIL;
        self.reject(slot, Why::Refused, now, actions);
    }

    /// The code of a call that was let in will never run: what it was let in with goes back whole.
    pub fn unspent(&mut self, id: CallId) {
        let found = self.calls.slots.find(id);
        if let Some(slot) = found.filter(|slot| self.calls.slots[*slot].state.in_flight()) {
            self.give_permit_back(slot);
        }
    }

    /// What calls hold, in no order: for an owner that ends before they do.
    pub fn permits(&self) -> impl Iterator<Item = Permit> {
        let holders = self.calls.slots.all();
        let holders = holders.filter(|slot| slot.permit != NIL && !slot.waits_for_limits());
        holders.map(|slot| Permit(slot.permit))
    }

    /// What a call in flight was let in with.
    #[must_use]
    pub fn permit(&self, id: CallId) -> Option<Permit> {
        let entry = &self.calls.slots[self.calls.slots.find(id)?];
        (entry.state.in_flight() && entry.permit != NIL).then_some(Permit(entry.permit))
    }

    fn waiting_for_limits(&self, id: CallId) -> Option<u32> {
        let slot = self.calls.slots.find(id)?;
        self.calls.slots[slot].waits_for_limits().then_some(slot)
    }

    /// Asks the limiter. A call that may not start yet waits with it.
    pub(crate) fn pass_limits(
        &mut self,
        slot: u32,
        now: Nanos,
        admit: &mut impl Admit,
        actions: &mut Actions,
    ) -> bool {
        match admit.admit(&self.ask(slot), now) {
            Admission::Granted(permit) => {
                self.calls.slots[slot].permit = permit.0;
                return true;
            }
            Admission::Refused => self.reject(slot, Why::Refused, now, actions),
            Admission::Parked(waiter) => {
                self.park_at_limits(slot, waiter, now);
                if self.only_ancestors_hold_limits(slot, admit) {
                    self.leave_limits(slot);
                    let gate = GateKind::Limits;
                    self.reject(slot, Why::WouldDeadlock { gate }, now, actions);
                } else if !self.guesses.is_empty() {
                    self.preempt_at_limits(slot, now, admit, actions);
                }
            }
        }
        false
    }

    fn ask(&self, slot: u32) -> Ask {
        let entry = &self.calls.slots[slot];
        let batch = &self.calls.batches[entry.batch];
        let is_attempt = self.tools[entry.tool as usize].is_attempt();
        let of = batch.parent.filter(|_| is_attempt);
        let of = of.and_then(|call| self.calls.slots.find(call));
        Ask {
            call: self.calls.slots.id(slot),
            tool: ToolId(entry.tool),
            batch: self.calls.batch_id(entry.batch),
            set: entry.limits(),
            lane: entry.priority,
            arrival: entry.stamp,
            turn: batch.seq << RANK_BITS | u64::from(entry.rank),
            deadline: self
                .due(slot)
                .into_iter()
                .chain(of.and_then(|of| self.due(of)))
                .min(),
            behind: self.lanes.len(READY),
        }
    }

    /// When a call must have ended, by its own deadline and its batch's.
    fn due(&self, slot: u32) -> Option<Nanos> {
        let entry = &self.calls.slots[slot];
        let timers = [entry.timer, self.calls.batches[entry.batch].timer].into_iter();
        let dues = timers
            .filter(|timer| *timer != NIL)
            .filter_map(|timer| self.wheel.due(self.wheel.key(timer)));
        dues.min()
    }

    fn park_at_limits(&mut self, slot: u32, waiter: Waiter, now: Nanos) {
        let entry = &mut self.calls.slots[slot];
        entry.state = State::Parked;
        entry.flags |= AT_LIMITS;
        entry.permit = waiter.0;
        self.pass_on(slot, |_| false, now);
    }

    /// Gives up a place in the limiter's order.
    pub(crate) fn leave_limits(&mut self, slot: u32) {
        let entry = &mut self.calls.slots[slot];
        entry.flags &= !AT_LIMITS;
        let waiter = Waiter(std::mem::replace(&mut entry.permit, NIL));
        self.returned.push_back(Returned::Forgotten(waiter));
    }

    /// A call that does not start now has spent nothing.
    pub(crate) fn give_permit_back(&mut self, slot: u32) {
        let permit = std::mem::replace(&mut self.calls.slots[slot].permit, NIL);
        if permit != NIL {
            self.returned.push_back(Returned::Refunded(Permit(permit)));
        }
    }

    /// The code of a call in flight has really ended; one that was rejected had none run.
    #[inline]
    pub(crate) fn settle(&mut self, slot: u32, status: Status) {
        if status == Status::Rejected {
            self.give_permit_back(slot);
        }
        let entry = &mut self.calls.slots[slot];
        let permit = std::mem::replace(&mut entry.permit, NIL);
        if permit != NIL {
            let started = entry.stamp;
            let CallRef { id, batch, .. } = self.calls.call_ref(slot);
            self.returned.push_back(Returned::Settled {
                permit: Permit(permit),
                call: id,
                batch,
                status,
                started,
            });
        }
    }

    /// Whether a limit of a call is held by nobody but calls that wait for this one.
    fn only_ancestors_hold_limits(&mut self, slot: u32, admit: &mut impl Admit) -> bool {
        let mut batch = self.calls.slots[slot].batch;
        let mut permits = std::mem::take(&mut self.ancestors);
        permits.clear();
        while let Some(parent) = self.calls.batches[batch].parent {
            let Some(parent) = self.calls.slots.find(parent) else {
                break;
            };
            let entry = &self.calls.slots[parent];
            if entry.state.in_flight() && entry.permit != NIL {
                permits.push(Permit(entry.permit));
            }
            batch = entry.batch;
        }
        let set = self.calls.slots[slot].limits();
        let held = !permits.is_empty() && admit.is_held_by(set, &permits);
        self.ancestors = permits;
        held
    }
}
