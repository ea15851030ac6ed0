//! The task object of one call: what `asyncio.current_task()` answers inside a tool.
//!
//! It behaves as `asyncio.Task` does, without a Future and without a loop handle a step. The state
//! belongs to the loop's thread; the pump sets it before a step and reads it after. Cancellation
//! is asked here (by `asyncio.timeout`, by anyio, by people) and delivered by the next step. When a
//! call ends and nobody else holds its task, the same object serves the next call, still current.

use penstock_core::sched::CallRef;
use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PyStopIteration, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use super::cell::OwnerCell;
use super::engine::Host;
use super::raw;

/// What a suspended call waits for.
pub(crate) enum Waiting {
    /// Nothing: it is being stepped, or was resumed and waits for its step.
    Nothing,
    /// The next turn of the loop.
    Turn,
    /// A future, which has our callback.
    Future(Py<PyAny>),
    /// The engine's own timer.
    Sleep,
}

/// How the coroutine ended, kept for those who still hold the task.
pub(crate) enum End {
    Value(Py<PyAny>),
    Error(Py<PyAny>),
    Cancelled(Py<PyAny>),
}

pub(crate) struct TaskState {
    pub(crate) call: Option<CallRef>,
    pub(crate) coroutine: Option<Py<PyAny>>,
    pub(crate) context: Option<Py<PyAny>>,
    pub(crate) waiting: Waiting,
    /// Thrown at the next step: the error of the awaited future, or asyncio's about a bad yield.
    pub(crate) throwing: Option<Py<PyAny>>,
    pub(crate) must_cancel: bool,
    pub(crate) message: Option<Py<PyAny>>,
    cancels: u32,
    name: Option<Py<PyString>>,
    pub(crate) end: Option<End>,
    callbacks: Vec<(Py<PyAny>, Py<PyAny>)>,
    /// What libraries have set on the object, as they do on tasks.
    attributes: Option<Py<PyDict>>,
    /// asyncio's flag on a future that is being awaited.
    blocking: bool,
}

impl TaskState {
    pub(crate) fn new() -> Self {
        Self {
            call: None,
            coroutine: None,
            context: None,
            waiting: Waiting::Nothing,
            throwing: None,
            must_cancel: false,
            message: None,
            cancels: 0,
            name: None,
            end: None,
            callbacks: Vec::new(),
            attributes: None,
            blocking: false,
        }
    }

    /// Forgets what tools may have left behind, for the next call. Rarely has anything to do.
    #[inline]
    pub(crate) fn reset(&mut self) -> Option<Leftovers> {
        self.call = None;
        self.cancels = 0;
        self.must_cancel = false;
        self.blocking = false;
        if self.message.is_none() && self.name.is_none() {
            return None;
        }
        Some((self.message.take(), self.name.take()))
    }

    /// Whether there is code to step.
    pub(crate) fn is_live(&self) -> bool {
        self.end.is_none() && self.coroutine.is_some()
    }

    /// Whether somebody left something on the task that belongs to this call alone.
    #[inline]
    pub(crate) fn is_marked(&self) -> bool {
        !self.callbacks.is_empty() || self.attributes.is_some()
    }

    /// The callbacks that are to run now that the task is done.
    pub(crate) fn take_callbacks(&mut self) -> Vec<(Py<PyAny>, Py<PyAny>)> {
        std::mem::take(&mut self.callbacks)
    }

    pub(crate) fn is_cancelling(&self) -> bool {
        self.cancels > 0 || self.must_cancel
    }
}

type Leftovers = (Option<Py<PyAny>>, Option<Py<PyString>>);

/// The task of one call at a time.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct CallTask {
    pub(crate) host: Py<Host>,
    pub(crate) cell: OwnerCell<TaskState>,
}

impl CallTask {
    pub(crate) fn new(py: Python<'_>, host: Py<Host>) -> Self {
        Self {
            host,
            cell: OwnerCell::new(py, TaskState::new()),
        }
    }

