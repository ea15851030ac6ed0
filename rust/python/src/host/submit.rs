//! Submission: one crossing for a batch. Reads the calls, asks the core, prepares what comes first.

use std::num::NonZeroU32;

use penstock_core::sched::{BatchSpec, CallRef, CallSpec, SubmitError, ToolId};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySequence, PyString};

use super::batch::{Batch, BatchState, Entry, Fact, Record};
use super::engine::Host;
use super::origin::Origin;
use super::raw;
use super::single::Ticket;
use crate::calls::Call;
use crate::{convert, error};

/// Arguments of so many calls are validated at once, of the others in the pump's turns.
const PREPARED_AT_ONCE: usize = 1_024;

/// The calls of a batch on their way to the core.
struct Draft<'py> {
    calls: Vec<Py<Call>>,
    specs: Vec<CallSpec>,
    /// Calls whose tool does not exist, and its name.
    unknown: Vec<(u32, Bound<'py, PyString>)>,
    branches: Bound<'py, PyDict>,
    has_parents: bool,
}

#[pymethods]
impl Host {
    /// Submits calls together; returns their handle. Nothing is taken if anything is refused.
    #[pyo3(signature = (calls, *, edges = None, timeout = None, fail_fast = false, max_parallel = None, priority = None, group = None, watched = true))]
    #[expect(clippy::too_many_arguments, reason = "the options of a batch, by name")]
    fn submit<'py>(
        slf: &Bound<'py, Self>,
        calls: Bound<'py, PySequence>,
        edges: Option<Bound<'py, PyAny>>,
        timeout: Option<Bound<'py, PyAny>>,
        fail_fast: bool,
        max_parallel: Option<NonZeroU32>,
        priority: Option<Bound<'py, PyAny>>,
        group: Option<u64>,
        watched: bool,
    ) -> PyResult<Bound<'py, Batch>> {
        let (py, this) = (slf.py(), slf.get());
        let timeout = timeout.map(|seconds| convert::timeout(&seconds)).transpose()?;
        let priority = priority.map(|value| convert::priority(&value)).transpose()?;
        this.check_open(py)?;
        let draft = this.draft(py, &calls, priority)?;
        if draft.calls.is_empty() {
            return Self::ended_batch(slf, watched);
        }
        let edges: Vec<(u32, u32)> = match edges {
            Some(edges) => edges.extract()?,
            None if draft.has_parents => this.edges.bind(py).call1((&calls,))?.extract()?,
            None => Vec::new(),
        };
        let parent = Origin::parent_in(slf)?;
        let now = this.now(py);
        let submitted = {
            let mut state = this.state.borrow(py)?;
            state.sched.submit(
                &BatchSpec {
                    calls: &draft.specs,
                    edges: &edges,
                    branches: u32::try_from(draft.branches.len()).unwrap_or(u32::MAX),
                    group,
                    max_parallel,
                    fail_fast,
                    timeout,
                    parent,
                },
                now,
            )
        };
        let id = submitted.map_err(|refused| this.refusal(py, &refused, &draft.calls))?;
        let handle = Batch::new(slf.clone().unbind(), id, draft.branches.clone().unbind());
        let handle = Bound::new(py, handle)?;
        let positions = if draft.has_parents { Some(positions(py, &draft.calls)?) } else { None };
        let record = Record {
            id,
            entries: draft.calls.iter().map(|_| Entry::Queued).collect(),
            calls: draft.calls.into_boxed_slice(),
            context: raw::current_context(py)?.unbind(),
            origin: None,
            positions: positions.map(Bound::unbind),
            handle: handle.clone().unbind(),
            watched,
        };
        let count = record.calls.len();
        this.state.borrow(py)?.put_record(record);
        for (index, name) in draft.unknown {
            let unknown = PyErr::from_value(this.unknown.bind(py).call1((name,))?);
            Self::reject_early(slf, &handle, index, &draft.specs, unknown)?;
        }
        Self::prepare_first(slf, &handle, &draft.specs, count)?;
        Self::settle(slf)?;
        Ok(handle)
    }

    /// A place in the lanes for a call that its caller runs itself; `call` names the tool.
    fn ticket<'py>(slf: &Bound<'py, Self>, call: Bound<'py, Call>) -> PyResult<Bound<'py, Ticket>> {
        let (py, this) = (slf.py(), slf.get());
        this.check_open(py)?;
        let name = call.get().tool.bind(py);
        let Some(tool) = this.table.bind(py).get_item(name)? else {
            return Err(PyErr::from_value(this.unknown.bind(py).call1((name,))?));
        };
        let tool = ToolId(tool.extract()?);
        let priority = this.state.borrow(py)?.tools[tool.0 as usize].priority;
        let spec = [CallSpec { tool, priority, branch: 0, timeout: None }];
        let batch = BatchSpec {
            calls: &spec,
            edges: &[],
            branches: 0,
            group: None,
            max_parallel: None,
            fail_fast: false,
            timeout: None,
            parent: Origin::parent_in(slf)?,
        };
        let submitted = this.state.borrow(py)?.sched.submit(&batch, this.now(py));
        let calls = vec![call.unbind()];
        let id = submitted.map_err(|refused| this.refusal(py, &refused, &calls))?;
        let handle = Bound::new(py, Batch::new(slf.clone().unbind(), id, PyDict::new(py).unbind()))?;
        let record = Record {
            id,
            entries: Box::new([Entry::Queued]),
            calls: calls.into_boxed_slice(),
            context: this.asyncio.context.clone_ref(py),
            origin: None,
            positions: None,
            handle: handle.unbind(),
            watched: false,
        };
        let place = {
            let mut state = this.state.borrow(py)?;
            state.put_record(record);
            state.sched.call_at(id, 0)
        };
        let Some(place) = place else { return Err(error::internal(py, "a ticket without a call")) };
        let ticket = Ticket::issue(slf, CallRef { id: place, tool, batch: id, index: 0 })?;
        Self::settle(slf)?;
        Ok(ticket)
    }
}

