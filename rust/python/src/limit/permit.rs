//! `Permit`: what a call that limits let in holds. It ends once.

use std::sync::atomic::{AtomicBool, Ordering};

use penstock_core::clock::Nanos;
use penstock_core::limit;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::cost::Cost;
use super::limiter::Limiter;

/// Made by a limiter. Without an end its slots are free when it is dropped, and its units stay spent.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct Permit {
    limiter: Py<Limiter>,
    /// Nothing applied to the call: there is nothing to give back.
    held: Option<limit::Permit>,
    cost: limit::Cost,
    /// When it was granted: its call is sent after that.
    pub(crate) taken: Nanos,
    ended: AtomicBool,
}

impl Permit {
    pub(crate) fn new(
        limiter: Py<Limiter>,
        held: Option<limit::Permit>,
        cost: limit::Cost,
        taken: Nanos,
    ) -> Self {
        Self {
            limiter,
            held,
            cost,
            taken,
            ended: AtomicBool::new(false),
        }
    }

    pub(crate) fn live(&self) -> Option<limit::Permit> {
        self.held.filter(|_| !self.ended.load(Ordering::Acquire))
    }

    /// Ends it by `end`, unless it has ended: then false.
    fn end(
        &self,
        py: Python<'_>,
        end: impl FnOnce(&mut limit::Limiter, limit::Permit, Nanos),
    ) -> PyResult<bool> {
        if self.ended.swap(true, Ordering::AcqRel) {
            return Ok(false);
        }
        let Some(held) = self.held else {
            return Ok(true);
        };
        let limiter = self.limiter.get();
        let now = limiter.now(py);
        limiter.with(|core, _| end(core, held, now));
        Limiter::tell_waiters(self.limiter.bind(py), now)?;
        limiter.tell_warnings(py)?;
        Ok(true)
    }
}

#[pymethods]
impl Permit {
    /// What was reserved.
    #[getter]
    fn cost(&self) -> Cost {
        Cost(self.cost)
    }

    /// Whether it was settled, refunded or cancelled.
    #[getter]
    fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The call is over and took `actual`; as reserved if that is not known.
    #[pyo3(signature = (actual = None))]
    fn settle(&self, py: Python<'_>, actual: Option<&Bound<'_, Cost>>) -> PyResult<bool> {
        let actual = actual.map(|actual| actual.get().0);
        self.end(py, |core, held, now| {
            core.settle(held, actual.as_ref(), limit::End::Ok, now);
        })
    }

    /// The call was never sent: everything back.
    fn refund(&self, py: Python<'_>) -> PyResult<bool> {
        self.end(py, limit::Limiter::refund)
    }

    /// The call was sent and given up: its requests stay spent, its tokens as reported or reserved.
    #[pyo3(signature = (actual = None))]
    fn cancel(&self, py: Python<'_>, actual: Option<&Bound<'_, Cost>>) -> PyResult<bool> {
        let actual = actual.map(|actual| actual.get().0);
        self.end(py, |core, held, now| {
            core.cancel(held, actual.as_ref(), now);
        })
    }

    /// Reserves more for a call that goes on. False if a budget refuses that, or the permit has ended.
    fn extend(&self, py: Python<'_>, more: &Bound<'_, Cost>) -> bool {
        let (Some(held), limiter) = (self.live(), self.limiter.get()) else {
            return !self.ended.load(Ordering::Acquire);
        };
        let now = limiter.now(py);
        let more = more.get().0;
        limiter.with(|core, _| core.extend(held, &more, now))
    }

    fn __repr__(&self) -> String {
        let state = if self.ended() { "ended" } else { "held" };
        format!("<Permit: {state}>")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.limiter)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(held) = self.live() else { return };
        let limiter = self.limiter.get();
        let mut last = Nanos::ZERO;
        limiter.with(|core, now| {
            last = *now;
            core.drop_permit(held, last);
        });
        // Its slot is somebody else's now. A destructor has nobody to tell of an error.
        Python::attach(|py| Limiter::tell_waiters(self.limiter.bind(py), last).ok());
    }
}
