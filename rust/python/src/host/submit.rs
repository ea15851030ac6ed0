//! Submission: one crossing for a batch. Reads the calls, asks the core, prepares what comes first.

use std::num::NonZeroU32;
use std::sync::Arc;

use penstock_core::ring::{Fact, Kind};
use penstock_core::sched::{BatchSpec, CallId, CallRef, CallSpec, SubmitError, ToolId};
use pyo3::Borrowed;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PySequence, PyString, PyTuple};

use super::arguments;
use super::batch::{Batch, BatchState, Entry, Record};
use super::engine::{Door, Host};
use super::graph::{self, Edge};
use super::labels::{BatchBudget, Labels, Pins};
use super::origin::Origin;
use super::raw;
use super::tool::{HostTool, UNKNOWN_TOOL};
use crate::calls::Call;
use crate::ring::Log;
use crate::{convert, error};

/// Arguments of so many calls are validated at once, of the others in the pump's turns.
const PREPARED_AT_ONCE: usize = 1_024;
/// The middle lane.
const DEFAULT_PRIORITY: u8 = 4;

/// `(tenant, agent, run, budget)`, each perhaps None.
pub(crate) type GivenLabels = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<BatchBudget>,
);

/// The calls of a batch on their way to the core.
struct Draft<'py> {
    calls: Bound<'py, PyTuple>,
    specs: Vec<CallSpec>,
    entries: Vec<Entry>,
    /// Calls whose tool does not exist, and its name.
    unknown: Vec<(u32, Bound<'py, PyString>)>,
    /// Calls whose arguments are to be validated at once.
    first: Vec<(u32, Py<HostTool>)>,
    branches: Bound<'py, PyDict>,
    has_parents: bool,
    has_refs: bool,
    charge: Charge,
}

/// The limits of a batch's calls, looked up once a tool.
#[derive(Default)]
pub(crate) struct Charge {
    pub(crate) labels: Option<Arc<Labels>>,
    found: Vec<(ToolId, Option<u32>)>,
    pub(crate) pins: Option<Pins>,
}

impl Charge {
    pub(crate) fn of(labels: Option<Arc<Labels>>) -> Self {
        Self {
            labels,
            ..Self::default()
        }
    }

    /// The limits of a tool's calls in this batch.
    pub(crate) fn limits(
        &mut self,
        host: &Host,
        py: Python<'_>,
        tool: ToolId,
    ) -> PyResult<Option<u32>> {
        let mut state = host.state.borrow(py)?;
        let Some(limits) = &mut state.limits else {
            return Ok(None);
        };
        let Some(labels) = &self.labels else {
            return Ok(limits.plain(tool).map(|set| set.0));
        };
        if let Some((_, set)) = self.found.iter().find(|(known, _)| *known == tool) {
            return Ok(*set);
        }
        let set = limits.labelled(py, tool, labels, &mut self.pins, host.now(py));
        drop(state);
        let set = set.map_err(|crowd| {
            let given = format!("{:?}", self.labels);
            error::raise(py, "ConfigError", ("limits", given, crowd.to_string()))
        })?;
        let set = set.map(|set| set.0);
        self.found.push((tool, set));
        Ok(set)
    }
}

impl<'py> Draft<'py> {
    /// Takes one call up.
    fn add(
        &mut self,
        index: u32,
        call: Borrowed<'_, 'py, Call>,
        tool: Option<&Bound<'py, PyAny>>,
        priority: Option<u8>,
        host: &Host,
    ) -> PyResult<()> {
        let (py, request) = (call.py(), call.get());
        let mut entry = Entry::Queued;
        let (tool, default) = if let Some(tool) = tool {
            let tool = tool.cast_exact::<HostTool>()?;
            if request.arguments.is_none() && tool.get().parameters.is_empty() {
                entry = Entry::Bare;
            } else if self.first.len() < PREPARED_AT_ONCE && request.refs.bind(py).is_empty() {
                self.first.push((index, tool.clone().unbind()));
            }
            (tool.get().id, tool.get().priority)
        } else {
            self.unknown.push((index, request.tool.bind(py).clone()));
            (UNKNOWN_TOOL, DEFAULT_PRIORITY)
        };
        let limits = self.charge.limits(host, py, tool)?;
        self.specs.push(CallSpec {
            tool,
            limits,
            since: None,
            priority: request.priority.or(priority).unwrap_or(default),
            branch: branch_number(&self.branches, request, py)?,
            timeout: request.timeout,
        });
        self.entries.push(entry);
        self.has_refs = self.has_refs || !request.refs.bind(py).is_empty();
        self.has_parents = self.has_refs || self.has_parents || !request.after.bind(py).is_empty();
        Ok(())
    }
}

