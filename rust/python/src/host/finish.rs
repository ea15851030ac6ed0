//! The end of a call on this side: its outcome is made, stored and told; actions are worked off.
//!
//! The core decides what an end means. Here the outcome object is made, outside of any borrow, since
//! an allocation may run the garbage collector and with it anybody's code.

use penstock_core::clock::Nanos;
use penstock_core::limit::Feedback;
use penstock_core::ring::{Fact, Kind};
use penstock_core::sched::{Action, BatchId, CallId, CallRef, Ended, Reason, Status, Verdict, Why};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use super::batch::{Entry, Record};
use super::call_task::{CallTask, Waiting};
use super::engine::{Host, Mark, State};
use super::leaving;
use super::log::Counts;
use super::raw;
use crate::calls::{Call, Explanation, Outcome, Payload, flag};
use crate::convert;
use crate::error;
use crate::limit::feedback;
use crate::ring::Log;

/// Where the code of a call is when it is asked to end.
enum Place {
    Running(Option<Py<CallTask>>),
    Suspended(Py<CallTask>),
    Task(Py<PyAny>),
    Job(Py<super::job::Job>),
    Ticket(Py<PyAny>),
}

impl Host {
    /// Ends a call whose code has ended; returns the time, which is the next call's start.
    pub(crate) fn finish(
        slf: &Bound<'_, Self>,
        call: CallRef,
        verdict: Verdict,
        payload: Payload,
    ) -> PyResult<Nanos> {
        Self::finish_task(slf, call, verdict, payload, None)
    }

