//! Calls that stand alone: tickets, which their callers run themselves, and attempts of other calls.
//!
//! Each is a batch of one that nobody sees. A *flight* is a run that several calls of sessions may wait
//! for, so it is inside of none of them; a guess is one that nobody waits for yet. An *attempt* belongs to a call whose tool has policies:
//! that call waits, and its policies make one attempt after the other, or two at once. It has the
//! call's lane, its labels and its id; the engine's gate is passed once, by the call itself.

use std::sync::Arc;

use penstock_core::clock::Nanos;
use penstock_core::limit::Cost;
use penstock_core::sched::{BatchId, BatchSpec, CallId, CallRef, CallSpec, ToolId};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::batch::{Batch, Entry, Record};
use super::context::Context;
use super::engine::Host;
use super::labels::Labels;
use super::origin::Origin;
use super::raw;
use super::single::Ticket;
use super::submit::{Charge, GivenLabels};
use crate::calls::Call;
use crate::limit::cost;
use crate::{convert, error};

/// Behind all priorities of callers: nobody waits longer because somebody wants it twice.
const HEDGE_LANE: u8 = 8;
/// Behind everything.
pub(crate) const GUESS_LANE: u8 = 10;

/// Whose attempt a call is.
pub(crate) struct AttemptOf {
    pub(crate) call: CallRef,
    /// Its id as tools and logs see it.
    pub(crate) call_id: String,
    /// Counts from 1.
    pub(crate) number: u32,
    /// Another attempt of the call is in flight: this one yields to others.
    pub(crate) is_hedge: bool,
    /// Called when its gates and limits are passed, right before its code: may refuse by raising.
    pub(crate) starting: Option<Py<PyAny>>,
}

/// What is known of a call that stands alone before it is submitted.
struct Lone<'py> {
    tool: ToolId,
    request: Bound<'py, Call>,
    entry: Entry,
    cost: Option<Cost>,
    of: Option<AttemptOf>,
    context: Py<PyAny>,
    kind: Kind,
    /// Its deadline, from now on.
    timeout: Option<Nanos>,
}

/// Whose a call that stands alone is.
enum Kind {
    /// Of the call that it is made for, or inside of: it ends with it.
    Inside,
    /// Of all who wait for it.
    Flight,
    /// Of nobody yet; charged to these.
    Guess(Option<GivenLabels>, Option<u64>),
}

/// What it takes over from the call that it stands for, or from its tool.
struct Inherited {
    priority: u8,
    group: Option<u64>,
    labels: Option<Arc<Labels>>,
    parent: Option<CallId>,
    /// When the call started whose attempt this is: what tries again keeps its place.
    since: Option<Nanos>,
}

impl Host {
    fn inherit(slf: &Bound<'_, Self>, tool: ToolId, of: Option<&AttemptOf>) -> PyResult<Inherited> {
        let (py, this) = (slf.py(), slf.get());
        let parent = match of {
            Some(of) => Some(of.call.id),
            None => Origin::parent_in(slf)?,
        };
        let state = this.state.borrow(py)?;
        let around = parent.and_then(|parent| state.sched.batch_of(parent));
        let record = around.and_then(|batch| state.record(batch));
        let own = match of {
            Some(of) if of.is_hedge => Some(HEDGE_LANE),
            Some(of) => state.sched.lane(of.call.id),
            None => None,
        };
        let default = state.tool_at(py, tool).map(|tool| tool.get().priority);
        Ok(Inherited {
            priority: own.or(default).unwrap_or_default(),
            group: of.and(record).and_then(|record| record.group),
            labels: record.and_then(|record| record.labels.clone()),
            parent,
            since: of.and_then(|of| state.sched.started(of.call.id)),
        })
    }

    /// What a call that stands alone takes over, whatever its kind.
    fn heritage(
        slf: &Bound<'_, Self>,
        tool: ToolId,
        kind: Kind,
        of: Option<&AttemptOf>,
    ) -> PyResult<Inherited> {
        let (py, this) = (slf.py(), slf.get());
        Ok(match kind {
            Kind::Inside => Self::inherit(slf, tool, of)?,
            Kind::Flight => Inherited {
                parent: None,
                ..Self::inherit(slf, tool, of)?
            },
            Kind::Guess(labels, group) => Inherited {
                priority: GUESS_LANE,
                group,
                labels: this.charge(py, None, labels)?.labels,
                parent: None,
                since: None,
            },
        })
    }

