//! `Cost`: what a call takes of its limits, and what it took.

use penstock_core::limit;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

use crate::error;

/// The largest amount: beyond it a float, which providers' numbers may pass through, is not exact.
const MOST: u64 = (1 << 53) - 1;

/// Requests, tokens and money of one call; one request and nothing else by default.
#[pyclass(frozen, eq, hash, skip_from_py_object, module = "penstock._native")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cost(pub(crate) limit::Cost);

#[pymethods]
impl Cost {
    #[new]
    #[pyo3(signature = (requests = None, input_tokens = None, output_tokens = None, microusd = None))]
    fn new(
        requests: Option<Bound<'_, PyAny>>,
        input_tokens: Option<Bound<'_, PyAny>>,
        output_tokens: Option<Bound<'_, PyAny>>,
        microusd: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self(limit::Cost {
            requests: amount("requests", requests.as_ref(), 1)?,
            input_tokens: amount("input_tokens", input_tokens.as_ref(), 0)?,
            output_tokens: amount("output_tokens", output_tokens.as_ref(), 0)?,
            microusd: amount("microusd", microusd.as_ref(), 0)?,
        }))
    }

    #[getter]
    fn requests(&self) -> u64 {
        self.0.requests
    }

    #[getter]
    fn input_tokens(&self) -> u64 {
        self.0.input_tokens
    }

    #[getter]
    fn output_tokens(&self) -> u64 {
        self.0.output_tokens
    }

    /// Millionths of a dollar.
    #[getter]
    fn microusd(&self) -> u64 {
        self.0.microusd
    }

    fn __repr__(&self) -> String {
        let limit::Cost {
            requests,
            input_tokens,
            output_tokens,
            microusd,
        } = self.0;
        format!(
            "Cost(requests={requests}, input_tokens={input_tokens}, output_tokens={output_tokens}, microusd={microusd})"
        )
    }
}

fn amount(field: &str, value: Option<&Bound<'_, PyAny>>, default: u64) -> PyResult<u64> {
    let Some(value) = value else {
        return Ok(default);
    };
    let given = if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        value.extract::<u64>().ok()
    } else {
        None
    };
    match given {
        Some(given) if given <= MOST => Ok(given),
        _ => {
            let reason = "an amount is a whole number from 0 to 2**53 - 1";
            Err(error::config(value.py(), field, value, reason))
        }
    }
}

/// A cost as Python's face takes it: a `Cost`, or a number of requests.
pub(crate) fn read(value: &Bound<'_, PyAny>) -> PyResult<limit::Cost> {
    if let Ok(cost) = value.cast::<Cost>() {
        return Ok(cost.get().0);
    }
    Ok(limit::Cost {
        requests: amount("cost", Some(value), 1)?,
        ..limit::Cost::default()
    })
}
