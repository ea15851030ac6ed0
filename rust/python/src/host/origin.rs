//! Which call a piece of code belongs to, also in the tasks that a call has started: those run in
//! copies of its context, and there a context variable holds an *origin*.
//!
//! Setting a variable costs a quarter of a whole call that does nothing. So it is set once for a
//! batch, and again for a call only if that call holds a gate that others may wait for, or runs in a
//! task of asyncio's own. The calls that share the origin of their batch are alike for those who ask
//! who waits for whom: they are equally deep, have the same ancestors and hold nothing themselves.

use std::sync::atomic::{AtomicU32, Ordering};

use penstock_core::sched::{BatchId, CallId, CallRef};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::batch::Entry;
use super::engine::{Host, State};
use super::raw;

enum Place {
    Call(CallRef),
    /// Any of its calls that holds no gate, and where one was found last.
    Batch(BatchId, AtomicU32),
}

/// The value of the context variable.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Origin {
    pub(crate) host: Py<Host>,
    place: Place,
    /// The call of another engine in which this engine's batch was submitted.
    outer: Option<Py<Self>>,
}

impl Origin {
    /// The origin of the code that runs now, if it belongs to a call.
    pub(crate) fn current(py: Python<'_>) -> PyResult<Option<Bound<'_, Self>>> {
        let found = raw::variable(variable(py)?)?;
        Ok(found.and_then(|found| found.cast_into_exact::<Self>().ok()))
    }

    /// The call itself, if that is known; it may have ended. Only on the thread of its loop.
    pub(crate) fn call(&self, py: Python<'_>) -> PyResult<Option<CallRef>> {
        match &self.place {
            Place::Call(call) => Ok(Some(*call)),
            Place::Batch(batch, _) => {
                let running = self.host.get().state.borrow(py)?.running;
                Ok(running.filter(|running| running.batch == *batch))
            }
        }
    }

    /// The innermost call of this engine that the running code belongs to, or one that is as good.
    pub(crate) fn parent_in(host: &Bound<'_, Host>) -> PyResult<Option<CallId>> {
        let py = host.py();
        let mut next = Self::current(py)?;
        while let Some(origin) = next {
            let origin = origin.get();
            if origin.host.is(host) {
                return origin.parent(py);
            }
            next = origin.outer.as_ref().map(|outer| outer.bind(py).clone());
        }
        let state = host.get().state.borrow(py)?;
        Ok(state.running.map(|running| running.id))
    }

    fn parent(&self, py: Python<'_>) -> PyResult<Option<CallId>> {
        if let Some(call) = self.call(py)? {
            return Ok(Some(call.id));
        }
        let Place::Batch(batch, hint) = &self.place else {
            return Ok(None);
        };
        let state = self.host.get().state.borrow(py)?;
        Ok(state.any_without_gate(py, *batch, hint))
    }

    /// Sets the origin in the context that is entered; returns the token to set it back.
    fn set<'py>(host: &Bound<'py, Host>, place: Place) -> PyResult<Bound<'py, PyAny>> {
        let py = host.py();
        let mut outer = Self::current(py)?.map(Bound::unbind);
        if let Some(found) = &outer
            && found.get().host.is(host)
        {
            outer = found.get().outer.as_ref().map(|outer| outer.clone_ref(py));
        }
        let host = host.clone().unbind();
        let origin = Bound::new(py, Self { host, place, outer })?;
        raw::set_variable(variable(py)?, &origin)
    }

    /// Names a call in the context of a caller who runs it himself, until `leave`.
    pub(crate) fn enter<'py>(
        host: &Bound<'py, Host>,
        call: CallRef,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::set(host, Place::Call(call))
    }

    /// Takes that back. A coroutine that is closed from another context leaves its own to be dropped.
    pub(crate) fn leave(token: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = token.py();
        match variable(py)?.call_method1(pyo3::intern!(py, "reset"), (token,)) {
            Err(elsewhere) if elsewhere.is_instance_of::<PyValueError>(py) => Ok(()),
            answer => answer.map(drop),
        }
    }
}

#[pymethods]
impl Origin {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)?;
        visit.call(&self.outer)
    }
}

impl Host {
    /// Names a batch in the context that its calls will copy.
    pub(crate) fn mark_batch(
        slf: &Bound<'_, Self>,
        batch: BatchId,
        context: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let place = Place::Batch(batch, AtomicU32::new(0));
        raw::in_context(context, || Origin::set(slf, place).map(drop))?
    }

    /// Names a call in the context that is its own.
    pub(crate) fn mark_call(
        slf: &Bound<'_, Self>,
        call: CallRef,
        context: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        raw::in_context(context, || Origin::enter(slf, call).map(drop))?
    }
}

impl State {
    /// A call of a batch that waits for something and holds no gate. Looks on where it found one
    /// last, so that asking for all calls of a batch looks at each only a few times.
    fn any_without_gate(&self, py: Python<'_>, batch: BatchId, hint: &AtomicU32) -> Option<CallId> {
        let entries = &self.record(batch)?.entries;
        let first = hint.load(Ordering::Relaxed) as usize;
        let (before, after) = entries.split_at_checked(first)?;
        let (passed, found) = after
            .iter()
            .chain(before)
            .enumerate()
            .find_map(|(at, entry)| {
                let Entry::Suspended(task) = entry else {
                    return None;
                };
                let call = task.get().cell.borrow(py).ok()?.call?;
                let tool = self.tool(py, call)?;
                (!tool.get().own_origin).then_some((at, call.id))
            })?;
        let at = (first + passed) % entries.len();
        hint.store(u32::try_from(at).unwrap_or(0), Ordering::Relaxed);
        Some(found)
    }
}

fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = CURRENT.get_or_try_init(py, || {
        let variable = py.import("contextvars")?.getattr("ContextVar")?;
        variable.call1(("penstock_call",)).map(Bound::unbind)
    })?;
    Ok(made.bind(py))
}
