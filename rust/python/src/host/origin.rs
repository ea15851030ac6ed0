//! Which call a piece of code belongs to, also in tasks and callbacks that the call itself started:
//! they run in copies of its context, and there a context variable holds the call's *origin*.
//!
//! Setting a variable costs a third of a whole call that does nothing. So the calls of a batch that
//! end in their first step share one origin, which always names the latest of them: what such a call
//! left behind runs after its end, and is taken for a part of a later call of the same batch or of
//! none. As soon as a call suspends it keeps its origin for good, and the next one gets another.

use penstock_core::sched::{CallId, CallRef};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::cell::OwnerCell;
use super::engine::Host;
use super::raw;

/// The value of the context variable.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Origin {
    pub(crate) host: Py<Host>,
    call: OwnerCell<CallRef>,
    /// The call of another engine in which the batch was submitted.
    outer: Option<Py<Self>>,
}

impl Origin {
    /// The call, which may have ended. Only on the thread of its loop.
    pub(crate) fn call(&self, py: Python<'_>) -> PyResult<CallRef> {
        Ok(*self.call.borrow(py)?)
    }

    /// The origin of the code that runs now, if it belongs to a call.
    pub(crate) fn current(py: Python<'_>) -> PyResult<Option<Bound<'_, Self>>> {
        let found = raw::variable(variable(py)?)?;
        Ok(found.and_then(|found| found.cast_into_exact::<Self>().ok()))
    }

    /// The innermost call of this engine that the code which runs now belongs to.
    pub(crate) fn parent_in(host: &Bound<'_, Host>) -> PyResult<Option<CallId>> {
        let py = host.py();
        let mut next = Self::current(py)?;
        while let Some(origin) = next {
            if origin.get().host.is(host) {
                return origin.get().call(py).map(|call| Some(call.id));
            }
            next = origin
                .get()
                .outer
                .as_ref()
                .map(|outer| outer.bind(py).clone());
        }
        Ok(None)
    }

    fn make<'py>(host: &Bound<'py, Host>, call: CallRef) -> PyResult<Bound<'py, Self>> {
        let py = host.py();
        let mut outer = Self::current(py)?.map(Bound::unbind);
        if let Some(found) = &outer
            && found.get().host.is(host)
        {
            outer = found.get().outer.as_ref().map(|outer| outer.clone_ref(py));
        }
        let call = OwnerCell::new(py, call);
        Bound::new(
            py,
            Self {
                host: host.clone().unbind(),
                call,
                outer,
            },
        )
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
    /// A copy of a batch's context for a call that starts, with the call's origin in it.
    #[inline]
    pub(crate) fn context_for<'py>(
        slf: &Bound<'py, Self>,
        call: CallRef,
        of_batch: &Bound<'py, PyAny>,
        shared: Option<Bound<'py, Origin>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match shared {
            Some(origin) => *origin.get().call.borrow(py)? = call,
            None => Self::share_origin(slf, call, of_batch)?,
        }
        raw::copy_context(of_batch)
    }

    /// From now on the origin is this call's alone: its code goes on after its first step.
    pub(crate) fn keep_origin(slf: &Bound<'_, Self>, call: CallRef) -> PyResult<()> {
        let py = slf.py();
        let mut state = slf.get().state.borrow(py)?;
        let Some(record) = state.record_mut(call.batch) else {
            return Ok(());
        };
        let kept = match &record.origin {
            Some(origin) if origin.get().call(py)? == call => record.origin.take(),
            _ => None,
        };
        drop(state);
        drop(kept);
        Ok(())
    }

    #[cold]
    fn share_origin(
        slf: &Bound<'_, Self>,
        call: CallRef,
        of_batch: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let variable = variable(py)?;
        let origin = raw::in_context(of_batch, || {
            let origin = Origin::make(slf, call)?;
            raw::set_variable(variable, &origin)?;
            PyResult::Ok(origin)
        })??;
        let mut state = slf.get().state.borrow(py)?;
        if let Some(record) = state.record_mut(call.batch) {
            record.origin = Some(origin.unbind());
        }
        Ok(())
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
