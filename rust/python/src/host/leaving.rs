//! Code that runs on after its call was given up and delivered as detached: who hears of its end.
//!
//! Ground rules: noted under the borrow, told after it, on the loop's thread, once. An engine that is
//! closed tells nobody any more.

use pyo3::prelude::*;

use super::batch::Batch;
use super::engine::Host;

#[pymethods]
impl Host {
    /// Has `told` called when the code of a batch of one has ended. False, and it is never called, if
    /// none runs any more.
    fn when_gone(
        &self,
        py: Python<'_>,
        batch: &Bound<'_, Batch>,
        told: Py<PyAny>,
    ) -> PyResult<bool> {
        let mut state = self.state.borrow(py)?;
        let call = state.sched.call_at(batch.get().id(), 0);
        let Some(call) = call.filter(|call| state.detached.contains_key(call)) else {
            return Ok(false);
        };
        state.leaving.entry(call).or_default().push(told);
        Ok(true)
    }
}

/// Tells all; what one raises is no business of the others.
pub(crate) fn tell(py: Python<'_>, told: Vec<Py<PyAny>>) {
    for each in told {
        if let Err(raised) = each.call0(py) {
            raised.write_unraisable(py, None);
        }
    }
}
