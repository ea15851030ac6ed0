//! Ends and cancels.

use penstock_core::clock::Nanos;
use penstock_core::sched::{Reason, Status, Verdict, Why};

use super::{Action, Call, End, Model, State, in_flight};

impl Model {
    pub fn end(&mut self, call: usize, verdict: Verdict) -> Option<End> {
        let entry = &self.calls[call];
        let (batch, reason) = (entry.batch, entry.reason);
        match entry.state {
            State::Over => return None,
            State::Detached => {
                let status = reason.map_or(Status::Cancelled, Reason::status);
                self.tools[entry.tool].detached -= 1;
                self.settle(call, status);
                self.vacate(call);
                self.close_batch(batch);
                return None;
            }
            _ => {}
        }
        let status = match verdict {
            Verdict::Returned => Status::Ok,
            Verdict::Raised => Status::Failed,
            Verdict::Rejected => Status::Rejected,
            Verdict::Cancelled => reason.map_or(Status::Cancelled, Reason::status),
            Verdict::TimedOut => Status::Timeout,
        };
        let by_itself = !matches!(verdict, Verdict::Rejected | Verdict::Cancelled);
        let late = reason.is_some() && by_itself;
        let end = self.depart(call, status, late);
        self.conclude(&end);
        Some(end)
    }

    pub fn reject(&mut self, call: usize, why: Why) {
        let end = self.depart(call, Status::Rejected, false);
        self.actions.push(Action::Ended(end, why));
        self.conclude(&end);
    }

    pub fn detach(&mut self, call: usize) {
        let entry = &mut self.calls[call];
        entry.state = State::Detached;
        let status = entry.reason.map_or(Status::Cancelled, Reason::status);
        self.tools[entry.tool].detached += 1;
        let end = self.outcome(call, status, false);
        self.actions.push(Action::Detached(end));
        self.conclude(&end);
    }

    pub fn cancel_call(&mut self, call: usize, reason: Reason) -> usize {
        if self.calls[call].reason.is_some() || self.calls[call].state == State::Over {
            return 0;
        }
        if in_flight(self.calls[call].state) {
            self.ask(call, reason);
        } else {
            let end = self.end_unstarted(call, reason);
            self.conclude(&end);
        }
        1
    }

    pub fn cancel_batch(&mut self, batch: usize, reason: Reason) -> usize {
        if self.undecided(batch) == 0 {
            return 0;
        }
        let count = self.cancel_where(batch, |_| true, reason);
        self.close_batch(batch);
        count
    }

    pub fn cancel_branch(&mut self, batch: usize, branch: u32, reason: Reason) -> usize {
        let state = self.batches[batch]
            .branches
            .get_mut((branch as usize).wrapping_sub(1));
        let Some(state) = state.filter(|state| state.is_none()) else {
            return 0;
        };
        *state = Some(false);
        if self.batches[batch].over {
            return 0;
        }
        let count = self.cancel_where(batch, |call| call.branch == branch, reason);
        self.close_batch(batch);
        count
    }

    pub fn commit(&mut self, batch: usize, branch: u32) -> bool {
        let branches = &mut self.batches[batch].branches;
        let Some(state) = branches.get((branch as usize).wrapping_sub(1)).copied() else {
            return false;
        };
        if let Some(committed) = state {
            return committed;
        }
        for state in branches.iter_mut().filter(|state| state.is_none()) {
            *state = Some(false);
        }
        branches[branch as usize - 1] = Some(true);
        let lost: Vec<bool> = branches.iter().map(|state| *state == Some(false)).collect();
        let loses = |call: &Call| call.branch > 0 && lost[call.branch as usize - 1];
        self.cancel_where(batch, loses, Reason::Race);
        self.close_batch(batch);
        true
    }

    fn cancel_where(
        &mut self,
        batch: usize,
        wanted: impl Fn(&Call) -> bool,
        reason: Reason,
    ) -> usize {
        let mut count = 0;
        let mut skipping = Vec::new();
        for call in self.batch_calls(batch) {
            let entry = &self.calls[call];
            if entry.state == State::Over || entry.reason.is_some() || !wanted(entry) {
                continue;
            }
            count += 1;
            if in_flight(entry.state) {
                self.ask(call, reason);
            } else {
                self.end_unstarted(call, reason);
                skipping.push((call, call));
            }
        }
        self.skip(skipping);
        count
    }