    /// The same, and gives back the call's task if nobody else holds it.
    pub(crate) fn finish_task(
        slf: &Bound<'_, Self>,
        call: CallRef,
        verdict: Verdict,
        payload: Payload,
        spare: Option<Py<CallTask>>,
    ) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let (verdict, payload) = if this.may_be_large(py, &payload) {
            Self::keep(slf, call, verdict, payload)?
        } else {
            (verdict, payload)
        };
        Self::note_refusal(slf, call, verdict, &payload)?;
        let verdict = Self::read_layers(slf, call, verdict, &payload)?;
        let (ended, request, explained, mark, dropped) = {
            let mut state = this.state.borrow(py)?;
            if state.running.is_some_and(|running| running.id == call.id) {
                state.running = None;
            }
            let before = match spare {
                Some(spare) => state.spare.replace(spare),
                None => None,
            };
            if verdict == Verdict::Rejected {
                state.unspent(call, now);
            }
            state.forget_answer(call);
            let State { sched, actions, .. } = &mut *state;
            let ended = sched.end(call.id, verdict, now, actions);
            let (gone, told) = if ended.is_none() {
                let told = state.leaving.remove(&call.id).unwrap_or_default();
                (state.detached.remove(&call.id), told)
            } else {
                (None, Vec::new())
            };
            if gone.is_some() && state.logs.is_watched() {
                state.note_released(py, call, now);
            }
            let record = state.record(call.batch);
            let request = record.and_then(|record| record.call(py, call.index));
            let explained = match (&ended, &request) {
                // A timeout that policies tell is theirs to explain.
                (Some(ended), Some(request))
                    if is_cut_short(ended.status) && verdict != Verdict::TimedOut =>
                {
                    Some(state.explain(py, ended, request.get()))
                }
                _ => None,
            };
            let mark = state.take_mark(call.id);
            (ended, request, explained, mark, (gone, before, told))
        };
        let (gone, before, told) = dropped;
        drop((gone, before));
        leaving::tell(py, told);
        if let (Some(ended), Some(request)) = (ended, request) {
            let payload = explained.map_or(payload, Payload::explained);
            let outcome = outcome_of(&ended, Call::origin(&request), payload, now).marked(mark);
            let waiting = Self::store(slf, &ended, make(py, outcome)?, now)?;
            if !waiting {
                return Ok(now);
            }
        }
        Self::act(slf)?;
        Ok(now)
    }

    /// Ends a call that must not start, with an error that says why.
    pub(crate) fn reject(slf: &Bound<'_, Self>, call: CallRef, error: PyErr) -> PyResult<Nanos> {
        let (_, payload) = Self::read_error(slf, error)?.into_parts();
        Self::finish(slf, call, Verdict::Rejected, payload)
    }

    /// Puts an outcome in its place; whether actions wait to be worked off.
    fn store(
        slf: &Bound<'_, Self>,
        ended: &Ended,
        outcome: Py<Outcome>,
        now: Nanos,
    ) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let (before, waiting) = {
            let mut state = this.state.borrow(py)?;
            state.counts.ended += 1;
            if !state.telling.is_empty() {
                state.flush_told(py, ended.call, now);
            }
            let attempts = outcome.get().attempts;
            let entry = state.entry_mut(ended.call);
            let before = entry.map(|entry| std::mem::replace(entry, Entry::Ended(outcome)));
            state.note_ended(py, ended, attempts, now);
            let before = match (ended.detached, before) {
                (true, Some(held)) => state.detached.insert(ended.call.id, held),
                (_, before) => before,
            };
            (before, !state.actions.is_empty())
        };
        if let Some(Entry::Ticket(waiting)) = before {
            Self::refuse_ticket(slf, ended.call, waiting.bind(py))?;
        }
        Ok(waiting)
    }

    /// Tells a caller that waits for its turn why it will not come. A granted one is unharmed.
    fn refuse_ticket(
        slf: &Bound<'_, Self>,
        call: CallRef,
        waiting: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let outcome = match slf.get().state.borrow(py)?.entry_mut(call) {
            Some(Entry::Ended(outcome)) => outcome.clone_ref(py),
            _ => return Ok(()),
        };
        let error = outcome.bind(py).getattr(pyo3::intern!(py, "error"))?;
        if !error.is_none() && !is_done(waiting)? {
            waiting.call_method1(pyo3::intern!(py, "set_exception"), (error,))?;
        }
        Ok(())
    }

    /// Works off what the core wants done.
    pub(crate) fn act(slf: &Bound<'_, Self>) -> PyResult<()> {
        loop {
            let Some(action) = slf.get().state.borrow(slf.py())?.actions.pop() else {
                return Self::replace_stuck(slf);
            };
            match action {
                Action::Throw(call) | Action::MustCancel(call) => {
                    // A future whose `cancel` raises keeps nobody else from being cancelled.
                    if let Err(refused) = Self::interrupt(slf, call) {
                        refused.write_unraisable(slf.py(), None);
                    }
                }
                Action::Resume(call) => Self::end_sleep(slf, call)?,
                Action::Ended { ended, why } => Self::tell(slf, &ended, Some(why))?,
                Action::Detached { ended } => Self::tell(slf, &ended, None)?,
                Action::BatchEnded(batch) => slf.get().state.borrow(slf.py())?.ended.push(batch),
            }
        }
    }

    /// Tells executors of jobs that may be stuck; last, so that what is cancelled together with them
    /// is out of the queue before another thread looks there.
    fn replace_stuck(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let stuck = std::mem::take(&mut this.state.borrow(py)?.stuck);
        for job in stuck {
            if let Some((_, cancel)) = this.executors[job.get().mode as usize].get(py) {
                cancel.call1(py, (job,))?;
            }
        }
        Ok(())
    }

    /// Stores the outcome of a call that the core ended itself.
    fn tell(slf: &Bound<'_, Self>, ended: &Ended, why: Option<Why>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let (request, explanation) = {
            let state = this.state.borrow(py)?;
            let Some(record) = state.record(ended.call.batch) else {
                return Ok(());
            };
            let Some(request) = record.call(py, ended.call.index) else {
                return Ok(());
            };
            let explanation = match why {
                Some(Why::Refused) => None,
                None | Some(Why::Cancelled(_)) => Some(state.explain(py, ended, request.get())),
                Some(Why::Skipped { parent }) => {
                    Some(Explanation::Skipped(name_of(py, record, parent)))
                }
                Some(Why::WouldDeadlock { gate }) => {
                    Some(Explanation::WouldDeadlock(gate.to_string()))
                }
                Some(Why::TooManyDetached { limit }) => Some(Explanation::TooManyDetached(limit)),
                Some(Why::Held) => Some(state.explain_held()),
            };
            (request, explanation)
        };
        let payload = match explanation {
            Some(explanation) => Payload::explained(explanation),
            None => this.refusal_of(py, ended.call)?,
        };
        let mark = this.state.borrow(py)?.take_mark(ended.call.id);
        let outcome = outcome_of(ended, Call::origin(&request), payload, now).marked(mark);
        Self::store(slf, ended, make(py, outcome)?, now)?;
        Ok(())
    }

    /// What a limit said to a call that it refused.
    fn refusal_of(&self, py: Python<'_>, call: CallRef) -> PyResult<Payload> {
        let refusal = {
            let mut state = self.state.borrow(py)?;
            state
                .limits
                .as_mut()
                .and_then(|limits| limits.take_refusal(call.id))
        };
        let error = match refusal {
            Some(refusal) => refusal.error(py)?,
            None => error::make(py, "InternalError", ("a refusal without a reason",))?,
        };
        Ok(Payload::Error(error.unbind()))
    }

    /// Asks code that runs or waits to end.
    fn interrupt(slf: &Bound<'_, Self>, call: CallRef) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let (place, reason) = {
            let mut state = this.state.borrow(py)?;
            let reason = state.sched.reason(call.id).map_or("caller", Reason::as_str);
            let is_running = state.running.is_some_and(|running| running.id == call.id);
            let asked = Fact::new(Kind::CallCancelling, call.index, this.now(py));
            state.note(py, call.batch, asked, None);
            let current = state.current.as_ref().filter(|_| is_running);
            let current = current.map(|task| task.clone_ref(py));
            let place = match state.entry_mut(call) {
                Some(Entry::Suspended(task)) => Place::Suspended(task.clone_ref(py)),
                Some(Entry::Task(task)) => Place::Task(task.clone_ref(py)),
                Some(Entry::Job(job)) => Place::Job(job.clone_ref(py)),
                Some(Entry::Ticket(future)) => Place::Ticket(future.clone_ref(py)),
                _ => Place::Running(current),
            };
            (place, reason)
        };
        let message = PyString::new(py, reason).into_any();
        match place {
            Place::Suspended(task) | Place::Running(Some(task)) => {
                CallTask::request_cancel(task.bind(py), Some(&message))?;
            }
            Place::Running(None) => {}
            Place::Task(task) => {
                Self::refund_unstarted(slf, call, task.bind(py))?;
                task.call_method1(py, pyo3::intern!(py, "cancel"), (message,))?;
            }
            Place::Ticket(future) => {
                future.call_method1(py, pyo3::intern!(py, "cancel"), (message,))?;
            }
            Place::Job(job) => {
                if job.get().withdraw() {
                    let now = this.now(py);
                    this.state.borrow(py)?.unspent(call, now);
                    let error = this.asyncio.cancellation(py, None)?.unbind();
                    Self::finish(slf, call, Verdict::Cancelled, Payload::Error(error))?;
                } else {
                    this.state.borrow(py)?.stuck.push(job);
                }
            }
        }
        Ok(())
    }

    fn end_sleep(slf: &Bound<'_, Self>, call: CallRef) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let sleeper = {
            let mut state = this.state.borrow(py)?;
            let entry = match state.record(call.batch) {
                Some(record) => record.entries.get(call.index as usize),
                None => None,
            };
            match entry {
                Some(Entry::Suspended(task)) => Some(task.clone_ref(py)),
                _ => match state.detached.get_mut(&call.id) {
                    Some(Entry::Suspended(task)) => Some(task.clone_ref(py)),
                    _ => None,
                },
            }
        };
        let Some(task) = sleeper else { return Ok(()) };
        if !matches!(task.get().cell.borrow(py)?.waiting, Waiting::Sleep) {
            return Ok(()); // Cancelled meanwhile, and resumed for that.
        }
        task.get().cell.borrow(py)?.waiting = Waiting::Turn;
        this.state.borrow(py)?.resumed.push(task);
        Ok(())
    }

    /// Wakes the watchers of batches that went on, and those who await batches that ended.
    pub(crate) fn deliver(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let (ended, grown, room) = {
            let mut state = this.state.borrow(py)?;
            let idle = state.ended.is_empty() && state.grown.is_empty() && state.room.is_empty();
            if idle && !state.logs.has_pending() {
                return Ok(());
            }
            let room = std::mem::take(&mut state.room);
            (
                std::mem::take(&mut state.ended),
                std::mem::take(&mut state.grown),
                room,
            )
        };
        // One waiter that cannot be told, for its loop is closed, keeps nothing from the others.
        let mut told = Ok(());
        for batch in ended {
            told = told.and(Self::deliver_batch(slf, batch));
        }
        for batch in grown {
            told = told.and(Self::deliver_grown(slf, batch));
        }
        told = told.and(Self::deliver_tower(slf));
        told.and(set_done(py, room))
    }

    fn deliver_batch(slf: &Bound<'_, Self>, batch: BatchId) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let Some(mut record) = this.state.borrow(py)?.take_record(batch) else {
            return Ok(());
        };
        let now = this.now(py);
        let counts = Self::note_batch_ended(slf, &mut record, now)?;
        // The list is built last, from whole outcomes: the garbage collector shows half-filled lists,
        // and nothing is allocated while this one is filled.
        let outcomes =
            record
                .entries
                .iter_mut()
                .map(|entry| match std::mem::replace(entry, Entry::Bare) {
                    Entry::Ended(outcome) => Some(outcome.into_bound(py)),
                    _ => None,
                });
        let outcomes = PyList::new(py, outcomes)?;
        let (waiters, (watchers, litter)) = {
            let mut state = record.handle.get().cell.borrow(py)?;
            state.outcomes = Some(outcomes.unbind());
            let news = record.log.as_deref_mut().map(Log::take_news);
            state.log = record.log.take();
            (std::mem::take(&mut state.waiters), news.unwrap_or_default())
        };
        drop(litter);
        let told = set_done(py, waiters).and(set_done(py, watchers));
        if counts.is_some() {
            Self::retire_log(slf, record.handle.bind(py))?;
        }
        told
    }

    /// Writes the last event of a batch; whether it has a log.
    fn note_batch_ended(
        slf: &Bound<'_, Self>,
        record: &mut Record,
        now: Nanos,
    ) -> PyResult<Option<Counts>> {
        let (py, this) = (slf.py(), slf.get());
        let is_watched = this.state.borrow(py)?.logs.is_watched();
        if record.log.is_none() && !is_watched {
            return Ok(None);
        }
        let mut counts = Counts::default();
        for entry in &record.entries {
            if let Entry::Ended(outcome) = entry {
                counts[outcome.get().status as usize] += 1;
            }
        }
        if is_watched {
            this.state.borrow(py)?.note_end(py, record, counts, now);
        }
        let Some(log) = &mut record.log else {
            return Ok(None);
        };
        log.counts = counts;
        log.write(Fact::new(Kind::BatchEnded, 0, now), None);
        Ok(Some(counts))
    }
}

