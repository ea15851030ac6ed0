//! A batch: the record that the host keeps while it runs, and the handle that people hold.
//!
//! The record lives in the engine's state from submission until every call has its outcome; then
//! its outcomes and its log move into the handle. Only batches that somebody may watch have a log:
//! `engine.run` gives no handle away, so it pays for none. `log.rs` reads and writes it.

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
use crate::ring::Log;

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
    pub(crate) calls: Py<PyTuple>,
    pub(crate) entries: Box<[Entry]>,
    /// The caller's context when it submitted; each call runs in a copy.
    pub(crate) context: Py<PyAny>,
    /// Positions by id, for batches with references.
    pub(crate) positions: Option<Py<PyDict>>,
    pub(crate) handle: Py<Batch>,
    /// What has happened, if somebody may watch.
    pub(crate) log: Option<Box<Log>>,
    /// Made for one call, by nobody who knows of batches.
    pub(crate) is_lone: bool,
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
    pub(crate) notes: Vec<(Option<String>, String)>,
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
            log: None,
            is_lone: false,
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
            if let Some(guess) = &attempt.guess {
                visit.call(&guess.unheard)?;
            }
        }
        if let Some(log) = &self.log {
            log.traverse(visit)?;
        }
        self.entries
            .iter()
            .try_for_each(|entry| entry.traverse(visit))
    }
}

/// What outlives the record.
#[derive(Default)]
pub(crate) struct BatchState {
    /// Set when the batch has ended.
    pub(crate) outcomes: Option<Py<PyList>>,
    /// Futures of those who await the end.
    pub(crate) waiters: Vec<Py<PyAny>>,
    /// What has happened, for those who watch; None while the batch runs, or if nobody is to watch.
    pub(crate) log: Option<Box<Log>>,
}

/// The calls submitted together: to await, to watch, to cancel.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct Batch {
    pub(crate) host: Py<Host>,
    pub(crate) id: BatchId,
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

    pub(crate) fn refuse_own_call(&self, py: Python<'_>) -> PyResult<()> {
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
        Host::cancel_branch(self.host.bind(py), self.id, branch, name.unbind())
    }

    /// Keeps a branch: those not committed are cancelled. False if it was cancelled before.
    fn commit_branch(&self, py: Python<'_>, name: Bound<'_, PyString>) -> PyResult<bool> {
        let branch = self.branch(py, &name)?;
        let names = self.branches.bind(py).keys().extract()?;
        Host::commit_branch(self.host.bind(py), self.id, branch, names)
    }

    /// Lets held calls start once their parents are ok; returns how many were still held.
    fn release(&self, py: Python<'_>, calls: Vec<u32>) -> PyResult<u32> {
        Host::release(self.host.bind(py), self.id, &calls)
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
            .try_for_each(|future| visit.call(future))?;
        match &state.log {
            Some(log) => log.traverse(&visit),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let emptied = self
            .cell
            .peek()
            .map(|mut state| std::mem::take(&mut *state));
        drop(emptied);
    }
}