#[pymethods]
impl Host {
    /// Submits calls together; returns their handle. Nothing is taken if anything is refused.
    ///
    /// Calls whose places are in `held` wait until `Batch.release` names them, besides their parents.
    #[pyo3(signature = (calls, *, edges = None, timeout = None, fail_fast = false, max_parallel = None, priority = None, group = None, labels = None, watched = true, session = false, held = None))]
    #[expect(clippy::too_many_arguments, reason = "the options of a batch, by name")]
    fn submit<'py>(
        slf: &Bound<'py, Self>,
        calls: Bound<'py, PySequence>,
        edges: Option<Bound<'py, PyBytes>>,
        timeout: Option<Bound<'py, PyAny>>,
        fail_fast: bool,
        max_parallel: Option<NonZeroU32>,
        priority: Option<Bound<'py, PyAny>>,
        group: Option<u64>,
        labels: Option<GivenLabels>,
        watched: bool,
        session: bool,
        held: Option<Vec<u32>>,
    ) -> PyResult<Bound<'py, Batch>> {
        let (py, this) = (slf.py(), slf.get());
        let timeout = timeout
            .map(|seconds| convert::timeout(&seconds))
            .transpose()?;
        let priority = priority
            .map(|value| convert::priority(&value))
            .transpose()?;
        this.check_open(py)?;
        let parent = Origin::parent_in(slf)?;
        let charge = this.charge(py, parent, labels)?;
        let draft = this.draft(&calls, this.table_for(session).bind(py), priority, charge)?;
        if draft.specs.is_empty() {
            return Self::ended_batch(slf, watched);
        }
        let (graph, positions) = this.graph(py, &draft, edges.as_ref())?;
        let now = this.now(py);
        let submitted = {
            let mut state = this.state.borrow(py)?;
            state.sched.submit(
                &BatchSpec {
                    calls: &draft.specs,
                    edges: &graph,
                    held: held.as_deref().unwrap_or_default(),
                    branches: u32::try_from(draft.branches.len()).unwrap_or(u32::MAX),
                    group,
                    worth: 0,
                    max_parallel,
                    fail_fast,
                    timeout,
                    parent,
                },
                now,
            )
        };
        let id = submitted.map_err(|refused| this.refusal(py, &refused, &draft.calls))?;
        let branches = draft.branches.clone().unbind();
        let handle = Bound::new(py, Batch::new(py, slf.clone().unbind(), id, branches))?;
        let context = raw::current_context(py)?;
        Self::mark_batch(slf, id, &context)?;
        let holder = handle.clone().unbind();
        let calls = draft.calls.clone().unbind();
        let mut record = Record::new(id, calls, draft.entries, context.unbind(), holder, now);
        record.deadline = timeout.map(|timeout| now.saturating_add(timeout));
        record.positions = positions;
        record.group = group;
        record.labels = draft.charge.labels;
        record.pins = draft.charge.pins;
        this.state.borrow(py)?.put_logged(py, record, watched);
        Self::as_turn(slf, || {
            for (index, name) in draft.unknown {
                let unknown = PyErr::from_value(this.unknown.bind(py).call1((name,))?);
                Self::reject_early(slf, &handle, index, UNKNOWN_TOOL, unknown)?;
            }
            Self::prepare_first(slf, &handle, &draft.calls, draft.first)
        })?;
        Ok(handle)
    }
}

impl Host {
    /// The tools by name, as calls of sessions or all others find them.
    fn table_for(&self, session: bool) -> &Py<PyDict> {
        if session {
            &self.session_table
        } else {
            &self.table
        }
    }

