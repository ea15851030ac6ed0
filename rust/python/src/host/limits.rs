//! Between the scheduler and the limits: asks for calls, brings back what they did not use.
//!
//! Ground rules. The limiter is locked for one question or one exchange (`exchange.rs`), never across
//! a call into Python. What calls give back is kept by the scheduler until the next exchange: at the
//! beginning of a turn, when nothing more can start, and at its end. An exchange lets the limiter
//! decide, so that a slot that is freed in a turn is used in the same turn.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use penstock_core::clock::Nanos;
use penstock_core::limit::{self, Cost, End, Owner, SetId, Who};
use penstock_core::ring::{Fact, Kind};
use penstock_core::sched::{
    Admission, Admit, Ask, BatchId, CallId, CallRef, LAST_LANE, Permit, Returned, Status, ToolId,
    Waiter,
};
use pyo3::prelude::*;

use super::batch::Record;
use super::engine::{Host, State};
use super::labels::{BatchBudget, Labels, Pins};
use super::shares;
use super::tell::OVERHEAD;
use crate::limit::limiter::Limiter;
use crate::limit::refusal::Explained;
use crate::ring::{Kept, Passed};

/// Fewer calls in a row than these ask one by one; more than those are taken in parts.
const SHORTEST_RUN: u32 = 8;
const LONGEST_RUN: u32 = 256;

/// Engines that have had limits.
static ENGINES: AtomicU64 = AtomicU64::new(0);

/// What a tool's calls are looked up by.
pub(super) struct ToolLimits {
    name: String,
    service: Option<String>,
    pub(super) cost: Cost,
    /// The set of calls without labels; looked up once.
    plain: Option<SetId>,
    pub(super) is_limited: bool,
    /// Each call brings its own cost.
    is_priced: bool,
}

impl ToolLimits {
    /// Who a call with labels is, to the limiter.
    pub(super) fn who<'a>(&'a self, labels: &'a Labels) -> Who<'a> {
        Who {
            tenant: labels.tenant.as_deref(),
            agent: labels.agent.as_deref(),
            run: labels.run.as_deref(),
            batch: labels.batch.as_ref().map(|budget| budget.label.as_str()),
            tool: Some(&self.name),
            service: self.service.as_deref(),
            model: None,
        }
    }
}

/// What is known of a call from its provider, until its permit is settled.
#[derive(Clone, Copy, Default)]
struct Answered {
    was_refused: bool,
    actual: Option<Cost>,
}

/// A call that waits: the limit that it waits for, and until when at least.
struct Parked {
    call: CallId,
    gate: Box<str>,
    until: Option<Nanos>,
}

/// The limits of one engine.
pub(crate) struct HostLimits {
    pub(crate) limiter: Py<Limiter>,
    /// None once the limiter has forgotten it: the number may be somebody else's by now.
    pub(crate) owner: Option<Owner>,
    /// A number that no other engine has or had: it is in the names of batches.
    engine: u64,
    tools: Vec<ToolLimits>,
    /// Calls that began to wait, and whose events somebody may read.
    parked: Vec<Parked>,
    /// Shares of budgets that calls have passed, and the batches of those calls.
    warned: Vec<(BatchId, Passed)>,
    /// Why calls were refused, until their outcomes are made.
    refusals: Vec<(CallId, Explained)>,
    answers: HashMap<CallId, Answered>,
    /// What alike calls of this turn have taken together.
    run: Option<(ToolId, limit::Run)>,
    /// Limits that gave no run in this turn: asking again would be in vain.
    without_run: Option<u32>,
    /// When the limiter may grant something by itself, as it said last.
    next_wake: Option<Nanos>,
    /// Answers lie in the limiter's outbox.
    has_grants: bool,
    /// A call has asked for its limits at least once.
    is_used: bool,
    /// A batch had a budget of its own: calls in their callers' tasks may belong to one, too.
    pub(crate) has_batch_budgets: bool,
    /// Some limit speaks of every batch, so that all of them have names: the next one's number.
    pub(crate) next_batch: Option<u64>,
    /// Called when budgets have passed a share of theirs.
    pub(crate) warn: Py<PyAny>,
}