    fn end_unstarted(&mut self, call: usize, reason: Reason) -> End {
        self.calls[call].reason = Some(reason);
        let end = self.depart(call, reason.status(), false);
        self.actions
            .push(Action::Ended(end, Why::Cancelled(reason)));
        end
    }

    fn ask(&mut self, call: usize, reason: Reason) {
        let suspended = self.calls[call].state == State::Suspended;
        self.calls[call].state = State::Cancelling;
        self.calls[call].reason = Some(reason);
        let sleep = self.calls[call].sleep.take();
        self.timers.disarm(sleep);
        let grace = self.tools[self.calls[call].tool]
            .grace
            .max(Nanos::from_millis(1));
        self.arm_call(call, self.now.saturating_add(grace));
        let action = if suspended {
            Action::Throw
        } else {
            Action::MustCancel
        };
        self.actions.push(action(call));
    }

    fn depart(&mut self, call: usize, status: Status, late: bool) -> End {
        let end = self.outcome(call, status, late);
        if in_flight(self.calls[call].state) {
            self.settle(call, status);
        }
        self.vacate(call);
        end
    }

    fn outcome(&mut self, call: usize, status: Status, late: bool) -> End {
        let entry = &self.calls[call];
        let started = in_flight(entry.state).then_some(entry.stamp);
        let detached = entry.state == State::Detached;
        let end = End {
            call,
            status,
            late,
            detached,
            reason: entry.reason,
            started,
        };
        self.tools[entry.tool].ends[status as usize] += 1;
        if let Some(started) = started {
            let group = self.group_of(call);
            self.groups[group].attained += self.now.saturating_sub(started).0;
        }
        end
    }

    fn vacate(&mut self, call: usize) {
        let state = std::mem::replace(&mut self.calls[call].state, State::Over);
        let (timer, sleep) = (self.calls[call].timer.take(), self.calls[call].sleep.take());
        self.timers.disarm(timer);
        self.timers.disarm(sleep);
        if in_flight(state) {
            self.leave_gates(call);
        }
        self.give_back(call);
        self.pass_on(call, |_| false);
    }

    fn conclude(&mut self, end: &End) {
        let batch = self.calls[end.call].batch;
        if end.status == Status::Ok {
            for child in self.calls[end.call].children.clone() {
                if self.calls[child].state == State::Blocked {
                    self.unblock(child);
                }
            }
        } else {
            self.skip(vec![(end.call, end.call)]);
        }
        let fails = matches!(
            end.status,
            Status::Failed | Status::Rejected | Status::Timeout
        );
        if fails && self.batches[batch].fail_fast && self.undecided(batch) > 0 {
            self.cancel_where(batch, |_| true, Reason::FailFast);
        }
        self.close_batch(batch);
    }

    fn skip(&mut self, mut skipping: Vec<(usize, usize)>) {
        while let Some((call, root)) = skipping.pop() {
            for child in self.calls[call].children.clone() {
                if self.calls[child].state == State::Blocked {
                    let parent = u32::try_from(self.calls[root].index).unwrap();
                    let end = self.depart(child, Status::Skipped, false);
                    self.actions
                        .push(Action::Ended(end, Why::Skipped { parent }));
                    skipping.push((child, root));
                }
            }
        }
    }

    /// Calls of a batch without an outcome.
    pub fn undecided(&self, batch: usize) -> usize {
        let decided = |state| matches!(state, State::Over | State::Detached);
        self.batch_calls(batch)
            .filter(|call| !decided(self.calls[*call].state))
            .count()
    }

    fn close_batch(&mut self, batch: usize) {
        if self.undecided(batch) > 0 {
            return;
        }
        if !self.batches[batch].ended {
            self.batches[batch].ended = true;
            self.actions.push(Action::BatchEnded(batch));
            let timer = self.batches[batch].timer.take();
            self.timers.disarm(timer);
        }
        let live = self
            .batch_calls(batch)
            .any(|call| self.calls[call].state != State::Over);
        if !live && !self.batches[batch].over {
            self.batches[batch].over = true;
            let group = self.batches[batch].group;
            self.groups[group].batches -= 1;
        }
    }
}
