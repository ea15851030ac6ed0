//! Times of calls and batches: deadlines, attempt timeouts, sleeps, grace periods.
//!
//! Ground rules. A slot has one node for what may end its call: the deadline from submission, or
//! the attempt timeout from the first suspension if that is earlier, and the grace period once it
//! is cancelled. A sleep has its own node. A batch has one for its deadline. A node number is
//! cleared as its timer fires and disarmed as its call departs, so none is ever stale.

use super::Sched;
use super::action::{Action, Actions, Reason};
use super::ids::CallId;
use super::slab::NIL;
use super::slot::{ATTEMPT_TIMER, State};
use crate::clock::Nanos;
use crate::timer::Target;

/// Whose time a timer is: packed into the wheel's target.
#[derive(Clone, Copy)]
enum Due {
    Call(u32),
    Sleep(u32),
    Batch(u32),
}

const PLACE_BITS: u32 = 30;

impl Due {
    const fn pack(self) -> Target {
        let (kind, place) = match self {
            Self::Call(place) => (0, place),
            Self::Sleep(place) => (1, place),
            Self::Batch(place) => (2, place),
        };
        Target(kind << PLACE_BITS | place)
    }

    const fn unpack(target: Target) -> Self {
        let place = target.0 & ((1 << PLACE_BITS) - 1);
        match target.0 >> PLACE_BITS {
            0 => Self::Call(place),
            1 => Self::Sleep(place),
            _ => Self::Batch(place),
        }
    }
}

impl Sched {
    /// The call waits for something. The first time, its attempt timeout is armed, counted from its
    /// start; later this does nothing.
    pub fn suspended(&mut self, id: CallId, now: Nanos) {
        let Some(slot) = self.calls.slots.find(id) else {
            return;
        };
        let entry = &mut self.calls.slots[slot];
        if entry.state != State::Running {
            return;
        }
        entry.state = State::Suspended;
        let Some(timeout) = self.tools[entry.tool as usize].timeout else {
            return;
        };
        let due = entry.stamp.saturating_add(timeout);
        let deadline = (entry.timer != NIL).then(|| self.wheel.key(entry.timer));
        if deadline
            .and_then(|key| self.wheel.due(key))
            .is_none_or(|deadline| due < deadline)
        {
            entry.flags |= ATTEMPT_TIMER;
            self.arm_call(slot, due, now);
        }
    }

    /// The call in flight waits until `due`: then [`Sched::expire`] answers `Resume`.
    pub fn sleep(&mut self, id: CallId, due: Nanos) {
        let Some(slot) = self.calls.slots.find(id) else {
            return;
        };
        if self.calls.slots[slot].state.in_flight() {
            let before = self.calls.slots[slot].sleep;
            self.disarm(before);
            self.calls.slots[slot].sleep = self.arm(Due::Sleep(slot), due);
        }
    }

    /// Acts on every time that has come: calls and batches are cancelled, sleepers resumed, calls
    /// whose grace is over detached. Also gives unused memory back, once a minute.
    pub fn expire(&mut self, now: Nanos, actions: &mut Actions) {
        while let Some(target) = self.wheel.pop_due(now) {
            match Due::unpack(target) {
                Due::Call(slot) => self.call_due(slot, now, actions),
                Due::Sleep(slot) => {
                    self.calls.slots[slot].sleep = NIL;
                    actions.push(Action::Resume(self.calls.call_ref(slot)));
                }
                Due::Batch(batch) => {
                    self.calls.batches[batch].timer = NIL;
                    self.cancel_batch(batch, Reason::Deadline, now, actions);
                }
            }
        }
        self.trim(now);
    }

    /// When to call [`Sched::expire`] next; never late.
    #[must_use]
    pub fn next_due(&self) -> Option<Nanos> {
        self.wheel.next_due()
    }

    fn call_due(&mut self, slot: u32, now: Nanos, actions: &mut Actions) {
        let entry = &mut self.calls.slots[slot];
        entry.timer = NIL;
        let attempt = entry.flags & ATTEMPT_TIMER != 0;
        if entry.state == State::Cancelling {
            self.detach(slot, now, actions);
        } else {
            let reason = if attempt {
                Reason::Timeout
            } else {
                Reason::Deadline
            };
            self.cancel_call(slot, reason, now, actions);
        }
    }

    /// Arms the one timer that may end a call, in place of the one before.
    pub(crate) fn arm_call(&mut self, slot: u32, due: Nanos, now: Nanos) {
        let before = self.calls.slots[slot].timer;
        self.disarm(before);
        self.wheel.catch_up(now);
        self.calls.slots[slot].timer = self.arm(Due::Call(slot), due);
    }

    pub(crate) fn arm_batch(&mut self, batch: u32, due: Nanos, now: Nanos) {
        self.wheel.catch_up(now);
        self.calls.batches[batch].timer = self.arm(Due::Batch(batch), due);
    }

    pub(crate) fn disarm(&mut self, node: u32) {
        if node != NIL {
            self.wheel.disarm(self.wheel.key(node));
        }
    }

    fn arm(&mut self, due: Due, at: Nanos) -> u32 {
        self.wheel.arm(at, due.pack()).node()
    }
}