    pub(crate) fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        if self.state.borrow(py)?.door == Door::Closing {
            return Err(error::raise(py, "EngineClosed", ("closing",)));
        }
        Ok(())
    }

    /// Who a batch is charged to: as its submitter says, else as the batch around it.
    pub(crate) fn charge(
        &self,
        py: Python<'_>,
        parent: Option<CallId>,
        given: Option<GivenLabels>,
    ) -> PyResult<Charge> {
        let mut state = self.state.borrow(py)?;
        let Some(limits) = &mut state.limits else {
            return Ok(Charge::default());
        };
        limits.has_batch_budgets |= matches!(given, Some((_, _, _, Some(_))));
        let own_name = limits.next_batch_name();
        let around = parent.and_then(|parent| state.sched.batch_of(parent));
        let around = around.and_then(|batch| state.record(batch)?.labels.clone());
        if given.is_none() && (own_name.is_none() || around.is_some()) {
            return Ok(Charge::of(around));
        }
        let (tenant, agent, run, batch) = given.unwrap_or_default();
        let labels = Labels {
            tenant,
            agent,
            run,
            batch,
        };
        let mut labels = labels.within(around.as_deref());
        labels.batch = labels.batch.or(own_name);
        Ok(Charge::of((!labels.is_empty()).then(|| Arc::new(labels))))
    }

    /// The edges of a batch, and where each id is if calls use each other's values.
    fn graph<'py>(
        &self,
        py: Python<'py>,
        draft: &Draft<'py>,
        packed: Option<&Bound<'py, PyBytes>>,
    ) -> PyResult<(Vec<Edge>, Option<Py<PyDict>>)> {
        if !draft.has_parents {
            return Ok((Vec::new(), None));
        }
        if let Some(packed) = packed
            && !draft.has_refs
        {
            return Ok((graph::unpack(packed), None));
        }
        let positions = graph::positions(&draft.calls)?;
        let edges = match packed {
            Some(packed) => graph::unpack(packed),
            None => match graph::edges(&draft.calls, &positions)? {
                Some(edges) => edges,
                None => self.edges.bind(py).call1((&draft.calls,))?.extract()?,
            },
        };
        Ok((edges, Some(positions.unbind())))
    }

    /// Reads the calls; nothing is submitted yet.
    fn draft<'py>(
        &self,
        given: &Bound<'py, PySequence>,
        table: &Bound<'py, PyDict>,
        priority: Option<u8>,
        charge: Charge,
    ) -> PyResult<Draft<'py>> {
        let py = given.py();
        let calls = given.to_tuple()?;
        let count = calls.len();
        let mut draft = Draft {
            calls: calls.clone(),
            specs: Vec::with_capacity(count),
            entries: Vec::with_capacity(count),
            unknown: Vec::new(),
            first: Vec::new(),
            branches: PyDict::new(py),
            has_parents: false,
            has_refs: false,
            charge,
        };
        // Batches often ask for one tool many times: its name is then the same object.
        let mut last: Option<(Py<PyString>, Option<Bound<'py, PyAny>>)> = None;
        for (index, item) in (0u32..).zip(calls.iter_borrowed()) {
            let Ok(call) = item.cast_exact::<Call>() else {
                let reason =
                    "a batch is a sequence of Call objects; penstock.formats parses a reply";
                return Err(error::config(
                    py,
                    &format!("calls[{index}]"),
                    &item.to_owned(),
                    reason,
                ));
            };
            let name = &call.get().tool;
            if last.as_ref().is_none_or(|(known, _)| !known.is(name)) {
                last = Some((name.clone_ref(py), table.get_item(name)?));
            }
            let tool = last.as_ref().and_then(|(_, tool)| tool.as_ref());
            draft.add(index, call, tool, priority, self)?;
        }
        Ok(draft)
    }

    /// Validates the arguments of the first calls before their turn, so that faults are known at once.
    fn prepare_first(
        slf: &Bound<'_, Self>,
        batch: &Bound<'_, Batch>,
        calls: &Bound<'_, PyTuple>,
        first: Vec<(u32, Py<HostTool>)>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let mut prepared = Vec::with_capacity(first.len());
        for (index, tool) in first {
            let Some(call) = call_at(calls, index) else {
                continue;
            };
            match arguments::prepare(py, tool.get(), call.get(), &this.limits, &|_| {
                Err(error::internal(
                    py,
                    "a reference in a call without references",
                ))
            }) {
                Ok(values) => prepared.push((index, values.unbind())),
                Err(fault) => Self::reject_early(slf, batch, index, tool.get().id, fault)?,
            }
        }
        let mut state = this.state.borrow(py)?;
        // A fail-fast batch may have ended with the first fault.
        if let Some(record) = state.record_mut(batch.get().id()) {
            for (index, values) in prepared {
                if let entry @ Entry::Queued = &mut record.entries[index as usize] {
                    *entry = Entry::Prepared(values);
                }
            }
        }
        Ok(())
    }

    fn reject_early(
        slf: &Bound<'_, Self>,
        batch: &Bound<'_, Batch>,
        index: u32,
        tool: ToolId,
        fault: PyErr,
    ) -> PyResult<()> {
        if let Some(call) = Self::call_ref(slf, batch, index, tool)? {
            Self::reject(slf, call, fault)?;
        }
        Ok(())
    }

    fn call_ref(
        slf: &Bound<'_, Self>,
        batch: &Bound<'_, Batch>,
        index: u32,
        tool: ToolId,
    ) -> PyResult<Option<CallRef>> {
        let id = batch.get().id();
        let call = slf.get().state.borrow(slf.py())?.sched.call_at(id, index);
        Ok(call.map(|call| CallRef {
            id: call,
            tool,
            batch: id,
            index,
        }))
    }

    /// The handle of a batch of nothing: it has ended.
    fn ended_batch<'py>(slf: &Bound<'py, Self>, watched: bool) -> PyResult<Bound<'py, Batch>> {
        let (py, this) = (slf.py(), slf.get());
        let nothing = penstock_core::sched::BatchId::from_bits(0);
        let now = this.now(py);
        let mut log = {
            let state = this.state.borrow(py)?;
            let (config, total) = (state.logs.config, state.logs.total.clone());
            Log::begin(config, PyTuple::empty(py).unbind(), 0, 0, now, total)
        };
        log.write(Fact::new(Kind::BatchEnded, 0, now), None);
        let batch = Batch::new(py, slf.clone().unbind(), nothing, PyDict::new(py).unbind());
        {
            let mut state: std::cell::RefMut<'_, BatchState> = batch.cell.borrow(py)?;
            state.outcomes = Some(PyList::empty(py).unbind());
            if watched {
                state.log = Some(Box::new(log));
            }
        }
        Bound::new(py, batch)
    }

    pub(crate) fn refusal(
        &self,
        py: Python<'_>,
        refused: &SubmitError,
        calls: &Bound<'_, PyTuple>,
    ) -> PyErr {
        let text = refused.to_string();
        match refused {
            SubmitError::Full { max_pending, .. } if calls.len() > *max_pending as usize => {
                let given = format!("{} calls", calls.len());
                let reason =
                    format!("max_pending of this engine is {max_pending}: it never has room");
                error::raise(py, "ConfigError", ("calls", given, reason))
            }
            SubmitError::Full {
                pending,
                max_pending,
            } => {
                let retry_after = self.retry_after(py).unwrap_or(1.0);
                error::raise(py, "EngineFull", (*pending, *max_pending, retry_after))
            }
            SubmitError::TooDeep { limit } => {
                let tool = call_at(calls, 0).map(|call| call.get().tool.bind(py).to_string());
                error::raise(py, "TooDeep", (tool.unwrap_or_default(), *limit))
            }
            // The plan's own checks find the words for these; they raise.
            SubmitError::Cycle { .. }
            | SubmitError::SelfEdge { .. }
            | SubmitError::UnknownParent { .. } => match self.edges.bind(py).call1((calls,)) {
                Err(error) => error,
                Ok(_) => error::raise(py, "BadPlan", ("", "calls", text)),
            },
            SubmitError::TooManyCalls { .. }
            | SubmitError::TooManyEdges { .. }
            | SubmitError::UnknownChild { .. } => error::raise(py, "BadPlan", ("", "calls", text)),
            SubmitError::UnknownHeld { .. }
            | SubmitError::BadPriority { .. }
            | SubmitError::BadBranch { .. }
            | SubmitError::UnknownTool { .. } => error::internal(py, &text),
        }
    }
}

fn branch_number(branches: &Bound<'_, PyDict>, call: &Call, py: Python<'_>) -> PyResult<u32> {
    let Some(name) = &call.branch else {
        return Ok(0);
    };
    if let Some(number) = branches.get_item(name)? {
        return number.extract();
    }
    let number = branches.len() + 1;
    branches.set_item(name.bind(py), number)?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

fn call_at<'py>(calls: &Bound<'py, PyTuple>, index: u32) -> Option<Bound<'py, Call>> {
    calls
        .get_item(index as usize)
        .ok()?
        .cast_into_exact::<Call>()
        .ok()
}
