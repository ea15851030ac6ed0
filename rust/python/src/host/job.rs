//! A job: one call of a plain function, on its way through the thread pool.
//!
//! Its state goes one way: waiting, then started or withdrawn. Whoever moves it from waiting wins,
//! so a cancelled job that no thread has begun never begins. A started one cannot be stopped: it sees
//! `penstock.cancelled()`, and is delivered as detached after its grace.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use penstock_core::sched::CallRef;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::context::Context;
use super::engine::Host;
use super::inbox::{Inbox, Message};
use super::pump::Pump;
use super::raw;
use super::tool::HostTool;

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
    function: Py<PyAny>,
    arguments: Py<PyTuple>,
    keywords: Option<Py<PyTuple>>,
    extras: bool,
    handle: Option<Py<Context>>,
    context: Py<PyAny>,
    inbox: Arc<Inbox>,
    wake: Py<PyAny>,
    pump: Py<Pump>,
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
            wake: this.asyncio.call_soon_threadsafe.clone_ref(py),
            pump: Host::pump(host)?.clone_ref(py),
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

    pub(crate) fn tell_progress(&self, py: Python<'_>, data: Py<PyAny>) -> PyResult<()> {
        self.post(py, Message::Progress(self.call, data))
    }

    fn post(&self, py: Python<'_>, message: Message) -> PyResult<()> {
        if self.inbox.push(message) {
            // A closed loop: its engine is closed too, and nobody waits for this any more.
            if let Err(closed) = self.wake.call1(py, (&self.pump,))
                && !closed.is_instance_of::<pyo3::exceptions::PyRuntimeError>(py)
            {
                return Err(closed);
            }
        }
        Ok(())
    }

    fn run(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (function, arguments) = (self.function.bind(py), self.arguments.bind(py));
        let keywords = self.keywords.as_ref().map(|keywords| keywords.bind(py));
        let result = if self.extras {
            let named = arguments.get_item(1)?.cast_into::<PyDict>()?;
            let values = arguments.get_item(0)?.cast_into::<PyTuple>()?;
            super::step::call_with_extras(function, &values, named, keywords, self.handle.as_ref())
        } else if let Some(handle) = &self.handle {
            let mut values: Vec<Bound<'_, PyAny>> = arguments.iter().collect();
            values.push(handle.bind(py).clone().into_any());
            raw::call(function, &PyTuple::new(py, values)?, keywords)
        } else {
            raw::call(function, arguments, keywords)
        };
        result.map(Bound::unbind)
    }
}

#[pymethods]
impl Job {
    /// Runs the function and posts its end. Never raises what the function raised.
    fn __call__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if !this.move_to(STARTED) {
            return Ok(());
        }
        let before = CURRENT.replace(Some(slf.clone().unbind()));
        let result = raw::in_context(this.context.bind(py), || this.run(py)).and_then(|ran| ran);
        let done = CURRENT.replace(before);
        drop(done);
        this.post(py, Message::Ended(this.call, result))
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
        visit.call(&self.pump)
    }
}
