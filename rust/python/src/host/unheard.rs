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

/// An event that waits, and its payload.
pub(crate) type Waiting = (Fact, Payload);
pub(crate) type Payload = (Kept, u32);

#[derive(Default)]
struct Held {
    waiting: Vec<Waiting>,
    bytes: u32,
    is_cut: bool,
}

/// What a guess has told.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Unheard(Mutex<Held>);

#[pymethods]
impl Unheard {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(locked(py, &self.0)?.waiting.len())
    }

    /// Whether all that was told is there.
    #[getter]
    fn is_whole(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(!locked(py, &self.0)?.is_cut)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(held) = self.0.try_lock() else {
            return Ok(()); // somebody is using it: it lives
        };
        held.waiting
            .iter()
            .try_for_each(|(_, (kept, _))| kept.traverse(&visit))
    }
}

impl Unheard {
    /// Keeps an event, or gives back what is too much; nothing is kept after that.
    pub(crate) fn keep(&self, py: Python<'_>, fact: Fact, told: Payload) -> Option<Payload> {
        let Ok(mut held) = locked(py, &self.0) else {
            return Some(told);
        };
        let bytes = held.bytes.saturating_add(told.1);
        held.is_cut |= bytes > MOST_BYTES || held.waiting.len() >= MOST_EVENTS;
        if held.is_cut {
            return Some(told);
        }
        held.bytes = bytes;
        held.waiting.push((fact, told));
        None
    }

    /// Takes out what waits, as events of the call at `index`.
    pub(crate) fn take(&self, py: Python<'_>, index: u32) -> PyResult<Vec<Waiting>> {
        let held = std::mem::take(&mut *locked(py, &self.0)?);
        let of_call = |(fact, (kept, bytes)): Waiting| {
            let fact = Fact {
                call: index,
                ..fact
            };
            (fact, (Kept::Guessed(Box::new(kept)), bytes))
        };
        Ok(held.waiting.into_iter().map(of_call).collect())
    }
}
