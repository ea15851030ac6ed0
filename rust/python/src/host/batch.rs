//! A batch: the record that the host keeps while it runs, and the handle that people hold.
//!
//! The record lives in the engine's state from submission until every call has its outcome; then
//! its outcomes move into the handle. The log of events is kept by the handle, and only for batches
//! that somebody may watch: `engine.run` gives no handle away, so it pays for no log.

use std::sync::Arc;

use penstock_core::clock::Nanos;
use penstock_core::limit::Cost;
use penstock_core::sched::{BatchId, Reason, Target};
use pyo3::Borrowed;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::attempt::AttemptOf;
use super::call_task::CallTask;
use super::cell::OwnerCell;
use super::engine::Host;
use super::finish::{still_waiting, take_crowd, text};
use super::job::Job;
use super::labels::{Labels, Pins};
use crate::calls::{Call, Outcome};
use crate::convert;

/// Progress events that one batch keeps; further ones are counted and dropped.
const MAX_PROGRESS: usize = 65_536;

/// Where one call of a batch is, and the object that belongs there.
pub(crate) enum Entry {
    /// Not started, and there is nothing to pass.
    Bare,
    /// Not started, arguments as they came.
    Queued,
    /// Not started, arguments validated.
    Prepared(Py<PyTuple>),
    /// Its first step is being run.
    Running,
    /// Waits, in a task object of ours.
    Suspended(Py<CallTask>),
    /// Runs in an `asyncio.Task`.
    Task(Py<PyAny>),
    /// Runs in a thread, or waits for one.
    Job(Py<Job>),
    /// A place that a call in its caller's own task waits for: the future tells it to go on.
    Ticket(Py<PyAny>),
    Ended(Py<Outcome>),
}

impl Entry {
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Bare | Self::Queued | Self::Running => Ok(()),
            Self::Prepared(arguments) => visit.call(arguments),
            Self::Suspended(task) => visit.call(task),
            Self::Task(object) | Self::Ticket(object) => visit.call(object),
            Self::Job(job) => visit.call(job),
            Self::Ended(outcome) => visit.call(outcome),
        }
    }
}

/// A batch that runs.
pub(crate) struct Record {
    pub(crate) id: BatchId,
    /// A tuple of its own: the caller's list may change meanwhile.
    calls: Py<PyTuple>,
    pub(crate) entries: Box<[Entry]>,
    /// The caller's context when it submitted; each call runs in a copy.
    pub(crate) context: Py<PyAny>,
    /// Positions by id, for batches with references.
    pub(crate) positions: Option<Py<PyDict>>,
    pub(crate) handle: Py<Batch>,
    pub(crate) watched: bool,
    pub(crate) submitted: Nanos,
    /// The deadline of the whole batch, if it has one.
    pub(crate) deadline: Option<Nanos>,
    /// Whom its work is charged to in the lanes.
    pub(crate) group: Option<u64>,
    /// Who it is charged to, besides its tools; nested batches inherit that.
    pub(crate) labels: Option<Arc<Labels>>,
    /// Limits that are kept while it needs them.
    pub(crate) pins: Option<Pins>,
    /// Whose attempt its one call is.
    pub(crate) attempt: Option<Box<AttemptOf>>,
    /// What its one call costs, if that is not what its tool declares.
    pub(crate) cost: Option<Cost>,
    /// What those who cancelled the batch, or one of its branches by name, said of it.
    notes: Vec<(Option<String>, String)>,
}

impl Record {
    pub(crate) fn has_ended(&self, index: u32) -> bool {
        matches!(self.entries.get(index as usize), Some(Entry::Ended(_)))
    }

    pub(crate) fn new(
        id: BatchId,
        calls: Py<PyTuple>,
        entries: Vec<Entry>,
        context: Py<PyAny>,
        handle: Py<Batch>,
        submitted: Nanos,
    ) -> Self {
        let entries = entries.into_boxed_slice();
        Self {
            id,
            calls,
            entries,
            context,
            handle,
            positions: None,
            watched: false,
            submitted,
            deadline: None,
            group: None,
            labels: None,
            attempt: None,
            pins: None,
            cost: None,
            notes: Vec::new(),
        }
    }

    /// Why a call of this batch was cancelled, in the words of whoever did it where there are some.
    pub(crate) fn cancellation(&self, py: Python<'_>, reason: Reason, call: &Call) -> String {
        let branch = match reason {
            Reason::Branch => call.branch.as_ref().map(|name| text(py, name)),
            Reason::Caller => None,
            other => return other.as_str().to_owned(),
        };
        let note = self.notes.iter().find(|(named, _)| *named == branch);
        match note {
            Some((_, note)) => format!("{}: {note}", reason.as_str()),
            None => reason.as_str().to_owned(),
        }
    }

    /// The call at a place of the batch; submission checked that each item is one.
    #[inline]
    pub(crate) fn call<'py>(&self, py: Python<'py>, index: u32) -> Option<Bound<'py, Call>> {
        let item = self.calls.bind(py).get_borrowed_item(index as usize).ok()?;
        item.cast_exact::<Call>().ok().map(Borrowed::to_owned)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.context)?;
        visit.call(&self.handle)?;
        visit.call(&self.calls)?;
        if let Some(attempt) = &self.attempt {
            visit.call(&attempt.starting)?;
        }
        self.entries
            .iter()
            .try_for_each(|entry| entry.traverse(visit))
    }
}