    /// What is to be thrown at this step, if anything: a cancellation wins over any other error.
    pub(crate) fn next_error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (throwing, message) = {
            let mut state = self.cell.borrow(py)?;
            if !state.must_cancel && state.throwing.is_none() {
                return Ok(None);
            }
            let throwing = state.throwing.take();
            if !std::mem::take(&mut state.must_cancel) {
                return Ok(throwing.map(|error| error.into_bound(py)));
            }
            (throwing, state.message.take())
        };
        let asyncio = &self.host.get().asyncio;
        match throwing {
            Some(error) if asyncio.is_cancellation(error.bind(py)) => {
                Ok(Some(error.into_bound(py)))
            }
            _ => asyncio.cancellation(py, message.as_ref()).map(Some),
        }
    }

    /// Asks the call to end, as `Task.cancel` does: through what it awaits if that can be cancelled.
    pub(crate) fn request_cancel(
        slf: &Bound<'_, Self>,
        message: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let future = {
            let mut state = this.cell.borrow(py)?;
            if state.end.is_some() || state.call.is_none() {
                return Ok(false);
            }
            state.cancels += 1;
            match &state.waiting {
                Waiting::Future(future) => Some(future.clone_ref(py)),
                _ => None,
            }
        };
        if let Some(future) = future
            && cancel_future(future.bind(py), message)?
        {
            return Ok(true);
        }
        let asleep = {
            let mut state = this.cell.borrow(py)?;
            state.must_cancel = true;
            state.message = message.map(|message| message.clone().unbind());
            let asleep = matches!(state.waiting, Waiting::Sleep);
            if asleep {
                state.waiting = Waiting::Turn; // resumed once, however often it is cancelled
            }
            asleep
        };
        if asleep {
            Host::resume(this.host.bind(py), slf)?;
        }
        Ok(true)
    }

    fn end_of<T>(&self, py: Python<'_>, read: impl FnOnce(&End) -> PyResult<T>) -> PyResult<T> {
        let end = {
            let state = self.cell.borrow(py)?;
            state.end.as_ref().map(|end| match end {
                End::Value(value) => End::Value(value.clone_ref(py)),
                End::Error(error) => End::Error(error.clone_ref(py)),
                End::Cancelled(error) => End::Cancelled(error.clone_ref(py)),
            })
        };
        if let Some(end) = end {
            read(&end)
        } else {
            let invalid = py.import("asyncio")?.getattr("InvalidStateError")?;
            Err(PyErr::from_value(invalid.call1(("Result is not set.",))?))
        }
    }
}

/// `future.cancel(msg=message)`; whether it could be cancelled.
pub(crate) fn cancel_future(
    future: &Bound<'_, PyAny>,
    message: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let name = pyo3::intern!(future.py(), "cancel");
    let answer = match message {
        None => future.call_method0(name)?,
        Some(message) => {
            let named = PyDict::new(future.py());
            named.set_item(pyo3::intern!(future.py(), "msg"), message)?;
            future.call_method(name, (), Some(&named))?
        }
    };
    answer.is_truthy()
}

