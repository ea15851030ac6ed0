//! A job: one call of a plain function, on its way through the thread pool.
//!
//! Its state goes one way: waiting, then started or withdrawn. Whoever moves it from waiting wins,
//! so a cancelled job that no thread has begun never begins. A started one cannot be stopped: it sees
//! `penstock.cancelled()`, and is delivered as detached after its grace.
//!
//! The function is called from Python (`executors/thread.py`), not from here: when a program ends,
//! Python unwinds the threads that still run, and must meet no frame of ours on their stacks.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use penstock_core::limit::{Cost, Feedback};
use penstock_core::sched::CallRef;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::context::Context;
use super::engine::Host;
use super::inbox::{Inbox, Message};
use super::observe;
use super::tell::Told;
use super::tool::{HostTool, Mode};

const WAITING: u8 = 0;
const STARTED: u8 = 1;
const WITHDRAWN: u8 = 2;

thread_local! {
    /// The job that this thread runs.
    static CURRENT: RefCell<Option<Py<Job>>> = const { RefCell::new(None) };
}

/// What a worker thread calls.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Job {
    call: CallRef,
    pub(crate) mode: Mode,
    tool: Py<PyString>,
    function: Py<PyAny>,
    arguments: Py<PyTuple>,
    keywords: Option<Py<PyTuple>>,
    extras: bool,
    handle: Option<Py<Context>>,
    context: Py<PyAny>,
    inbox: Arc<Inbox>,
    /// Has the pump run on the loop's thread; may be called on any thread.
    wake: Py<PyAny>,
    state: AtomicU8,
    cancelled: AtomicBool,
}

impl Job {
    pub(crate) fn new(
        host: &Bound<'_, Host>,
        call: CallRef,
        tool: &HostTool,
        context: Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
        handle: Option<Py<Context>>,
    ) -> PyResult<Self> {
        let (py, this) = (host.py(), host.get());
        Ok(Self {
            call,
            mode: tool.mode,
            tool: tool.name.clone_ref(py),
            function: tool.function.clone_ref(py),
            arguments: arguments.clone().unbind(),
            keywords: tool
                .parameters
                .keywords
                .as_ref()
                .map(|names| names.clone_ref(py)),
            extras: tool.parameters.extras,
            handle,
            context: context.unbind(),
            inbox: Arc::clone(&this.inbox),
            wake: Host::waker(host)?,
            state: AtomicU8::new(WAITING),
            cancelled: AtomicBool::new(false),
        })
    }

    /// Asks the job to end; true if no thread had begun it, and now none will.
    pub(crate) fn withdraw(&self) -> bool {
        self.cancelled.store(true, Ordering::Release);
        self.move_to(WITHDRAWN)
    }

    fn move_to(&self, next: u8) -> bool {
        self.state
            .compare_exchange(WAITING, next, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// The job that this thread runs, if it runs one.
    pub(crate) fn current(py: Python<'_>) -> Option<Py<Self>> {
        CURRENT.with_borrow(|job| job.as_ref().map(|job| job.clone_ref(py)))
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn tell(&self, py: Python<'_>, told: Told) -> PyResult<()> {
        self.post(py, Message::Told(self.call, told))
    }

    pub(crate) fn post_answer(
        &self,
        py: Python<'_>,
        feedback: Option<Box<Feedback>>,
        actual: Option<Cost>,
    ) -> PyResult<()> {
        self.post(py, observe::message(self.call, feedback, actual))
    }

    fn post(&self, py: Python<'_>, message: Message) -> PyResult<()> {
        if self.inbox.push(message) {
            // A closed loop: its engine is closed too, and nobody waits for this any more.
            if let Err(closed) = self.wake.call0(py)
                && !closed.is_instance_of::<PyRuntimeError>(py)
            {
                return Err(closed);
            }
        }
        Ok(())
    }

    /// `(run, function, *values)` and the named arguments, if there are some.
    fn spell<'py>(&self, py: Python<'py>) -> PyResult<Spelled<'py>> {
        let arguments = self.arguments.bind(py);
        let mut names: Vec<Bound<'py, PyAny>> = match &self.keywords {
            Some(keywords) => keywords.bind(py).iter().collect(),
            None => Vec::new(),
        };
        let (mut values, keyed) = if self.extras {
            let values = arguments.get_item(0)?.cast_into::<PyTuple>()?;
            (
                values.iter().collect(),
                arguments.get_item(1)?.cast_into::<PyDict>()?,
            )
        } else {
            (arguments.iter().collect::<Vec<_>>(), PyDict::new(py))
        };
        if let Some(handle) = &self.handle
            && let Some(name) = names.pop()
        {
            keyed.set_item(name, handle)?;
        }
        let by_name = values.split_off(values.len().saturating_sub(names.len()));
        for (name, value) in names.iter().zip(by_name) {
            keyed.set_item(name, value)?;
        }
        values.insert(0, self.function.bind(py).clone());
        let run = self.context.bind(py).getattr(pyo3::intern!(py, "run"))?;
        Ok((
            run,
            PyTuple::new(py, values)?,
            (!keyed.is_empty()).then_some(keyed),
        ))
    }
}

/// What a worker thread calls: `run(*values, **named)`.
type Spelled<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyTuple>,
    Option<Bound<'py, PyDict>>,
);

#[pymethods]
impl Job {
    /// Takes the job up: what to call, or None if it was withdrawn.
    fn begin<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Spelled<'py>>> {
        let (py, this) = (slf.py(), slf.get());
        if !this.move_to(STARTED) {
            return Ok(None);
        }
        // Other executors begin jobs on the loop's thread, which belongs to none of them.
        if this.mode == Mode::Thread {
            let before = CURRENT.replace(Some(slf.clone().unbind()));
            drop(before);
        }
        this.spell(py).map(Some)
    }

    /// Tells watchers how far the call is, for executors whose tools run elsewhere.
    #[pyo3(signature = (done = None, total = None, message = None))]
    fn progress(
        &self,
        py: Python<'_>,
        done: Option<Bound<'_, PyAny>>,
        total: Option<Bound<'_, PyAny>>,
        message: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.tell(py, Told::progress(py, done, total, message)?)
    }

    /// Gives watchers a part of the call's result, likewise.
    fn output(&self, py: Python<'_>, part: Bound<'_, PyAny>) -> PyResult<()> {
        self.tell(py, Told::output(&part)?)
    }

    /// Leaves the end in the inbox. Returns what wakes the loop, if somebody must call it.
    #[pyo3(signature = (value, error = None))]
    fn end(
        &self,
        py: Python<'_>,
        value: Py<PyAny>,
        error: Option<Bound<'_, PyAny>>,
    ) -> Option<Py<PyAny>> {
        if self.mode == Mode::Thread {
            let done = CURRENT.replace(None);
            drop(done);
        }
        let result = error.map_or(Ok(value), |error| Err(PyErr::from_value(error)));
        let wakes = self.inbox.push(Message::Ended(self.call, result));
        wakes.then(|| self.wake.clone_ref(py))
    }

    /// The name of the tool.
    #[getter]
    fn tool(&self, py: Python<'_>) -> Py<PyString> {
        self.tool.clone_ref(py)
    }

    /// Whether the call was asked to end.
    #[getter]
    fn cancelled(&self) -> bool {
        self.is_cancelled()
    }

    /// Whether the call was withdrawn before a thread began it.
    #[getter]
    fn withdrawn(&self) -> bool {
        self.state.load(Ordering::Acquire) == WITHDRAWN
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(&self.arguments)?;
        visit.call(&self.handle)?;
        visit.call(&self.context)?;
        visit.call(&self.wake)
    }
}
