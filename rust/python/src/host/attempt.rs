//! Calls that stand alone: tickets, which their callers run themselves, and attempts of other calls.
//!
//! Each is a batch of one that nobody sees. A *flight* is a run that several calls of sessions may wait
//! for, so it is inside of none of them; a guess is one that nobody waits for yet: see `guess.rs`. An
//! *attempt* belongs to a call whose tool has policies: that call waits, and its policies make one
//! attempt after the other, or two at once. It has the call's lane, its labels and its id; the engine's
//! gate is passed once, by the call itself.

use std::sync::Arc;

use penstock_core::clock::Nanos;
use penstock_core::limit::Cost;
use penstock_core::sched::{BatchSpec, CallId, CallRef, CallSpec, LAST_LANE, ToolId};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::batch::{Batch, Entry, Record};
use super::context::Context;
use super::engine::Host;
use super::guess::Guess;
use super::labels::Labels;
use super::origin::Origin;
use super::prepare::PREPARE_LANE;
use super::raw;
use super::single::Ticket;
use super::submit::{Charge, GivenLabels};
use crate::calls::Call;
use crate::error;
use crate::limit::cost;

/// Behind all priorities of callers: nobody waits longer because somebody wants it twice.
const HEDGE_LANE: u8 = 8;
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
    /// What it has besides if it began as a guess.
    pub(crate) guess: Option<Guess>,
}

/// What is known of a call that stands alone before it is submitted.
pub(super) struct Lone<'py> {
    pub(super) tool: ToolId,
    pub(super) request: Bound<'py, Call>,
    pub(super) entry: Entry,
    pub(super) cost: Option<Cost>,
    pub(super) of: Option<AttemptOf>,
    pub(super) context: Py<PyAny>,
    pub(super) kind: Kind,
    /// Its deadline, from now on.
    pub(super) timeout: Option<Nanos>,
}

/// Whose a call that stands alone is.
pub(super) enum Kind {
    /// Of the call that it is made for, or inside of: it ends with it.
    Inside,
    /// Of all who wait for it.
    Flight,
    /// Of nobody yet.
    Guess {
        labels: Option<GivenLabels>,
        group: Option<u64>,
        worth: u64,
    },
    /// What is done before a call is made: of nobody, see `prepare.rs`.
    Prepare,
}

/// What it takes over from the call that it stands for, or from its tool.
struct Inherited {
    priority: u8,
    group: Option<u64>,
    worth: u64,
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
            worth: 0,
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
            Kind::Guess {
                labels,
                group,
                worth,
            } => Inherited {
                priority: LAST_LANE,
                group,
                worth,
                labels: this.charge(py, None, labels)?.labels,
                parent: None,
                since: None,
            },
            Kind::Prepare => Inherited {
                priority: PREPARE_LANE,
                group: None,
                worth: 0,
                labels: None,
                parent: None,
                since: None,
            },
        })
    }

    pub(super) fn submit_lone<'py>(
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
            worth: inherited.worth,
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
            guess: None,
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
}