    fn submit_lone<'py>(
        slf: &Bound<'py, Self>,
        lone: Lone<'py>,
    ) -> PyResult<(CallRef, Bound<'py, Batch>)> {
        let (py, this) = (slf.py(), slf.get());
        this.check_open(py)?;
        let tool = lone.tool;
        let inherited = Self::heritage(slf, tool, lone.kind, lone.of.as_ref())?;
        let mut charge = Charge::of(inherited.labels);
        let spec = [CallSpec {
            tool,
            priority: inherited.priority,
            branch: 0,
            timeout: lone.timeout,
            limits: charge.limits(this, py, tool)?,
            since: inherited.since,
        }];
        let batch = BatchSpec {
            calls: &spec,
            edges: &[],
            held: &[],
            branches: 0,
            group: inherited.group,
            max_parallel: None,
            fail_fast: false,
            timeout: None,
            parent: inherited.parent,
        };
        let now = this.now(py);
        let submitted = this.state.borrow(py)?.sched.submit(&batch, now);
        let calls = PyTuple::new(py, [lone.request])?;
        let id = submitted.map_err(|refused| this.refusal(py, &refused, &calls))?;
        let handle = Batch::new(py, slf.clone().unbind(), id, PyDict::new(py).unbind());
        let handle = Bound::new(py, handle)?;
        let holder = handle.clone().unbind();
        let entries = vec![lone.entry];
        let mut record = Record::new(id, calls.unbind(), entries, lone.context, holder, now);
        record.group = inherited.group;
        record.labels = charge.labels;
        record.pins = charge.pins;
        record.cost = lone.cost;
        record.attempt = lone.of.map(Box::new);
        record.is_lone = true;
        let place = {
            let mut state = this.state.borrow(py)?;
            state.put_record(record);
            state.sched.call_at(id, 0)
        };
        let place = place.ok_or_else(|| error::internal(py, "a call without a place"))?;
        let call = CallRef {
            id: place,
            tool,
            batch: id,
            index: 0,
        };
        Ok((call, handle))
    }

    fn attempt_of(context: &Bound<'_, Context>, number: u32, is_hedge: bool) -> AttemptOf {
        let context = context.get();
        AttemptOf {
            call: context.call,
            call_id: context.call_id.clone(),
            number,
            is_hedge,
            starting: None,
        }
    }
}

#[pymethods]
impl Host {
    /// A place in the lanes for a call that its caller runs itself.
    #[pyo3(signature = (tool, call, *, of = None, number = 1, hedge = false, cost = None))]
    fn ticket<'py>(
        slf: &Bound<'py, Self>,
        tool: u32,
        call: Bound<'py, Call>,
        of: Option<Bound<'py, Context>>,
        number: u32,
        hedge: bool,
        cost: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Ticket>> {
        let lone = Lone {
            tool: ToolId(tool),
            request: call,
            entry: Entry::Queued,
            cost: cost.map(|cost| cost::read(&cost)).transpose()?,
            of: of.map(|of| Self::attempt_of(&of, number, hedge)),
            context: slf.get().asyncio.context.clone_ref(slf.py()),
            kind: Kind::Inside,
            timeout: None,
        };
        let (call, _) = Self::submit_lone(slf, lone)?;
        let ticket = Ticket::issue(slf, call)?;
        Self::settle(slf)?;
        Ok(ticket)
    }

