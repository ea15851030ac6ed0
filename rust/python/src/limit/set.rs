//! `LimitSet`: the limits that one kind of call must pass, looked up once.

use penstock_core::limit::SetId;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::limiter::Limiter;

/// A handle; while it lives, what its limits count is kept. False if no limit applies.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct LimitSet {
    pub(crate) limiter: Py<Limiter>,
    pub(crate) id: Option<SetId>,
}

#[pymethods]
impl LimitSet {
    /// The names of its limits, in the order in which they were given.
    #[getter]
    fn limits(&self) -> Vec<String> {
        self.limiter.get().names(self.id)
    }

    fn __bool__(&self) -> bool {
        self.id.is_some()
    }

    fn __repr__(&self) -> String {
        format!("<LimitSet: {}>", self.limits().join(", "))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.limiter)
    }
}

impl Drop for LimitSet {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.limiter.get().with(|core, _| core.unpin(id));
        }
    }
}