/// What happened to a call, as its batch's log keeps it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    Started,
    Progress,
    Ended,
    BatchEnded,
}

impl Fact {
    fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Progress => "progress",
            Self::Ended => "ended",
            Self::BatchEnded => "batch_ended",
        }
    }
}

struct Entered {
    fact: Fact,
    index: u32,
    time: Nanos,
    data: Option<Py<PyAny>>,
}

/// What outlives the record.
#[derive(Default)]
pub(crate) struct BatchState {
    /// Set when the batch has ended.
    pub(crate) outcomes: Option<Py<PyList>>,
    /// Futures of those who await the end.
    pub(crate) waiters: Vec<Py<PyAny>>,
    /// Futures of those who wait for the log to grow.
    pub(crate) watchers: Vec<Py<PyAny>>,
    log: Vec<Entered>,
    progress: usize,
    pub(crate) dropped: u64,
}

impl BatchState {
    pub(crate) fn write(&mut self, fact: Fact, index: u32, time: Nanos) {
        self.log.push(Entered {
            fact,
            index,
            time,
            data: None,
        });
    }

    /// False if the log is full of progress already.
    pub(crate) fn write_progress(&mut self, index: u32, time: Nanos, data: Py<PyAny>) -> bool {
        if self.progress == MAX_PROGRESS {
            self.dropped += 1;
            return false;
        }
        self.progress += 1;
        self.log.push(Entered {
            fact: Fact::Progress,
            index,
            time,
            data: Some(data),
        });
        true
    }
}

/// The calls submitted together: to await, to watch, to cancel.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct Batch {
    host: Py<Host>,
    id: BatchId,
    /// Numbers of the branches by name, from 1.
    branches: Py<PyDict>,
    pub(crate) cell: OwnerCell<BatchState>,
}

impl Batch {
    pub(crate) fn new(py: Python<'_>, host: Py<Host>, id: BatchId, branches: Py<PyDict>) -> Self {
        Self {
            host,
            id,
            branches,
            cell: OwnerCell::new(py, BatchState::default()),
        }
    }

    pub(crate) fn id(&self) -> BatchId {
        self.id
    }

    fn branch(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> PyResult<u32> {
        if let Some(number) = self.branches.bind(py).get_item(name)? {
            number.extract()
        } else {
            let known = self.branches.bind(py).keys();
            let reason = format!("the batch has these branches: {known}");
            Err(crate::error::config(py, "branch", name.as_any(), &reason))
        }
    }

    /// One outcome, if it is known: reading the log of a large batch must not copy all of them.
    fn outcome<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(outcomes) = &self.cell.borrow(py)?.outcomes {
            return outcomes.bind(py).get_item(index).map(Some);
        }
        let state = self.host.get().state.borrow(py)?;
        Ok(
            match state
                .record(self.id)
                .and_then(|record| record.entries.get(index))
            {
                Some(Entry::Ended(outcome)) => Some(outcome.bind(py).clone().into_any()),
                _ => None,
            },
        )
    }

    fn refuse_own_call(&self, py: Python<'_>) -> PyResult<()> {
        let tool = {
            let state = self.host.get().state.borrow(py)?;
            let own = state.running.filter(|running| running.batch == self.id);
            own.and_then(|call| state.tool(py, call))
        };
        match tool {
            Some(tool) => {
                let fields = (&tool.get().name, "the batch that it is in");
                Err(crate::error::raise(py, "WouldDeadlock", fields))
            }
            None => Ok(()),
        }
    }

    /// Keeps what the first one said who cancelled the batch or a branch of it.
    fn note(&self, py: Python<'_>, branch: Option<String>, note: String) -> PyResult<()> {
        let mut state = self.host.get().state.borrow(py)?;
        if let Some(record) = state.record_mut(self.id)
            && !note.is_empty()
            && !record.notes.iter().any(|(named, _)| *named == branch)
        {
            record.notes.push((branch, note));
        }
        Ok(())
    }

    /// Outcomes so far; None for a call that has not ended.
    fn current<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if let Some(outcomes) = &self.cell.borrow(py)?.outcomes {
            return Ok(outcomes.bind(py).clone());
        }
        let known = {
            let state = self.host.get().state.borrow(py)?;
            let record = state.record(self.id);
            record.map_or_else(Vec::new, |record| {
                let ended = |entry: &Entry| match entry {
                    Entry::Ended(outcome) => Some(outcome.clone_ref(py)),
                    _ => None,
                };
                record.entries.iter().map(ended).collect()
            })
        };
        PyList::new(py, known)
    }
}

