//! Why a limit does not let a call in, as an error of `penstock.errors`.

use penstock_core::clock::Nanos;
use penstock_core::limit::{self, RefusalKind};
use pyo3::prelude::*;

use crate::{convert, error};

/// What the error says, read while the registry is locked; the error is made afterwards.
pub(crate) struct Explained {
    refusal: limit::Refusal,
    limit: String,
    scope: String,
    asked: u64,
    most: u64,
    waiting: u32,
    unit: limit::Unit,
    now: Nanos,
}

impl Explained {
    pub(crate) fn read(
        core: &limit::Limiter,
        refusal: limit::Refusal,
        cost: &limit::Cost,
        now: Nanos,
    ) -> Self {
        let (limit, scope) = core.describe(&refusal);
        let (asked, most) = core.sizes(&refusal, cost);
        Self {
            limit: limit.to_owned(),
            scope: scope.to_owned(),
            refusal,
            asked,
            most,
            waiting: core.waiting_for(&refusal),
            unit: core.unit_of(&refusal),
            now,
        }
    }

    /// The error.
    pub(crate) fn error<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (limit, scope) = (self.limit.as_str(), self.scope.as_str());
        let retry_at = self.refusal.retry_at;
        let later = retry_at.map(|at| convert::seconds(at.saturating_sub(self.now)));
        let remaining = self.refusal.remaining;
        match self.refusal.kind {
            RefusalKind::Exceeded => error::make(py, "LimitExceeded", (limit, scope, later)),
            RefusalKind::Deadline => error::make(py, "LimitDeadline", (limit, scope, later)),
            RefusalKind::Away => error::make(py, "LimitBackendAway", (limit, scope, later)),
            RefusalKind::QueueFull => {
                error::make(py, "LimitQueueFull", (limit, scope, later, self.waiting))
            }
            RefusalKind::Impossible => {
                let sizes = (limit, scope, None::<f64>, self.asked, self.most);
                error::make(py, "LimitImpossible", sizes)
            }
            RefusalKind::Budget => {
                let resets_at = retry_at.map(convert::seconds);
                let unit = match self.unit {
                    limit::Unit::Microusd => "microusd",
                    _ => "tokens",
                };
                let fields = (limit, scope, later, remaining, resets_at, unit);
                error::make(py, "BudgetExceeded", fields)
            }
        }
    }

    pub(crate) fn raise(&self, py: Python<'_>) -> PyErr {
        match self.error(py) {
            Ok(value) => PyErr::from_value(value),
            Err(failed) => failed,
        }
    }
}