impl Host {
    /// A tool that was told to come back later has its limits hear of that.
    fn note_refusal(
        slf: &Bound<'_, Self>,
        call: CallRef,
        verdict: Verdict,
        payload: &Payload,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let Payload::Error(error) = payload else {
            return Ok(());
        };
        let limited = verdict == Verdict::Raised && {
            let state = this.state.borrow(py)?;
            state.limits.is_some()
        };
        if limited && let Some(feedback) = told_to_wait(error.bind(py))? {
            Self::note_answer(slf, call, Some(feedback), None)?;
        }
        Ok(())
    }
}

impl Host {
    /// The policies of a tool end its calls by what they raise: a refusal, if none of its code ran, or
    /// a timeout of the tool's. What the code itself met on its way is a failure like any other.
    fn read_layers(
        slf: &Bound<'_, Self>,
        call: CallRef,
        verdict: Verdict,
        payload: &Payload,
    ) -> PyResult<Verdict> {
        let Payload::Error(error) = payload else {
            return Ok(verdict);
        };
        let (py, error) = (slf.py(), error.bind(slf.py()));
        let (tool, ran) = {
            let state = slf.get().state.borrow(slf.py())?;
            let mark = state.marks.get(&call.id);
            (
                state.tool(py, call),
                mark.is_some_and(|mark| mark.attempts > 0),
            )
        };
        let Some(tool) = tool.filter(|tool| tool.get().is_layered) else {
            return Ok(verdict);
        };
        if verdict != Verdict::Raised {
            return Ok(verdict);
        }
        let code = error::code(error)?;
        let code = code.and_then(|code| code.extract::<String>().ok());
        let is_its_own = || {
            error
                .getattr(pyo3::intern!(py, "tool"))?
                .eq(&tool.get().name)
        };
        Ok(match code.as_deref() {
            Some("call_timeout") if is_its_own()? => Verdict::TimedOut,
            Some(code) if !ran && REFUSALS.contains(&code) => Verdict::Rejected,
            _ => verdict,
        })
    }
}

