//! Between the scheduler and the limits: asks for calls, brings back what they did not use.
//!
//! Ground rules. The limiter is locked for one question or one exchange, never across a call into
//! Python. What calls give back is kept by the scheduler until the next exchange: at the beginning of
//! a turn, when nothing more can start, and at its end. An exchange lets the limiter decide, so that
//! a slot that is freed in a turn is used in the same turn.

use penstock_core::clock::Nanos;
use penstock_core::limit::{self, Cost, End, Owner, SetId, Who};
use penstock_core::sched::{
    Admission, Admit, Ask, BatchId, CallId, Permit, Returned, Status, ToolId, Waiter,
};
use pyo3::prelude::*;

use super::batch::Record;
use super::engine::{Host, State};
use crate::limit::limiter::Limiter;
use crate::limit::refusal::Explained;

/// Who a batch is charged to, besides its tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) tenant: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) run: Option<String>,
    /// The batches with budgets of their own, outermost first, as the limiter names them.
    pub(crate) batch: Option<String>,
}

impl Labels {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, and those of the batch around where these say nothing.
    pub(crate) fn within(self, outer: Option<&Self>) -> Self {
        let Some(outer) = outer else { return self };
        Self {
            tenant: self.tenant.or_else(|| outer.tenant.clone()),
            agent: self.agent.or_else(|| outer.agent.clone()),
            run: self.run.or_else(|| outer.run.clone()),
            batch: self.batch.or_else(|| outer.batch.clone()),
        }
    }
}

/// Keeps limit sets while a batch needs them.
pub(crate) struct Pins {
    limiter: Py<Limiter>,
    sets: Vec<SetId>,
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut registry = self.limiter.get().lock();
        for set in self.sets.drain(..) {
            registry.core.unpin(set);
        }
    }
}

/// What a tool's calls are looked up by.
struct ToolLimits {
    name: String,
    service: Option<String>,
    cost: Cost,
    /// The set of calls without labels; looked up once.
    plain: Option<SetId>,
    is_limited: bool,
}

/// What a provider answered to a call, until its permit is settled.
pub(crate) struct Answered {
    pub(crate) feedback: Option<(limit::Feedback, u32)>,
    pub(crate) actual: Option<Cost>,
}

/// The limits of one engine.
pub(crate) struct HostLimits {
    pub(crate) limiter: Py<Limiter>,
    pub(crate) owner: Owner,
    tools: Vec<ToolLimits>,
    /// Why calls were refused, until their outcomes are made.
    refusals: Vec<(CallId, Explained)>,
    answers: Vec<(CallId, Answered)>,
    /// When the limiter may grant something by itself, as it said last.
    next_wake: Option<Nanos>,
    /// A call has asked for its limits at least once.
    is_used: bool,
    /// Called when budgets have passed a share of theirs.
    pub(crate) warn: Py<PyAny>,
}

impl HostLimits {
    pub(crate) fn new(limiter: Py<Limiter>, owner: Owner, warn: Py<PyAny>) -> Self {
        Self {
            limiter,
            owner,
            tools: Vec::new(),
            refusals: Vec::new(),
            answers: Vec::new(),
            next_wake: None,
            is_used: false,
            warn,
        }
    }

    /// Notes a tool, in the order of the tools' numbers, and looks its limits up.
    pub(crate) fn add_tool(
        &mut self,
        name: &str,
        service: Option<&str>,
        cost: Cost,
        now: Nanos,
    ) -> Result<(), limit::TooManyLimits> {
        let who = Who {
            tool: Some(name),
            service,
            ..Who::default()
        };
        let plain = self.limiter.get().lock().core.resolve(&who, now)?;
        self.tools.push(ToolLimits {
            name: name.to_owned(),
            service: service.map(str::to_owned),
            cost,
            plain,
            is_limited: true,
        });
        Ok(())
    }

    /// Notes a tool whose calls pass no limits.
    pub(crate) fn add_unlimited(&mut self) {
        self.tools.push(ToolLimits {
            name: String::new(),
            service: None,
            cost: Cost::ONE,
            plain: None,
            is_limited: false,
        });
    }

    fn tool(&self, tool: ToolId) -> Option<&ToolLimits> {
        self.tools.get((tool.0 as usize).checked_sub(1)?) // the first number is UNKNOWN_TOOL
    }