#[pymethods]
impl CallTask {
    /// The wake-up: the awaited future calls this with itself. Anything else is a stray call of a
    /// future that calls back twice, and is ignored.
    fn __call__(slf: &Bound<'_, Self>, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let awaited = {
            let mut state = this.cell.borrow(py)?;
            match &state.waiting {
                Waiting::Future(awaited) if awaited.is(future) => {
                    std::mem::replace(&mut state.waiting, Waiting::Nothing)
                }
                _ => return Ok(()),
            }
        };
        let failed = future.call_method0(pyo3::intern!(py, "result")).err();
        if let Some(failed) = failed {
            let error = failed.into_value(py).into_any();
            this.cell.borrow(py)?.throwing = Some(error);
        }
        drop(awaited);
        Host::wake(this.host.bind(py), slf)
    }

    #[pyo3(signature = (msg = None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Bound<'_, PyAny>>) -> PyResult<bool> {
        Self::request_cancel(slf, msg.as_ref())
    }

    fn cancelling(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.cell.borrow(py)?.cancels)
    }

    fn uncancel(&self, py: Python<'_>) -> PyResult<u32> {
        let mut state = self.cell.borrow(py)?;
        state.cancels = state.cancels.saturating_sub(1);
        // From 3.13 on a cancellation that was taken back before it was delivered is forgotten.
        #[cfg(Py_3_13)]
        if state.cancels == 0 {
            state.must_cancel = false;
        }
        Ok(state.cancels)
    }

    fn done(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.cell.borrow(py)?.end.is_some())
    }

    fn cancelled(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(matches!(self.cell.borrow(py)?.end, Some(End::Cancelled(_))))
    }

    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.end_of(py, |end| match end {
            End::Value(value) => Ok(value.clone_ref(py)),
            End::Error(error) | End::Cancelled(error) => {
                Err(PyErr::from_value(error.bind(py).clone()))
            }
        })
    }

    fn exception(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.end_of(py, |end| match end {
            End::Value(_) => Ok(None),
            End::Error(error) => Ok(Some(error.clone_ref(py))),
            End::Cancelled(error) => Err(PyErr::from_value(error.bind(py).clone())),
        })
    }

    #[pyo3(signature = (callback, *, context = None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let context = match context {
            Some(context) => context,
            None => raw::current_context(py)?.unbind(),
        };
        let late = {
            let mut state = this.cell.borrow(py)?;
            if state.end.is_some() {
                Some((callback, context))
            } else {
                state.callbacks.push((callback, context));
                None
            }
        };
        match late {
            None => Ok(()),
            Some(late) => Self::schedule_callbacks(slf, vec![late]),
        }
    }

    fn remove_done_callback(&self, py: Python<'_>, callback: Bound<'_, PyAny>) -> PyResult<usize> {
        let registered = self.cell.borrow(py)?.take_callbacks();
        let before = registered.len();
        let mut kept = Vec::with_capacity(before);
        for entry in registered {
            if !entry.0.bind(py).eq(&callback)? {
                kept.push(entry);
            }
        }
        let removed = before - kept.len();
        self.cell.borrow(py)?.callbacks.extend(kept);
        Ok(removed)
    }

    fn get_coro(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Ok(self
            .cell
            .borrow(py)?
            .coroutine
            .as_ref()
            .map(|coroutine| coroutine.clone_ref(py)))
    }

    fn get_context(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Ok(self
            .cell
            .borrow(py)?
            .context
            .as_ref()
            .map(|context| context.clone_ref(py)))
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.host.get().asyncio.event_loop.clone_ref(py)
    }

    #[getter]
    fn _loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.get_loop(py)
    }

    fn get_name<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        if let Some(name) = &self.cell.borrow(py)?.name {
            return Ok(name.bind(py).clone());
        }
        self.default_name(py)
    }

    fn set_name(&self, py: Python<'_>, value: Bound<'_, PyAny>) -> PyResult<()> {
        let name = value.str()?.unbind();
        let before = self.cell.borrow(py)?.name.replace(name);
        drop(before);
        Ok(())
    }

    #[pyo3(signature = (*, limit = None))]
    fn get_stack<'py>(
        slf: &Bound<'py, Self>,
        limit: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tasks = slf.py().import("asyncio.base_tasks")?;
        tasks.call_method1("_task_get_stack", (slf, limit))
    }

    #[pyo3(signature = (*, limit = None, file = None))]
    fn print_stack<'py>(
        slf: &Bound<'py, Self>,
        limit: Option<Bound<'py, PyAny>>,
        file: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tasks = slf.py().import("asyncio.base_tasks")?;
        tasks.call_method1("_task_print_stack", (slf, limit, file))
    }

    /// asyncio's base tasks read the coroutine and the error by these names.
    #[getter]
    fn _coro(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.get_coro(py)
    }

    #[getter]
    fn _exception(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match &self.cell.borrow(py)?.end {
            Some(End::Error(error)) => Ok(Some(error.clone_ref(py))),
            _ => Ok(None),
        }
    }

    #[getter]
    fn _must_cancel(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.cell.borrow(py)?.must_cancel)
    }

    #[getter]
    fn _fut_waiter(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match &self.cell.borrow(py)?.waiting {
            Waiting::Future(future) => Ok(Some(future.clone_ref(py))),
            _ => Ok(None),
        }
    }

    #[getter(_asyncio_future_blocking)]
    fn blocking(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.cell.borrow(py)?.blocking)
    }

    /// Tasks take any attribute; asyncio itself sets one.
    fn __setattr__(&self, name: Bound<'_, PyString>, value: Bound<'_, PyAny>) -> PyResult<()> {
        let py = name.py();
        if name == "_asyncio_future_blocking" {
            let blocking = value.is_truthy()?;
            self.cell.borrow(py)?.blocking = blocking;
            return Ok(());
        }
        let new = PyDict::new(py).unbind();
        let attributes = {
            let mut state = self.cell.borrow(py)?;
            state.attributes.get_or_insert(new).clone_ref(py)
        };
        attributes.bind(py).set_item(name, value)
    }

    fn __delattr__(&self, name: Bound<'_, PyString>) -> PyResult<()> {
        match self.attributes(name.py())? {
            Some(attributes) if attributes.contains(&name)? => attributes.del_item(name),
            _ => Err(PyAttributeError::new_err(name.unbind())),
        }
    }

    fn __getattr__<'py>(&self, name: Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        let found = match self.attributes(name.py())? {
            Some(attributes) => attributes.get_item(&name)?,
            None => None,
        };
        found.ok_or_else(|| {
            let text = format!("'CallTask' object has no attribute {name:?}");
            PyAttributeError::new_err(text)
        })
    }

    fn __await__(slf: Bound<'_, Self>) -> Awaiting {
        Awaiting {
            task: slf.unbind(),
            yielded: false.into(),
        }
    }

    fn __iter__(slf: Bound<'_, Self>) -> Awaiting {
        Self::__await__(slf)
    }

    /// `isinstance(asyncio.current_task(), asyncio.Task)` holds.
    #[getter(__class__)]
    fn class(&self, py: Python<'_>) -> Py<PyAny> {
        self.host.get().asyncio.task_type.clone_ref(py)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle 'CallTask' object"))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = self.get_name(py)?;
        let (word, coroutine, awaited) = {
            let state = self.cell.borrow(py)?;
            let word = match &state.end {
                None if state.is_cancelling() => "cancelling",
                None => "pending",
                Some(End::Cancelled(_)) => "cancelled",
                Some(_) => "finished",
            };
            let awaited = match &state.waiting {
                Waiting::Future(future) => Some(future.clone_ref(py)),
                _ => None,
            };
            (
                word,
                state
                    .coroutine
                    .as_ref()
                    .map(|coroutine| coroutine.clone_ref(py)),
                awaited,
            )
        };
        let mut shown = vec![format!("<CallTask {word} name={name:?}")];
        if let Some(coroutine) = coroutine {
            let format = py
                .import("asyncio.coroutines")?
                .getattr("_format_coroutine")?;
            shown.push(format!("coro=<{}>", format.call1((coroutine,))?));
        }
        if let Some(awaited) = awaited {
            shown.push(format!("wait_for={}", awaited.bind(py).repr()?));
        }
        Ok(shown.join(" ") + ">")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)?;
        let Some(state) = self.cell.peek() else {
            return Ok(());
        };
        visit.call(&state.coroutine)?;
        visit.call(&state.context)?;
        visit.call(&state.throwing)?;
        visit.call(&state.message)?;
        visit.call(&state.attributes)?;
        if let Waiting::Future(future) = &state.waiting {
            visit.call(future)?;
        }
        match &state.end {
            Some(End::Value(kept) | End::Error(kept) | End::Cancelled(kept)) => visit.call(kept)?,
            None => {}
        }
        state.callbacks.iter().try_for_each(|(callback, context)| {
            visit.call(callback)?;
            visit.call(context)
        })
    }

    fn __clear__(&self) {
        let emptied = self
            .cell
            .peek()
            .map(|mut state| std::mem::replace(&mut *state, TaskState::new()));
        drop(emptied);
    }
}