/// Codes of errors that say of an attempt that its code never ran.
const REFUSALS: [&str; 10] = [
    "quota_exceeded",
    "limit_queue_full",
    "limit_deadline",
    "limit_impossible",
    "budget_exceeded",
    "backend_away",
    "breaker_open",
    "overloaded",
    "would_deadlock",
    "too_many_detached",
];

impl State {
    /// Writes that a call has ended: its outcome is in its place.
    #[inline]
    fn note_ended(&mut self, py: Python<'_>, ended: &Ended, attempts: u16, now: Nanos) {
        let fact = Fact {
            attempt: attempts,
            detail: ended.status as u8,
            ..Fact::new(Kind::CallEnded, ended.call.index, now)
        };
        self.note(py, ended.call.batch, fact, None);
    }

    fn take_mark(&mut self, call: CallId) -> Option<Mark> {
        if self.marks.is_empty() {
            return None;
        }
        self.marks.remove(&call)
    }
}

impl Outcome {
    fn marked(mut self, mark: Option<Mark>) -> Self {
        if let Some(mark) = mark {
            self.attempts = mark.attempts;
            self.flags |= u8::from(mark.cached) * flag::CACHED;
            self.flags |= u8::from(mark.speculative) * flag::SPECULATIVE;
            self.saved = mark.saved;
        }
        self
    }
}

