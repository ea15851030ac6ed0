//! `penstock.sleep`: inside a hosted call the engine's own wheel, one timer for all sleepers;
//! anywhere else plain `asyncio.sleep`.

use penstock_core::clock::Nanos;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt};

use super::call_task::CallTask;
use crate::convert;
use crate::error;

/// Sleeps `seconds`; at least one turn of the loop.
#[pyclass(frozen, name = "sleep", module = "penstock._native")]
pub(crate) struct Sleep {
    pub(crate) span: Nanos,
    seconds: f64,
}

#[pymethods]
impl Sleep {
    #[new]
    fn new(seconds: &Bound<'_, PyAny>) -> PyResult<Self> {
        let number = seconds.is_instance_of::<PyFloat>() || seconds.is_instance_of::<PyInt>();
        match seconds.extract::<f64>() {
            Ok(given) if number && given >= 0.0 && given.is_finite() => Ok(Self {
                span: convert::nanos(given),
                seconds: given,
            }),
            _ => {
                let reason = "give a number of seconds, 0 or more";
                Err(error::config(seconds.py(), "seconds", seconds, reason))
            }
        }
    }

    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let asyncio = py.import(pyo3::intern!(py, "asyncio"))?;
        let task = asyncio.call_method0(pyo3::intern!(py, "current_task"))?;
        if task.cast_exact::<CallTask>().is_ok() && slf.get().span > Nanos::ZERO {
            let once = Once {
                sleep: slf.clone().unbind(),
                given: false.into(),
            };
            return Ok(Bound::new(py, once)?.into_any());
        }
        let asleep = asyncio.call_method1(pyo3::intern!(py, "sleep"), (slf.get().seconds,))?;
        asleep.call_method0(pyo3::intern!(py, "__await__"))
    }

    fn __repr__(&self) -> String {
        format!("penstock.sleep({})", self.seconds)
    }
}

/// Yields the sleep to the host once; the host knows it by its type and needs no Future.
#[pyclass(frozen, module = "penstock._native")]
struct Once {
    sleep: Py<Sleep>,
    given: std::sync::atomic::AtomicBool,
}

#[pymethods]
impl Once {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> Option<Py<Sleep>> {
        if self.given.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return None;
        }
        Some(self.sleep.clone_ref(py))
    }
}