    /// The limits of a tool's calls without labels.
    pub(crate) fn plain(&self, tool: ToolId) -> Option<SetId> {
        self.tool(tool)?.plain
    }

    /// The limits of calls with labels, kept by `pins`.
    pub(crate) fn labelled(
        &self,
        py: Python<'_>,
        tool: ToolId,
        labels: &Labels,
        pins: &mut Option<Pins>,
        now: Nanos,
    ) -> Result<Option<SetId>, limit::TooManyLimits> {
        let Some(known) = self.tool(tool).filter(|tool| tool.is_limited) else {
            return Ok(None);
        };
        let who = Who {
            tenant: labels.tenant.as_deref(),
            agent: labels.agent.as_deref(),
            run: labels.run.as_deref(),
            batch: labels.batch.as_deref(),
            tool: Some(&known.name),
            service: known.service.as_deref(),
            model: None,
        };
        let found = self.limiter.get().lock().core.resolve(&who, now)?;
        if let Some(set) = found {
            let pins = pins.get_or_insert_with(|| Pins {
                limiter: self.limiter.clone_ref(py),
                sets: Vec::new(),
            });
            pins.sets.push(set);
        }
        Ok(found)
    }

    /// When an exchange is due by itself.
    pub(crate) fn next_wake(&self) -> Option<Nanos> {
        self.next_wake
    }

    pub(crate) fn take_refusal(&mut self, call: CallId) -> Option<Explained> {
        let at = self.refusals.iter().position(|(id, _)| *id == call)?;
        Some(self.refusals.swap_remove(at).1)
    }

    /// What a provider answered to a call that holds a permit.
    pub(crate) fn note(&mut self, call: CallId, answered: Answered) {
        match self.answers.iter_mut().find(|(id, _)| *id == call) {
            None => self.answers.push((call, answered)),
            Some((_, before)) => {
                before.feedback = answered.feedback.or(before.feedback.take());
                before.actual = answered.actual.or(before.actual);
            }
        }
    }

    fn take_answer(&mut self, call: CallId) -> Option<Answered> {
        if self.answers.is_empty() {
            return None;
        }
        let at = self.answers.iter().position(|(id, _)| *id == call)?;
        Some(self.answers.swap_remove(at).1)
    }

    fn take_back(&mut self, core: &mut limit::Limiter, returned: Returned, now: Nanos) {
        match returned {
            Returned::Refunded(permit) => core.refund(limit::Permit(permit.0), now),
            Returned::Forgotten(waiter) => core.forget(limit::Waiter(waiter.0), now),
            Returned::Settled {
                permit,
                call,
                status,
                ..
            } => {
                let permit = limit::Permit(permit.0);
                let answered = self.take_answer(call);
                let actual = answered.as_ref().and_then(|answered| answered.actual);
                let mut end = end_of(status);
                if let Some((feedback, jitter)) = answered.and_then(|answered| answered.feedback) {
                    if feedback.is_refusal() {
                        end = End::Overload;
                    }
                    core.observe(limit::Observed::Permit(permit), &feedback, jitter, now);
                }
                if status == Status::Cancelled {
                    core.cancel(permit, actual.as_ref(), now);
                } else {
                    core.settle(permit, actual.as_ref(), end, now);
                }
            }
        }
    }
}

fn end_of(status: Status) -> End {
    match status {
        Status::Timeout => End::Timeout,
        Status::Failed => End::Failed,
        _ => End::Ok,
    }
}

/// The scheduler's view of the limits. They are locked for one question at a time.
struct Door<'a> {
    limits: &'a mut HostLimits,
    own_cost: &'a dyn Fn(BatchId) -> Option<Cost>,
}