/// What a provider said, if the error is a `RateLimited`.
fn told_to_wait(error: &Bound<'_, PyAny>) -> PyResult<Option<Box<Feedback>>> {
    let py = error.py();
    let Some(code) = error::code(error)? else {
        return Ok(None);
    };
    if !code.eq(pyo3::intern!(py, "rate_limited"))? {
        return Ok(None);
    }
    let retry_after = error.getattr_opt(pyo3::intern!(py, "retry_after"))?;
    let retry_after = retry_after.and_then(|seconds| seconds.extract().ok());
    Ok(Some(Box::new(feedback::read(Some(429), retry_after, None))))
}

/// `set_result(None)` for each future that nobody cancelled meanwhile.
pub(crate) fn set_done(py: Python<'_>, futures: Vec<Py<PyAny>>) -> PyResult<()> {
    let set = |future: &Py<PyAny>| {
        let future = future.bind(py);
        if !is_done(future)? {
            future.call_method1(pyo3::intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(())
    };
    // Everybody is told, whatever one of them does; the first error is the answer.
    let mut told = Ok(());
    for future in &futures {
        let this = set(future);
        told = told.and(this);
    }
    told
}

fn is_done(future: &Bound<'_, PyAny>) -> PyResult<bool> {
    future
        .call_method0(pyo3::intern!(future.py(), "done"))?
        .is_truthy()
}

/// Makes the object. One that holds no container is kept from the garbage collector: in a batch of
/// 100,000 calls that spares a walk of tens of milliseconds.
#[inline]
fn make(py: Python<'_>, outcome: Outcome) -> PyResult<Py<Outcome>> {
    let is_plain = outcome.is_plain(py);
    let made = Bound::new(py, outcome)?;
    if is_plain {
        raw::untrack(made.as_any());
    }
    Ok(made.unbind())
}

fn outcome_of(ended: &Ended, call: Py<Call>, payload: Payload, now: Nanos) -> Outcome {
    Outcome {
        call,
        payload,
        submitted: ended.submitted,
        started: ended.started.unwrap_or(Nanos::ZERO),
        ended: now,
        index: ended.call.index,
        attempts: u16::from(ended.started.is_some()),
        status: ended.status,
        flags: (u8::from(ended.detached) * flag::DETACHED) | (u8::from(ended.late) * flag::LATE),
        saved: 0.0,
    }
}

fn is_cut_short(status: Status) -> bool {
    matches!(status, Status::Cancelled | Status::Timeout)
}

/// The text itself: `str` of a subclass would run its code.
pub(crate) fn text(py: Python<'_>, string: &Py<PyString>) -> String {
    string.bind(py).to_string_lossy().into_owned()
}

/// Of futures that many waited for, those who still do; the others went away.
pub(crate) fn still_waiting(py: Python<'_>, futures: Vec<Py<PyAny>>) -> PyResult<Vec<Py<PyAny>>> {
    let mut waiting = Vec::with_capacity(futures.len());
    for future in futures {
        if !is_done(future.bind(py))? {
            waiting.push(future);
        }
    }
    Ok(waiting)
}

/// Takes a crowd of waiters for `still_waiting`, each time it has doubled.
pub(crate) fn take_crowd(waiters: &mut Vec<Py<PyAny>>) -> Vec<Py<PyAny>> {
    const CROWD: usize = 64;
    let crowded = waiters.len() >= CROWD && waiters.len().is_power_of_two();
    if crowded {
        std::mem::take(waiters)
    } else {
        Vec::new()
    }
}

/// The id of a call, or the name that stands for it.
fn name_of(py: Python<'_>, record: &Record, index: u32) -> String {
    let call = record.call(py, index);
    let id = call.and_then(|call| call.get().id.as_ref().map(|id| text(py, id)));
    id.unwrap_or_else(|| convert::made_up_id(index))
}

impl State {
    /// Why a call was cut short.
    fn explain(&self, py: Python<'_>, ended: &Ended, call: &Call) -> Explanation {
        let record = self.record(ended.call.batch);
        match ended.reason {
            Some(Reason::Timeout) => {
                let tool = self.tool(py, ended.call);
                Explanation::TimedOut(tool.map_or(0.0, |tool| tool.get().timeout_seconds))
            }
            Some(Reason::Deadline) => {
                let whole = record.and_then(|record| record.deadline);
                let whole = whole.map(|deadline| deadline.saturating_sub(ended.submitted));
                let bounds = whole.into_iter().chain(call.timeout);
                Explanation::TimedOut(bounds.min().map_or(0.0, convert::seconds))
            }
            Some(reason) => Explanation::Cancelled(record.map_or_else(
                || reason.as_str().to_owned(),
                |record| record.cancellation(py, reason, call),
            )),
            None => Explanation::Cancelled("tool".to_owned()),
        }
    }
}