impl HostLimits {
    pub(crate) fn new(limiter: Py<Limiter>, owner: Owner, warn: Py<PyAny>) -> Self {
        Self {
            limiter,
            owner: Some(owner),
            engine: ENGINES.fetch_add(1, Ordering::Relaxed),
            tools: Vec::new(),
            parked: Vec::new(),
            warned: Vec::new(),
            refusals: Vec::new(),
            answers: HashMap::new(),
            run: None,
            without_run: None,
            next_wake: None,
            has_grants: false,
            is_used: false,
            has_batch_budgets: false,
            next_batch: None,
            warn,
        }
    }

    /// Notes a tool, in the order of the tools' numbers, and looks its limits up.
    pub(crate) fn add_tool(
        &mut self,
        name: &str,
        service: Option<&str>,
        cost: Option<Cost>,
        is_priced: bool,
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
            cost: cost.unwrap_or(Cost::ONE),
            plain,
            is_limited: true,
            is_priced,
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
            is_priced: false,
        });
    }

    pub(super) fn tool(&self, tool: ToolId) -> Option<&ToolLimits> {
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
        let who = known.who(labels);
        let found = self.limiter.get().lock().core.resolve(&who, now)?;
        if let Some(set) = found {
            let pins = pins.get_or_insert_with(|| Pins::new(self.limiter.clone_ref(py)));
            pins.keep(set);
        }
        Ok(found)
    }

    /// The name of a batch that has no budget of its own, if some limit wants one.
    pub(crate) fn next_batch_name(&mut self) -> Option<BatchBudget> {
        let number = self.next_batch?;
        self.next_batch = Some(number + 1);
        Some(BatchBudget::named(format!("each-{}-{number}", self.engine)))
    }

    /// Whether any call has asked for its limits yet.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used
    }

    /// When an exchange is due by itself.
    pub(crate) fn next_wake(&self) -> Option<Nanos> {
        self.next_wake
    }

    /// All answers were fetched; the next are due then.
    pub(crate) fn note_wake(&mut self, wake: Option<Nanos>) {
        self.has_grants = false;
        self.next_wake = wake;
    }

    /// Keeps why a call was refused until its outcome is made.
    pub(crate) fn note_refusal(&mut self, call: CallId, why: Explained) {
        self.refusals.push((call, why));
    }

    pub(crate) fn take_refusal(&mut self, call: CallId) -> Option<Explained> {
        let at = self.refusals.iter().position(|(id, _)| *id == call)?;
        Some(self.refusals.swap_remove(at).1)
    }

    /// Tells the limits of a call that started on a run, and so holds no permit, what is known of it.
    pub(crate) fn book(
        &mut self,
        call: CallRef,
        feedback: Option<&limit::Feedback>,
        actual: Option<&Cost>,
        jitter: u32,
        started: Nanos,
        now: Nanos,
    ) {
        let listed = self.tool(call.tool);
        let Some((reserved, set)) = listed.and_then(|tool| Some((tool.cost, tool.plain?))) else {
            return;
        };
        // Who says it twice means the last: what was booked before is what this differs from.
        let before = actual.and_then(|actual| self.answer_of(call.id).actual.replace(*actual));
        let run = self
            .run
            .take_if(|_| feedback.is_some_and(limit::Feedback::is_refusal));
        let core = &mut self.limiter.get().lock().core;
        if let Some((_, run)) = run {
            core.end_run(run, now);
        }
        if let Some(feedback) = feedback {
            core.observe(limit::Observed::Set(set), feedback, jitter, now);
        }
        if let Some(actual) = actual {
            core.book(set, &before.unwrap_or(reserved), actual, started, now);
        }
        self.next_wake = core.next_wake();
    }

    /// What a provider answered to a call that holds a permit. Its limits hear of it at once: the
    /// call may go on for long.
    pub(crate) fn hear(
        &mut self,
        call: CallId,
        permit: Permit,
        feedback: &limit::Feedback,
        jitter: u32,
        now: Nanos,
    ) {
        let permit = limit::Permit(permit.0);
        let run = self.run.take_if(|_| feedback.is_refusal());
        {
            let mut registry = self.limiter.get().lock();
            registry.now = now;
            if let Some((_, run)) = run {
                registry.core.end_run(run, now);
            }
            registry
                .core
                .observe(limit::Observed::Permit(permit), feedback, jitter, now);
            self.next_wake = registry.core.next_wake();
        }
        if feedback.is_refusal() {
            self.answer_of(call).was_refused = true;
        }
    }

    /// What a call that holds a permit has really taken.
    pub(crate) fn note_cost(&mut self, call: CallId, actual: Cost) {
        self.answer_of(call).actual = Some(actual);
    }

    fn answer_of(&mut self, call: CallId) -> &mut Answered {
        self.answers.entry(call).or_default()
    }

    fn take_answer(&mut self, call: CallId) -> Answered {
        if self.answers.is_empty() {
            return Answered::default();
        }
        self.answers.remove(&call).unwrap_or_default()
    }

    /// Whether a call starts on the run of those before it, or begins one: of a tool that costs
    /// always the same, in a batch that nobody else is charged for.
    #[inline]
    fn runs_on(&mut self, ask: &Ask, now: Nanos) -> bool {
        if let Some((tool, run)) = &mut self.run {
            if *tool != ask.tool || run.set() != SetId(ask.set) {
                return false;
            }
            if run.use_one() {
                return true;
            }
            self.run = None;
        }
        ask.behind >= SHORTEST_RUN && self.without_run != Some(ask.set) && self.begin_run(ask, now)
    }

    #[cold]
    fn begin_run(&mut self, ask: &Ask, now: Nanos) -> bool {
        let listed = self
            .tool(ask.tool)
            .filter(|tool| tool.plain == Some(SetId(ask.set)));
        let Some(cost) = listed.filter(|tool| !tool.is_priced).map(|tool| tool.cost) else {
            return false;
        };
        let most = ask.behind.min(LONGEST_RUN);
        let mut registry = self.limiter.get().lock();
        registry.now = now;
        let run = registry.core.begin_run(SetId(ask.set), &cost, most, now);
        drop(registry);
        self.is_used |= run.is_some();
        if run.is_none() {
            self.without_run = Some(ask.set);
        }
        self.run = run.map(|run| (ask.tool, run));
        self.run.as_mut().is_some_and(|(_, run)| run.use_one())
    }

    /// Gives back what this turn's run has left.
    pub(crate) fn end_run(&mut self, core: &mut limit::Limiter, now: Nanos) {
        self.without_run = None;
        if let Some((_, run)) = self.run.take() {
            core.end_run(run, now);
        }
    }

    pub(crate) fn take_back(&mut self, core: &mut limit::Limiter, returned: Returned, now: Nanos) {
        match returned {
            Returned::Refunded(permit) => core.refund(limit::Permit(permit.0), now),
            Returned::Forgotten(waiter) => core.forget(limit::Waiter(waiter.0), now),
            Returned::Settled {
                permit,
                call,
                batch,
                status,
                ..
            } => {
                let told = core.pending_warnings().len();
                let permit = limit::Permit(permit.0);
                let Answered {
                    was_refused,
                    actual,
                } = self.take_answer(call);
                let end = if was_refused {
                    End::Overload
                } else {
                    end_of(status)
                };
                if status == Status::Cancelled {
                    core.cancel(permit, actual.as_ref(), now);
                } else {
                    core.settle(permit, actual.as_ref(), end, now);
                }
                let passed = core.pending_warnings()[told..].iter();
                let passed = passed.map(|warning| (batch, Passed::read(core, warning)));
                self.warned.extend(passed);
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
    records: &'a [Option<Box<Record>>],
    /// Whether somebody watches the engine.
    is_watched: bool,
    /// What the last call that asked costs.
    asked: Cost,
}

impl Admit for Door<'_> {
    fn admit(&mut self, ask: &Ask, now: Nanos) -> Admission {
        if ask.lane < LAST_LANE && self.limits.runs_on(ask, now) {
            return Admission::Granted(Permit::NONE);
        }
        let listed = || {
            self.limits
                .tool(ask.tool)
                .map_or(Cost::ONE, |tool| tool.cost)
        };
        let Some(owner) = self.limits.owner else {
            return Admission::Refused; // A closed engine has ended or cancelled all calls before.
        };
        let cost = own_cost(self.records, ask.batch).unwrap_or_else(listed);
        self.asked = cost;
        let asked = limit::Ask {
            owner,
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
        let run = limits.run.take();
        let mut registry = limits.limiter.get().lock();
        registry.now = now;
        if let Some((_, run)) = run {
            // Else the rest of the run would pass a call that has to wait. In this turn such calls
            // come mixed: each asks for itself.
            limits.without_run = Some(run.set().0);
            registry.core.end_run(run, now);
        }
        let taken = if ask.lane >= LAST_LANE {
            let share = shares::of_guess(self.records, ask.batch);
            shares::take(&mut registry.core, &asked, share, now)
        } else {
            registry.core.take(&asked, now)
        };
        // What was due is decided before a question is answered.
        limits.has_grants |= registry.core.has_grants(owner);
        match taken {
            limit::Taken::Granted(permit) => Admission::Granted(Permit(permit.0)),
            limit::Taken::Waiting(waiter) => {
                limits.next_wake = registry.core.next_wake();
                if self.is_watched || is_logged(self.records, ask.batch) {
                    let parked = Parked::read(ask.call, &registry.core, &asked, now);
                    limits.parked.extend(parked);
                }
                Admission::Parked(Waiter(waiter.0))
            }
            limit::Taken::Refused(refusal) => {
                let explained = Explained::read(&registry.core, refusal, &cost, now);
                limits.refusals.push((ask.call, explained));
                Admission::Refused
            }
        }
    }

    fn wants_place(&mut self, set: u32, permit: Permit) -> bool {
        let registry = self.limits.limiter.get().lock();
        registry
            .core
            .wants_place(SetId(set), limit::Permit(permit.0))
    }

    fn is_held_by(&mut self, set: u32, permits: &[Permit]) -> bool {
        let permits: Vec<_> = permits
            .iter()
            .map(|permit| limit::Permit(permit.0))
            .collect();
        let registry = self.limits.limiter.get().lock();
        registry.core.is_held_by(SetId(set), &self.asked, &permits)
    }
}

impl State {
    /// The next call that may start, its limits asked.
    #[inline]
    pub(crate) fn next_limited(&mut self, py: Python<'_>, now: Nanos) -> Option<CallRef> {
        let Self {
            sched,
            actions,
            records,
            limits,
            logs,
            ..
        } = self;
        let Some(limits) = limits else {
            return sched.next(now, &mut penstock_core::sched::Unlimited, actions);
        };
        let mut door = Door {
            limits,
            records,
            is_watched: logs.is_watched(),
            asked: Cost::ONE,
        };
        let next = sched.next(now, &mut door, actions);
        if !limits.parked.is_empty() {
            self.note_parked(py, now);
        }
        next
    }

    /// Writes which calls wait for a limit. A hedge is not told of: its call goes on meanwhile.
    #[cold]
    fn note_parked(&mut self, py: Python<'_>, now: Nanos) {
        let waiting = self.limits.as_mut().map(|limits| &mut limits.parked);
        for parked in waiting.map(std::mem::take).unwrap_or_default() {
            let Some(call) = self.sched.call(parked.call) else {
                continue; // It was refused after all: it would have waited for itself.
            };
            let of = self.record(call.batch).and_then(|it| it.attempt.as_deref());
            if of.is_some_and(|of| of.is_hedge) {
                continue;
            }
            let call = of.map_or(call, |of| of.call);
            let bytes = u32::try_from(parked.gate.len()).unwrap_or(u32::MAX);
            let gate = Kept::Gate(parked.gate, parked.until);
            let fact = Fact::new(Kind::CallParked, call.index, now);
            let payload = (gate, bytes.saturating_add(OVERHEAD));
            self.note(py, call.batch, fact, Some(payload));
        }
    }

    /// Writes which budgets have passed a share of theirs, and with calls of which batches.
    pub(crate) fn note_warnings(&mut self, py: Python<'_>, now: Nanos) {
        let warned = self.limits.as_mut().map(|limits| &mut limits.warned);
        for (batch, passed) in warned.map(std::mem::take).unwrap_or_default() {
            let of = self.record(batch).and_then(|it| it.attempt.as_deref());
            let batch = of.map_or(batch, |of| of.call.batch);
            let text = passed.budget.len() + passed.scope.len();
            let bytes = u32::try_from(text).unwrap_or(u32::MAX);
            let payload = (
                Kept::Budget(Box::new(passed)),
                bytes.saturating_add(OVERHEAD),
            );
            let fact = Fact::new(Kind::BudgetWarning, 0, now);
            self.note(py, batch, fact, Some(payload));
        }
    }

    /// The code of a call that was let in will never run: nothing was spent.
    pub(crate) fn unspent(&mut self, call: CallRef, now: Nanos) {
        let Some(limits) = &mut self.limits else {
            return;
        };
        if self.sched.permit(call.id).is_some() {
            self.sched.unspent(call.id);
        } else if let Some(started) = self.sched.started(call.id) {
            limits.book(call, None, Some(&Cost::ZERO), 0, started, now);
        }
    }

    /// A call ends. What is known of one that started on a run is of no use any more: there is no
    /// permit to be settled.
    #[inline]
    pub(crate) fn forget_answer(&mut self, call: CallRef) {
        if let Some(limits) = &mut self.limits
            && !limits.answers.is_empty()
            && self.sched.permit(call.id).is_none()
        {
            limits.answers.remove(&call.id);
        }
    }

    /// Whether an exchange with the limiter would do something.
    pub(crate) fn owes_limits(&self, now: Nanos) -> bool {
        self.limits.as_ref().is_some_and(|limits| {
            let due = limits.next_wake.is_some_and(|wake| wake <= now);
            due || limits.has_grants || limits.run.is_some() || self.sched.has_returned()
        })
    }
}

impl HostLimits {
    /// Waits for nothing any more: who is closed keeps neither a place nor a loop in the limiter.
    fn leave(&mut self) {
        if let Some(owner) = self.owner.take() {
            let limiter = self.limiter.get();
            let now = limiter.lock().now;
            limiter.remove_owner_of(owner, now);
        }
    }
}

impl Host {
    /// The engine is closed. Calls that were given up settle their permits when their code ends.
    pub(crate) fn leave_limiter(&self, py: Python<'_>) -> PyResult<()> {
        let limiter = {
            let mut state = self.state.borrow(py)?;
            let Some(limits) = &mut state.limits else {
                return Ok(());
            };
            limits.leave();
            limits.limiter.clone_ref(py)
        };
        Limiter::tell_waiters(limiter.bind(py), self.now(py))
    }
}

impl Drop for State {
    /// An engine that nobody closed is gone with its calls: others need not wait for what they held.
    fn drop(&mut self) {
        let Some(limits) = &mut self.limits else {
            return;
        };
        limits.leave();
        let mut registry = limits.limiter.get().lock();
        let now = registry.now;
        for permit in self.sched.permits() {
            registry.core.drop_permit(limit::Permit(permit.0), now);
        }
        drop(registry);
        // A destructor has nobody to tell of an error.
        Python::attach(|py| Limiter::tell_waiters(limits.limiter.bind(py), now).ok());
    }
}

impl Parked {
    fn read(call: CallId, core: &limit::Limiter, asked: &limit::Ask, now: Nanos) -> Option<Self> {
        let (rule, until) = core.waits_for(asked, now)?;
        let gate = core.name_of(rule).into();
        Some(Self { call, gate, until })
    }
}

impl Passed {
    fn read(core: &limit::Limiter, warning: &limit::Warning) -> Self {
        Self {
            budget: core.name_of(warning.rule).to_owned(),
            scope: core.scope_of(warning.state).to_owned(),
            share: f64::from(warning.share) / 1_000.0,
        }
    }
}

/// Whether the events of a call are kept: an attempt's are its call's.
fn is_logged(records: &[Option<Box<Record>>], batch: BatchId) -> bool {
    let known = |batch: BatchId| records.get(batch.place() as usize)?.as_deref();
    let Some(record) = known(batch) else {
        return false;
    };
    let of = record
        .attempt
        .as_deref()
        .and_then(|of| known(of.call.batch));
    of.unwrap_or(record).log.is_some()
}

fn own_cost(records: &[Option<Box<Record>>], batch: BatchId) -> Option<Cost> {
    let record = records.get(batch.place() as usize)?.as_deref()?;
    record.cost.filter(|_| record.id == batch)
}