    /// One attempt of a call, run where its tool runs, with arguments that are valid already.
    #[pyo3(signature = (tool, call, arguments, *, of, number = 1, hedge = false, cost = None, starting = None))]
    #[expect(clippy::too_many_arguments, reason = "what an attempt is, by name")]
    fn attempt<'py>(
        slf: &Bound<'py, Self>,
        tool: u32,
        call: Bound<'py, Call>,
        arguments: Bound<'py, PyTuple>,
        of: Bound<'py, Context>,
        number: u32,
        hedge: bool,
        cost: Option<Bound<'py, PyAny>>,
        starting: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, Batch>> {
        let of = AttemptOf {
            starting,
            ..Self::attempt_of(&of, number, hedge)
        };
        let lone = Lone {
            tool: ToolId(tool),
            request: call,
            entry: Entry::Prepared(arguments.unbind()),
            cost: cost.map(|cost| cost::read(&cost)).transpose()?,
            of: Some(of),
            context: raw::current_context(slf.py())?.unbind(),
            kind: Kind::Inside,
            timeout: None,
        };
        let (_, handle) = Self::submit_lone(slf, lone)?;
        Self::settle(slf)?;
        Ok(handle)
    }

    /// A run that calls of sessions wait for, `of` the first: it has that one's lane, labels and context,
    /// and does not end with it.
    fn fly<'py>(
        slf: &Bound<'py, Self>,
        tool: u32,
        call: Bound<'py, Call>,
        arguments: Bound<'py, PyTuple>,
        of: Bound<'py, Context>,
    ) -> PyResult<Bound<'py, Batch>> {
        let lone = Lone {
            tool: ToolId(tool),
            request: call,
            entry: Entry::Prepared(arguments.unbind()),
            cost: None,
            of: Some(Self::attempt_of(&of, 1, false)),
            context: raw::current_context(slf.py())?.unbind(),
            kind: Kind::Flight,
            timeout: None,
        };
        let (_, handle) = Self::submit_lone(slf, lone)?;
        Self::settle(slf)?;
        Ok(handle)
    }

    /// Somebody asked for what a guess runs: it goes on in the lane of that call, and counts as no guess.
    fn promote(
        &self,
        py: Python<'_>,
        guess: &Bound<'_, Batch>,
        of: &Bound<'_, Context>,
    ) -> PyResult<()> {
        let now = self.now(py);
        let mut state = self.state.borrow(py)?;
        let Some(id) = state.sched.call_at(guess.get().id(), 0) else {
            return Ok(());
        };
        let lane = state.sched.lane(of.get().call.id).unwrap_or_default();
        state.sched.promote(id, lane);
        let permit = state.sched.permit(id);
        if let (Some(permit), Some(limits)) = (permit, &mut state.limits) {
            limits.promote(permit, now);
        }
        Ok(())
    }

    /// A run that nobody asked for yet, in the last lane. It never waits for a limit: where one does not
    /// pay at once it is rejected. Nobody is told of it. `starting` is as for attempts.
    #[pyo3(signature = (tool, call, arguments, *, starting, labels = None, group = None, cost = None, timeout = None))]
    #[expect(clippy::too_many_arguments, reason = "what a guess is, by name")]
    fn guess<'py>(
        slf: &Bound<'py, Self>,
        tool: u32,
        call: Bound<'py, Call>,
        arguments: Bound<'py, PyTuple>,
        starting: Py<PyAny>,
        labels: Option<GivenLabels>,
        group: Option<u64>,
        cost: Option<Bound<'py, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, Batch>> {
        let name = call.get().id.as_ref();
        let of = AttemptOf {
            call: CallRef {
                id: CallId::from_bits(0), // of nothing: there is nobody to tell
                tool: ToolId(tool),
                batch: BatchId::from_bits(0),
                index: 0,
            },
            call_id: name.map_or_else(String::new, |id| id.bind(slf.py()).to_string()),
            number: 1,
            is_hedge: false,
            starting: Some(starting),
        };
        let lone = Lone {
            tool: ToolId(tool),
            request: call,
            entry: Entry::Prepared(arguments.unbind()),
            cost: cost.map(|cost| cost::read(&cost)).transpose()?,
            of: Some(of),
            context: raw::current_context(slf.py())?.unbind(),
            kind: Kind::Guess(labels, group),
            timeout: timeout.map(convert::nanos),
        };
        let (_, handle) = Self::submit_lone(slf, lone)?;
        Self::settle(slf)?;
        Ok(handle)
    }
}