#[pymethods]
impl Batch {
    /// Whether every call has its outcome.
    #[getter]
    fn done(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.cell.borrow(py)?.outcomes.is_some())
    }

    /// Outcomes in the order of the calls; None for those that have not ended.
    #[getter]
    fn outcomes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let known = self.current(py)?;
        PyList::new(py, known.iter())
    }

    /// The list itself, once the batch has ended: for the one who awaited it.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.current(py)
    }

    /// Names of the branches, in the order in which calls name them.
    #[getter]
    fn branches<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        self.branches.bind(py).keys()
    }

    /// Progress events that found the log full.
    #[getter]
    fn dropped(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.cell.borrow(py)?.dropped)
    }

    /// A future of this waiter's own that is done when the batch has ended.
    ///
    /// A call of this very batch would wait for itself: `WouldDeadlock`.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.refuse_own_call(py)?;
        let future = self.host.get().asyncio.create_future(py)?;
        let (ended, crowd) = {
            let mut state = self.cell.borrow(py)?;
            if state.outcomes.is_none() {
                state.waiters.push(future.clone().unbind());
            }
            (state.outcomes.is_some(), take_crowd(&mut state.waiters))
        };
        if !crowd.is_empty() {
            let waiting = still_waiting(py, crowd)?;
            self.cell.borrow(py)?.waiters.extend(waiting);
        }
        if ended {
            future.call_method1(pyo3::intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(future)
    }

    /// A future that is done when the log has grown beyond `after` entries, at once if it has.
    fn grown<'py>(&self, py: Python<'py>, after: usize) -> PyResult<Bound<'py, PyAny>> {
        self.refuse_own_call(py)?;
        let future = self.host.get().asyncio.create_future(py)?;
        let (ready, crowd) = {
            let mut state = self.cell.borrow(py)?;
            let ready = state.log.len() > after || state.outcomes.is_some();
            if !ready {
                state.watchers.push(future.clone().unbind());
            }
            (ready, take_crowd(&mut state.watchers))
        };
        if !crowd.is_empty() {
            let waiting = still_waiting(py, crowd)?;
            self.cell.borrow(py)?.watchers.extend(waiting);
        }
        if ready {
            future.call_method1(pyo3::intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(future)
    }

    /// Entries of the log that follow number `after`, at most `limit`: `(number, kind, seconds,
    /// index, data, outcome)`.
    fn read<'py>(
        &self,
        py: Python<'py>,
        after: usize,
        limit: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let facts: Vec<_> = {
            let state = self.cell.borrow(py)?;
            let wanted = state.log.iter().enumerate().skip(after).take(limit);
            wanted
                .map(|(at, entered)| {
                    let data = entered.data.as_ref().map(|data| data.clone_ref(py));
                    (at + 1, entered.fact, entered.time, entered.index, data)
                })
                .collect()
        };
        let rows = PyList::empty(py);
        for (number, fact, time, index, data) in facts {
            let outcome = match fact {
                Fact::Ended => self.outcome(py, index as usize)?,
                _ => None,
            };
            let index = (fact != Fact::BatchEnded).then_some(index);
            let row = (
                number,
                fact.name(),
                convert::seconds(time),
                index,
                data,
                outcome,
            );
            rows.append(row)?;
        }
        Ok(rows)
    }

    /// How many entries the log has.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.cell.borrow(py)?.log.len())
    }

    /// Asks every call that has not ended to end; returns how many were not asked before.
    fn cancel(&self, py: Python<'_>, note: String) -> PyResult<u32> {
        self.note(py, None, note)?;
        Host::cancel(self.host.bind(py), Target::Batch(self.id), Reason::Caller)
    }

    /// The same for the calls of one branch.
    fn cancel_branch(
        &self,
        py: Python<'_>,
        name: Bound<'_, PyString>,
        note: String,
    ) -> PyResult<u32> {
        let branch = self.branch(py, &name)?;
        self.note(py, Some(name.to_string()), note)?;
        Host::cancel(
            self.host.bind(py),
            Target::Branch(self.id, branch),
            Reason::Branch,
        )
    }

    /// Keeps a branch: those not committed are cancelled. False if it was cancelled before.
    fn commit_branch(&self, py: Python<'_>, name: Bound<'_, PyString>) -> PyResult<bool> {
        let branch = self.branch(py, &name)?;
        Host::commit(self.host.bind(py), self.id, branch)
    }

    /// Asks one call to end. False if it has ended or was asked before.
    fn cancel_call(&self, py: Python<'_>, index: u32) -> PyResult<bool> {
        let call = self
            .host
            .get()
            .state
            .borrow(py)?
            .sched
            .call_at(self.id, index);
        match call {
            None => Ok(false),
            Some(call) => {
                let target = Target::Call(call);
                Ok(Host::cancel(self.host.bind(py), target, Reason::Caller)? > 0)
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)?;
        let Some(state) = self.cell.peek() else {
            return Ok(());
        };
        visit.call(&state.outcomes)?;
        state
            .waiters
            .iter()
            .chain(&state.watchers)
            .try_for_each(|future| visit.call(future))?;
        state
            .log
            .iter()
            .try_for_each(|entered| visit.call(&entered.data))
    }

    fn __clear__(&self) {
        let emptied = self
            .cell
            .peek()
            .map(|mut state| std::mem::take(&mut *state));
        drop(emptied);
    }
}
