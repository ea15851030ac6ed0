//! The other host modes: a real `asyncio.Task`, a plain function in the pump, a thread.

use penstock_core::clock::Nanos;
use penstock_core::sched::{CallRef, Verdict};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::batch::Entry;
use super::call_task::End;
use super::context::Context;
use super::engine::Host;
use super::job::Job;
use super::raw;
use super::step::invoke;
use super::tool::HostTool;
use crate::calls::Payload;
use crate::error;

/// An inline tool that takes longer than this holds the loop for too long; it is counted.
const SLOW_INLINE: Nanos = Nanos::from_millis(5);

impl End {
    /// The end as the core and the outcome take it.
    pub(crate) fn into_parts(self) -> (Verdict, Payload) {
        match self {
            Self::Value(value) => (Verdict::Returned, Payload::Value(value)),
            Self::Error(error) => (Verdict::Raised, Payload::Error(error)),
            Self::Cancelled(error) => (Verdict::Cancelled, Payload::Error(error)),
        }
    }
}

impl Host {
    /// Runs a coroutine in a task of asyncio's own, made by the loop's factory if it has one.
    pub(crate) fn start_task(
        slf: &Bound<'_, Self>,
        call: CallRef,
        tool: &HostTool,
        context: Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
        now: Nanos,
    ) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        Self::unseat(slf)?;
        let made = raw::in_context(&context, || {
            let made = invoke(slf, call, tool, Some(arguments))?;
            this.asyncio.as_coroutine(made)
        })?;
        let task = match made.and_then(|coroutine| this.asyncio.create_task(coroutine, &context)) {
            Ok(task) => task,
            Err(error) => return Self::end_with_error(slf, call, error),
        };
        let held = Entry::Task(task.clone().unbind());
        let (before, asked) = {
            let mut state = this.state.borrow(py)?;
            state.running = None;
            state.sched.suspended(call.id, now);
            (state.hold(call, held), state.sched.reason(call.id))
        };
        drop(before);
        if let Some(reason) = asked {
            // An eager task has run already, and its first step cancelled this very call.
            task.call_method1(pyo3::intern!(py, "cancel"), (reason.as_str(),))?;
        }
        if task.call_method0(pyo3::intern!(py, "done"))?.is_truthy()? {
            return Self::end_task_of_asyncio(slf, call, &task);
        }
        let end = Bound::new(
            py,
            TaskEnd {
                host: slf.clone().unbind(),
                call,
            },
        )?;
        this.asyncio.add_done_callback(&task, end.as_any())?;
        Ok(now)
    }

    /// A task that is cancelled before its first step runs none of its tool's code.
    pub(crate) fn refund_unstarted(
        slf: &Bound<'_, Self>,
        call: CallRef,
        task: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let tool = this.state.borrow(py)?.tool(py, call);
        if !tool.is_some_and(|tool| tool.get().is_lazy) {
            return Ok(());
        }
        let coroutine = task.call_method0(pyo3::intern!(py, "get_coro"))?;
        let inspect = py.import("inspect")?;
        let state = inspect.call_method1("getcoroutinestate", (coroutine,))?;
        if state.eq("CORO_CREATED")? {
            let now = this.now(py);
            this.state.borrow(py)?.unspent(call, now);
        }
        Ok(())
    }

    /// Calls a plain function that promised never to block.
    pub(crate) fn run_inline(
        slf: &Bound<'_, Self>,
        call: CallRef,
        tool: &HostTool,
        context: &Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
        now: Nanos,
    ) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        Self::unseat(slf)?;
        let result = raw::in_context(context, || invoke(slf, call, tool, Some(arguments)))?;
        let ended = match result.and_then(|value| plain_value(tool, value)) {
            Ok(value) => {
                Self::finish(slf, call, Verdict::Returned, Payload::Value(value.unbind()))?
            }
            Err(error) => Self::end_with_error(slf, call, error)?,
        };
        if ended.saturating_sub(now) > SLOW_INLINE {
            this.state.borrow(py)?.counts.slow_inline += 1;
        }
        Ok(ended)
    }

    /// Hands a plain function to the executor of its mode.
    pub(crate) fn start_job(
        slf: &Bound<'_, Self>,
        call: CallRef,
        tool: &HostTool,
        context: Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
        now: Nanos,
    ) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        let handle = if tool.parameters.wants_context {
            Some(Context::of(slf, call)?.unbind())
        } else {
            None
        };
        let job = Bound::new(py, Job::new(slf, call, tool, context, arguments, handle)?)?;
        let held = Entry::Job(job.clone().unbind());
        let before = {
            let mut state = this.state.borrow(py)?;
            state.running = None;
            state.sched.suspended(call.id, now);
            state
                .entry_mut(call)
                .map(|entry| std::mem::replace(entry, held))
        };
        drop(before);
        let started = match this.executors[tool.mode as usize].get(py) {
            Some((start, _)) => start.call1(py, (job,)),
            None => Err(error::internal(py, "a mode without an executor")),
        };
        if let Err(error) = started {
            return Self::end_with_error(slf, call, error);
        }
        Ok(now)
    }

    /// Ends a call whose function raised before, or instead of, giving something to wait for.
    pub(crate) fn end_with_error(
        slf: &Bound<'_, Self>,
        call: CallRef,
        error: PyErr,
    ) -> PyResult<Nanos> {
        let (verdict, payload) = Self::read_error(slf, error)?.into_parts();
        Self::finish(slf, call, verdict, payload)
    }
}

/// The done callback of an `asyncio.Task` that runs a call.
#[pyclass(frozen, module = "penstock._native")]
struct TaskEnd {
    host: Py<Host>,
    call: CallRef,
}

#[pymethods]
impl TaskEnd {
    fn __call__(&self, py: Python<'_>, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let host = self.host.bind(py);
        Host::as_turn(host, || {
            Host::end_task_of_asyncio(host, self.call, task).map(drop)
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)
    }
}

impl Host {
    /// Ends a call with what its task of asyncio's own has. The loop itself lets `KeyboardInterrupt`
    /// and `SystemExit` out of such a task.
    fn end_task_of_asyncio(
        slf: &Bound<'_, Self>,
        call: CallRef,
        task: &Bound<'_, PyAny>,
    ) -> PyResult<Nanos> {
        let py = slf.py();
        let (verdict, payload) = match task.call_method0(pyo3::intern!(py, "result")) {
            Ok(value) => End::Value(value.unbind()).into_parts(),
            Err(error) => {
                let value = error.into_value(py).into_any();
                let cancelled = slf.get().asyncio.is_cancellation(value.bind(py));
                let end = if cancelled {
                    End::Cancelled(value)
                } else {
                    End::Error(value)
                };
                end.into_parts()
            }
        };
        Self::finish(slf, call, verdict, payload)
    }
}

/// What a plain function returned; a coroutine would never be awaited, so its work was not done.
pub(crate) fn plain_value<'py>(
    tool: &HostTool,
    value: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    if !raw::is_coroutine(&value) {
        return Ok(value);
    }
    let py = value.py();
    value.call_method0(pyo3::intern!(py, "close"))?;
    let text = format!(
        "{:?} returned a coroutine, which nobody awaits: make it `async def`, or declare host=\"call\"",
        tool.name.bind(py).to_string(),
    );
    Err(PyTypeError::new_err(text))
}
