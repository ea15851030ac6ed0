//! What the host uses of asyncio and of its event loop, looked up once an engine.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::raw;

/// The loop, its methods, and asyncio's private record of which task is current.
pub(crate) struct Asyncio {
    pub(crate) event_loop: Py<PyAny>,
    call_soon: Py<PyAny>,
    pub(crate) call_soon_threadsafe: Py<PyAny>,
    call_later: Py<PyAny>,
    create_future: Py<PyAny>,
    pub(crate) cancelled_error: Py<PyAny>,
    pub(crate) task_type: Py<PyAny>,
    /// `_swap_current_task` from 3.12, `_enter_task` before. None: this Python has no such thing.
    enter: Option<Py<PyAny>>,
    #[cfg(not(Py_3_12))]
    leave: Option<Py<PyAny>>,
    /// The engine's own context: the pump and wake-ups run in it, never in a caller's.
    pub(crate) context: Py<PyAny>,
    context_names: Py<PyTuple>,
}

impl Asyncio {
    pub(crate) fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        let tasks = py.import("asyncio.tasks")?;
        let method = |name: &str| event_loop.getattr(name).map(Bound::unbind);
        let private = |name: &str| {
            tasks
                .getattr_opt(name)
                .map(|found| found.map(Bound::unbind))
        };
        let names = PyTuple::new(py, [pyo3::intern!(py, "context")])?;
        Ok(Self {
            event_loop: event_loop.clone().unbind(),
            call_soon: method("call_soon")?,
            call_soon_threadsafe: method("call_soon_threadsafe")?,
            call_later: method("call_later")?,
            create_future: method("create_future")?,
            cancelled_error: py.import("asyncio")?.getattr("CancelledError")?.unbind(),
            task_type: tasks.getattr("Task")?.unbind(),
            #[cfg(Py_3_12)]
            enter: private("_swap_current_task")?,
            #[cfg(not(Py_3_12))]
            enter: private("_enter_task")?,
            #[cfg(not(Py_3_12))]
            leave: private("_leave_task")?,
            context: raw::empty_context(py)?.unbind(),
            context_names: names.unbind(),
        })
    }

    /// Runs `callback` in a coming turn of the loop, in the engine's own context.
    pub(crate) fn call_soon(&self, callback: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = callback.py();
        let (context, names) = (self.context.bind(py), self.context_names.bind(py));
        raw::call_in_context(self.call_soon.bind(py), callback, context, names)?;
        Ok(())
    }

    /// Runs `callback` after so many seconds; returns the loop's handle, to be cancelled.
    pub(crate) fn call_later<'py>(
        &self,
        seconds: f64,
        callback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = callback.py();
        let named = pyo3::types::PyDict::new(py);
        named.set_item(pyo3::intern!(py, "context"), &self.context)?;
        self.call_later
            .bind(py)
            .call((seconds, callback), Some(&named))
    }

    /// A task of asyncio's own, by the loop's factory if it has one; from 3.12 on else an eager one.
    pub(crate) fn create_task<'py>(
        &self,
        coroutine: Bound<'py, PyAny>,
        context: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = coroutine.py();
        let event_loop = self.event_loop.bind(py);
        let named = pyo3::types::PyDict::new(py);
        named.set_item(pyo3::intern!(py, "context"), context)?;
        let plain = event_loop
            .call_method0(pyo3::intern!(py, "get_task_factory"))?
            .is_none();
        if cfg!(Py_3_12) && plain {
            named.set_item(pyo3::intern!(py, "loop"), event_loop)?;
            named.set_item(pyo3::intern!(py, "eager_start"), true)?;
            return self.task_type.bind(py).call((coroutine,), Some(&named));
        }
        event_loop.call_method(pyo3::intern!(py, "create_task"), (coroutine,), Some(&named))
    }

    /// A coroutine that awaits what is no coroutine itself; what cannot be awaited is left alone.
    pub(crate) fn as_coroutine<'py>(&self, made: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = made.py();
        if raw::is_coroutine(&made) || !made.hasattr(pyo3::intern!(py, "__await__"))? {
            return Ok(made);
        }
        // Without a timeout it only awaits, and it is a coroutine, which a task asks for.
        py.import("asyncio")?
            .getattr("wait_for")?
            .call1((made, py.None()))
    }

    pub(crate) fn create_future<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.create_future.bind(py).call0()
    }

    /// Has `waiter` called when `future` is done, in the engine's own context: each step enters the
    /// context of its call itself, so futures that ignore `context=` do no harm.
    pub(crate) fn add_done_callback(
        &self,
        future: &Bound<'_, PyAny>,
        waiter: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = future.py();
        let add = future.getattr(pyo3::intern!(py, "add_done_callback"))?;
        raw::call_in_context(
            &add,
            waiter,
            self.context.bind(py),
            self.context_names.bind(py),
        )?;
        Ok(())
    }

    /// A new `CancelledError`, with the message if there is one.
    pub(crate) fn cancellation<'py>(
        &self,
        py: Python<'py>,
        message: Option<&Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match message {
            None => self.cancelled_error.bind(py).call0(),
            Some(message) => self.cancelled_error.bind(py).call1((message,)),
        }
    }

    pub(crate) fn is_cancellation(&self, error: &Bound<'_, PyAny>) -> bool {
        error
            .is_instance(self.cancelled_error.bind(error.py()))
            .unwrap_or(false)
    }

    /// The task that is current now, whoever's it is.
    pub(crate) fn current_task<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let asyncio = py.import(pyo3::intern!(py, "asyncio"))?;
        asyncio.call_method1(pyo3::intern!(py, "current_task"), (&self.event_loop,))
    }

    /// Makes `task` asyncio's current one in place of `before`. False, and nothing changed, if
    /// somebody else's task is current: then this is not the moment to step anything.
    #[cfg(Py_3_12)]
    pub(crate) fn enter(
        &self,
        before: Option<&Bound<'_, PyAny>>,
        task: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = task.py();
        let Some(swap) = self.enter.as_ref().map(|swap| swap.bind(py)) else {
            return Ok(false);
        };
        let event_loop = self.event_loop.bind(py);
        let found = raw::call_two(swap, event_loop, task)?;
        if found.is_none() || before.is_some_and(|before| before.is(&found)) {
            return Ok(true);
        }
        raw::call_two(swap, event_loop, &found)?;
        Ok(false)
    }

    /// After this, asyncio has no current task.
    #[cfg(Py_3_12)]
    pub(crate) fn leave(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = task.py();
        if let Some(swap) = &self.enter {
            let nobody = py.None().into_bound(py);
            raw::call_two(swap.bind(py), self.event_loop.bind(py), &nobody)?;
        }
        Ok(())
    }

    /// As above, by the two functions that 3.11 has; `_enter_task` raises if another is current.
    #[cfg(not(Py_3_12))]
    pub(crate) fn enter(
        &self,
        before: Option<&Bound<'_, PyAny>>,
        task: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = task.py();
        if let Some(before) = before {
            self.leave(before)?;
        }
        let Some(enter) = &self.enter else {
            return Ok(false);
        };
        Ok(raw::call_two(enter.bind(py), self.event_loop.bind(py), task).is_ok())
    }

    /// As above.
    #[cfg(not(Py_3_12))]
    pub(crate) fn leave(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = task.py();
        if let Some(leave) = &self.leave {
            raw::call_two(leave.bind(py), self.event_loop.bind(py), task)?;
        }
        Ok(())
    }
}