impl CallTask {
    /// Runs the done callbacks in coming turns of the loop, each in its own context.
    pub(crate) fn schedule_callbacks(
        slf: &Bound<'_, Self>,
        callbacks: Vec<(Py<PyAny>, Py<PyAny>)>,
    ) -> PyResult<()> {
        let py = slf.py();
        let event_loop = slf.get().host.get().asyncio.event_loop.bind(py);
        for (callback, context) in callbacks {
            let named = PyDict::new(py);
            named.set_item(pyo3::intern!(py, "context"), context)?;
            event_loop.call_method("call_soon", (callback, slf), Some(&named))?;
        }
        Ok(())
    }

    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let state = self.cell.borrow(py)?;
        Ok(state
            .attributes
            .as_ref()
            .map(|attributes| attributes.bind(py).clone()))
    }

    fn default_name<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        static ENDED: PyOnceLock<Py<PyString>> = PyOnceLock::new();
        let call = self.cell.borrow(py)?.call;
        Ok(match call {
            Some(call) => PyString::new(py, &format!("call-{}", call.id.to_bits())),
            None => ENDED
                .get_or_init(py, || PyString::new(py, "call").unbind())
                .bind(py)
                .clone(),
        })
    }
}

/// What `await task` iterates: yields the task once while it is pending, then gives its result.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Awaiting {
    task: Py<CallTask>,
    yielded: std::sync::atomic::AtomicBool,
}

#[pymethods]
impl Awaiting {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<CallTask>> {
        let task = self.task.get();
        if task.done(py)? {
            let value = task.result(py)?;
            return Err(PyStopIteration::new_err((value,))); // a bare tuple would be spread
        }
        if self
            .yielded
            .swap(true, std::sync::atomic::Ordering::Relaxed)
        {
            return Err(PyRuntimeError::new_err("await wasn't used with future"));
        }
        task.cell.borrow(py)?.blocking = true;
        Ok(self.task.clone_ref(py))
    }
}