impl Admit for Door<'_> {
    fn admit(&mut self, ask: &Ask, now: Nanos) -> Admission {
        let listed = || self.limits.tool(ask.tool).map_or(Cost::ONE, |tool| tool.cost);
        let cost = (self.own_cost)(ask.batch).unwrap_or_else(listed);
        let asked = limit::Ask {
            owner: self.limits.owner,
            token: ask.call.to_bits(),
            set: SetId(ask.set),
            cost,
            lane: ask.lane,
            arrival: ask.arrival,
            number: ask.turn,
            deadline: ask.deadline,
        };
        let limits = &mut *self.limits;
        limits.is_used = true;
        let mut registry = limits.limiter.get().lock();
        registry.now = now;
        match registry.core.take(&asked, now) {
            limit::Taken::Granted(permit) => Admission::Granted(Permit(permit.0)),
            limit::Taken::Waiting(waiter) => {
                limits.next_wake = registry.core.next_wake();
                Admission::Parked(Waiter(waiter.0))
            }
            limit::Taken::Refused(refusal) => {
                let explained = Explained::read(&registry.core, refusal, &cost, now);
                limits.refusals.push((ask.call, explained));
                Admission::Refused
            }
        }
    }

    fn is_held_by(&mut self, set: u32, permits: &[Permit]) -> bool {
        let permits: Vec<_> = permits.iter().map(|permit| limit::Permit(permit.0)).collect();
        let registry = self.limits.limiter.get().lock();
        registry.core.holds_all_slots(SetId(set), &permits)
    }
}

impl State {
    /// The next call that may start, its limits asked.
    #[inline]
    pub(crate) fn next_limited(&mut self, now: Nanos) -> Option<penstock_core::sched::CallRef> {
        let Self {
            sched,
            actions,
            records,
            limits,
            ..
        } = self;
        let Some(limits) = limits else {
            return sched.next(now, &mut penstock_core::sched::Unlimited, actions);
        };
        let mut door = Door {
            limits,
            own_cost: &|batch| own_cost(records, batch),
        };
        sched.next(now, &mut door, actions)
    }

    /// Whether an exchange with the limiter would do something.
    pub(crate) fn owes_limits(&self, now: Nanos) -> bool {
        self.limits.as_ref().is_some_and(|limits| {
            self.sched.has_returned() || limits.next_wake.is_some_and(|wake| wake <= now)
        })
    }
}

fn own_cost(records: &[Option<Box<Record>>], batch: BatchId) -> Option<Cost> {
    let record = records.get(batch.place() as usize)?.as_deref()?;
    record.cost.filter(|_| record.id == batch)
}

impl Host {
    /// Gives back what calls did not use, and lets in those whose turn has come. True if a call is
    /// ready that was not.
    pub(crate) fn exchange(slf: &Bound<'_, Self>, now: Nanos) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let (others, act, ready, warn) = {
            let mut state = this.state.borrow(py)?;
            let State {
                sched,
                actions,
                limits,
                ..
            } = &mut *state;
            let Some(limits) = limits.as_mut().filter(|limits| limits.is_used) else {
                return Ok(false);
            };
            let limiter = limits.limiter.clone_ref(py);
            let mut registry = limiter.get().lock();
            registry.now = now;
            let core = &mut registry.core;
            while let Some(returned) = sched.pop_returned() {
                limits.take_back(core, returned, now);
            }
            let before = sched.has_ready();
            // Again after a grant that came too late: what it gives back is somebody else's.
            while core.is_due(now) || core.has_grants(limits.owner) {
                core.poll(now);
                while let Some(grant) = core.pop_grant(limits.owner) {
                    let call = CallId::from_bits(grant.token);
                    match grant.result {
                        Ok(permit) if sched.granted(call, Permit(permit.0)) => {}
                        Ok(permit) => core.refund(permit, now),
                        Err(refusal) => {
                            let explained = Explained::read(core, refusal, &grant.cost, now);
                            limits.refusals.push((call, explained));
                            sched.refused(call, now, actions);
                        }
                    }
                }
            }
            limits.next_wake = core.next_wake();
            let warn = core.has_warnings().then(|| limits.warn.clone_ref(py));
            let ready = sched.has_ready() && !before;
            let others = registry.to_wake_besides(limits.owner);
            (others, !actions.is_empty(), ready, warn)
        };
        if let Some(warn) = warn {
            warn.call0(py)?;
        }
        if let Some(others) = others {
            let limiter = {
                let state = this.state.borrow(py)?;
                state.limits.as_ref().map(|limits| limits.limiter.clone_ref(py))
            };
            if let Some(limiter) = limiter {
                limiter.get().wake(py, &others)?;
            }
        }
        if act {
            Self::act(slf)?;
        }
        Ok(ready)
    }
}
