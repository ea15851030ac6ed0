//! What a guess has told before anybody asked for it: it waits here, and is told to who asks.
//!
//! Ground rules. It is thinned as everything that calls tell (`tell.rs`), and keeps its times. Nothing of
//! it is dropped, for who asks may want all of it: a guess that tells more than there is room for is
//! stopped, and answers nobody.

use std::sync::Mutex;

use penstock_core::ring::Fact;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::convert::locked;
use crate::ring::Kept;

/// Bytes, and events, that one guess may have waiting.
const MOST_BYTES: u32 = 256 << 10;
const MOST_EVENTS: usize = 1_024;

/// An event that waits: its kind and time, and its payload.
type Waiting = (Fact, (Kept, u32));

/// What a guess has told.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Unheard(Mutex<Vec<Waiting>>);

#[pymethods]
impl Unheard {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(locked(py, &self.0)?.len())
    }

    /// Whether all that was told is there.
    #[getter]
    fn is_whole(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(!is_full(&*locked(py, &self.0)?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(waiting) = self.0.try_lock() else {
            return Ok(()); // somebody is using it: it lives
        };
        waiting
            .iter()
            .try_for_each(|(_, (kept, _))| kept.traverse(&visit))
    }
}

impl Unheard {
    /// Keeps an event; false if that was too much.
    pub(crate) fn keep(&self, py: Python<'_>, fact: Fact, told: (Kept, u32)) -> PyResult<bool> {
        let mut waiting = locked(py, &self.0)?;
        if !is_full(&waiting) {
            waiting.push((fact, told));
        }
        Ok(!is_full(&waiting))
    }

    /// Takes out what waits, as events of the call at `index`.
    pub(crate) fn take(&self, py: Python<'_>, index: u32) -> PyResult<Vec<Waiting>> {
        let waiting = std::mem::take(&mut *locked(py, &self.0)?);
        let of_call = |(fact, (kept, bytes)): Waiting| {
            let fact = Fact {
                call: index,
                ..fact
            };
            (fact, (Kept::Guessed(Box::new(kept)), bytes))
        };
        Ok(waiting.into_iter().map(of_call).collect())
    }
}

/// One more is let in than fits, so that who is stopped for it is known by it.
fn is_full(waiting: &[Waiting]) -> bool {
    let bytes = waiting.iter().map(|(_, (_, bytes))| *bytes);
    waiting.len() > MOST_EVENTS || bytes.fold(0, u32::saturating_add) > MOST_BYTES
}