impl Host {
    fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        if self.state.borrow(py)?.closing {
            return Err(error::raise(py, "EngineClosed", ("closing",)));
        }
        Ok(())
    }

    /// Reads the calls; nothing is submitted yet.
    fn draft<'py>(
        &self,
        py: Python<'py>,
        given: &Bound<'py, PySequence>,
        priority: Option<u8>,
    ) -> PyResult<Draft<'py>> {
        let table = self.table.bind(py);
        let tools = self.state.borrow(py)?.tools.clone();
        let count = given.len()?;
        let mut draft = Draft {
            calls: Vec::with_capacity(count),
            specs: Vec::with_capacity(count),
            unknown: Vec::new(),
            branches: PyDict::new(py),
            has_parents: false,
        };
        for (index, item) in (0u32..).zip(given.try_iter()?) {
            let item = item?;
            let Ok(call) = item.cast_exact::<Call>() else {
                let reason = "a batch is a sequence of Call objects (see penstock.formats to parse a reply)";
                return Err(error::config(py, &format!("calls[{index}]"), &item, reason));
            };
            let request = call.get();
            let tool = match table.get_item(&request.tool)? {
                Some(number) => ToolId(number.extract()?),
                None => {
                    draft.unknown.push((index, request.tool.bind(py).clone()));
                    ToolId(0)
                }
            };
            let chosen = request.priority.or(priority);
            let default = tools.get(tool.0 as usize).map_or(4, |tool| tool.priority);
            draft.specs.push(CallSpec {
                tool,
                priority: chosen.unwrap_or(default),
                branch: branch_number(&draft.branches, request, py)?,
                timeout: request.timeout,
            });
            draft.has_parents = draft.has_parents || request.has_parents(py);
            draft.calls.push(call.clone().unbind());
        }
        Ok(draft)
    }

    /// Validates the arguments of the first calls now, so that faults are known at once.
    fn prepare_first(
        slf: &Bound<'_, Self>,
        batch: &Bound<'_, Batch>,
        specs: &[CallSpec],
        count: usize,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let tools = this.state.borrow(py)?.tools.clone();
        for (index, spec) in (0u32..).zip(&specs[..count.min(PREPARED_AT_ONCE)]) {
            let Some(tool) = tools.get(spec.tool.0 as usize) else { continue };
            let Some(call) = Self::call_ref(slf, batch, index, spec)? else { continue };
            let waits = {
                let state = this.state.borrow(py)?;
                state.record(call.batch).is_none_or(|record| {
                    let request = record.calls[index as usize].get();
                    !request.refs.bind(py).is_empty()
                        || (request.arguments.is_none() && tool.parameters.is_empty())
                })
            };
            if waits {
                continue; // References are filled in when the parents are done; nothing needs nothing.
            }
            match Self::arguments_of(slf, call, tool)? {
                Ok(arguments) => {
                    let mut state = this.state.borrow(py)?;
                    if let Some(entry) = state.entry_mut(call) {
                        *entry = Entry::Prepared(arguments.unbind());
                    }
                }
                Err(fault) => {
                    Self::reject(slf, call, fault)?;
                }
            }
        }
        Ok(())
    }

    fn reject_early(
        slf: &Bound<'_, Self>,
        batch: &Bound<'_, Batch>,
        index: u32,
        specs: &[CallSpec],
        fault: PyErr,
    ) -> PyResult<()> {
        if let Some(call) = Self::call_ref(slf, batch, index, &specs[index as usize])? {
            Self::reject(slf, call, fault)?;
        }
        Ok(())
    }

    fn call_ref(
        slf: &Bound<'_, Self>,
        batch: &Bound<'_, Batch>,
        index: u32,
        spec: &CallSpec,
    ) -> PyResult<Option<CallRef>> {
        let id = batch.get().id();
        let call = slf.get().state.borrow(slf.py())?.sched.call_at(id, index);
        Ok(call.map(|call| CallRef { id: call, tool: spec.tool, batch: id, index }))
    }

    /// The handle of a batch of nothing: it has ended.
    fn ended_batch<'py>(slf: &Bound<'py, Self>, watched: bool) -> PyResult<Bound<'py, Batch>> {
        let (py, this) = (slf.py(), slf.get());
        let nothing = penstock_core::sched::BatchId::from_bits(0);
        let batch = Batch::new(slf.clone().unbind(), nothing, PyDict::new(py).unbind());
        {
            let mut state: std::cell::RefMut<'_, BatchState> = batch.cell.borrow(py)?;
            state.outcomes = Some(PyList::empty(py).unbind());
            if watched {
                state.write(Fact::BatchEnded, 0, this.now(py));
            }
        }
        Bound::new(py, batch)
    }

    fn refusal(&self, py: Python<'_>, refused: &SubmitError, calls: &[Py<Call>]) -> PyErr {
        let id = |index: u32| {
            let id = calls.get(index as usize).and_then(|call| call.get().id.as_ref());
            id.map_or_else(|| convert::made_up_id(index), |id| id.bind(py).to_string())
        };
        let text = refused.to_string();
        match refused {
            SubmitError::Full { pending, max_pending } => {
                let retry_after = self.retry_after(py).unwrap_or(1.0);
                error::raise(py, "EngineFull", (*pending, *max_pending, retry_after))
            }
            SubmitError::TooDeep { limit } => {
                let tool = calls.first().map(|call| call.get().tool.bind(py).to_string());
                error::raise(py, "TooDeep", (tool.unwrap_or_default(), *limit))
            }
            SubmitError::Cycle { calls } => {
                let cycle: Vec<String> = calls.iter().map(|call| id(*call)).collect();
                let first = cycle.first().cloned().unwrap_or_default();
                let cycle = pyo3::types::PyTuple::new(py, cycle).map_or_else(|_| py.None(), |cycle| cycle.into_any().unbind());
                error::raise(py, "BadPlan", (first, "after", text, cycle))
            }
            SubmitError::SelfEdge { call } | SubmitError::UnknownParent { child: call, .. } => {
                error::raise(py, "BadPlan", (id(*call), "after", text))
            }
            SubmitError::TooManyCalls { .. }
            | SubmitError::TooManyEdges { .. }
            | SubmitError::UnknownChild { .. } => error::raise(py, "BadPlan", ("", "calls", text)),
            SubmitError::BadPriority { .. }
            | SubmitError::BadBranch { .. }
            | SubmitError::UnknownTool { .. } => error::internal(py, &text),
        }
    }
}

fn branch_number(branches: &Bound<'_, PyDict>, call: &Call, py: Python<'_>) -> PyResult<u32> {
    let Some(name) = &call.branch else { return Ok(0) };
    if let Some(number) = branches.get_item(name)? {
        return number.extract();
    }
    let number = branches.len() + 1;
    branches.set_item(name.bind(py), number)?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Where each id is. An id that several calls share is never looked up: the plan's checks refuse it.
fn positions<'py>(py: Python<'py>, calls: &[Py<Call>]) -> PyResult<Bound<'py, PyDict>> {
    let known = PyDict::new(py);
    for (index, call) in calls.iter().enumerate() {
        if let Some(id) = &call.get().id {
            known.set_item(id, index)?;
        }
    }
    Ok(known)
}
