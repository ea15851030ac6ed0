//! The self-test at an engine's start: does asyncio let us host calls ourselves here?
//!
//! The functions that say which task is current are private, so they are tried, not trusted. What
//! the probe measures, the references to a call task that nobody else holds, decides the reuse rule.

use pyo3::prelude::*;

use super::call_task::CallTask;
use super::engine::Host;
use super::raw;

#[pymethods]
impl Host {
    /// Tries to make a call task current and to leave it again. Returns why the engine must use
    /// tasks of asyncio's own, or None if it need not. May be called inside a task.
    fn probe(slf: &Bound<'_, Self>) -> PyResult<Option<String>> {
        let (py, asyncio) = (slf.py(), &slf.get().asyncio);
        let caller = asyncio.current_task(py)?;
        if caller.is_none() {
            return Self::try_seat(slf);
        }
        asyncio.leave(&caller)?;
        let tried = Self::try_seat(slf);
        asyncio.enter(None, &caller)?;
        tried
    }
}

impl Host {
    fn try_seat(slf: &Bound<'_, Self>) -> PyResult<Option<String>> {
        let (py, this) = (slf.py(), slf.get());
        let task = Bound::new(py, CallTask::new(py, slf.clone().unbind()))?;
        if !Self::seat(slf, &task)? {
            return Ok(Some("asyncio has no way to make a task current".to_owned()));
        }
        let is_seen = this.asyncio.current_task(py)?.is(&task);
        let alone = raw::references(&task);
        let is_task = task.is_instance(this.asyncio.task_type.bind(py))?;
        let current = this.state.borrow(py)?.current.take();
        this.asyncio.leave(task.as_any())?;
        drop(current);
        if !is_seen || !is_task {
            return Ok(Some("asyncio does not see the call's own task".to_owned()));
        }
        this.unshared.get_or_init(py, || alone);
        Ok(None)
    }
}
