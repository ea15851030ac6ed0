//! Timers as a list, and what the model does when they fire.

use penstock_core::clock::Nanos;
use penstock_core::sched::Reason;

use super::{Action, Model, State, in_flight};

const TICK: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Call(usize),
    Sleep(usize),
    Batch(usize),
}

/// Armed timers by tick, then in order of arming.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    armed: Vec<(u64, u64, Due)>,
    next_key: u64,
    floor: u64,
}

impl Timers {
    pub fn arm(&mut self, due: Nanos, what: Due) -> u64 {
        self.next_key += 1;
        let tick = due.0.div_ceil(TICK).max(self.floor);
        self.armed.push((tick, self.next_key, what));
        self.next_key
    }

    pub fn disarm(&mut self, key: Option<u64>) {
        self.armed.retain(|(_, armed, _)| Some(*armed) != key);
    }

    pub fn due(&self, key: Option<u64>) -> Option<Nanos> {
        let found = self.armed.iter().find(|(_, armed, _)| Some(*armed) == key);
        found.map(|(tick, _, _)| Nanos(tick * TICK))
    }

    pub fn next_due(&self) -> Option<Nanos> {
        self.armed
            .iter()
            .map(|(tick, _, _)| Nanos(tick * TICK))
            .min()
    }

    pub fn len(&self) -> usize {
        self.armed.len()
    }

    pub fn catch_up(&mut self, now: Nanos) {
        if self.armed.is_empty() {
            self.floor = self.floor.max(now.0 / TICK);
        }
    }

    fn pop_due(&mut self, now: Nanos) -> Option<Due> {
        let until = now.0 / TICK;
        let first = self.armed.iter().map(|(tick, key, _)| (*tick, *key)).min();
        let Some((tick, key)) = first.filter(|(tick, _)| *tick <= until) else {
            self.floor = self.floor.max(until);
            return None;
        };
        self.floor = tick;
        let at = self.armed.iter().position(|(_, armed, _)| *armed == key)?;
        Some(self.armed.remove(at).2)
    }
}

impl Model {
    pub fn expire(&mut self) {
        while let Some(due) = self.timers.pop_due(self.now) {
            match due {
                Due::Sleep(call) => {
                    self.calls[call].sleep = None;
                    self.actions.push(Action::Resume(call));
                }
                Due::Batch(batch) => {
                    self.batches[batch].timer = None;
                    self.cancel_batch(batch, Reason::Deadline);
                }
                Due::Call(call) => {
                    let entry = &mut self.calls[call];
                    entry.timer = None;
                    let attempt = entry.attempt_timer;
                    if entry.state == State::Cancelling {
                        self.detach(call);
                    } else {
                        let reason = if attempt {
                            Reason::Timeout
                        } else {
                            Reason::Deadline
                        };
                        self.cancel_call(call, reason);
                    }
                }
            }
        }
    }

    pub fn suspended(&mut self, call: usize) {
        if self.calls[call].state != State::Running {
            return;
        }
        self.calls[call].state = State::Suspended;
        let Some(timeout) = self.tools[self.calls[call].tool].timeout else {
            return;
        };
        let due = self.calls[call].stamp.saturating_add(timeout);
        let deadline = self.timers.due(self.calls[call].timer);
        if deadline.is_none_or(|deadline| due < deadline) {
            self.calls[call].attempt_timer = true;
            self.arm_call(call, due);
        }
    }

    pub fn sleep(&mut self, call: usize, due: Nanos) {
        if in_flight(self.calls[call].state) {
            self.timers.disarm(self.calls[call].sleep);
            self.calls[call].sleep = Some(self.timers.arm(due, Due::Sleep(call)));
        }
    }

    pub fn arm_call(&mut self, call: usize, due: Nanos) {
        self.timers.disarm(self.calls[call].timer);
        self.timers.catch_up(self.now);
        self.calls[call].timer = Some(self.timers.arm(due, Due::Call(call)));
    }
}
