//! Python's view of `penstock_core::stats`: a sketch of durations that Python itself measures.

use std::sync::Mutex;

use penstock_core::stats;
use pyo3::prelude::*;

use crate::convert::{locked, nanos};

/// How long something takes: quantiles and means within 3.2 %.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Sketch(pub(crate) Mutex<stats::Sketch>);

#[pymethods]
impl Sketch {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    /// Counts a duration that ended at `now`, both in seconds.
    fn record(&self, py: Python<'_>, seconds: f64, now: f64) -> PyResult<()> {
        locked(py, &self.0)?.record(nanos(seconds), nanos(now));
        Ok(())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let count = locked(py, &self.0)?.count();
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}
